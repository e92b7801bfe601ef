//! Any value that came off the wire, and the same as JSON.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use sinew::descriptor::{Body, Named, Type, Types as _};

/// A value, as MessagePack knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Nil,
    /// `bool`.
    Bool(bool),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes, and numbers of 128 bits.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Tree>),
    /// Keys and values: a map, or a struct.
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    /// As JSON, as far as a type tells more than the value.
    pub fn json(&self, ty: &Type, types: &[Named]) -> Value {
        match (self, bare(ty, types)) {
            (Self::Bytes(bytes), Some(Type::U128)) => wide(bytes, false),
            (Self::Bytes(bytes), Some(Type::I128)) => wide(bytes, true),
            (tree, Some(Type::Option(inner))) => tree.json(inner, types),
            (Self::List(items), Some(Type::List(item))) => {
                items.iter().map(|one| one.json(item, types)).collect()
            }
            (Self::List(items), Some(Type::Tuple(parts))) => {
                items.iter().zip(parts).map(|(one, part)| one.json(part, types)).collect()
            }
            (Self::Map(entries), Some(Type::Map(_, value))) => {
                object(entries.iter().map(|(key, one)| (key, one.json(value, types))))
            }
            (Self::Map(entries), Some(Type::Named(name))) => {
                let body = types.named(name).map(|named| &named.body);
                object(
                    entries.iter().map(|(key, one)| (key, one.json(part(body, &key.key()), types))),
                )
            }
            (tree, _) => tree.plain(),
        }
    }

    fn plain(&self) -> Value {
        match self {
            Self::Nil => Value::Null,
            Self::Bool(is) => Value::Bool(*is),
            Self::Unsigned(number) => Value::from(*number),
            Self::Signed(number) => Value::from(*number),
            Self::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::from(text),
                Err(_) => bytes.iter().map(|byte| Value::from(*byte)).collect(),
            },
            Self::List(items) => items.iter().map(Self::plain).collect(),
            Self::Map(entries) => object(entries.iter().map(|(key, one)| (key, one.plain()))),
        }
    }

    /// As the key of an object.
    fn key(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.plain().to_string(),
        }
    }
}

fn object<'t>(entries: impl Iterator<Item = (&'t Tree, Value)>) -> Value {
    Value::Object(entries.map(|(key, value)| (key.key(), value)).collect::<Map<_, _>>())
}

/// The type without newtypes around it.
pub(super) fn bare<'t>(mut ty: &'t Type, types: &'t [Named]) -> Option<&'t Type> {
    for _ in 0..=types.len() {
        match ty {
            Type::Named(name) => match &types.named(name)?.body {
                Body::Newtype(inner) => ty = inner,
                _ => return Some(ty),
            },
            other => return Some(other),
        }
    }
    None
}

/// The type of a field, or of what a variant holds; of structs in variants nothing more is known.
fn part<'t>(body: Option<&'t Body>, name: &str) -> &'t Type {
    const UNIT: &Type = &Type::Unit;
    match body {
        Some(Body::Struct(fields)) => {
            fields.iter().find(|field| field.name == name).map_or(UNIT, |field| &field.ty)
        }
        Some(Body::Enum(variants)) => {
            match variants.iter().find(|variant| variant.name == name).map(|variant| &variant.body)
            {
                Some(Body::Newtype(inner)) => inner,
                _ => UNIT,
            }
        }
        _ => UNIT,
    }
}

/// A number of 128 bits, which JSON has no limit for and most readers of it do: a text.
fn wide(bytes: &[u8], signed: bool) -> Value {
    match (<[u8; 16]>::try_from(bytes), signed) {
        (Ok(bytes), false) => Value::from(u128::from_be_bytes(bytes).to_string()),
        (Ok(bytes), true) => Value::from(i128::from_be_bytes(bytes).to_string()),
        (Err(_), _) => bytes.iter().map(|byte| Value::from(*byte)).collect(),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, is: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(is))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Bytes(bytes.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nil)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Tree::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Tree::Map(all))
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.plain().serialize(serializer)
    }
}
