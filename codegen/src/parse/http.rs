//! What `#[http(..)]` says: a verb with its template, and where the arguments go.
//!
//! # Not here
//! Whether the template is one, and whether each argument has its place: `check/http.rs`.

use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprArray, ExprLit, ExprRange, Lit, LitStr, Meta, MetaList, RangeLimits,
    Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

use super::attributes::{self, Seen, Words};
use crate::{
    messages,
    model::{BodyKind, Carried, HttpAttribute, Statuses, Verb},
    report::{Report, Spot},
};

#[derive(Clone, Copy)]
enum Key {
    Verb(Verb),
    Query,
    Header,
    Body(BodyKind),
    Value,
    Error,
    None,
    FromHeader,
}

const KEYS: &Words<Key> = &[
    ("get", Key::Verb(Verb::Get)),
    ("head", Key::Verb(Verb::Head)),
    ("options", Key::Verb(Verb::Options)),
    ("put", Key::Verb(Verb::Put)),
    ("delete", Key::Verb(Verb::Delete)),
    ("post", Key::Verb(Verb::Post)),
    ("patch", Key::Verb(Verb::Patch)),
    ("query", Key::Query),
    ("header", Key::Header),
    ("body", Key::Body(BodyKind::Json)),
    ("form", Key::Body(BodyKind::Form)),
    ("bytes", Key::Body(BodyKind::Bytes)),
    ("value", Key::Value),
    ("error", Key::Error),
    ("none", Key::None),
    ("from_header", Key::FromHeader),
];

/// Reads the attribute; `None` after a mistake.
pub(super) fn attribute(attribute: &Attribute, report: &mut Report) -> Option<HttpAttribute> {
    let at = Spot::of(attribute);
    let Meta::List(list) = &attribute.meta else {
        report.push(at, messages::attribute_form("http"));
        return None;
    };
    let mut http = HttpAttribute {
        at,
        route: None,
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        value: Vec::new(),
        error: Vec::new(),
        none: None,
        from_header: None,
    };
    let (mut seen, before) = (Seen::default(), report.len());
    for entry in attributes::entries(list.tokens.clone(), report) {
        if let Some(key) = seen.key(&entry, KEYS, report) {
            read(&mut http, key, &entry, report);
        }
    }
    // What could not be read would only be missed once more.
    (report.len() == before).then_some(http)
}

fn read(http: &mut HttpAttribute, key: Key, entry: &Meta, report: &mut Report) {
    let at = Spot::of(entry);
    match key {
        Key::Verb(verb) => {
            let word = entry.path().to_token_stream().to_string();
            let Some(text) = attributes::text(&word, "/users/{id}", entry, report) else { return };
            if http.route.is_some() {
                report.push(at, messages::TWO_VERBS);
                return;
            }
            http.route = Some((verb, text.value(), Spot::at(text.span())));
        }
        Key::Query => http.query = carried(entry, "query", report),
        Key::Header => http.headers = carried(entry, "header", report),
        Key::Body(kind) => {
            let word = entry.path().to_token_stream().to_string();
            let Some(text) = attributes::text(&word, "user", entry, report) else { return };
            if http.body.is_some() {
                report.push(at, messages::TWO_BODIES);
                return;
            }
            http.body = Some((kind, text.value(), Spot::at(text.span())));
        }
        Key::Value => http.value = statuses(entry, "value", report),
        Key::Error => http.error = statuses(entry, "error", report),
        Key::None => http.none = Some((statuses(entry, "none", report), at)),
        Key::FromHeader => {
            http.from_header = attributes::text("from_header", "location", entry, report)
                .map(|text| (text.value(), Spot::at(text.span())));
        }
    }
}

/// `query = ["q", "page"]` and `query("per_page" = "size")`; for headers the second alone.
fn carried(entry: &Meta, key: &str, report: &mut Report) -> Vec<Carried> {
    let read = match entry {
        Meta::NameValue(pair) if key == "query" => names(&pair.value),
        Meta::List(list) => pairs(list),
        Meta::NameValue(_) | Meta::Path(_) => None,
    };
    read.unwrap_or_else(|| {
        report.push(Spot::of(entry), messages::carried_form(key));
        Vec::new()
    })
}

fn names(value: &Expr) -> Option<Vec<Carried>> {
    let Expr::Array(ExprArray { elems, .. }) = attributes::unwrapped(value) else { return None };
    let same = |text: &LitStr| carried_by(text, text);
    elems.iter().map(|name| attributes::literal(name).map(same)).collect()
}

fn pairs(list: &MetaList) -> Option<Vec<Carried>> {
    let pair = |input: ParseStream<'_>| {
        let name: LitStr = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(carried_by(&name, &input.parse()?))
    };
    let all =
        |input: ParseStream<'_>| Punctuated::<_, Token![,]>::parse_terminated_with(input, pair);
    all.parse2(list.tokens.clone()).ok().map(|pairs| pairs.into_iter().collect())
}

fn carried_by(name: &LitStr, argument: &LitStr) -> Carried {
    Carried {
        name: name.value(),
        name_at: Spot::at(name.span()),
        argument: argument.value(),
        at: Spot::at(argument.span()),
    }
}

/// `[200, 404..=499]`, or one of these alone.
fn statuses(entry: &Meta, key: &str, report: &mut Report) -> Vec<Statuses> {
    let read = match entry {
        Meta::NameValue(pair) => match attributes::unwrapped(&pair.value) {
            Expr::Array(array) => array.elems.iter().map(some_statuses).collect(),
            one => some_statuses(one).map(|one| vec![one]),
        },
        Meta::List(_) | Meta::Path(_) => None,
    };
    read.unwrap_or_else(|| {
        report.push(Spot::of(entry), messages::statuses_form(key));
        Vec::new()
    })
}

fn some_statuses(value: &Expr) -> Option<Statuses> {
    let (from, to) = match attributes::unwrapped(value) {
        Expr::Range(ExprRange {
            start: Some(start),
            limits: RangeLimits::Closed(_),
            end: Some(end),
            ..
        }) => (number(start)?, number(end)?),
        one => (number(one)?, number(one)?),
    };
    // Below are answers that are not the last one.
    (200 <= from && from <= to && to <= 599).then_some(Statuses(from, to))
}

fn number(value: &Expr) -> Option<u16> {
    match attributes::unwrapped(value) {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}
