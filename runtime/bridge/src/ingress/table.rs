//! Which method a request means: by the paths that traits declare, or `POST /{service}/{method}`.
//!
//! # Invariants
//! 1. Two methods never share a path and a verb: a table of which that is not true is refused when it is made.
//! 2. A path is taken apart where it has a `/` before anything in it is decoded: `%2F` is part of an argument.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use http::Method;

use super::{IngressError, coerce, route::Route};

/// All routes of an ingress.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Paths without arguments.
    exact: HashMap<String, Vec<(Method, Arc<Route>)>>,
    /// The others: those that say more of a path stand before those that say less.
    templates: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    segments: Vec<Vec<Part>>,
    verbs: Vec<(Method, Arc<Route>)>,
}

/// A piece of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Argument,
}

/// What a path means.
#[derive(Debug)]
pub(super) enum Found<'t> {
    /// This method, with these values for the arguments in its path, in their order.
    Route(&'t Arc<Route>, Vec<Cow<'t, str>>),
    /// Something, with other verbs.
    Verbs(Vec<&'t Method>),
    Nothing,
}

impl Table {
    pub(super) fn new(routes: Vec<Route>) -> Result<Self, IngressError> {
        let mut table = Self::default();
        for route in routes {
            table.add(route)?;
        }
        // Text before arguments, from the left on: the first template that fits is the closest.
        let weight = |template: &Template| -> Vec<(bool, std::cmp::Reverse<usize>)> {
            let text = |part: &Part| match part {
                Part::Text(text) => text.len(),
                Part::Argument => 0,
            };
            let segments = template.segments.iter();
            let of = |parts: &Vec<Part>| {
                let text = parts.iter().map(text).sum();
                (parts.contains(&Part::Argument), std::cmp::Reverse(text))
            };
            segments.map(of).collect()
        };
        table.templates.sort_by_key(weight);
        Ok(table)
    }

    fn add(&mut self, route: Route) -> Result<(), IngressError> {
        let (verb, path) = (route.verb.clone(), route.path.clone());
        let verbs = if path.contains('{') {
            let segments: Vec<Vec<Part>> = path.split('/').map(parts).collect();
            let known = self.templates.iter().position(|known| known.segments == segments);
            let at = known.unwrap_or_else(|| {
                self.templates.push(Template { segments, verbs: Vec::new() });
                self.templates.len() - 1
            });
            &mut self.templates[at].verbs
        } else {
            self.exact.entry(path).or_default()
        };
        if let Some((_, first)) = verbs.iter().find(|(known, _)| *known == verb) {
            return Err(IngressError::Conflict {
                route: format!("{verb} {}", route.path),
                first: first.name().to_owned(),
                second: route.name().to_owned(),
            });
        }
        verbs.push((verb, Arc::new(route)));
        Ok(())
    }

    /// The method that this verb and this path mean. Of a path without a `HEAD` of its own that is its `GET`.
    pub(super) fn find<'t>(&'t self, verb: &Method, path: &'t str) -> Found<'t> {
        let mut others = Vec::new();
        if let Some(verbs) = self.exact.get(path) {
            match of_verb(verbs, verb) {
                Some(route) => return Found::Route(route, Vec::new()),
                None => others.extend(verbs.iter().map(|(verb, _)| verb)),
            }
        }
        for template in &self.templates {
            let Some(values) = template.values(path) else { continue };
            match of_verb(&template.verbs, verb) {
                Some(route) => return Found::Route(route, values),
                None => others.extend(template.verbs.iter().map(|(verb, _)| verb)),
            }
        }
        if others.is_empty() { Found::Nothing } else { Found::Verbs(others) }
    }
}

fn of_verb<'t>(verbs: &'t [(Method, Arc<Route>)], verb: &Method) -> Option<&'t Arc<Route>> {
    let of = |verb: &Method| verbs.iter().find(|(known, _)| known == verb).map(|(_, route)| route);
    of(verb).or_else(|| if *verb == Method::HEAD { of(&Method::GET) } else { None })
}

impl Template {
    /// What stands for the arguments, decoded, if the path is one of these.
    fn values<'p>(&self, path: &'p str) -> Option<Vec<Cow<'p, str>>> {
        let mut values = Vec::new();
        let mut segments = path.split('/');
        for parts in &self.segments {
            take(segments.next()?, parts, &mut values)?;
        }
        segments.next().is_none().then_some(values)
    }
}

/// Takes a segment apart. An argument is never empty; it ends where the text behind it begins first.
fn take<'p>(mut segment: &'p str, parts: &[Part], values: &mut Vec<Cow<'p, str>>) -> Option<()> {
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match (part, parts.peek()) {
            (Part::Text(text), _) => segment = segment.strip_prefix(&**text)?,
            (Part::Argument, next) => {
                let end = match next {
                    Some(Part::Text(text)) => {
                        let first = segment.chars().next()?.len_utf8();
                        first + segment[first..].find(&**text)?
                    }
                    Some(Part::Argument) | None => segment.len(),
                };
                let (value, rest) = segment.split_at(end);
                if value.is_empty() {
                    return None;
                }
                values.push(coerce::decoded(value).ok()?);
                segment = rest;
            }
        }
    }
    segment.is_empty().then_some(())
}

fn parts(segment: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some((text, behind)) = rest.split_once('{') {
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(Part::Argument);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    parts
}
