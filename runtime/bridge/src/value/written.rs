//! Any value that came off the wire, as serde_json writes one of its type.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use sinew::descriptor::{Body, Named, Type, Types as _};

use super::{Tree, tree::bare};

/// A value and its type: its JSON is what the server itself would have written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'t> {
    /// The value.
    pub tree: &'t Tree,
    /// Its type.
    pub ty: &'t Type,
    /// The types that are named in it.
    pub types: &'t [Named],
}

/// A part of which no type is known.
const UNKNOWN: &Type = &Type::Opaque(String::new());

impl<'t> Written<'t> {
    fn part(&self, tree: &'t Tree, ty: &'t Type) -> Self {
        Self { tree, ty, types: self.types }
    }

    /// The type of the part under this name: a field's, or what a variant holds.
    fn named(&self, ty: Option<&'t Type>, name: &Tree) -> Held<'t> {
        let (Some(Type::Named(of)), Tree::Text(name)) = (ty, name) else {
            return Held::Type(UNKNOWN);
        };
        match self.types.named(of).map(|named| &named.body) {
            Some(Body::Struct(_)) => Held::of(self.types.named(of).map(|named| &named.body), name),
            Some(Body::Enum(variants)) => {
                let variant = variants.iter().find(|variant| variant.name == *name);
                variant.map_or(Held::Type(UNKNOWN), |variant| Held::Body(&variant.body))
            }
            _ => Held::Type(UNKNOWN),
        }
    }
}

/// What is known of a part.
#[derive(Debug, Clone, Copy)]
enum Held<'t> {
    Type(&'t Type),
    /// Of what a variant holds there is a body.
    Body(&'t Body),
}

impl<'t> Held<'t> {
    fn of(body: Option<&'t Body>, name: &str) -> Self {
        let Some(Body::Struct(fields)) = body else { return Self::Type(UNKNOWN) };
        let field = fields.iter().find(|field| field.name == *name);
        Self::Type(field.map_or(UNKNOWN, |field| &field.ty))
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ty = bare(self.ty, self.types);
        match (self.tree, ty) {
            (Tree::Nil, _) => serializer.serialize_unit(),
            (tree, Some(Type::Option(inner))) => self.part(tree, inner).serialize(serializer),
            (Tree::Bool(is), _) => serializer.serialize_bool(*is),
            (Tree::Unsigned(number), Some(Type::F64)) => serializer.serialize_f64(*number as f64),
            (Tree::Unsigned(number), _) => serializer.serialize_u64(*number),
            (Tree::Signed(number), Some(Type::F64)) => serializer.serialize_f64(*number as f64),
            (Tree::Signed(number), _) => serializer.serialize_i64(*number),
            // Its digits are those of the type that it has: 0.1, and not what is nearest to that.
            (Tree::Float(number), Some(Type::F32)) => serializer.serialize_f32(*number as f32),
            (Tree::Float(number), _) => serializer.serialize_f64(*number),
            (Tree::Text(text), _) => serializer.serialize_str(text),
            (Tree::Bytes(bytes), Some(Type::U128)) if bytes.len() == 16 => {
                let bytes = bytes.iter().fold(0, |all: u128, byte| all << 8 | u128::from(*byte));
                serializer.serialize_u128(bytes)
            }
            (Tree::Bytes(bytes), Some(Type::I128)) if bytes.len() == 16 => {
                let bytes = bytes.iter().fold(0, |all: u128, byte| all << 8 | u128::from(*byte));
                serializer.serialize_i128(bytes.cast_signed())
            }
            (Tree::Bytes(bytes), _) => serializer.collect_seq(bytes),
            (Tree::List(items), ty) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for (at, item) in items.iter().enumerate() {
                    let ty = match ty {
                        Some(Type::List(item)) => item,
                        Some(Type::Tuple(parts)) => parts.get(at).unwrap_or(UNKNOWN),
                        Some(Type::Named(name)) => {
                            match self.types.named(name).map(|it| &it.body) {
                                Some(Body::Tuple(parts)) => parts.get(at).unwrap_or(UNKNOWN),
                                _ => UNKNOWN,
                            }
                        }
                        _ => UNKNOWN,
                    };
                    list.serialize_element(&self.part(item, ty))?;
                }
                list.end()
            }
            (Tree::Map(entries), ty) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    match ty {
                        Some(Type::Map(of_key, of_value)) => map.serialize_entry(
                            &self.part(key, of_key),
                            &self.part(value, of_value),
                        )?,
                        ty => match self.named(ty, key) {
                            Held::Type(ty) => map.serialize_entry(key, &self.part(value, ty))?,
                            Held::Body(body) => map.serialize_entry(
                                key,
                                &Content { body, tree: value, types: self.types },
                            )?,
                        },
                    }
                }
                map.end()
            }
        }
    }
}

/// What a variant holds.
struct Content<'t> {
    body: &'t Body,
    tree: &'t Tree,
    types: &'t [Named],
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let part = |tree, ty| Written { tree, ty, types: self.types };
        match (self.body, self.tree) {
            (Body::Newtype(inner), tree) => part(tree, inner).serialize(serializer),
            (Body::Tuple(parts), Tree::List(items)) => {
                let items = items.iter().enumerate();
                let items = items.map(|(at, item)| part(item, parts.get(at).unwrap_or(UNKNOWN)));
                serializer.collect_seq(items)
            }
            (body @ Body::Struct(_), Tree::Map(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    let ty = match key {
                        Tree::Text(name) => match Held::of(Some(body), name) {
                            Held::Type(ty) => ty,
                            Held::Body(_) => UNKNOWN,
                        },
                        _ => UNKNOWN,
                    };
                    map.serialize_entry(key, &part(value, ty))?;
                }
                map.end()
            }
            (_, tree) => part(tree, UNKNOWN).serialize(serializer),
        }
    }
}
