//! What types and operations are called in a document: legal, each once, and the same each time.
//!
//! # Invariants
//! 1. A type that is the same in two services is one in the document. One that is not, or holds one that is not, carries
//!    the name of its service in front, in each of them: which service stands first makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use sinew::descriptor::{Body, Named, Service, Type};

/// Names that are given away.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    /// One that is not given away yet: this one, or this one with a number.
    pub(super) fn unique(&mut self, name: String) -> String {
        let mut unique = name.clone();
        let mut number = 2;
        while !self.0.insert(unique.clone()) {
            unique = format!("{name}{number}");
            number += 1;
        }
        unique
    }

    /// The `operationId` of a method. Generators make a function of it, so there is nothing in it but letters, digits and `_`.
    pub(super) fn operation(&mut self, service: &str, method: &str) -> String {
        let name = format!("{service}_{method}");
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
        self.unique(name)
    }
}

/// What the components of a document are called.
#[derive(Debug)]
pub(super) struct Names<'d> {
    /// Those of types, by the place of their service and their name there.
    types: BTreeMap<(usize, &'d str), String>,
    taken: Taken,
}

impl<'d> Names<'d> {
    /// Of the types of these services. `reserved` is none of theirs.
    pub(super) fn new(services: &'d [Service], reserved: &str) -> Self {
        let mut by_name: BTreeMap<&str, Vec<(usize, &Named)>> = BTreeMap::new();
        for (at, service) in services.iter().enumerate() {
            for named in &service.types {
                by_name.entry(&named.name).or_default().push((at, named));
            }
        }
        let differing = differing(&by_name, reserved);
        let mut taken = Taken(BTreeSet::from([reserved.to_owned()]));
        let mut types = BTreeMap::new();
        for (name, all) in by_name {
            if differing.contains(name) {
                for (at, _) in all {
                    let full = format!("{}.{name}", services[at].name);
                    types.entry((at, name)).or_insert_with(|| taken.unique(legal(&full)));
                }
            } else {
                let one = taken.unique(legal(name));
                types.extend(all.into_iter().map(|(at, _)| ((at, name), one.clone())));
            }
        }
        Self { types, taken }
    }

    /// What a type of a service is called.
    pub(super) fn of(&self, service: usize, name: &str) -> String {
        self.types.get(&(service, name)).cloned().unwrap_or_default()
    }

    /// What a part of it is called: a variant.
    pub(super) fn of_part(&mut self, service: usize, name: &str, part: &str) -> String {
        let full = format!("{}.{part}", self.of(service, name));
        self.taken.unique(legal(&full))
    }
}

/// The names that mean different things in different services.
fn differing<'d>(
    by_name: &BTreeMap<&'d str, Vec<(usize, &'d Named)>>,
    reserved: &str,
) -> BTreeSet<&'d str> {
    let several = by_name.iter().filter(|(_, all)| all.len() > 1);
    let mut differing: BTreeSet<&str> = several
        .clone()
        .filter(|(_, all)| all.iter().any(|(_, named)| *named != all[0].1))
        .map(|(name, _)| *name)
        .collect();
    // From what differs to what holds it, until nothing more is found.
    loop {
        let before = differing.len();
        for (name, all) in several.clone() {
            if all.first().is_some_and(|(_, named)| holds(&named.body, &differing)) {
                differing.insert(name);
            }
        }
        if differing.len() == before {
            break;
        }
    }
    differing.extend(by_name.keys().filter(|name| legal(name) == reserved));
    differing
}

fn holds(body: &Body, names: &BTreeSet<&str>) -> bool {
    match body {
        Body::Unit => false,
        Body::Newtype(inner) => refers(inner, names),
        Body::Tuple(parts) => parts.iter().any(|part| refers(part, names)),
        Body::Struct(fields) => fields.iter().any(|field| refers(&field.ty, names)),
        Body::Enum(variants) => variants.iter().any(|variant| holds(&variant.body, names)),
    }
}

fn refers(ty: &Type, names: &BTreeSet<&str>) -> bool {
    match ty {
        Type::Named(name) => names.contains(&**name),
        Type::Option(inner) | Type::List(inner) => refers(inner, names),
        Type::Map(key, value) => refers(key, names) || refers(value, names),
        Type::Tuple(parts) => parts.iter().any(|part| refers(part, names)),
        _ => false,
    }
}

/// A name as OpenAPI lets a component have it.
fn legal(name: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = name.replace(|c: char| !sound(c), "_");
    if name.is_empty() { "_".to_owned() } else { name }
}
