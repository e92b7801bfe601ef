//! Services as a document of OpenAPI 3.1, for the tools of others: generators of clients, gateways, the page at `/try`.
//!
//! # Why
//! Whoever comes over plain HTTP has no trait. Descriptors know what a trait knows, and OpenAPI is what everybody reads.
//!
//! ```text
//!   request.rs   parameters and body of an operation     schema.rs   types as JSON Schema 2020-12
//!   answer.rs    its responses                           names.rs    what types and operations are called
//! ```
//!
//! # Invariants
//! 1. The same services make the same document. Nothing in it says where they run.
//! 2. It says no less than is answered: a value that serde writes for a type is valid under the type's schema.
//! 3. An operation is there once. Where two methods want one verb at one path, the first has it, and says so.
//!
//! # Not here
//! What a request becomes and how an answer is written: that is the router's, by the same bindings.

mod answer;
mod names;
mod request;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde_json::{Map, Value, json};
use sinew::descriptor::{Criticality, Method, Service};

use self::{names::Taken, request::Request, schema::Schemas};

/// The document of these services, at the place where it is read from.
pub(crate) fn document(services: &[Service], title: &str) -> Value {
    let mut schemas = Schemas::new(services);
    let mut paths = Paths::default();
    for (at, service) in services.iter().enumerate() {
        for method in &service.methods {
            let request = request::request(&mut schemas.of(at), service, method);
            let responses = answer::responses(&mut schemas.of(at), method);
            paths.add(service, method, request, responses);
        }
    }
    let version = services.iter().filter_map(|service| service.version).max().unwrap_or(1);
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": version.to_string()},
        "tags": tags(services),
        "paths": paths.into_value(),
        "components": {
            "schemas": schemas.into_value(),
            "responses": {answer::PROBLEM: answer::problem_response()},
        },
    })
}

/// One for each service, with what its trait says of itself.
fn tags(services: &[Service]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let once = services.iter().filter(|service| seen.insert(&service.name));
    let tag = |service: &Service| match &*service.doc {
        "" => json!({"name": service.name}),
        doc => json!({"name": service.name, "description": doc}),
    };
    once.map(tag).collect()
}

/// The operations by path and verb.
#[derive(Default)]
struct Paths {
    /// By the path with nothing in its braces: two that differ only there are the same to OpenAPI.
    items: BTreeMap<String, Item>,
    ids: Taken,
}

/// What a path can do.
struct Item {
    /// As the first method of it has it.
    path: String,
    operations: BTreeMap<String, Value>,
}

impl Paths {
    fn add(&mut self, service: &Service, method: &Method, request: Request, responses: Value) {
        let Request { verb, path, parameters, body, notes } = request;
        let item = self
            .items
            .entry(shape(&path))
            .or_insert_with(|| Item { path: path.clone(), operations: BTreeMap::new() });
        match item.operations.entry(verb) {
            Entry::Occupied(mut first) => {
                let note = format!(
                    "`{}/{}` has the same verb and path, and is not reached.",
                    service.name, method.name
                );
                describe(first.get_mut(), &note);
            }
            Entry::Vacant(free) => {
                let id = self.ids.operation(&service.name, &method.name);
                let mut operation = about(service, method, id);
                for note in notes {
                    describe(&mut operation, &note);
                }
                let parameters = renamed(parameters, &path, &item.path);
                if !parameters.is_empty() {
                    operation["parameters"] = Value::Array(parameters);
                }
                if let Some(body) = body {
                    operation["requestBody"] = body;
                }
                operation["responses"] = responses;
                free.insert(operation);
            }
        }
    }

    fn into_value(self) -> Value {
        let item = |item: Item| (item.path, item.operations.into_iter().collect::<Value>());
        self.items.into_values().map(item).collect()
    }
}

/// What is said of an operation, apart from what goes in and comes out.
fn about(service: &Service, method: &Method, id: String) -> Value {
    let mut operation = json!({
        "operationId": id,
        "tags": [service.name],
        "x-sinew-method": format!("{}/{}", service.name, method.name),
    });
    let (summary, rest) = method.doc.split_once('\n').unwrap_or((&method.doc, ""));
    if !summary.is_empty() {
        operation["summary"] = json!(summary.trim());
    }
    // A sentence that goes on in the next line is not torn apart.
    let goes_on = !rest.is_empty() && !rest.starts_with(['\n', '\r']);
    let description = if goes_on { &*method.doc } else { rest.trim() };
    if !description.is_empty() {
        operation["description"] = json!(description);
    }
    if method.idempotent {
        operation["x-sinew-idempotent"] = json!(true);
    }
    if let Some(timeout_us) = method.timeout_us {
        operation["x-sinew-timeout-ms"] = match timeout_us % 1000 {
            0 => json!(timeout_us / 1000),
            _ => json!(timeout_us as f64 / 1000.0),
        };
    }
    if let Some(criticality) = method.criticality {
        operation["x-sinew-criticality"] = json!(match criticality {
            Criticality::CriticalPlus => "critical_plus",
            Criticality::Critical => "critical",
            Criticality::SheddablePlus => "sheddable_plus",
            Criticality::Sheddable => "sheddable",
        });
    }
    operation
}

/// Adds a paragraph to a description.
fn describe(value: &mut Value, words: &str) {
    let said = value.get("description").and_then(Value::as_str).unwrap_or_default();
    let all = if said.is_empty() { words.to_owned() } else { format!("{said}\n\n{words}") };
    value["description"] = json!(all);
}

/// A path with nothing in its braces.
fn shape(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((text, after)) = rest.split_once('{') {
        shape.extend([text, "{}"]);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    shape.push_str(rest);
    shape
}

/// The names in the braces of a path, in order.
fn braces(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
}

/// Parameters of a path under the names that the path has here, if another method had it first.
fn renamed(mut parameters: Vec<Value>, own: &str, first: &str) -> Vec<Value> {
    if own == first {
        return parameters;
    }
    let names: Map<String, Value> = braces(own)
        .into_iter()
        .map(str::to_owned)
        .zip(braces(first).into_iter().map(Value::from))
        .collect();
    for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
        let name = parameter["name"].as_str().and_then(|name| names.get(name));
        if let Some(name) = name.cloned() {
            parameter["name"] = name;
        }
    }
    parameters
}
