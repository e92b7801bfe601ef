//! A call as a request: where each argument goes, and what goes beside them.
//!
//! # Invariants
//! 1. The path has the segments of its template, whatever the arguments hold.
//! 2. Framing is ours: no header that says how long a body is, or belongs to a connection, comes from a call.
//! 3. What cannot be sent is refused before anything is: `InvalidArgument`, not sent, with the name of the argument.

mod body;
mod headers;
mod text;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use sinew::{
    Code, Method, Reason, Status,
    foreign::{self, Argument, Arguments, Outbound, http as binding},
};
use sinew_core::limits;

pub(crate) use self::body::Outgoing;
use crate::address::Address;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The request of a call, and what its answer is held against. Its URI is a path.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// In a box: it is handed on often, and large.
    pub(crate) request: Box<Request<Outgoing>>,
    pub(crate) binding: Bound,
}

/// How a method goes: as its trait says, or as methods go of which it does not.
#[derive(Debug)]
pub(crate) enum Bound {
    Said(&'static binding::Binding),
    Usual(Box<binding::Binding>),
}

impl std::ops::Deref for Bound {
    type Target = binding::Binding;

    fn deref(&self) -> &binding::Binding {
        match self {
            Self::Said(binding) => binding,
            Self::Usual(binding) => binding,
        }
    }
}

/// What the paths of most requests fit into, and how many headers they have.
const TARGET: usize = 128;
const HEADERS: usize = 12;

/// Puts a call together for this address.
pub(crate) fn prepare(outbound: &mut Outbound<'_>, address: &Address) -> Result<Prepared, Status> {
    let method = outbound.method();
    let arguments = outbound.arguments()?;
    let parts = Parts { arguments: &arguments };
    let mut target = String::with_capacity(TARGET);
    target.push_str(&address.base);
    let binding = match method.http_binding() {
        Some(said) => {
            parts.path(said.path, &mut target)?;
            Bound::Said(said)
        }
        None => {
            // Names on the wire are of characters that a path may have.
            target.extend(["/", method.service(), "/", method.name()]);
            Bound::Usual(Box::new(unbound(method)?))
        }
    };
    parts.query(binding.query, &mut target)?;
    within("the path and the query", target.len(), limits::HTTP_TARGET_MAX, "HTTP_TARGET_MAX")?;
    let mut headers = HeaderMap::with_capacity(HEADERS);
    for &(name, place) in binding.headers {
        parts.header(&mut headers, name, place)?;
    }
    headers::beside(&mut headers, outbound, &binding)?;
    let (body, kind) = body(arguments, outbound, binding.body)?;
    let len = body.len().unwrap_or_default();
    within("the body", len, limits::HTTP_BODY_MAX, "HTTP_BODY_MAX")?;
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let mut request = Box::new(Request::new(body));
    *request.method_mut() = verb(binding.verb);
    let uri = Uri::from_maybe_shared(Bytes::from(target));
    *request.uri_mut() = uri.map_err(|why| refused(format!("no URL: {why}")))?;
    *request.headers_mut() = headers;
    Ok(Prepared { request, binding })
}

/// The body, and what it says it is.
fn body(
    arguments: Arguments,
    outbound: &mut Outbound<'_>,
    body: binding::Body,
) -> Result<(Outgoing, Option<HeaderValue>), Status> {
    let parts = Parts { arguments: &arguments };
    let (bytes, kind) = match body {
        binding::Body::None => return Ok((Outgoing::empty(), None)),
        binding::Body::Items => {
            return Ok((Outgoing::stream(outbound.take_input(), false), Some(LINES)));
        }
        binding::Body::Chunks => {
            return Ok((Outgoing::stream(outbound.take_input(), true), Some(BYTES)));
        }
        binding::Body::Named(places) => (parts.object(places)?.into(), JSON),
        binding::Body::Form(place) => {
            let mut form = String::new();
            parts.parameters(&mut form, parts.name(place), place)?;
            (Bytes::from(form), FORM)
        }
        binding::Body::Json(place) => match arguments.get(place) {
            Some(Argument::Json(_)) => (arguments.into_content(place), JSON),
            _ => (Bytes::copy_from_slice(&parts.value(place)?), JSON),
        },
        binding::Body::Bytes(place) => match arguments.get(place) {
            Some(Argument::Bytes(_)) => (arguments.into_content(place), BYTES),
            _ => return Err(parts.wrong(place, "is not bytes")),
        },
    };
    Ok((Outgoing::whole(bytes), Some(kind)))
}

fn verb(verb: binding::Verb) -> http::Method {
    match verb {
        binding::Verb::Get => http::Method::GET,
        binding::Verb::Head => http::Method::HEAD,
        binding::Verb::Options => http::Method::OPTIONS,
        binding::Verb::Put => http::Method::PUT,
        binding::Verb::Delete => http::Method::DELETE,
        binding::Verb::Post => http::Method::POST,
        binding::Verb::Patch => http::Method::PATCH,
    }
}

/// How a method goes of which the trait does not say it: `POST /{service}/{method}`, its arguments a JSON object.
fn unbound(method: &Method) -> Result<binding::Binding, Status> {
    /// As many arguments as a method may have.
    const PLACES: [usize; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let count = method.argument_names().len();
    let body = match (method.is_raw(), method.shape().has_input()) {
        (true, _) => binding::Body::Bytes(0),
        (false, false) => binding::Body::Named(&PLACES[..count.min(PLACES.len())]),
        (false, true) if count == 0 => binding::Body::Items,
        (false, true) => {
            return Err(refused(format!(
                "`{}` takes a stream, which is the body of its request, and other arguments: say with `#[http(..)]` where \
                 they go",
                method.path()
            )));
        }
    };
    Ok(binding::Binding {
        verb: binding::Verb::Post,
        path: &[],
        query: &[],
        headers: &[],
        body,
        value: binding::VALUE,
        error: binding::ERROR,
        none: &[],
        content: if method.is_raw() { binding::Content::Bytes } else { binding::Content::Json },
    })
}

fn within(what: &str, len: usize, most: usize, limit: &str) -> Result<(), Status> {
    if len <= most {
        return Ok(());
    }
    Err(refused(format!("{what} would have {len} bytes, of at most {most} ({limit})")))
}

/// The arguments as the places of a request take them.
struct Parts<'a> {
    arguments: &'a Arguments,
}

impl Parts<'_> {
    fn name(&self, place: usize) -> &'static str {
        self.arguments.names().get(place).copied().unwrap_or("?")
    }

    fn json(&self, place: usize) -> Result<&[u8], Status> {
        match self.arguments.get(place) {
            Some(Argument::Json(json)) => Ok(json),
            Some(Argument::Bytes(_)) => Err(self.wrong(place, "is bytes, which have no text")),
            None => Err(self.wrong(place, "is missing")),
        }
    }

    fn wrong(&self, place: usize, what: &str) -> Status {
        refused(format!("the argument `{}` {what}", self.name(place)))
    }

    fn path(&self, template: &[binding::PathPart], path: &mut String) -> Result<(), Status> {
        let start = path.len();
        for part in template {
            match *part {
                binding::PathPart::Text(text) => path.push_str(text),
                binding::PathPart::Argument(place) => {
                    let text = text::scalar(self.json(place)?);
                    let text = text.map_err(|why| self.wrong(place, &why))?.unwrap_or_default();
                    if text.is_empty() {
                        return Err(self.wrong(place, "is empty, and stands in the path"));
                    }
                    text::push(path, &text);
                }
            }
        }
        // Nobody wrote these into the template: the arguments did.
        match path[start..].split('/').find(|segment| matches!(*segment, "." | "..")) {
            Some(segment) => Err(refused(format!(
                "an argument makes `{segment}` of a segment of the path, which servers take away"
            ))),
            None => Ok(()),
        }
    }

    fn query(&self, carried: &[(&str, usize)], target: &mut String) -> Result<(), Status> {
        let mut query = String::new();
        for &(name, place) in carried {
            self.parameters(&mut query, name, place)?;
        }
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Ok(())
    }

    fn parameters(&self, query: &mut String, name: &str, place: usize) -> Result<(), Status> {
        text::parameters(query, name, self.json(place)?).map_err(|why| self.wrong(place, &why))
    }

    fn header(
        &self,
        headers: &mut HeaderMap,
        name: &'static str,
        place: usize,
    ) -> Result<(), Status> {
        let text = text::scalar(self.json(place)?).map_err(|why| self.wrong(place, &why))?;
        if let Some(text) = text {
            let value = headers::value(text.as_bytes());
            let value = value.map_err(|why| self.wrong(place, &why))?;
            headers.insert(name, value);
        }
        Ok(())
    }

    /// A JSON object of these arguments.
    fn object(&self, places: &[usize]) -> Result<Vec<u8>, Status> {
        let mut object = vec![b'{'];
        for (index, &place) in places.iter().enumerate() {
            if index > 0 {
                object.push(b',');
            }
            // Identifiers of Rust need no escape in JSON.
            object.push(b'"');
            object.extend_from_slice(self.name(place).as_bytes());
            object.extend_from_slice(b"\":");
            object.extend_from_slice(&self.value(place)?);
        }
        object.push(b'}');
        Ok(object)
    }

    /// An argument as JSON: bytes as the list of numbers that serde makes of them.
    fn value(&self, place: usize) -> Result<std::borrow::Cow<'_, [u8]>, Status> {
        match self.arguments.get(place) {
            Some(Argument::Json(json)) => Ok(json.into()),
            Some(Argument::Bytes(bytes)) => {
                let written = serde_json::to_vec(bytes);
                written.map(Into::into).map_err(|why| self.wrong(place, &why.to_string()))
            }
            None => Err(self.wrong(place, "is missing")),
        }
    }
}

/// What a request cannot be made of.
fn refused(why: impl Into<String>) -> Status {
    foreign::not_sent(Code::InvalidArgument, Reason::Malformed, why)
}
