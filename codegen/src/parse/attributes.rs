//! What attributes say: `#[service(..)]`, `#[rpc(..)]`, and those of the language.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, ExprLit, Lit, LitStr, Meta, MetaNameValue, Path, Token, parse::Parser,
    punctuated::Punctuated,
};

use super::{http, time};
use crate::{
    messages::{self, Message},
    model::{Attributes, Criticality, HttpAttribute, Options},
    report::{Report, Spot},
    suggest,
};

#[derive(Clone, Copy)]
enum ServiceKey {
    Name,
    Version,
    Crate,
}

#[derive(Clone, Copy)]
enum RpcKey {
    Idempotent,
    Timeout,
    Name,
    Criticality,
    Hedge,
    Key,
    Raw,
    TrustLayout,
}

/// Keys, or values, by what users write for them.
pub(super) type Words<T> = [(&'static str, T)];

const SERVICE_KEYS: &Words<ServiceKey> =
    &[("name", ServiceKey::Name), ("version", ServiceKey::Version), ("crate", ServiceKey::Crate)];
const RPC_KEYS: &Words<RpcKey> = &[
    ("idempotent", RpcKey::Idempotent),
    ("timeout", RpcKey::Timeout),
    ("name", RpcKey::Name),
    ("criticality", RpcKey::Criticality),
    ("hedge", RpcKey::Hedge),
    ("key", RpcKey::Key),
    ("raw", RpcKey::Raw),
    ("trust_layout", RpcKey::TrustLayout),
];
const CRITICALITIES: &Words<Criticality> = &[
    ("critical_plus", Criticality::CriticalPlus),
    ("critical", Criticality::Critical),
    ("sheddable_plus", Criticality::SheddablePlus),
    ("sheddable", Criticality::Sheddable),
];
/// Other words for our keys, from frameworks that use them.
const SYNONYMS: &[(&str, &str)] = &[
    ("deadline", "timeout"),
    ("rename", "name"),
    ("priority", "criticality"),
    ("bytes", "raw"),
    ("backup", "hedge"),
    ("hash", "key"),
    ("hash_key", "key"),
    ("affinity", "key"),
];
/// What nobody has to ask for.
const RETRIES: &[&str] = &["retry", "retries", "attempts"];

/// What `#[service(..)]` says.
pub(super) struct ServiceArgs {
    pub(super) name: Option<(String, Spot)>,
    pub(super) version: Option<u32>,
    pub(super) sinew: TokenStream,
}

/// What the attributes of a method say.
#[derive(Default)]
pub(super) struct MethodAttributes {
    pub(super) sorted: Attributes,
    pub(super) options: Options,
    pub(super) http: Option<HttpAttribute>,
    pub(super) name: Option<(String, Spot)>,
}

/// Reads the arguments of `#[service(..)]`.
pub(super) fn service_args(args: TokenStream, report: &mut Report) -> ServiceArgs {
    let mut service = ServiceArgs { name: None, version: None, sinew: quote!(::sinew) };
    let mut seen = Seen::default();
    for entry in entries(args, report) {
        match seen.key(&entry, SERVICE_KEYS, report) {
            None => {}
            Some(ServiceKey::Name) => {
                service.name = text("name", "shop.Inventory", &entry, report).map(named);
            }
            Some(ServiceKey::Version) => service.version = version(&entry, report),
            Some(ServiceKey::Crate) => {
                let path = text("crate", "rpc", &entry, report);
                if let Some(path) = path.and_then(|text| crate_path(&text, report)) {
                    service.sinew = path;
                }
            }
        }
    }
    service
}

/// Sorts the attributes of the trait.
pub(super) fn of_trait(attributes: &[Attribute], report: &mut Report) -> Attributes {
    let mut sorted = Attributes::default();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("rpc") {
            report.push(Spot::of(attribute), messages::RPC_ON_TRAIT);
        } else if path.segments.last().is_some_and(|last| last.ident == "service") {
            report.push(Spot::of(attribute), messages::SERVICE_TWICE);
        } else {
            sort(attribute, &mut sorted);
        }
    }
    sorted
}

/// Sorts the attributes of a method, and reads its `#[rpc(..)]`.
pub(super) fn of_method(attributes: &[Attribute], report: &mut Report) -> MethodAttributes {
    let mut method = MethodAttributes::default();
    let mut seen = Seen::default();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("rpc") {
            match &attribute.meta {
                Meta::Path(_) => {}
                Meta::List(list) => {
                    for entry in entries(list.tokens.clone(), report) {
                        rpc_entry(&mut method, &mut seen, &entry, report);
                    }
                }
                Meta::NameValue(_) => {
                    report.push(Spot::of(attribute), messages::attribute_form("rpc"));
                }
            }
        } else if path.is_ident("http") {
            match method.http {
                None => method.http = http::attribute(attribute, report),
                Some(_) => report.push(Spot::of(attribute), messages::HTTP_TWICE),
            }
        } else if path.is_ident("cfg_attr") && adds_ours(attribute) {
            report.push(Spot::of(attribute), messages::CONDITIONAL_RPC);
        } else {
            sort(attribute, &mut method.sorted);
        }
    }
    method
}

