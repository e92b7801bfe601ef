//! Whether a descriptor that somebody wrote makes sense: each mistake with its place in the JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    Descriptor, FORMAT,
    canonical::fingerprint_counted,
    service::{HttpBody, HttpContent, Method, Service},
    types::{Body, Index, Type},
};

/// A mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is, as `services[0].methods[2].output`.
    pub at: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

impl Descriptor {
    /// Every mistake in it; none where it can be used.
    pub fn check(&self) -> Vec<Problem> {
        let mut check = Check { problems: Vec::new(), depth: 0 };
        if self.format != FORMAT {
            let what = format!("format {} is not known; this build reads {FORMAT}", self.format);
            check.add("sinew_descriptor", what);
            return check.problems;
        }
        let mut names = BTreeSet::new();
        for (at, service) in self.services.iter().enumerate() {
            let at = format!("services[{at}]");
            check.name(&format!("{at}.name"), &service.name, &mut names);
            check.service(&at, service);
        }
        check.problems
    }
}

/// How deep types may stand in each other without a name. Whoever writes Rust of them goes as deep.
const DEPTH_MAX: usize = 24;

/// How many bytes the structures of all methods may take together: those of ten thousand methods of a program are a few
/// megabytes.
const FINGERPRINTS_MAX: usize = 64 << 20;

struct Check {
    problems: Vec<Problem>,
    depth: usize,
}

impl Check {
    fn add(&mut self, at: &str, what: impl Into<String>) {
        self.problems.push(Problem { at: at.to_owned(), what: what.into() });
    }

