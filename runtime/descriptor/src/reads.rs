//! Whether what one build writes can be read by another, by names: MessagePack with named fields, which builds speak whose
//! types differ.
//!
//! The rules are serde's and rmp-serde's: integers are as short as they can be and read into any integer that holds
//! them; structs are maps; what a reader does not know is passed over; what it misses must be optional; a variant is its
//! name, or a map of its name to its content.

use std::collections::BTreeSet;

use crate::types::{Body, Field, Index, Named, Type, Variant};

/// So many types inside of each other: no type of a program has them, a descriptor may.
const DEPTH_MAX: usize = 128;

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The way to it: `.order.lines[].price`.
    pub(crate) at: String,
    pub(crate) what: String,
}

/// What `to` cannot read of what `from` writes; empty where it reads everything.
pub(crate) fn unread<'d>(
    from: (&'d Type, &'d Index<'d>),
    to: (&'d Type, &'d Index<'d>),
) -> Vec<Unread> {
    let mut reading =
        Reading { from: from.1, to: to.1, seen: BTreeSet::new(), depth: 0, found: Vec::new() };
    reading.ty("", from.0, to.0);
    reading.found
}

struct Reading<'d> {
    from: &'d Index<'d>,
    to: &'d Index<'d>,
    /// Pairs that are being read, or were: a type may contain itself.
    seen: BTreeSet<(&'d str, &'d str)>,
    depth: usize,
    found: Vec<Unread>,
}

