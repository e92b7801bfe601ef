//! What was learnt of types as data, which others can read: [`sinew_descriptor`]'s types.

use std::{
    any::TypeId,
    collections::{BTreeSet, HashMap},
};

use sinew_descriptor::{self as descriptor, Body, Field, Named, Type};

use super::{
    obstacle::Cause,
    state::{self, Def, Kind, Place, State},
    trace::Traced,
};

/// What a method's types are as data.
pub(crate) struct Described {
    pub(crate) arguments: Vec<descriptor::Argument>,
    pub(crate) input: Option<Type>,
    pub(crate) output: Type,
    pub(crate) error: Option<Type>,
}

/// The named types of a service, gathered from all of its methods.
#[derive(Debug, Default)]
pub struct Collector {
    types: Vec<Named>,
    /// By what tells them apart: their visitor, and their name.
    known: HashMap<(TypeId, &'static str), String>,
    names: BTreeSet<String>,
}

impl Collector {
    pub(crate) fn types(&self) -> &[Named] {
        &self.types
    }

    pub(crate) fn into_types(self) -> Vec<Named> {
        self.types
    }

    /// What was traced, as a type.
    pub(super) fn whole(&mut self, traced: &Traced) -> Type {
        Gather::new(self, &traced.state).place(traced.root)
    }

    /// What was traced, as arguments of these names.
    pub(super) fn arguments(
        &mut self,
        traced: &Traced,
        names: &'static [&'static str],
    ) -> Vec<descriptor::Argument> {
        let mut gather = Gather::new(self, &traced.state);
        let Kind::Tuple(places) = &traced.state.nodes[traced.root].kind else { return Vec::new() };
        let arguments = names.iter().zip(places).map(|(name, place)| {
            let ty = gather.place(*place);
            let optional = matches!(ty, Type::Option(_));
            descriptor::Argument { name: (*name).to_owned(), ty, optional }
        });
        arguments.collect()
    }

    /// A name that no other type has.
    fn name(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut number = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}{number}");
            number += 1;
        }
        unique
    }
}

struct Gather<'c, 's> {
    collector: &'c mut Collector,
    state: &'s State,
    ids: HashMap<Def, (TypeId, &'static str)>,
}

impl<'c, 's> Gather<'c, 's> {
    fn new(collector: &'c mut Collector, state: &'s State) -> Self {
        let ids = state.named.iter().map(|(id, def)| (*def, *id)).collect();
        Self { collector, state, ids }
    }

    fn place(&mut self, place: Place) -> Type {
        match &self.state.nodes[place].kind {
            Kind::Unknown => Type::Opaque("no value of it could be made to learn it".to_owned()),
            Kind::Opaque(cause) => Type::Opaque(why(cause)),
            Kind::Leaf(tag) => leaf(tag),
            Kind::Option(inner) => Type::Option(Box::new(self.place(*inner))),
            Kind::Seq(item) => Type::List(Box::new(self.place(*item))),
            Kind::Map(key, value) => {
                Type::Map(Box::new(self.place(*key)), Box::new(self.place(*value)))
            }
            Kind::Tuple(places) => Type::Tuple(self.all(places)),
            Kind::Named(def) => self.named(*def),
        }
    }

    fn all(&mut self, places: &[Place]) -> Vec<Type> {
        places.iter().map(|place| self.place(*place)).collect()
    }

    fn named(&mut self, def: Def) -> Type {
        let Some(id) = self.ids.get(&def).copied() else {
            return Type::Opaque("it has no name".to_owned());
        };
        if let Some(name) = self.collector.known.get(&id) {
            return Type::Named(name.clone());
        }
        let name = self.collector.name(id.1);
        self.collector.known.insert(id, name.clone());
        let at = self.collector.types.len();
        let named = Named { name: name.clone(), body: Body::Unit, closed: false, open: false };
        self.collector.types.push(named);
        let body = self.body(def);
        let takes = |def: &Def| self.state.strangers.get(def).copied();
        let named = &mut self.collector.types[at];
        (named.closed, named.open) = match &self.state.bodies[def] {
            state::Body::Enum(variants) => {
                let is_closed = |variant: &state::Variant| {
                    takes(&variant.body) == Some(false)
                        && matches!(self.state.bodies[variant.body], state::Body::Struct { .. })
                };
                (variants.iter().any(is_closed), takes(&def) == Some(true))
            }
            _ => (takes(&def) == Some(false), false),
        };
        named.body = body;
        Type::Named(name)
    }

    fn body(&mut self, def: Def) -> Body {
        match &self.state.bodies[def] {
            state::Body::Unknown => {
                Body::Newtype(Type::Opaque("no value of it could be made to learn it".to_owned()))
            }
            state::Body::Unit => Body::Unit,
            state::Body::Newtype(inner) => Body::Newtype(self.place(*inner)),
            state::Body::Tuple(places) => Body::Tuple(self.all(places)),
            state::Body::Struct { fields, .. } => {
                let fields = fields.iter().map(|field| {
                    // What stands behind another name stands behind the first.
                    let ty = if field.alias { Type::Unit } else { self.place(field.place) };
                    let optional = field.optional.unwrap_or(matches!(ty, Type::Option(_)));
                    let (name, alias) = (field.name.to_owned(), field.alias);
                    Field { name, ty, optional, alias, omitted: false }
                });
                Body::Struct(fields.collect())
            }
            state::Body::Enum(variants) => {
                let variants = variants.iter().map(|variant| descriptor::Variant {
                    name: variant.name.to_owned(),
                    alias: variant.alias,
                    body: if variant.alias { Body::Unit } else { self.body(variant.body) },
                });
                Body::Enum(variants.collect())
            }
        }
    }
}

fn leaf(tag: &'static str) -> Type {
    match tag {
        "bool" => Type::Bool,
        "u8" => Type::U8,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "u128" => Type::U128,
        "i8" => Type::I8,
        "i16" => Type::I16,
        "i32" => Type::I32,
        "i64" => Type::I64,
        "i128" => Type::I128,
        "f32" => Type::F32,
        "f64" => Type::F64,
        "char" => Type::Char,
        "text" => Type::Text,
        "bytes" => Type::Bytes,
        _ => Type::Unit,
    }
}

fn why(cause: &Cause) -> String {
    match cause {
        Cause::AsksTheFormat(how) => format!("it asks the format what comes next ({how})"),
        Cause::Varies => "it asks for one thing at one time and for another at another".to_owned(),
        Cause::Endless => "it contains itself through a type without a name".to_owned(),
        _ => "it could not be learnt".to_owned(),
    }
}
