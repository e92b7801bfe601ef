//! Types as JSON Schema 2020-12: what serde writes for them as JSON.
//!
//! # Invariants
//! 1. A struct, an enum, and a newtype of what has no name is a component; a newtype of one of these is that one. So a
//!    schema ends, whatever holds itself. A variant that holds something is one too, and its fields are: generators
//!    name types after them.
//! 2. Components that nothing refers to are not written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sinew::descriptor::{Body, Field, Named, Service, Type, Variant};

use super::{answer, describe, names::Names};

/// The schemas of a document.
pub(super) struct Schemas<'d> {
    /// The types of each service by name.
    types: Vec<BTreeMap<&'d str, &'d Named>>,
    /// What they are called here.
    names: Names<'d>,
    /// Referred to, and not written yet.
    open: Vec<(usize, &'d Named)>,
    /// `None` as long as it is open.
    components: BTreeMap<String, Option<Value>>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(services: &'d [Service]) -> Self {
        let by_name = |service: &'d Service| {
            service.types.iter().map(|named| (&*named.name, named)).collect::<BTreeMap<_, _>>()
        };
        Self {
            types: services.iter().map(by_name).collect(),
            names: Names::new(services, answer::PROBLEM),
            open: Vec::new(),
            components: BTreeMap::new(),
        }
    }

    /// Those of the service at this place.
    pub(super) fn of(&mut self, service: usize) -> Scope<'_, 'd> {
        Scope { schemas: self, service }
    }

    /// All components.
    pub(super) fn into_value(mut self) -> Value {
        while let Some((service, named)) = self.open.pop() {
            let schema = self.of(service).component(named);
            self.components.insert(self.names.of(service, &named.name), Some(schema));
        }
        self.components.insert(answer::PROBLEM.to_owned(), Some(answer::problem_schema()));
        let written =
            self.components.into_iter().filter_map(|(name, schema)| Some((name, schema?)));
        written.collect()
    }
}

/// The schemas of a document, for the types of one service.
pub(super) struct Scope<'s, 'd> {
    schemas: &'s mut Schemas<'d>,
    service: usize,
}