fn rpc_entry(method: &mut MethodAttributes, seen: &mut Seen, entry: &Meta, report: &mut Report) {
    let options = &mut method.options;
    match seen.key(entry, RPC_KEYS, report) {
        None => {}
        Some(RpcKey::Idempotent) => options.idempotent = switch("idempotent", entry, report),
        Some(RpcKey::Raw) => options.raw = flag("raw", entry, report).then(|| Spot::of(entry)),
        Some(RpcKey::TrustLayout) => options.trust_layout = flag("trust_layout", entry, report),
        Some(RpcKey::Name) => method.name = text("name", "wire_name", entry, report).map(named),
        Some(RpcKey::Key) => options.key = text("key", "user_id", entry, report).map(named),
        Some(RpcKey::Timeout) => {
            options.timeout_us = text("timeout", "500ms", entry, report)
                .and_then(|text| valid(&text, time::timeout_us(&text.value()), report));
        }
        Some(RpcKey::Criticality) => {
            options.criticality = text("criticality", "sheddable", entry, report)
                .and_then(|text| valid(&text, criticality(&text.value()), report));
        }
        Some(RpcKey::Hedge) => {
            options.hedge = text("hedge", "p95", entry, report)
                .and_then(|text| valid(&text, time::hedge(&text.value()), report))
                .map(|hedge| (hedge, Spot::of(entry)));
        }
    }
}

fn criticality(written: &str) -> Result<Criticality, Message> {
    let known = CRITICALITIES.iter().find(|(name, _)| *name == written);
    known.map(|(_, criticality)| *criticality).ok_or_else(|| {
        let names = names(CRITICALITIES);
        messages::unknown_criticality(written, suggest::nearest(written, &names), &list(&names))
    })
}