    /// A name on the wire, which no other has.
    fn name<'d>(&mut self, at: &str, name: &'d str, names: &mut BTreeSet<&'d str>) {
        if name.is_empty() {
            self.add(at, "a name cannot be empty");
        } else {
            self.word(at, name, names);
        }
    }

    /// A name of a field or a variant, which no other beside it has. In JSON it may be empty.
    fn word<'d>(&mut self, at: &str, name: &'d str, names: &mut BTreeSet<&'d str>) {
        if !names.insert(name) {
            self.add(at, format!("`{name}` is there twice"));
        }
    }

    fn service(&mut self, at: &str, service: &Service) {
        if service.methods.is_empty() {
            self.add(&format!("{at}.methods"), "a service has a method");
        }
        let mut types = BTreeMap::new();
        for (n, named) in service.types.iter().enumerate() {
            let at = format!("{at}.types[{n}].name");
            if named.name.is_empty() {
                self.add(&at, "a name cannot be empty");
            } else if types.insert(&*named.name, &named.body).is_some() {
                self.add(&at, format!("`{}` is there twice", named.name));
            }
        }
        let endless = endless(&types);
        for (n, named) in service.types.iter().enumerate() {
            let at = format!("{at}.types[{n}].body");
            self.body(&at, &named.body, &types, false);
            if endless.contains(&*named.name) {
                self.add(&at, format!("`{}` is nothing but itself", named.name));
            }
        }
        let (mut names, index, mut written) = (BTreeSet::new(), Index::new(&service.types), 0);
        for (n, method) in service.methods.iter().enumerate() {
            let at = format!("{at}.methods[{n}]");
            self.name(&format!("{at}.name"), &method.name, &mut names);
            self.method(&at, method, &types);
            let Some(said) = &method.fingerprint else { continue };
            let at = format!("{at}.fingerprint");
            if written > FINGERPRINTS_MAX {
                let what = "the types are too large for so many to be compared; leave them out";
                self.add(&at, what);
                break;
            }
            let made = fingerprint_counted(&index, service, method, &mut written);
            if made.is_some_and(|made| *said != made.to_string()) {
                let what =
                    "it is not that of these types; a descriptor that was changed by hand has none";
                self.add(&at, what);
            }
        }
    }

    fn method(&mut self, at: &str, method: &Method, types: &Bodies<'_>) {
        let mut names = BTreeSet::new();
        for (n, argument) in method.arguments.iter().enumerate() {
            self.name(&format!("{at}.arguments[{n}].name"), &argument.name, &mut names);
            self.ty(&format!("{at}.arguments[{n}].type"), &argument.ty, types);
        }
        let values = names.clone();
        if let Some(input) = &method.input {
            self.name(&format!("{at}.input.name"), &input.name, &mut names);
            self.ty(&format!("{at}.input.item"), &input.item, types);
            if input.at > method.arguments.len() {
                let most = method.arguments.len();
                self.add(&format!("{at}.input.at"), format!("at most {most} stand before it"));
            }
        }
        if method.streams.input() != method.input.is_some() {
            self.add(&format!("{at}.streams"), "it takes a stream exactly where it has an `input`");
        }
        self.ty(&format!("{at}.output"), &method.output, types);
        if let Some(error) = &method.error {
            self.ty(&format!("{at}.error"), error, types);
        }
        if method.raw && (method.arguments.len() != 1 || method.streams != Default::default()) {
            self.add(&format!("{at}.raw"), "a raw method has one argument, and no stream");
        }
        let known = |name: &str| values.contains(name);
        if let Some(key) = method.key.as_deref().filter(|key| !known(key)) {
            self.add(&format!("{at}.key"), format!("there is no argument `{key}`"));
        }
        self.http(&format!("{at}.http"), method, &known);
    }

    fn http(&mut self, at: &str, method: &Method, known: &dyn Fn(&str) -> bool) {
        let Some(http) = &method.http else { return };
        if !["get", "head", "options", "put", "delete", "post", "patch"].contains(&&*http.verb) {
            let what = format!("`{}` is no verb; one is `get`, in lower case", http.verb);
            self.add(&format!("{at}.verb"), what);
        }
        if !http.path.starts_with('/') {
            self.add(&format!("{at}.path"), "a path begins with `/`");
        }
        let placeholders = http.path.split('{').skip(1).map(|rest| rest.split('}').next());
        let carried = |pairs: &[(String, String)], what: &'static str| -> Vec<_> {
            pairs.iter().map(|(_, argument)| (what, argument.clone())).collect()
        };
        let mut used: Vec<(&str, String)> =
            placeholders.map(|name| ("path", name.unwrap_or_default().to_owned())).collect();
        used.extend(carried(&http.query, "query"));
        used.extend(carried(&http.headers, "headers"));
        match &http.body {
            HttpBody::Json(name) | HttpBody::Form(name) | HttpBody::Bytes(name) => {
                used.push(("body", name.clone()));
            }
            HttpBody::Named(names) => used.extend(names.iter().map(|name| ("body", name.clone()))),
            HttpBody::None | HttpBody::Items | HttpBody::Chunks => {}
        }
        for (part, name) in used.iter().filter(|(_, name)| !known(name)) {
            self.add(&format!("{at}.{part}"), format!("there is no argument `{name}`"));
        }
        let used: BTreeSet<&str> = used.iter().map(|(_, name)| &**name).collect();
        let unused = method.arguments.iter().map(|argument| &*argument.name);
        for name in unused.filter(|name| !used.contains(name)) {
            self.add(at, format!("the argument `{name}` goes nowhere"));
        }
        if let HttpContent::Header(name) = &http.content
            && name.is_empty()
        {
            self.add(&format!("{at}.content"), "a header has a name");
        }
    }

    fn ty(&mut self, at: &str, ty: &Type, types: &Bodies<'_>) {
        if self.depth >= DEPTH_MAX {
            self.add(at, format!("more than {DEPTH_MAX} types in each other; give one a name"));
            return;
        }
        self.depth += 1;
        self.within(at, ty, types);
        self.depth -= 1;
    }

    fn within(&mut self, at: &str, ty: &Type, types: &Bodies<'_>) {
        match ty {
            Type::Option(inner) => self.ty(&format!("{at}.option"), inner, types),
            Type::List(inner) => self.ty(&format!("{at}.list"), inner, types),
            Type::Map(key, value) => {
                self.ty(&format!("{at}.map[0]"), key, types);
                self.ty(&format!("{at}.map[1]"), value, types);
            }
            Type::Tuple(parts) => self.tuple(&format!("{at}.tuple"), parts, types),
            Type::Named(name) if !types.contains_key(&**name) => {
                self.add(at, format!("there is no type `{name}` among the service's `types`"));
            }
            _ => {}
        }
    }

    fn tuple(&mut self, at: &str, parts: &[Type], types: &Bodies<'_>) {
        for (n, part) in parts.iter().enumerate() {
            self.ty(&format!("{at}[{n}]"), part, types);
        }
    }

    fn body(&mut self, at: &str, body: &Body, types: &Bodies<'_>, in_variant: bool) {
        let mut names = BTreeSet::new();
        match body {
            Body::Unit => {}
            Body::Newtype(inner) => self.ty(&format!("{at}.newtype"), inner, types),
            Body::Tuple(parts) => self.tuple(&format!("{at}.tuple"), parts, types),
            Body::Struct(fields) => {
                for (n, field) in fields.iter().enumerate() {
                    let at = format!("{at}.struct[{n}]");
                    self.word(&format!("{at}.name"), &field.name, &mut names);
                    self.ty(&format!("{at}.type"), &field.ty, types);
                }
            }
            Body::Enum(_) if in_variant => {
                self.add(at, "a variant cannot be an enum itself; let it hold a named one");
            }
            Body::Enum(variants) => {
                for (n, variant) in variants.iter().enumerate() {
                    let at = format!("{at}.enum[{n}]");
                    self.word(&format!("{at}.name"), &variant.name, &mut names);
                    self.body(&format!("{at}.body"), &variant.body, types, true);
                    if variant.alias && n == 0 {
                        self.add(&format!("{at}.alias"), "there is no variant before it");
                    }
                }
            }
        }
    }
}

type Bodies<'d> = BTreeMap<&'d str, &'d Body>;

/// The types that are newtypes of newtypes .. of themselves, or of such a type. Each is followed once.
fn endless<'d>(types: &Bodies<'d>) -> BTreeSet<&'d str> {
    let mut ends: BTreeMap<&str, bool> = BTreeMap::new();
    for start in types.keys() {
        let (mut way, mut at) = (Vec::new(), *start);
        let does_end = loop {
            if let Some(known) = ends.get(at) {
                break *known;
            }
            // As long as it is being followed, coming back to it is no end.
            ends.insert(at, false);
            way.push(at);
            match types.get(at) {
                Some(Body::Newtype(Type::Named(inner))) => at = inner,
                _ => break true,
            }
        };
        ends.extend(way.into_iter().map(|name| (name, does_end)));
    }
    ends.into_iter().filter(|(_, does_end)| !does_end).map(|(name, _)| name).collect()
}
