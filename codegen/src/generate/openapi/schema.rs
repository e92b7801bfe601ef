//! Schemas as types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sinew_descriptor::{Body, Field, Named, Type, Variant};

use super::{super::names, Document};

/// How deep one schema may stand in another without a type of its own in between: what is deeper is any value.
const DEPTH_MAX: usize = 16;

/// A list of more texts than anybody tells apart by hand is any text.
const VARIANTS_MAX: usize = 1024;

/// The types that were made so far.
pub(super) struct Schemas<'d> {
    document: Document<'d>,
    types: Vec<Named>,
    /// Structs whose fields are not known yet: where they are among the types. Each is looked at by itself, however deep
    /// it is in others.
    open: Vec<(usize, &'d Value)>,
    structs: BTreeSet<String>,
    /// What a reference is called.
    known: BTreeMap<String, Type>,
    /// References that are being followed and are no types of their own.
    active: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(document: Document<'d>) -> Self {
        Self {
            document,
            types: Vec::new(),
            open: Vec::new(),
            structs: BTreeSet::new(),
            known: BTreeMap::new(),
            active: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    pub(super) fn into_types(self) -> Vec<Named> {
        self.types
    }

    /// The type of a schema. `hint` is what it is called where it has no name.
    pub(super) fn ty(&mut self, schema: &'d Value, hint: &str) -> Type {
        let ty = self.at_depth(schema, hint, 0);
        while let Some((at, schema)) = self.open.pop() {
            let name = self.types[at].name.clone();
            self.types[at].body = Body::Struct(self.fields(schema, &name));
        }
        ty
    }

    fn at_depth(&mut self, schema: &'d Value, hint: &str, depth: usize) -> Type {
        if depth > DEPTH_MAX {
            return opaque("it goes on for too long");
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, depth);
        }
        let ty = self.plain(schema, hint, depth);
        let flag = |name| schema.get(name).and_then(Value::as_bool).unwrap_or_default();
        match is_null_too(schema) || flag("nullable") || flag("x-nullable") {
            true => optional(ty),
            false => ty,
        }
    }

    fn reference(&mut self, reference: &str, depth: usize) -> Type {
        if let Some(known) = self.known.get(reference) {
            return known.clone();
        }
        let Some(target) = self.document.find(reference) else {
            return opaque("its reference leads nowhere in this document");
        };
        let name = reference.rsplit('/').next().unwrap_or_default();
        if is_named(target, self.document) {
            let ty = self.define(target, name);
            let ty = if is_null_too(target) { optional(ty) } else { ty };
            self.known.insert(reference.to_owned(), ty.clone());
            return ty;
        }
        if !self.active.insert(reference.to_owned()) {
            return opaque("it refers to itself and to nothing else");
        }
        let ty = self.at_depth(target, name, depth + 1);
        self.active.remove(reference);
        self.known.insert(reference.to_owned(), ty.clone());
        ty
    }

    /// A name that no other type has.
    fn name(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "Value" } else { wanted };
        let is_free = |name: &str| !self.names.contains(&name.to_lowercase());
        let mut name = wanted.to_owned();
        if !is_free(&name) {
            name = names::numbered(wanted, is_free);
        }
        self.names.insert(name.to_lowercase());
        name
    }

    /// Whether the type of this name has fields.
    pub(super) fn is_struct(&self, name: &str) -> bool {
        self.structs.contains(name)
    }

    /// A type of this body that nothing in the document names.
    pub(super) fn own(&mut self, hint: &str, body: Body) -> Type {
        let name = self.name(hint);
        if matches!(body, Body::Struct(_)) {
            self.structs.insert(name.clone());
        }
        self.types.push(Named { name: name.clone(), body, closed: false, open: false });
        Type::Named(name)
    }

    /// A type of its own for a schema that is one.
    fn define(&mut self, schema: &'d Value, hint: &str) -> Type {
        let Some(texts) = texts(schema) else {
            self.open.push((self.types.len(), schema));
            return self.own(hint, Body::Struct(Vec::new()));
        };
        match variants(&texts) {
            Some(variants) => self.own(hint, Body::Enum(variants)),
            None => Type::Text,
        }
    }

    fn plain(&mut self, schema: &'d Value, hint: &str, depth: usize) -> Type {
        if is_named(schema, self.document) {
            return self.define(schema, hint);
        }
        for several in ["oneOf", "anyOf", "allOf"] {
            if let Some(forms) = schema.get(several).and_then(Value::as_array) {
                return self.forms(forms, hint, depth);
            }
        }
        match kind(schema) {
            Some("boolean") => Type::Bool,
            Some("integer") => match format(schema) {
                Some("int32") => Type::I32,
                Some("uint32") => Type::U32,
                Some("uint64") => Type::U64,
                _ => Type::I64,
            },
            Some("number") => match format(schema) {
                Some("float") => Type::F32,
                _ => Type::F64,
            },
            Some("string") => Type::Text,
            Some("array") => {
                let item = schema.get("items").filter(|items| items.is_object());
                let item = item.map(|item| self.at_depth(item, &format!("{hint}Item"), depth + 1));
                Type::List(Box::new(item.unwrap_or_else(|| opaque("its items can be anything"))))
            }
            Some("object") => {
                match schema.get("additionalProperties").filter(|of| of.is_object()) {
                    Some(of) => {
                        let of = self.at_depth(of, &format!("{hint}Value"), depth + 1);
                        Type::Map(Box::new(Type::Text), Box::new(of))
                    }
                    None => opaque("it is any object"),
                }
            }
            Some("null") => Type::Unit,
            _ => opaque("it can be anything"),
        }
    }

    /// One of several forms: the one that it can be, or an option of it.
    fn forms(&mut self, forms: &'d [Value], hint: &str, depth: usize) -> Type {
        let is_null = |form: &&Value| kind(form) == Some("null");
        let real: Vec<_> = forms.iter().filter(|form| !is_null(form)).collect();
        match &*real {
            [only] => {
                let ty = self.at_depth(only, hint, depth + 1);
                if real.len() < forms.len() { optional(ty) } else { ty }
            }
            _ => opaque("it has one of several forms"),
        }
    }

    fn fields(&mut self, schema: &'d Value, name: &str) -> Vec<Field> {
        let mut found = Properties::default();
        found.collect(schema, self.document);
        let mut fields: Vec<Field> = Vec::new();
        for (property, schema) in found.properties {
            let hint = format!("{name}_{property}");
            let ty = self.at_depth(schema, &hint, 1);
            let optional = !found.required.contains(property);
            fields.push(Field {
                name: property.to_owned(),
                ty: if optional { self::optional(ty) } else { ty },
                optional,
                alias: false,
                omitted: optional,
            });
        }
        fields
    }
}

