//! What follows from how types hold each other: what must be boxed, what has a default, what can be a key.

use std::collections::{BTreeMap, BTreeSet};

use sinew_descriptor::{Body, Service, Type};

/// The named types of a service, and what is known of each.
pub(super) struct Graph<'d> {
    bodies: BTreeMap<&'d str, &'d Body>,
    /// Which group of types that hold each other by value a type is in.
    groups: BTreeMap<&'d str, usize>,
    defaults: BTreeSet<&'d str>,
}

impl<'d> Graph<'d> {
    pub(super) fn new(service: &'d Service) -> Self {
        let bodies: BTreeMap<_, _> =
            service.types.iter().map(|named| (&*named.name, &named.body)).collect();
        let groups = groups(&bodies);
        let mut graph = Self { bodies, groups, defaults: BTreeSet::new() };
        // What has a default depends on what else has: until nothing is added.
        loop {
            let more: Vec<&str> = graph
                .bodies
                .iter()
                .filter(|(name, body)| {
                    !graph.defaults.contains(**name) && graph.body_has_default(body)
                })
                .map(|(name, _)| *name)
                .collect();
            if more.is_empty() {
                return graph;
            }
            graph.defaults.extend(more);
        }
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

    fn body_has_default(&self, body: &Body) -> bool {
        match body {
            Body::Unit => true,
            Body::Newtype(inner) => self.type_has_default(inner),
            Body::Tuple(parts) => parts.iter().all(|part| self.type_has_default(part)),
            Body::Struct(fields) => fields.iter().all(|field| self.type_has_default(&field.ty)),
            Body::Enum(_) => false,
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
        let is_float = |ty: &Type| contains(ty, &|ty| matches!(ty, Type::F32 | Type::F64));
        let is_opaque = |ty: &Type| contains(ty, &|ty| matches!(ty, Type::Opaque(_)));
        let below = self.reachable([ty].into_iter());
        let mut parts = vec![ty.clone()];
        for name in below {
            if let Some(body) = self.bodies.get(&*name) {
                each(body, &mut |ty| parts.push(ty.clone()));
            }
        }
        if parts.iter().any(is_float) {
            Some("a floating-point number has no order")
        } else if parts.iter().any(is_opaque) {
            Some("what cannot be seen has no order")
        } else {
            None
        }
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