/// The keys given so far, over all `#[rpc(..)]` of a method.
#[derive(Default)]
pub(super) struct Seen(Vec<&'static str>);

impl Seen {
    /// The key of an entry if it is known and new.
    pub(super) fn key<K: Copy>(
        &mut self,
        entry: &Meta,
        known: &Words<K>,
        report: &mut Report,
    ) -> Option<K> {
        let at = Spot::of(entry.path());
        let written = entry.path().to_token_stream().to_string();
        let Some((name, key)) = known.iter().find(|(name, _)| *name == written) else {
            let names = names(known);
            if RETRIES.contains(&&*written) && names.contains(&"idempotent") {
                report.push(at, messages::RETRY);
                return None;
            }
            let meant = synonym(&written, &names).or_else(|| suggest::nearest(&written, &names));
            report.push(at, messages::unknown_key(&written, meant, &list(&names)));
            return None;
        };
        if self.0.contains(name) {
            report.push(at, messages::key_twice(name));
            return None;
        }
        self.0.push(name);
        Some(*key)
    }
}

fn synonym(written: &str, known: &[&'static str]) -> Option<&'static str> {
    let (_, ours) = SYNONYMS.iter().find(|(other, _)| *other == written)?;
    known.contains(ours).then_some(*ours)
}

pub(super) fn entries(tokens: TokenStream, report: &mut Report) -> Punctuated<Meta, Token![,]> {
    Punctuated::parse_terminated.parse2(tokens).unwrap_or_else(|error: syn::Error| {
        report.push(Spot::at(error.span()), messages::ATTRIBUTE_SYNTAX);
        Punctuated::new()
    })
}

fn flag(key: &str, entry: &Meta, report: &mut Report) -> bool {
    let alone = matches!(entry, Meta::Path(_));
    if !alone {
        report.push(Spot::of(entry), messages::takes_no_value(key));
    }
    alone
}

/// `idempotent`, which is `idempotent = true`, or `idempotent = false`.
fn switch(key: &str, entry: &Meta, report: &mut Report) -> Option<bool> {
    let value = match entry {
        Meta::Path(_) => Some(true),
        Meta::NameValue(pair) => match unwrapped(&pair.value) {
            Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(value.value),
            _ => None,
        },
        Meta::List(_) => None,
    };
    if value.is_none() {
        report.push(Spot::of(entry), messages::needs_bool(key));
    }
    value
}

pub(super) fn text(key: &str, example: &str, entry: &Meta, report: &mut Report) -> Option<LitStr> {
    if let Meta::NameValue(pair) = entry
        && let Some(text) = literal(&pair.value)
    {
        return Some(text.clone());
    }
    report.push(Spot::of(entry), messages::needs_text(key, example));
    None
}

/// `version = 3`: a whole number from 1.
fn version(entry: &Meta, report: &mut Report) -> Option<u32> {
    let number = match entry {
        Meta::NameValue(pair) => match unwrapped(&pair.value) {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    };
    let version = number.filter(|version| *version > 0);
    if version.is_none() {
        report.push(Spot::of(entry), messages::VERSION);
    }
    version
}

/// The expression without the invisible group of a `macro_rules`.
pub(super) fn unwrapped(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => unwrapped(&group.expr),
        other => other,
    }
}

/// A string literal, also one that came through a `macro_rules`.
pub(super) fn literal(value: &Expr) -> Option<&LitStr> {
    match unwrapped(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

fn named(text: LitStr) -> (String, Spot) {
    (text.value(), Spot::at(text.span()))
}

fn valid<T>(text: &LitStr, value: Result<T, Message>, report: &mut Report) -> Option<T> {
    value.map_err(|message| report.push(Spot::at(text.span()), message)).ok()
}

/// The path in `crate = ".."`, as if the macro had written it at that place.
fn crate_path(text: &LitStr, report: &mut Report) -> Option<TokenStream> {
    let Ok(path) = text.parse_with(Path::parse_mod_style) else {
        report.push(Spot::at(text.span()), messages::BAD_PATH);
        return None;
    };
    let span = Span::call_site().located_at(text.span());
    let respan = |mut tree: TokenTree| {
        tree.set_span(span);
        tree
    };
    Some(path.into_token_stream().into_iter().map(respan).collect())
}

fn sort(attribute: &Attribute, sorted: &mut Attributes) {
    let path = attribute.path();
    if path.is_ident("cfg") {
        attribute.to_tokens(&mut sorted.conditions);
    } else if path.is_ident("deprecated") {
        attribute.to_tokens(&mut sorted.deprecated);
    } else if path.is_ident("doc") {
        attribute.to_tokens(&mut sorted.docs);
        if let Meta::NameValue(MetaNameValue { value, .. }) = &attribute.meta
            && let Some(line) = literal(value)
        {
            append_line(&mut sorted.doc_text, &line.value());
        }
    } else {
        attribute.to_tokens(&mut sorted.others);
    }
}

/// Doc comments start with a space, which is not part of what they say.
fn append_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
}

/// Whether a `#[cfg_attr(..)]` would add an attribute that changes what is generated.
fn adds_ours(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let Ok(entries) = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone())
    else {
        return false;
    };
    entries
        .iter()
        .skip(1)
        .any(|entry| ["rpc", "cfg", "http"].iter().any(|name| entry.path().is_ident(name)))
}

fn names<T>(words: &Words<T>) -> Vec<&'static str> {
    words.iter().map(|(name, _)| *name).collect()
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
