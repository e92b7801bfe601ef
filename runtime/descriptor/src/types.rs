//! The structure of types, as serde shows it to a format that carries no names of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A type where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// `bool`.
    Bool,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`, and `usize`.
    U64,
    /// `u128`.
    U128,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`, and `isize`.
    I64,
    /// `i128`.
    I128,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `char`.
    Char,
    /// `String`, and what is written as one.
    Text,
    /// `Bytes`, and what is written as such. A `Vec<u8>` is a list.
    Bytes,
    /// `()`, unit structs, `PhantomData`.
    Unit,
    /// `Option`.
    Option(Box<Type>),
    /// Any number of items: `Vec`, sets, slices.
    List(Box<Type>),
    /// Keys and values.
    Map(Box<Type>, Box<Type>),
    /// Tuples and arrays.
    Tuple(Vec<Type>),
    /// The type of this name among the service's.
    Named(String),
    /// What cannot be seen, and why.
    Opaque(String),
}

/// A type with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// As serde calls it; with a number behind it where a service has several of one name.
    pub name: String,
    /// What it is made of.
    pub body: Body,
    /// Whether it refuses fields that it does not know (`#[serde(deny_unknown_fields)]`); of an enum, in its variants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Whether it is an enum that reads a variant which it does not know (`#[serde(other)]`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// What a named type, or a variant, is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing.
    Unit,
    /// One value, as which it is written.
    Newtype(Type),
    /// Values in order.
    Tuple(Vec<Type>),
    /// Values with names, in declared order.
    Struct(Vec<Field>),
    /// One of these. Not in a variant.
    Enum(Vec<Variant>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name on the wire.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether a value without it can be read: an `Option`, or one with `#[serde(default)]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Whether it is another name (`#[serde(alias)]`) under which a field of this struct is read, and never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alias: bool,
    /// Whether it is left out of what is written where it is `None` (`skip_serializing_if`), as others want of their JSON.
    /// bincode cannot carry such a type; nothing that sinew learns by itself says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub omitted: bool,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name on the wire.
    pub name: String,
    /// Whether it is another name of a variant before it (`#[serde(alias)]`). Which of the two is written cannot be seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alias: bool,
    /// What it holds.
    #[serde(default = "unit", skip_serializing_if = "is_unit")]
    pub body: Body,
}

fn unit() -> Body {
    Body::Unit
}

fn is_unit(body: &Body) -> bool {
    *body == Body::Unit
}

/// Named types by their names.
pub trait Types {
    /// The type of this name.
    fn named(&self, name: &str) -> Option<&Named>;
}

impl Types for [Named] {
    fn named(&self, name: &str) -> Option<&Named> {
        self.iter().find(|named| named.name == name)
    }
}

/// Named types, found without looking at all of them.
#[derive(Debug)]
pub(crate) struct Index<'d>(BTreeMap<&'d str, &'d Named>);

impl<'d> Index<'d> {
    pub(crate) fn new(types: &'d [Named]) -> Self {
        Self(types.iter().map(|named| (&*named.name, named)).collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'d Named> {
        self.0.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Types for Index<'_> {
    fn named(&self, name: &str) -> Option<&Named> {
        self.find(name)
    }
}

impl Type {
    /// A reason why something below it cannot be seen, if there is one.
    pub(crate) fn opaque<'t>(&'t self, types: &Index<'t>) -> Option<&'t str> {
        let (mut open, mut seen) = (vec![self], BTreeSet::new());
        while let Some(ty) = open.pop() {
            match ty {
                Type::Opaque(why) => return Some(why),
                Type::Option(inner) | Type::List(inner) => open.push(inner),
                Type::Map(key, value) => open.extend([&**key, &**value]),
                Type::Tuple(parts) => open.extend(parts),
                Type::Named(name) if seen.insert(&**name) => {
                    let body = types.find(name).map(|named| &named.body);
                    body.into_iter().for_each(|body| body.parts(&mut open));
                }
                _ => {}
            }
        }
        None
    }
}

impl Body {
    /// The types that stand in it.
    fn parts<'t>(&'t self, out: &mut Vec<&'t Type>) {
        match self {
            Self::Unit => {}
            Self::Newtype(inner) => out.push(inner),
            Self::Tuple(parts) => out.extend(parts),
            Self::Struct(fields) => {
                out.extend(fields.iter().filter(|field| !field.alias).map(|field| &field.ty));
            }
            // A variant is no enum itself.
            Self::Enum(variants) => {
                let bodies = variants.iter().map(|variant| &variant.body);
                let bodies = bodies.filter(|body| !matches!(body, Self::Enum(_)));
                bodies.for_each(|body| body.parts(out));
            }
        }
    }
}