/// Whether a schema is a type of its own: an object with properties, or a list of texts.
fn is_named(schema: &Value, document: Document<'_>) -> bool {
    if texts(schema).is_some() {
        return true;
    }
    let mut found = Properties::default();
    found.collect(schema, document) && !found.properties.is_empty()
}

/// The properties of an object, those of what it is made of (`allOf`) among them.
#[derive(Default)]
struct Properties<'d> {
    /// By name; of several, the one that is said last.
    properties: BTreeMap<&'d str, &'d Value>,
    required: BTreeSet<&'d str>,
    /// Where what was looked at stands in memory: what an object is made of may be made of the object.
    seen: BTreeSet<*const Value>,
}

impl<'d> Properties<'d> {
    /// Adds those of a schema; `false` where it is no object.
    fn collect(&mut self, schema: &'d Value, document: Document<'d>) -> bool {
        self.below(schema, document, 0)
    }

    fn below(&mut self, schema: &'d Value, document: Document<'d>, depth: usize) -> bool {
        let Some(schema) = document.resolved(schema) else { return false };
        if depth > DEPTH_MAX || schema.get("oneOf").is_some() || schema.get("anyOf").is_some() {
            return false;
        }
        if !self.seen.insert(std::ptr::from_ref(schema)) {
            return true;
        }
        let mut is_object = matches!(kind(schema), None | Some("object"));
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            is_object &= self.below(part, document, depth + 1);
        }
        let own = schema.get("properties").and_then(Value::as_object);
        self.properties.extend(own.into_iter().flatten().map(|(name, of)| (name.as_str(), of)));
        let needed = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        self.required.extend(needed.filter_map(Value::as_str));
        is_object
    }
}

/// The texts that a value can be, if it can be nothing else.
fn texts(schema: &Value) -> Option<Vec<&str>> {
    if !matches!(kind(schema), None | Some("string")) {
        return None;
    }
    let all = schema.get("enum")?.as_array()?;
    let texts: Option<Vec<_>> =
        all.iter().filter(|one| !one.is_null()).map(Value::as_str).collect();
    texts.filter(|texts| !texts.is_empty())
}

/// A variant for each text; `None` where there are too many.
fn variants(texts: &[&str]) -> Option<Vec<Variant>> {
    let mut seen = BTreeSet::new();
    let texts = texts.iter().filter(|text| seen.insert(**text));
    let all: Vec<_> = texts
        .map(|text| Variant { name: (*text).to_owned(), alias: false, body: Body::Unit })
        .collect();
    (all.len() <= VARIANTS_MAX).then_some(all)
}

/// The type that a schema names; of several, the one beside `null`.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(one) => Some(one),
        Value::Array(several) => {
            let mut real = several.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            match (real.next(), real.next()) {
                (Some(one), None) => Some(one),
                (None, _) => Some("null"),
                // More than one: anything.
                (Some(_), Some(_)) => Some(""),
            }
        }
        _ => None,
    }
}

fn is_null_too(schema: &Value) -> bool {
    let is_null = |value: &Value| value.is_null() || value.as_str() == Some("null");
    let has = |key, is: &dyn Fn(&Value) -> bool| {
        schema.get(key).and_then(Value::as_array).is_some_and(|all| all.iter().any(is))
    };
    has("type", &is_null) && kind(schema) != Some("null") || has("enum", &Value::is_null)
}

fn format(schema: &Value) -> Option<&str> {
    schema.get("format").and_then(Value::as_str)
}

pub(super) fn optional(ty: Type) -> Type {
    match ty {
        Type::Option(_) => ty,
        // Nothing can be told apart from null in these.
        Type::Opaque(_) | Type::Unit => ty,
        other => Type::Option(Box::new(other)),
    }
}

pub(super) fn opaque(why: &str) -> Type {
    Type::Opaque(why.to_owned())
}