/// A type without the names and newtypes around it.
enum Bare<'d> {
    Type(&'d Type),
    Named(&'d Named),
    Missing,
}

fn bare<'d>(mut ty: &'d Type, types: &Index<'d>) -> Bare<'d> {
    // A circle of newtypes is no type.
    for _ in 0..=types.len() {
        match ty {
            Type::Named(name) => match types.find(name) {
                Some(Named { body: Body::Newtype(inner), .. }) => ty = inner,
                Some(named) => return Bare::Named(named),
                None => return Bare::Missing,
            },
            other => return Bare::Type(other),
        }
    }
    Bare::Missing
}

impl<'d> Reading<'d> {
    fn add(&mut self, at: &str, what: impl Into<String>) {
        self.found.push(Unread { at: at.to_owned(), what: what.into() });
    }

    fn ty(&mut self, at: &str, from: &'d Type, to: &'d Type) {
        if let (Type::Named(from), Type::Named(to)) = (from, to)
            && !self.seen.insert((from, to))
        {
            return;
        }
        if self.depth >= DEPTH_MAX {
            return self.add(at, "the types go too deep to be compared");
        }
        self.depth += 1;
        self.both(at, from, to);
        self.depth -= 1;
    }

    fn both(&mut self, at: &str, from: &'d Type, to: &'d Type) {
        match (bare(from, self.from), bare(to, self.to)) {
            (Bare::Type(from), Bare::Type(to)) => self.types(at, from, to),
            (Bare::Named(from), Bare::Named(to)) => self.bodies(at, &from.body, &to.body, to),
            (Bare::Named(from), Bare::Type(to)) => self.body_as_type(at, &from.body, to),
            (Bare::Type(from), Bare::Named(to)) => self.type_as_body(at, from, to),
            (Bare::Missing, _) | (_, Bare::Missing) => self.add(at, "a type is not described"),
        }
    }

    fn types(&mut self, at: &str, from: &'d Type, to: &'d Type) {
        match (from, to) {
            (Type::Opaque(_), _) | (_, Type::Opaque(_)) => {}
            (Type::Option(from), Type::Option(to)) => self.ty(at, from, to),
            (from, Type::Option(to)) => self.ty(at, from, to),
            (Type::Option(from), to) => {
                if *to != Type::Unit {
                    self.add(at, "`None` is written where the other side needs a value");
                }
                self.ty(at, from, to);
            }
            (Type::List(from), Type::List(to)) => self.ty(&format!("{at}[]"), from, to),
            (Type::Tuple(from), Type::List(to)) => {
                for (n, part) in from.iter().enumerate() {
                    self.ty(&format!("{at}.{n}"), part, to);
                }
            }
            (Type::List(from), Type::Tuple(to)) => {
                let len = to.len();
                self.add(at, format!("a list is written where exactly {len} values are read"));
                for (n, part) in to.iter().enumerate() {
                    self.ty(&format!("{at}.{n}"), from, part);
                }
            }
            (Type::Tuple(from), Type::Tuple(to)) => self.tuples(at, from, to),
            (Type::Map(key, value), Type::Map(to_key, to_value)) => {
                self.ty(&format!("{at}[key]"), key, to_key);
                self.ty(&format!("{at}[]"), value, to_value);
            }
            // Either is read as the other.
            (Type::List(item), Type::Bytes) | (Type::Bytes, Type::List(item))
                if **item == Type::U8 => {}
            (from, to) => {
                if let Some(what) = leaf(from, to) {
                    self.add(at, what);
                }
            }
        }
    }

    fn tuples(&mut self, at: &str, from: &'d [Type], to: &'d [Type]) {
        if from.len() != to.len() {
            let what = format!("{} values are written and {} are read", from.len(), to.len());
            return self.add(at, what);
        }
        for (n, (from, to)) in from.iter().zip(to).enumerate() {
            self.ty(&format!("{at}.{n}"), from, to);
        }
    }

    /// `of` is the type that the reader's body is, or is in.
    fn bodies(&mut self, at: &str, from: &'d Body, to: &'d Body, of: &'d Named) {
        match (from, to) {
            (Body::Unit, Body::Unit) => {}
            (Body::Newtype(from), Body::Newtype(to)) => self.ty(at, from, to),
            (Body::Tuple(from), Body::Tuple(to)) => self.tuples(at, from, to),
            (Body::Struct(from), Body::Struct(to)) => self.structs(at, from, to, of.closed),
            (Body::Enum(from), Body::Enum(to)) => self.enums(at, from, to, of),
            (from, to) => {
                self.add(at, format!("{} is written and {} is read", kind(from), kind(to)));
            }
        }
    }

    fn structs(&mut self, at: &str, from: &'d [Field], to: &'d [Field], is_closed: bool) {
        let (written, read) = (from, to);
        let written = written.iter().filter(|field| !field.alias);
        for field in written.clone() {
            match read.iter().find(|to| to.name == field.name) {
                Some(to) if !to.alias => self.ty(&under(at, &field.name), &field.ty, &to.ty),
                None if is_closed => {
                    self.add(
                        &under(at, &field.name),
                        "the other side refuses fields that it does not know",
                    );
                }
                // Read under another name, or passed over.
                _ => {}
            }
        }
        // Which field another name stands for is not told: one that is written covers one that is missing.
        let mut covered = written
            .clone()
            .filter(|field| read.iter().any(|to| to.alias && to.name == field.name))
            .count();
        for to in read.iter().filter(|to| !to.alias && !to.optional) {
            if written.clone().any(|field| field.name == to.name) {
                continue;
            }
            match covered.checked_sub(1) {
                Some(left) => covered = left,
                None => {
                    self.add(&under(at, &to.name), "it is not written, and the other side needs it")
                }
            }
        }
    }

    fn enums(&mut self, at: &str, from: &'d [Variant], to: &'d [Variant], of: &'d Named) {
        let mut known = None;
        for variant in from {
            if !variant.alias {
                known = Some(&variant.body);
            }
            let Some(place) = to.iter().position(|to| to.name == variant.name) else {
                // Which of two names is written cannot be seen.
                if !of.open {
                    self.add(&under(at, &variant.name), "the other side knows no such variant");
                }
                continue;
            };
            // Behind another name stands the variant before it.
            let body = to[..=place].iter().rev().find(|to| !to.alias).map(|to| &to.body);
            if let (Some(from), Some(to)) = (known, body) {
                self.bodies(&under(at, &variant.name), from, to, of);
            }
        }
    }

    fn body_as_type(&mut self, at: &str, from: &'d Body, to: &'d Type) {
        match (from, to) {
            (_, Type::Opaque(_)) | (Body::Unit, Type::Unit) => {}
            (from, Type::Option(to)) => match bare(to, self.to) {
                Bare::Named(to) => self.bodies(at, from, &to.body, to),
                Bare::Type(to) => self.body_as_type(at, from, to),
                Bare::Missing => self.add(at, "a type is not described"),
            },
            (Body::Struct(fields), Type::Map(key, value)) => {
                if matches!(bare(key, self.to), Bare::Type(Type::Text)) {
                    for field in fields.iter().filter(|field| !field.alias) {
                        self.ty(&under(at, &field.name), &field.ty, value);
                    }
                } else {
                    self.add(at, "a struct is written and a map with other keys is read");
                }
            }
            (Body::Tuple(from), Type::Tuple(to)) => self.tuples(at, from, to),
            (Body::Tuple(from), Type::List(to)) => {
                for (n, part) in from.iter().enumerate() {
                    self.ty(&format!("{at}.{n}"), part, to);
                }
            }
            (Body::Enum(variants), Type::Text) => {
                for variant in variants.iter().filter(|variant| variant.body != Body::Unit) {
                    self.add(&under(at, &variant.name), "it has content, and a text is read");
                }
            }
            (from, to) => {
                self.add(at, format!("{} is written and {} is read", kind(from), words(to)));
            }
        }
    }

    fn type_as_body(&mut self, at: &str, from: &'d Type, of: &'d Named) {
        match (from, &of.body) {
            (Type::Opaque(_), _) | (Type::Unit, Body::Unit) => {}
            (Type::Option(from), to) => {
                if *to != Body::Unit {
                    self.add(at, "`None` is written where the other side needs a value");
                }
                match bare(from, self.from) {
                    Bare::Named(from) => self.bodies(at, &from.body, to, of),
                    Bare::Type(from) => self.type_as_body(at, from, of),
                    Bare::Missing => self.add(at, "a type is not described"),
                }
            }
            (Type::Tuple(from), Body::Tuple(to)) => self.tuples(at, from, to),
            (Type::Text, Body::Enum(_)) => {
                self.add(at, "any text is written, and the other side knows a few");
            }
            (from, to) => {
                self.add(at, format!("{} is written and {} is read", words(from), kind(to)));
            }
        }
    }
}

fn under(at: &str, name: &str) -> String {
    format!("{at}.{name}")
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::Unit => "nothing",
        Body::Newtype(_) => "one value",
        Body::Tuple(_) => "a tuple",
        Body::Struct(_) => "a struct",
        Body::Enum(_) => "an enum",
    }
}