impl<'d> Scope<'_, 'd> {
    /// The schema of a type where it stands.
    pub(super) fn schema(&mut self, ty: &'d Type) -> Value {
        match ty {
            Type::Bool => json!({"type": "boolean"}),
            Type::U8 => integer("uint8", 0, u8::MAX),
            Type::U16 => integer("uint16", 0, u16::MAX),
            Type::U32 => integer("uint32", 0, u32::MAX),
            Type::U64 => integer("uint64", 0, u64::MAX),
            Type::I8 => integer("int8", i8::MIN, i8::MAX),
            Type::I16 => integer("int16", i16::MIN, i16::MAX),
            Type::I32 => integer("int32", i32::MIN, i32::MAX),
            Type::I64 => integer("int64", i64::MIN, i64::MAX),
            // Many readers of JSON lose digits of such numbers.
            Type::U128 => json!({
                "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,39}$"}],
                "description": "A whole number of up to 128 bits, or a text of one.",
            }),
            Type::I128 => json!({
                "anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]{1,39}$"}],
                "description": "A whole number of up to 128 bits and either sign, or a text of one.",
            }),
            Type::F32 => json!({"type": "number", "format": "float"}),
            Type::F64 => json!({"type": "number", "format": "double"}),
            Type::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
            Type::Text => json!({"type": "string"}),
            Type::Bytes => json!({
                "type": "array", "items": integer("uint8", 0, u8::MAX), "description": "Bytes, as numbers.",
            }),
            Type::Unit => json!({"type": "null"}),
            Type::Option(inner) => self.option(inner),
            Type::List(item) => json!({"type": "array", "items": self.schema(item)}),
            Type::Map(key, value) => self.map(key, value),
            Type::Tuple(parts) => self.tuple(parts),
            Type::Named(_) => self.reference(ty),
            Type::Opaque(why) => json!({"description": format!("Any value: {why}.")}),
        }
    }

    /// An object of these, each with its name and whether it must be there.
    pub(super) fn object(
        &mut self,
        parts: impl IntoIterator<Item = (&'d str, &'d Type, bool)>,
    ) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, ty, is_needed) in parts {
            properties.insert(name.to_owned(), self.schema(ty));
            if is_needed {
                required.push(name);
            }
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    /// A type without the newtypes around it.
    pub(super) fn bare(&self, ty: &'d Type) -> &'d Type {
        let mut bare = ty;
        // One that is nothing but itself has no end.
        for _ in 0..=self.types().len() {
            match self.named(bare).map(|named| &named.body) {
                Some(Body::Newtype(inner)) => bare = inner,
                _ => break,
            }
        }
        bare
    }

    /// A type without newtypes and options around it; `None` where it is made of nothing else.
    pub(super) fn some(&self, ty: &'d Type) -> Option<&'d Type> {
        let mut seen = BTreeSet::new();
        let mut some = ty;
        loop {
            some = match some {
                Type::Option(inner) => inner,
                Type::Named(name) => match self.named(some).map(|named| &named.body) {
                    Some(Body::Newtype(inner)) if seen.insert(name) => inner,
                    Some(Body::Newtype(_)) => return None,
                    _ => return Some(some),
                },
                _ => return Some(some),
            };
        }
    }

    /// The fields of a type that has some.
    pub(super) fn fields(&self, ty: &'d Type) -> Option<&'d [Field]> {
        match &self.named(self.bare(ty))?.body {
            Body::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    fn types(&self) -> &BTreeMap<&'d str, &'d Named> {
        &self.schemas.types[self.service]
    }

    fn named(&self, ty: &Type) -> Option<&'d Named> {
        let Type::Named(name) = ty else { return None };
        self.types().get(&**name).copied()
    }

    fn option(&mut self, inner: &'d Type) -> Value {
        match self.bare(inner) {
            // Nothing can be told apart from null in these.
            Type::Option(_) | Type::Unit | Type::Opaque(_) => self.schema(inner),
            _ if self.some(inner).is_none() => self.schema(inner),
            _ => json!({"anyOf": [self.schema(inner), {"type": "null"}]}),
        }
    }

    fn map(&mut self, key: &'d Type, value: &'d Type) -> Value {
        let mut schema = json!({"type": "object", "additionalProperties": self.schema(value)});
        // Names in JSON are texts: of other keys they are what is written for them.
        let names = match self.bare(key) {
            Type::Text | Type::F32 | Type::F64 | Type::Opaque(_) => return schema,
            Type::Option(key) => return self.map(key, value),
            Type::Bool => json!({"enum": ["true", "false"]}),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::U128 => {
                json!({"pattern": "^[0-9]+$"})
            }
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128 => {
                json!({"pattern": "^-?[0-9]+$"})
            }
            Type::Char => json!({"minLength": 1, "maxLength": 1}),
            Type::Named(_) => self.reference(key),
            _ => {
                describe(&mut schema, "Its keys have no form in JSON.");
                return schema;
            }
        };
        schema["propertyNames"] = names;
        schema
    }

    fn tuple(&mut self, parts: &'d [Type]) -> Value {
        let count = parts.len();
        let parts: Vec<_> = parts.iter().map(|part| self.schema(part)).collect();
        let mut schema = json!({"type": "array", "minItems": count, "maxItems": count});
        // A list of no schemas is none to JSON Schema. That nothing follows them is said by their number: `items: false` would
        // say it again, and generators stumble over it.
        if count > 0 {
            schema["prefixItems"] = Value::Array(parts);
        }
        schema
    }

    /// The type that stands here under its name, or what its newtype holds.
    fn reference(&mut self, ty: &'d Type) -> Value {
        let is_endless = self.some(ty).is_none();
        let Some(named) = self.named(ty) else {
            return json!({"description": "Any value: its type is not described."});
        };
        match &named.body {
            _ if is_endless => {
                json!({"description": "Any value: it is made of nothing but itself."})
            }
            Body::Newtype(inner @ Type::Named(_)) => self.reference(inner),
            Body::Unit => json!({"type": "null"}),
            _ => self.component_of(named),
        }
    }

    fn component_of(&mut self, named: &'d Named) -> Value {
        let service = self.service;
        let name = self.schemas.names.of(service, &named.name);
        if !self.schemas.components.contains_key(&name) {
            self.schemas.components.insert(name.clone(), None);
            self.schemas.open.push((service, named));
        }
        to(&name)
    }

    fn component(&mut self, named: &'d Named) -> Value {
        match &named.body {
            Body::Enum(variants) => self.variants(variants, named),
            body => self.body(body, named.closed),
        }
    }

    fn body(&mut self, body: &'d Body, is_closed: bool) -> Value {
        match body {
            // A variant is no enum itself.
            Body::Unit | Body::Enum(_) => json!({"type": "null"}),
            Body::Newtype(inner) => self.schema(inner),
            Body::Tuple(parts) => self.tuple(parts),
            Body::Struct(fields) => {
                let own = fields.iter().filter(|field| !field.alias);
                let mut schema =
                    self.object(own.map(|field| (&*field.name, &field.ty, !field.optional)));
                if is_closed {
                    schema["additionalProperties"] = json!(false);
                }
                let aliases = fields.iter().filter(|field| field.alias);
                let aliases: Vec<_> = aliases.map(|field| format!("`{}`", field.name)).collect();
                if !aliases.is_empty() {
                    let words = format!("Read under other names too: {}.", aliases.join(", "));
                    describe(&mut schema, &words);
                }
                schema
            }
        }
    }

    /// A component for a part of a type.
    fn part(&mut self, named: &Named, part: &str, schema: Value) -> Value {
        let name = self.schemas.names.of_part(self.service, &named.name, part);
        let to = to(&name);
        self.schemas.components.insert(name, Some(schema));
        to
    }

    /// Externally tagged, as serde does it: a variant that holds nothing is a text, another one an object of one entry.
    fn variants(&mut self, variants: &'d [Variant], named: &'d Named) -> Value {
        let (mut texts, mut objects) = (Vec::new(), Vec::new());
        let mut held = &Body::Unit;
        for variant in variants {
            // Which of a variant's names is written cannot be seen, so that each of them is said.
            if !variant.alias {
                held = &variant.body;
            }
            let name = &*variant.name;
            if *held == Body::Unit {
                texts.push(name);
                continue;
            }
            let mut content = self.body(held, named.closed);
            if content["type"] == "object" {
                content = self.part(named, &format!("{name}.content"), content);
            }
            let object = json!({
                "type": "object", "properties": {name: content}, "required": [name], "additionalProperties": false,
            });
            objects.push(self.part(named, name, object));
        }
        let only_texts = (!texts.is_empty()).then(|| json!({"type": "string", "enum": texts}));
        let mut schema = match (only_texts, objects.is_empty()) {
            (Some(texts), true) => texts,
            // No value is one of none.
            (None, true) => json!({"not": {}}),
            (texts, false) => {
                json!({"oneOf": texts.into_iter().chain(objects).collect::<Vec<_>>()})
            }
        };
        let aliases = variants.iter().filter(|variant| variant.alias);
        let aliases: Vec<_> = aliases.map(|variant| format!("`{}`", variant.name)).collect();
        if !aliases.is_empty() {
            let words = format!("Other names of what stands before them: {}.", aliases.join(", "));
            describe(&mut schema, &words);
        }
        if named.open {
            describe(&mut schema, "Texts that are not among these are read too.");
        }
        schema
    }
}

/// A reference to a component.
fn to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn integer(format: &str, minimum: impl Into<Value>, maximum: impl Into<Value>) -> Value {
    json!({
        "type": "integer", "format": format, "minimum": minimum.into(), "maximum": maximum.into(),
    })
}
