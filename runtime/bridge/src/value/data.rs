//! JSON as a value of a type: what is written on the wire for it, or where it is none.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _, SerializeTuple as _},
};
use serde_json::Value;
use sinew::{
    Bytes,
    descriptor::{Body, Field, Named, Type, Types as _},
};

use super::Tree;
use crate::words::cut;

/// A value that serde writes as the original's types do, to a format with names.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing.
    Unit,
    /// `bool`.
    Bool(bool),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// `u128`.
    UnsignedWide(u128),
    /// `i128`.
    SignedWide(i128),
    /// `f32`.
    Single(f32),
    /// `f64`.
    Double(f64),
    /// `char`.
    Char(char),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Data>),
    /// Keys and values: a map, or a struct.
    Map(Vec<(Data, Data)>),
    /// Whatever JSON it is: its type cannot be seen.
    Any(Value),
}

/// The arguments of a call, in order.
#[derive(Debug, Clone)]
pub struct Arguments(pub Vec<Data>);

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in &self.0 {
            match argument {
                // Other protocols carry an argument of bytes as it is, which they know by its type.
                Data::Bytes(bytes) => tuple.serialize_element(&Bytes::copy_from_slice(bytes))?,
                argument => tuple.serialize_element(argument)?,
            }
        }
        tuple.end()
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::UnsignedWide(number) => serializer.serialize_u128(*number),
            Self::SignedWide(number) => serializer.serialize_i128(*number),
            Self::Single(number) => serializer.serialize_f32(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Char(one) => serializer.serialize_char(*one),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Any(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    /// As a format says it, without a type: an error of a method, whose type only the two ends know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::deserialize(deserializer).map(Self::from)
    }
}

