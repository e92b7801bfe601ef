//! Services as data: what [`sinew_descriptor`] says of those that this process serves or calls, and the method by which
//! a server is asked for it.

use std::{sync::LazyLock, time::Duration};

use sinew_core::codes::Criticality;
use sinew_descriptor::{self as descriptor, Http, HttpBody, HttpContent, Input, Streams};

use crate::{
    call::{
        http::{self, Binding, Body, Content, PathPart, Verb},
        method::{Method, Shape},
        options::Hedge,
        types::Types,
    },
    schema::{Collector, Described},
};

/// The name under which servers are asked for what they serve, on a connection to any service.
pub(crate) const REFLECTION: &str = "sinew.Reflection";

static DESCRIBE: Method = Method::new(
    REFLECTION,
    "describe",
    "sinew.Reflection/describe",
    Shape::Unary,
)
.raw()
.idempotent()
.arguments(&["service"])
.doc("One service as data, or all of them where no name is given: MessagePack with named fields.");

/// The method that asks: its argument is the name of a service, or nothing.
pub(crate) fn reflection() -> &'static Types {
    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::raw(&DESCRIBE));
    &TYPES
}

/// A service of these methods.
pub(crate) fn service(name: &str, methods: &[&'static Types]) -> descriptor::Service {
    let mut collector = Collector::default();
    let described = methods.iter().map(|types| method(types, &mut collector)).collect();
    let first = methods.first().map(|types| types.method());
    let (trait_name, doc) = first.map_or((name, ""), |method| method.of_trait());
    descriptor::Service {
        name: name.to_owned(),
        trait_name: trait_name.to_owned(),
        version: first.and_then(Method::version),
        doc: dedented(doc),
        methods: described,
        types: collector.into_types(),
    }
}

fn method(types: &'static Types, collector: &mut Collector) -> descriptor::Method {
    let method = types.method();
    let Described { arguments, input, output, error } = types.describe(collector);
    let input = input.map(|item| {
        let (name, at) = method.input().unwrap_or(("input", arguments.len()));
        Input { name: name.to_owned(), at, item }
    });
    descriptor::Method {
        name: method.name().to_owned(),
        doc: dedented(method.documentation()),
        streams: match method.shape() {
            Shape::Unary => Streams::None,
            Shape::ServerStreaming => Streams::Output,
            Shape::ClientStreaming => Streams::Input,
            Shape::Bidirectional => Streams::Both,
        },
        idempotent: method.is_idempotent(),
        raw: method.is_raw(),
        trust_layout: method.trusts_layout(),
        timeout_us: method.timeout().map(micros),
        criticality: method.default_criticality().map(|criticality| match criticality {
            Criticality::CriticalPlus => descriptor::Criticality::CriticalPlus,
            Criticality::Critical => descriptor::Criticality::Critical,
            Criticality::SheddablePlus => descriptor::Criticality::SheddablePlus,
            Criticality::Sheddable => descriptor::Criticality::Sheddable,
        }),
        hedge: method.hedge().and_then(|hedge| match hedge {
            Hedge::After(after) => Some(descriptor::Hedge::AfterUs(micros(after))),
            Hedge::AfterPercentile(percent) => Some(descriptor::Hedge::AfterPercentile(percent)),
            Hedge::Off => None,
        }),
        key: method.key().map(str::to_owned),
        http: method.http_binding().map(|binding| bound(binding, method)),
        fingerprint: types.fingerprint().map(|fingerprint| fingerprint.to_string()),
        not_bincode: types.obstacles().to_vec(),
        not_named: types.unnamed().map(str::to_owned),
        arguments,
        input,
        output,
        error,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Doc comments have a blank before each line.
fn dedented(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

fn bound(binding: &Binding, method: &Method) -> Http {
    let names = method.argument_names();
    let name = |place: usize| names.get(place).copied().unwrap_or_default().to_owned();
    let carried = |pairs: &[(&str, usize)]| {
        pairs.iter().map(|(of, place)| ((*of).to_owned(), name(*place))).collect()
    };
    let mut path = String::new();
    for part in binding.path {
        match part {
            PathPart::Text(text) => path.push_str(text),
            PathPart::Argument(place) => path.extend(["{", &name(*place), "}"]),
        }
    }
    let unless = |usual: &[(u16, u16)], said: &[(u16, u16)]| {
        if usual == said { Vec::new() } else { said.to_vec() }
    };
    Http {
        verb: match binding.verb {
            Verb::Get => "get",
            Verb::Head => "head",
            Verb::Options => "options",
            Verb::Put => "put",
            Verb::Delete => "delete",
            Verb::Post => "post",
            Verb::Patch => "patch",
        }
        .to_owned(),
        path,
        query: carried(binding.query),
        headers: carried(binding.headers),
        body: match binding.body {
            Body::None => HttpBody::None,
            Body::Json(place) => HttpBody::Json(name(place)),
            Body::Form(place) => HttpBody::Form(name(place)),
            Body::Bytes(place) => HttpBody::Bytes(name(place)),
            Body::Named(places) => {
                HttpBody::Named(places.iter().map(|place| name(*place)).collect())
            }
            Body::Items => HttpBody::Items,
            Body::Chunks => HttpBody::Chunks,
        },
        value: unless(http::VALUE, binding.value),
        error: unless(http::ERROR, binding.error),
        none: binding.none.to_vec(),
        content: match binding.content {
            Content::Json => HttpContent::Json,
            Content::Text => HttpContent::Text,
            Content::Bytes => HttpContent::Bytes,
            Content::Nothing => HttpContent::Nothing,
            Content::Header(name) => HttpContent::Header(name.to_owned()),
        },
    }
}

/// The binding that a description is of, kept until the process ends. What cannot be understood goes the usual way.
pub(crate) fn unbound(http: &Http, names: &'static [&'static str]) -> Binding {
    fn leak<T>(all: Vec<T>) -> &'static [T] {
        Box::leak(all.into_boxed_slice())
    }
    fn text(text: &str) -> &'static str {
        Box::leak(text.to_owned().into_boxed_str())
    }
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or_default();
    let carried = |pairs: &[(String, String)]| {
        leak(pairs.iter().map(|(of, name)| (text(of), place(name))).collect())
    };
    let or = |said: &[(u16, u16)], usual: &'static [(u16, u16)]| {
        if said.is_empty() { usual } else { leak(said.to_vec()) }
    };
    let mut path = Vec::new();
    let mut rest = &*http.path;
    while let Some((before, behind)) = rest.split_once('{') {
        if !before.is_empty() {
            path.push(PathPart::Text(text(before)));
        }
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        path.push(PathPart::Argument(place(name)));
        rest = behind;
    }
    if !rest.is_empty() {
        path.push(PathPart::Text(text(rest)));
    }
    Binding {
        verb: match &*http.verb {
            "get" => Verb::Get,
            "head" => Verb::Head,
            "options" => Verb::Options,
            "put" => Verb::Put,
            "delete" => Verb::Delete,
            "patch" => Verb::Patch,
            _ => Verb::Post,
        },
        path: leak(path),
        query: carried(&http.query),
        headers: carried(&http.headers),
        body: match &http.body {
            HttpBody::None => Body::None,
            HttpBody::Json(name) => Body::Json(place(name)),
            HttpBody::Form(name) => Body::Form(place(name)),
            HttpBody::Bytes(name) => Body::Bytes(place(name)),
            HttpBody::Named(all) => Body::Named(leak(all.iter().map(|name| place(name)).collect())),
            HttpBody::Items => Body::Items,
            HttpBody::Chunks => Body::Chunks,
        },
        value: or(&http.value, http::VALUE),
        error: or(&http.error, http::ERROR),
        none: or(&http.none, &[]),
        content: match &http.content {
            HttpContent::Json => Content::Json,
            HttpContent::Text => Content::Text,
            HttpContent::Bytes => Content::Bytes,
            HttpContent::Nothing => Content::Nothing,
            HttpContent::Header(name) => Content::Header(text(name)),
        },
    }
}
