//! What follows from how types hold each other: what must be boxed, what has a default, what can be a key.

use std::collections::{BTreeMap, BTreeSet};

use sinew_descriptor::{Body, Service, Type};

/// The named types of a service, and what is known of each.
pub(super) struct Graph<'d> {
    bodies: BTreeMap<&'d str, &'d Body>,
    /// Which group of types that hold each other by value a type is in.
    groups: BTreeMap<&'d str, usize>,
    defaults: BTreeSet<&'d str>,
    /// Types that hold others anywhere, by what they hold.
    holders: BTreeMap<String, Vec<&'d str>>,
    /// Types that have no order, and why.
    unordered: BTreeMap<&'d str, &'static str>,
}

impl<'d> Graph<'d> {
    pub(super) fn new(service: &'d Service) -> Self {
        let bodies: BTreeMap<_, _> =
            service.types.iter().map(|named| (&*named.name, &named.body)).collect();
        let mut holders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, body) in &bodies {
            let mut held = Vec::new();
            body_names(body, false, &mut held);
            held.into_iter().for_each(|held| holders.entry(held).or_default().push(name));
        }
        let (groups, defaults) = (groups(&bodies), defaults(&bodies));
        let mut graph = Self { bodies, groups, defaults, holders, unordered: BTreeMap::new() };
        let without = graph.bodies.iter().filter_map(|(name, body)| {
            let mut why = None;
            each(body, &mut |ty| why = why.or_else(|| without_order(ty)));
            Some((*name, why?))
        });
        graph.unordered = graph.above(without.collect());
        graph
    }

    /// What is true of these types and of every type that holds one of them.
    pub(super) fn above<T: Clone>(&self, of: Vec<(&'d str, T)>) -> BTreeMap<&'d str, T> {
        let (mut found, mut open) = (BTreeMap::new(), of);
        open.reverse();
        while let Some((name, what)) = open.pop() {
            if !found.contains_key(name) {
                let above = self.holders.get(name).into_iter().flatten();
                open.extend(above.map(|holder| (*holder, what.clone())));
                found.insert(name, what);
            }
        }
        found
    }

    /// Whether `inner`, held by value in `owner`, would make `owner` hold itself.
    pub(super) fn is_circular(&self, owner: &str, inner: &str) -> bool {
        self.groups.get(owner) == self.groups.get(inner)
    }

    pub(super) fn has_default(&self, name: &str) -> bool {
        self.defaults.contains(name)
    }

    pub(super) fn type_has_default(&self, ty: &Type) -> bool {
        match ty {
            Type::Named(name) => self.has_default(name),
            Type::Tuple(parts) => parts.iter().all(|part| self.type_has_default(part)),
            _ => true,
        }
    }

    /// Every named type below these, themselves included where they are named.
    pub(super) fn reachable<'a>(&self, from: impl Iterator<Item = &'a Type>) -> BTreeSet<String> {
        let (mut found, mut open) = (BTreeSet::new(), Vec::new());
        from.for_each(|ty| names(ty, false, &mut open));
        while let Some(name) = open.pop() {
            let body = self.bodies.get(&*name);
            if found.insert(name) {
                body.into_iter().for_each(|body| body_names(body, false, &mut open));
            }
        }
        found
    }

    /// The named types that stand in a type.
    pub(super) fn named_in(&self, ty: &Type) -> Vec<String> {
        let mut found = Vec::new();
        names(ty, false, &mut found);
        found
    }

    /// The named types that are keys of maps, or parts of keys.
    pub(super) fn keys<'a>(&self, all: impl Iterator<Item = &'a Type>) -> BTreeSet<String> {
        let mut keys = Vec::new();
        all.for_each(|ty| map_keys(ty, &mut keys));
        for body in self.bodies.values() {
            each(body, &mut |ty| map_keys(ty, &mut keys));
        }
        self.reachable(keys.iter())
    }

    /// Why a type cannot be a key; `None` where it can.
    pub(super) fn not_a_key(&self, ty: &Type) -> Option<&'static str> {
        let mut held = Vec::new();
        names(ty, false, &mut held);
        without_order(ty)
            .or_else(|| held.iter().find_map(|name| self.unordered.get(&**name).copied()))
    }
}

/// Why a type has no order, whatever the named types in it have.
fn without_order(ty: &Type) -> Option<&'static str> {
    if contains(ty, &|ty| matches!(ty, Type::F32 | Type::F64)) {
        Some("a floating-point number has no order")
    } else if contains(ty, &|ty| matches!(ty, Type::Opaque(_))) {
        Some("what cannot be seen has no order")
    } else {
        None
    }
}