impl From<Tree> for Data {
    fn from(tree: Tree) -> Self {
        match tree {
            Tree::Nil => Self::Unit,
            Tree::Bool(is) => Self::Bool(is),
            Tree::Unsigned(number) => Self::Unsigned(number),
            Tree::Signed(number) => Self::Signed(number),
            Tree::Float(number) => Self::Double(number),
            Tree::Text(text) => Self::Text(text),
            Tree::Bytes(bytes) => Self::Bytes(bytes),
            Tree::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Tree::Map(entries) => {
                let entries = entries.into_iter();
                Self::Map(entries.map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    }
}

/// A value of JSON as one of a type. `at` is the way to it, for the message.
///
/// # Errors
/// Where, what was expected, and what is there.
pub fn data(value: &Value, ty: &Type, types: &[Named], at: &str) -> Result<Data, String> {
    data_at(value, ty, types, At::Root(at))
}

/// The way to a value, written only where something is wrong there: it is a stranger's, and may be long and deep.
#[derive(Clone, Copy)]
enum At<'a> {
    Root(&'a str),
    Field(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(of, name) => write!(f, "{of}.{}", cut(name, MOST)),
            Self::Item(of, at) => write!(f, "{of}[{at}]"),
        }
    }
}

fn data_at(value: &Value, ty: &Type, types: &[Named], at: At<'_>) -> Result<Data, String> {
    let wrong = |expected: &str| {
        Err(format!("{at}: {expected} is expected, and {} is there", short(value)))
    };
    match ty {
        Type::Bool => {
            value.as_bool().map_or_else(|| wrong("true or false"), |is| Ok(Data::Bool(is)))
        }
        Type::Char => {
            match value.as_str().map(|text| (text.chars().next(), text.chars().count())) {
                Some((Some(one), 1)) => Ok(Data::Char(one)),
                _ => wrong("a text of one character"),
            }
        }
        Type::Text => {
            value.as_str().map_or_else(|| wrong("a text"), |text| Ok(Data::Text(text.to_owned())))
        }
        Type::Bytes => bytes(value)
            .map_or_else(|| wrong("a text, or a list of bytes"), |all| Ok(Data::Bytes(all))),
        Type::Unit => {
            if value.is_null() {
                Ok(Data::Unit)
            } else {
                wrong("null")
            }
        }
        Type::Opaque(_) => Ok(Data::Any(value.clone())),
        Type::Option(_) if value.is_null() => Ok(Data::Unit),
        Type::Option(inner) => data_at(value, inner, types, at),
        Type::List(item) => match value.as_array() {
            Some(items) => list(items.iter().map(|one| (one, &**item)), types, at),
            None => wrong("a list"),
        },
        Type::Tuple(parts) => tuple(value, parts, types, at),
        Type::Map(key, of) => match value.as_object() {
            Some(entries) => {
                let entries = entries.iter().map(|(name, one)| {
                    let at = At::Field(&at, name);
                    Ok((
                        data_at(&key_value(name, key, types), key, types, at)?,
                        data_at(one, of, types, at)?,
                    ))
                });
                Ok(Data::Map(entries.collect::<Result<_, String>>()?))
            }
            None => wrong("an object"),
        },
        Type::Named(name) => match types.named(name) {
            Some(named) => body(value, &named.body, types, at),
            None => Err(format!("{at}: the type `{name}` is not described")),
        },
        number => self::number(value, number, at),
    }
}

fn number(value: &Value, ty: &Type, at: At<'_>) -> Result<Data, String> {
    let wrong = |expected: &str| {
        Err(format!("{at}: {expected} is expected, and {} is there", short(value)))
    };
    let integer = |low: i128, high: i128| -> Result<i128, String> {
        let number = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from));
        number.filter(|number| (low..=high).contains(number)).ok_or_else(|| {
            format!(
                "{at}: a whole number from {low} to {high} is expected, and {} is there",
                short(value)
            )
        })
    };
    let unsigned = |high: u64| Ok(Data::Unsigned(integer(0, i128::from(high))? as u64));
    let signed =
        |low: i64, high: i64| Ok(Data::Signed(integer(i128::from(low), i128::from(high))? as i64));
    match ty {
        Type::U8 => unsigned(u8::MAX.into()),
        Type::U16 => unsigned(u16::MAX.into()),
        Type::U32 => unsigned(u32::MAX.into()),
        Type::U64 => unsigned(u64::MAX),
        Type::I8 => signed(i8::MIN.into(), i8::MAX.into()),
        Type::I16 => signed(i16::MIN.into(), i16::MAX.into()),
        Type::I32 => signed(i32::MIN.into(), i32::MAX.into()),
        Type::I64 => signed(i64::MIN, i64::MAX),
        Type::U128 => match wide(value).and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Data::UnsignedWide(number)),
            None => wrong("a whole number, or a text of one"),
        },
        Type::I128 => match wide(value).and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Data::SignedWide(number)),
            None => wrong("a whole number, or a text of one"),
        },
        Type::F32 => value
            .as_f64()
            .map_or_else(|| wrong("a number"), |number| Ok(Data::Single(number as f32))),
        _ => value.as_f64().map_or_else(|| wrong("a number"), |number| Ok(Data::Double(number))),
    }
}

