//! The structure of types, as serde shows it to a format that carries no names of its own.

use std::{cell::OnceCell, collections::BTreeMap};

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
pub(crate) struct Index<'d> {
    types: BTreeMap<&'d str, &'d Named>,
    /// Those below which something cannot be seen, and why: found out for all at once, when it is asked for first.
    opaque: OnceCell<BTreeMap<&'d str, &'d str>>,
}

impl<'d> Index<'d> {
    pub(crate) fn new(types: &'d [Named]) -> Self {
        let types = types.iter().map(|named| (&*named.name, named)).collect();
        Self { types, opaque: OnceCell::new() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'d Named> {
        self.types.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    /// Why something below this type cannot be seen.
    fn opaque(&self, name: &str) -> Option<&'d str> {
        self.opaque.get_or_init(|| self.all_opaque()).get(name).copied()
    }

    /// From what cannot be seen to what holds it, so that each type is looked at once however many hold it.
    fn all_opaque(&self) -> BTreeMap<&'d str, &'d str> {
        let mut holders: BTreeMap<&str, Vec<&'d str>> = BTreeMap::new();
        let mut open = Vec::new();
        for (name, named) in &self.types {
            let mut parts = Vec::new();
            named.body.parts(&mut parts);
            each(parts, |ty| match ty {
                Type::Opaque(why) => open.push((*name, &**why)),
                Type::Named(held) => holders.entry(held).or_default().push(name),
                _ => {}
            });
        }
        let mut found = BTreeMap::new();
        while let Some((name, why)) = open.pop() {
            if found.insert(name, why).is_none() {
                let above = holders.get(name).into_iter().flatten();
                open.extend(above.map(|holder| (*holder, why)));
            }
        }
        found
    }
}

/// Each of these types, and of those that stand in them without a name.
fn each<'t>(mut open: Vec<&'t Type>, mut visit: impl FnMut(&'t Type)) {
    while let Some(ty) = open.pop() {
        visit(ty);
        match ty {
            Type::Option(inner) | Type::List(inner) => open.push(inner),
            Type::Map(key, value) => open.extend([&**key, &**value]),
            Type::Tuple(parts) => open.extend(parts),
            _ => {}
        }
    }
}

impl Types for Index<'_> {
    fn named(&self, name: &str) -> Option<&Named> {
        self.find(name)
    }
}

impl Type {
    /// A reason why something below it cannot be seen, if there is one.
    pub(crate) fn opaque<'t>(&'t self, types: &'t Index<'_>) -> Option<&'t str> {
        let mut found = None;
        each(vec![self], |ty| match ty {
            Type::Opaque(why) => found = Some(&**why),
            Type::Named(name) => found = found.or_else(|| types.opaque(name)),
            _ => {}
        });
        found
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