/// A type in a few words.
pub(crate) fn words(ty: &Type) -> String {
    match ty {
        Type::Text => "a text".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Unit => "nothing".to_owned(),
        Type::Option(inner) => format!("an option of {}", words(inner)),
        Type::List(item) => format!("a list of {}", words(item)),
        Type::Map(..) => "a map".to_owned(),
        Type::Tuple(parts) => format!("a tuple of {}", parts.len()),
        Type::Named(name) => format!("`{name}`"),
        Type::Opaque(_) => "what cannot be seen".to_owned(),
        leaf => format!("`{}`", crate::canonical::tag(leaf)),
    }
}

/// The range of an integer, in bits: the least and the most.
fn range(ty: &Type) -> Option<(i16, i16)> {
    Some(match ty {
        Type::U8 => (0, 8),
        Type::U16 => (0, 16),
        Type::U32 => (0, 32),
        Type::U64 => (0, 64),
        Type::I8 => (-7, 7),
        Type::I16 => (-15, 15),
        Type::I32 => (-31, 31),
        Type::I64 => (-63, 63),
        _ => return None,
    })
}

/// Why one leaf is not read as another.
fn leaf(from: &Type, to: &Type) -> Option<String> {
    if from == to {
        return None;
    }
    let (what, as_what) = (words(from), words(to));
    match (range(from), range(to)) {
        (Some(from), Some(to)) if to.0 <= from.0 && from.1 <= to.1 => return None,
        (Some(_), Some(_)) => {
            return Some(format!("{what} is written, and not every one of them is {as_what}"));
        }
        // serde's visitors of floats take integers.
        (Some(_), None) if matches!(to, Type::F32 | Type::F64) => return None,
        _ => {}
    }
    match (from, to) {
        (Type::F32, Type::F64) | (Type::Char, Type::Text) => None,
        (Type::F64, Type::F32) => {
            Some("a `f64` is written, and one that no `f32` is the same as is refused".to_owned())
        }
        (Type::Text, Type::Bytes) => None,
        (Type::Text, Type::Char) => {
            Some("a text is written, and only one of one character is read".to_owned())
        }
        (Type::Bytes, Type::Text) => {
            Some("bytes are written, and only those that are UTF-8 are read".to_owned())
        }
        _ => Some(format!("{what} is written and {as_what} is read")),
    }
}