fn body(value: &Value, body: &Body, types: &[Named], at: At<'_>) -> Result<Data, String> {
    match body {
        Body::Unit => Ok(Data::Unit),
        Body::Newtype(inner) => data_at(value, inner, types, at),
        Body::Tuple(parts) => tuple(value, parts, types, at),
        Body::Struct(fields) => fields_of(value, fields, types, at),
        Body::Enum(variants) => {
            let names = || {
                let names = variants.iter().map(|variant| format!("\"{}\"", variant.name));
                names.collect::<Vec<_>>().join(", ")
            };
            let (name, content) = match value {
                Value::String(name) => (name, None),
                Value::Object(entries) if entries.len() == 1 => match entries.iter().next() {
                    Some((name, content)) => (name, Some(content)),
                    None => return Err(format!("{at}: one of {} is expected", names())),
                },
                other => {
                    return Err(format!(
                        "{at}: one of {} is expected, and {} is there",
                        names(),
                        short(other)
                    ));
                }
            };
            let Some(place) = variants.iter().position(|variant| variant.name == *name) else {
                return Err(format!("{at}: there is no `{name}`; there is {}", names()));
            };
            let held = variants[..=place].iter().rev().find(|variant| !variant.alias);
            let held = held.map_or(&Body::Unit, |variant| &variant.body);
            match (held, content) {
                (Body::Unit, None) => Ok(Data::Text(name.clone())),
                (Body::Unit, Some(_)) => {
                    Err(format!("{at}: `{name}` holds nothing; write \"{name}\""))
                }
                (_, None) => {
                    Err(format!("{at}: `{name}` holds something; write {{\"{name}\": ..}}"))
                }
                (held, Some(content)) => {
                    let content = self::body(content, held, types, At::Field(&at, name))?;
                    Ok(Data::Map(vec![(Data::Text(name.clone()), content)]))
                }
            }
        }
    }
}

fn fields_of(value: &Value, fields: &[Field], types: &[Named], at: At<'_>) -> Result<Data, String> {
    let Some(entries) = value.as_object() else {
        return Err(format!("{at}: an object is expected, and {} is there", short(value)));
    };
    if let Some(name) = entries.keys().find(|name| !fields.iter().any(|field| field.name == **name))
    {
        let names =
            fields.iter().filter(|field| !field.alias).map(|field| format!("`{}`", field.name));
        return Err(format!(
            "{at}: there is no field `{name}`; there is {}",
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    let mut all = Vec::new();
    for field in fields {
        match entries.get(&field.name) {
            Some(value) if !field.alias => {
                let value = data_at(value, &field.ty, types, At::Field(&at, &field.name))?;
                all.push((Data::Text(field.name.clone()), value));
            }
            Some(_) => return Err(format!("{at}.{}: write it under its first name", field.name)),
            None if field.optional || field.alias => {}
            None => return Err(format!("{at}: the field `{}` is missing", field.name)),
        }
    }
    Ok(Data::Map(all))
}

fn list<'v>(
    items: impl Iterator<Item = (&'v Value, &'v Type)>,
    types: &[Named],
    at: At<'_>,
) -> Result<Data, String> {
    let items = items.enumerate().map(|(n, (one, ty))| data_at(one, ty, types, At::Item(&at, n)));
    Ok(Data::List(items.collect::<Result<_, _>>()?))
}

fn tuple(value: &Value, parts: &[Type], types: &[Named], at: At<'_>) -> Result<Data, String> {
    match value.as_array() {
        Some(items) if items.len() == parts.len() => list(items.iter().zip(parts), types, at),
        _ => Err(format!(
            "{at}: a list of {} is expected, and {} is there",
            parts.len(),
            short(value)
        )),
    }
}

/// The name of an entry, as a value of the key's type.
fn key_value(name: &str, key: &Type, types: &[Named]) -> Value {
    let is_text = match key {
        Type::Text | Type::Char | Type::Bytes | Type::U128 | Type::I128 => true,
        Type::Named(named) => {
            !matches!(types.named(named).map(|named| &named.body), Some(Body::Newtype(_)))
        }
        _ => false,
    };
    if is_text {
        return Value::from(name);
    }
    serde_json::from_str(name).unwrap_or_else(|_| Value::from(name))
}

/// The digits of a number of any length.
fn wide(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok()))
            .collect(),
        _ => None,
    }
}

/// What is there, in so many characters that a message stays one.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() > MOST => format!("\"{}", cut(text, MOST)),
        Value::Array(items) if items.len() > MOST => format!("a list of {}", items.len()),
        Value::Object(entries) if entries.len() > MOST => format!("an object of {}", entries.len()),
        value => cut(&value.to_string(), MOST).into_owned(),
    }
}

/// As many characters of a value are told.
const MOST: usize = 40;
