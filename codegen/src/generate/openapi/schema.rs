//! Schemas as types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sinew_descriptor::{Body, Field, Named, Type, Variant};

use super::Document;

/// How deep one schema may stand in another: what is deeper is any value.
const DEPTH_MAX: usize = 16;

/// The types that were made so far.
pub(super) struct Schemas<'d> {
    document: Document<'d>,
    types: Vec<Named>,
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
        self.at_depth(schema, hint, 0)
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
            // Known before its parts are, which may refer to it.
            let name = self.name(name);
            self.known.insert(reference.to_owned(), Type::Named(name.clone()));
            self.define(target, name, depth);
            let ty = self.known[reference].clone();
            return if is_null_too(target) { optional(ty) } else { ty };
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
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.names.insert(name.to_lowercase()) {
            name = format!("{wanted}{number}");
            number += 1;
        }
        name
    }

    /// A type of this body that nothing in the document names.
    pub(super) fn own(&mut self, hint: &str, body: Body) -> Type {
        let name = self.name(hint);
        self.types.push(Named { name: name.clone(), body, closed: false, open: false });
        Type::Named(name)
    }

    fn define(&mut self, schema: &'d Value, name: String, depth: usize) {
        let at = self.types.len();
        self.types.push(Named { name: name.clone(), body: Body::Unit, closed: false, open: false });
        let body = match texts(schema) {
            Some(texts) => Body::Enum(variants(&texts)),
            None => Body::Struct(self.fields(schema, &name, depth)),
        };
        self.types[at].body = body;
    }

    fn plain(&mut self, schema: &'d Value, hint: &str, depth: usize) -> Type {
        if is_named(schema, self.document) {
            let name = self.name(hint);
            self.define(schema, name.clone(), depth);
            return Type::Named(name);
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

    fn fields(&mut self, schema: &'d Value, name: &str, depth: usize) -> Vec<Field> {
        let (mut properties, mut required) = (Vec::new(), BTreeSet::new());
        properties_of(schema, self.document, 0, &mut properties, &mut required);
        properties.sort_by_key(|(name, _)| *name);
        let mut fields: Vec<Field> = Vec::new();
        for (property, schema) in properties {
            let hint = format!("{name}_{property}");
            let ty = self.at_depth(schema, &hint, depth + 1);
            let optional = !required.contains(property);
            let field = Field {
                name: property.to_owned(),
                ty: if optional { self::optional(ty) } else { ty },
                optional,
                alias: false,
                omitted: optional,
            };
            match fields.iter_mut().find(|known| known.name == *property) {
                Some(known) => *known = field,
                None => fields.push(field),
            }
        }
        fields
    }
}

/// Whether a schema is a type of its own: an object with properties, or a list of texts.
fn is_named(schema: &Value, document: Document<'_>) -> bool {
    if texts(schema).is_some() {
        return true;
    }
    let (mut properties, mut required) = (Vec::new(), BTreeSet::new());
    properties_of(schema, document, 0, &mut properties, &mut required) && !properties.is_empty()
}

/// The properties of an object, those of what it is made of (`allOf`) among them; `false` where it is something else.
fn properties_of<'d>(
    schema: &'d Value,
    document: Document<'d>,
    depth: usize,
    properties: &mut Vec<(&'d str, &'d Value)>,
    required: &mut BTreeSet<&'d str>,
) -> bool {
    let Some(schema) = document.resolved(schema) else { return false };
    if depth > DEPTH_MAX || schema.get("oneOf").is_some() || schema.get("anyOf").is_some() {
        return false;
    }
    let mut is_object = matches!(kind(schema), None | Some("object"));
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        is_object &= properties_of(part, document, depth + 1, properties, required);
    }
    let own = schema.get("properties").and_then(Value::as_object);
    properties.extend(own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
    let needed = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.extend(needed.filter_map(Value::as_str));
    is_object
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

fn variants(texts: &[&str]) -> Vec<Variant> {
    let mut seen = BTreeSet::new();
    let texts = texts.iter().filter(|text| seen.insert(**text));
    texts.map(|text| Variant { name: (*text).to_owned(), alias: false, body: Body::Unit }).collect()
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
