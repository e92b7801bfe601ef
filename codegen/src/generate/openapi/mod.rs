//! OpenAPI documents (2.0, 3.0 and 3.1, as JSON) as services that are called over plain HTTP.
//!
//! # Why
//! Most services that are there already say in such a document what they take and answer with. A descriptor with bindings
//! is the same, so the same generator writes their trait, and the bridge calls them.
//!
//! # What it makes of things
//! An operation is a method, named after its `operationId`; parameters and the body are arguments, optional ones
//! `Option`s; the first successful answer with a body is the value, the first other one with a JSON body the method's own
//! error. A schema that is an object or a list of texts is a type of its own; one of several forms (`oneOf`, `anyOf`), or of
//! none, is a `serde_json::Value`. What has no form is refused by name: operations that take a form of several parts, say.
//!
//! # Not here
//! Credentials: they are metadata of a call. Where the service is: that is the client's target.

mod operation;
mod schema;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sinew_descriptor::{Descriptor, Service};

use self::{operation::Operations, schema::Schemas};
use super::{Refusal, Unreadable, names};

/// A document as a service.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What was made of it.
    pub descriptor: Descriptor,
    /// How many operations the document has.
    pub operations: usize,
    /// Those that are not in it.
    pub refused: Vec<Refusal>,
}

/// What a path may say it can do, and what of that HTTP knows here.
const VERBS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Whether a text looks like such a document, so that whoever reads it need not be told.
pub fn is_openapi(json: &str) -> bool {
    let document: Option<Map<String, Value>> = serde_json::from_str(json).ok();
    document.is_some_and(|document| {
        document.contains_key("openapi") || document.contains_key("swagger")
    })
}

/// Makes a service of a document. `name` is what it is called on the wire; without one, its title.
///
/// # Errors
/// It is no JSON, or no such document: with the place, and what would be right.
pub fn import(json: &str, name: Option<&str>) -> Result<Imported, Unreadable> {
    let value: Value =
        serde_json::from_str(json).map_err(|why| Unreadable::one(why.to_string()))?;
    let document = Document { root: &value };
    let version = document.version().map_err(Unreadable::one)?;
    let title = value.pointer("/info/title").and_then(Value::as_str).unwrap_or("Service");
    let name = name.map_or_else(|| names::wire_name(title), str::to_owned);
    let Some(paths) = value.get("paths").and_then(Value::as_object) else {
        return Err(Unreadable::one("#/paths: an object with the paths is missing"));
    };
    let mut operations =
        Operations { document, version, schemas: Schemas::new(document), refused: Vec::new() };
    let (mut methods, mut count) = (Vec::new(), 0);
    let mut taken = BTreeSet::new();
    // Whether a build of serde_json keeps the order of a document is not ours to say: the text must not depend on it.
    let sorted: BTreeMap<_, _> = paths.iter().collect();
    for (path, item) in sorted {
        let Some(item) = document.resolved(item).filter(|item| item.is_object()) else {
            count += 1;
            operations.refuse(path, "it is no object, and refers to none in this document");
            continue;
        };
        for verb in VERBS {
            let Some(operation) = item.get(*verb) else { continue };
            count += 1;
            methods.extend(operations.method(path, verb, item, operation, &mut taken));
        }
    }
    let trait_name = names::trait_name(&name);
    let service = Service {
        doc: about(&value),
        trait_name,
        version: None,
        methods,
        types: operations.schemas.into_types(),
        name,
    };
    let services = if service.methods.is_empty() { Vec::new() } else { vec![service] };
    Ok(Imported {
        descriptor: Descriptor::new(services),
        operations: count,
        refused: operations.refused,
    })
}

/// What the document says of itself, and where it says that the service is.
fn about(document: &Value) -> String {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![text("/info/title").to_owned()];
    let servers = document.get("servers").and_then(Value::as_array).into_iter().flatten();
    let mut places: Vec<String> = servers
        .filter_map(|server| server.get("url").and_then(Value::as_str).map(str::to_owned))
        .collect();
    if let Some(host) = document.get("host").and_then(Value::as_str) {
        places.push(format!("{host}{}", text("/basePath")));
    }
    if !places.is_empty() {
        lines.push(String::new());
        lines.push(format!("At `{}`, by its own words.", places.join("`, `")));
    }
    lines.join("\n").trim().to_owned()
}

/// Which of the formats it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Two,
    Three,
}

/// The whole, in which references are looked up.
#[derive(Clone, Copy)]
pub(super) struct Document<'d> {
    root: &'d Value,
}

/// References that lead to references.
const HOPS_MAX: usize = 32;

impl<'d> Document<'d> {
    fn version(&self) -> Result<Version, String> {
        let said = |key| self.root.get(key).and_then(Value::as_str);
        match (said("swagger"), said("openapi")) {
            (Some("2.0"), _) => Ok(Version::Two),
            (_, Some(version)) if version.starts_with("3.0") || version.starts_with("3.1") => {
                Ok(Version::Three)
            }
            (Some(other), _) | (_, Some(other)) => {
                Err(format!("version {other} is not known; known are 2.0, 3.0 and 3.1"))
            }
            (None, None) => {
                Err("neither `openapi` nor `swagger` says which version it is".to_owned())
            }
        }
    }

    /// What a reference leads to, or the value itself where it is none; `None` where it leads nowhere.
    pub(super) fn resolved(&self, value: &'d Value) -> Option<&'d Value> {
        let mut at = value;
        for _ in 0..HOPS_MAX {
            match at.get("$ref").and_then(Value::as_str) {
                Some(reference) => at = self.find(reference)?,
                None => return Some(at),
            }
        }
        None
    }

    /// What stands at `#/components/..`; references to other files are none that can be followed.
    pub(super) fn find(&self, reference: &str) -> Option<&'d Value> {
        let pointer = reference.strip_prefix('#')?;
        let decoded = pointer.replace("%7B", "{").replace("%7D", "}").replace("%20", " ");
        self.root.pointer(&decoded)
    }
}