/// The types that have a default: those of which every part has one. Enums have none, and what holds itself has no end.
fn defaults<'d>(bodies: &BTreeMap<&'d str, &'d Body>) -> BTreeSet<&'d str> {
    let mut needed_by: BTreeMap<String, Vec<&'d str>> = BTreeMap::new();
    let (mut missing, mut ready) = (BTreeMap::new(), Vec::new());
    for (name, body) in bodies {
        let mut needs = Vec::new();
        each(body, &mut |ty| default_needs(ty, &mut needs));
        match needs.len() {
            _ if matches!(body, Body::Enum(_)) => {}
            0 => ready.push(*name),
            count => {
                missing.insert(*name, count);
            }
        }
        needs.into_iter().for_each(|needed| needed_by.entry(needed).or_default().push(name));
    }
    let mut found = BTreeSet::new();
    while let Some(name) = ready.pop() {
        found.insert(name);
        for above in needed_by.get(name).into_iter().flatten() {
            let Some(count) = missing.get_mut(above) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.push(above);
            }
        }
    }
    found
}

/// The named types without whose default a type has none: what may be absent or empty needs none.
fn default_needs(ty: &Type, out: &mut Vec<String>) {
    match ty {
        Type::Named(name) => out.push(name.clone()),
        Type::Tuple(parts) => parts.iter().for_each(|part| default_needs(part, out)),
        _ => {}
    }
}

/// Each type that stands in a body.
pub(super) fn each(body: &Body, visit: &mut impl FnMut(&Type)) {
    match body {
        Body::Unit => {}
        Body::Newtype(inner) => visit(inner),
        Body::Tuple(parts) => parts.iter().for_each(visit),
        Body::Struct(fields) => fields.iter().for_each(|field| visit(&field.ty)),
        Body::Enum(variants) => variants.iter().for_each(|variant| each(&variant.body, visit)),
    }
}

/// The names in a type; with `by_value`, those alone that are not behind a pointer already.
fn names(ty: &Type, by_value: bool, out: &mut Vec<String>) {
    match ty {
        Type::Named(name) => out.push(name.clone()),
        Type::Option(inner) => names(inner, by_value, out),
        Type::Tuple(parts) => parts.iter().for_each(|part| names(part, by_value, out)),
        Type::List(inner) if !by_value => names(inner, by_value, out),
        Type::Map(key, value) if !by_value => {
            names(key, by_value, out);
            names(value, by_value, out);
        }
        _ => {}
    }
}

fn body_names(body: &Body, by_value: bool, out: &mut Vec<String>) {
    each(body, &mut |ty| names(ty, by_value, out));
}

fn map_keys(ty: &Type, out: &mut Vec<Type>) {
    match ty {
        Type::Map(key, value) => {
            out.push((**key).clone());
            map_keys(key, out);
            map_keys(value, out);
        }
        Type::Option(inner) | Type::List(inner) => map_keys(inner, out),
        Type::Tuple(parts) => parts.iter().for_each(|part| map_keys(part, out)),
        _ => {}
    }
}

fn contains(ty: &Type, is: &impl Fn(&Type) -> bool) -> bool {
    is(ty)
        || match ty {
            Type::Option(inner) | Type::List(inner) => contains(inner, is),
            Type::Map(key, value) => contains(key, is) || contains(value, is),
            Type::Tuple(parts) => parts.iter().any(|part| contains(part, is)),
            _ => false,
        }
}

/// The strongly connected components of "holds by value" (Kosaraju), without recursion: a descriptor may be hostile.
fn groups<'d>(bodies: &BTreeMap<&'d str, &'d Body>) -> BTreeMap<&'d str, usize> {
    let ids: BTreeMap<&str, usize> =
        bodies.keys().enumerate().map(|(id, name)| (*name, id)).collect();
    let mut forward = vec![Vec::new(); ids.len()];
    let mut backward = vec![Vec::new(); ids.len()];
    for (name, body) in bodies {
        let mut held = Vec::new();
        body_names(body, true, &mut held);
        for to in held.iter().filter_map(|held| ids.get(&**held)) {
            forward[ids[name]].push(*to);
            backward[*to].push(ids[name]);
        }
    }
    let mut order = Vec::new();
    let mut seen = vec![false; ids.len()];
    for start in 0..ids.len() {
        walk(&forward, start, &mut seen, &mut order);
    }
    let mut group = vec![usize::MAX; ids.len()];
    let mut seen = vec![false; ids.len()];
    for start in order.into_iter().rev() {
        let mut members = Vec::new();
        walk(&backward, start, &mut seen, &mut members);
        members.into_iter().for_each(|member| group[member] = start);
    }
    bodies.keys().enumerate().map(|(id, name)| (*name, group[id])).collect()
}

/// Everything reachable that was not seen, each after what is reachable from it.
fn walk(edges: &[Vec<usize>], start: usize, seen: &mut [bool], done: &mut Vec<usize>) {
    if std::mem::replace(&mut seen[start], true) {
        return;
    }
    let mut stack = vec![(start, 0)];
    while let Some((at, next)) = stack.pop() {
        match edges[at].get(next) {
            Some(to) => {
                stack.push((at, next + 1));
                if !std::mem::replace(&mut seen[*to], true) {
                    stack.push((*to, 0));
                }
            }
            None => done.push(at),
        }
    }
}
