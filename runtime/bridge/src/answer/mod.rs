//! An answer as what the call came to: the value, the method's own error, a stream, or a status.

mod content;
pub(crate) mod items;
mod status;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header, response};
use hyper::body::Incoming;
use sinew::{
    Code, Metadata, Status,
    foreign::{self, Inbound, Payload, Pulse, http as binding},
};
use tokio::time::Instant;

use self::{
    content::{decoded, malformed, read},
    status::{excerpt, status, told},
    stream::Items,
};
use crate::{
    connection::{Lease, idle_for},
    request::Bound,
};

const NULL: Bytes = Bytes::from_static(b"null");

/// What an answer is held against.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) binding: Bound,
    /// The method answers with a stream.
    pub(crate) is_stream: bool,
    /// What was sent was a stream: the connection is not used again.
    pub(crate) has_input: bool,
    /// Somebody looks at what comes beside the value.
    pub(crate) wants_metadata: bool,
    pub(crate) deadline: Option<Instant>,
    pub(crate) idle: Duration,
    pub(crate) pulse: Pulse,
}

/// Reads an answer.
pub(crate) async fn receive(
    response: Response<Incoming>,
    lease: Lease,
    expected: Expected,
) -> Result<Inbound, Status> {
    expected.pulse.heard();
    let (head, body) = response.into_parts();
    let metadata = if expected.wants_metadata { metadata(&head.headers) } else { Metadata::new() };
    let Expected { binding, .. } = &expected;
    let among = |ranges: &[(u16, u16)]| {
        let code = head.status.as_u16();
        ranges.iter().any(|(from, to)| (*from..=*to).contains(&code))
    };
    let (is_none, is_value) = (among(binding.none), among(binding.value));
    if is_value && !is_none && expected.is_stream {
        let bytes = binding.content == binding::Content::Bytes;
        let items = Box::pin(Items::new((&head, body), lease, expected)?);
        return Ok(Inbound::Items { bytes, metadata, items });
    }
    let pulse = &expected.pulse;
    let body = read(body, || pulse.heard()).await?;
    lease.done(idle_for(&head.headers).filter(|_| !expected.has_input));
    if is_none {
        return Ok(Inbound::Value { content: Payload::Json(NULL), metadata });
    }
    let body = decoded(body, &head.headers)?;
    if is_value {
        let content = value(binding.content, &head, body)?;
        return Ok(Inbound::Value { content, metadata });
    }
    let otherwise = status(head.status, &head.headers, &said(&head.headers, &body));
    // An ingress of sinew's says apart what is the method's own error.
    if among(binding.error) && told(&head.headers).is_none() {
        return Ok(Inbound::Error { content: body, metadata, otherwise });
    }
    Err(otherwise)
}

/// What a body says of what went wrong: of problem details (RFC 9457) the detail, else its beginning.
fn said(headers: &HeaderMap, body: &Bytes) -> String {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let is_problem = kind.is_some_and(|kind| kind.starts_with(b"application/problem+json"));
    match serde_json::from_slice(body) {
        Ok(Problem { detail }) if is_problem => excerpt(&detail),
        _ => excerpt(&String::from_utf8_lossy(body)),
    }
}

/// The value in an answer.
fn value(
    content: binding::Content,
    head: &response::Parts,
    body: Bytes,
) -> Result<Payload, Status> {
    match content {
        binding::Content::Nothing => Ok(Payload::Json(NULL)),
        binding::Content::Bytes => Ok(Payload::Bytes(body)),
        binding::Content::Header(name) => {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            let value = value.ok_or_else(|| {
                foreign::answered(
                    Code::Internal,
                    format!(
                        "HTTP {}: the answer has no header `{name}`, which is the value",
                        head.status
                    ),
                )
            })?;
            text(value).map(Payload::Json)
        }
        binding::Content::Text if !is_json(&head.headers) => {
            let body = std::str::from_utf8(&body)
                .map_err(|why| malformed(format!("the text of the answer is not UTF-8: {why}")))?;
            text(body).map(Payload::Json)
        }
        binding::Content::Text | binding::Content::Json => {
            if body.trim_ascii().is_empty() || head.status == StatusCode::NO_CONTENT {
                return Ok(Payload::Json(NULL));
            }
            let begins = body.trim_ascii_start().first().copied().unwrap_or_default();
            if !is_json(&head.headers) && !b"{[\"-0123456789tfn".contains(&begins) {
                let kind = head.headers.get(header::CONTENT_TYPE);
                let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("of no type");
                let said = excerpt(&String::from_utf8_lossy(&body));
                return Err(foreign::answered(
                    Code::Internal,
                    format!(
                        "HTTP {}: the answer is {kind}, where JSON was expected: {said}",
                        head.status
                    ),
                ));
            }
            Ok(Payload::Json(body))
        }
    }
}

/// Text as a string of JSON.
fn text(text: &str) -> Result<Bytes, Status> {
    let written = serde_json::to_vec(text);
    written.map(Bytes::from).map_err(|why| malformed(why.to_string()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
            || kind.to_ascii_lowercase().ends_with("+json")
    })
}

/// Headers as metadata: as many as fit, without those that belong to a connection.
fn metadata(headers: &HeaderMap) -> Metadata {
    const HOP_BY_HOP: [header::HeaderName; 6] = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        if !HOP_BY_HOP.contains(name) && metadata.get(name.as_str()).is_none() {
            // What does not fit is not what a caller can rely on.
            let _ = metadata.insert(name.as_str(), Bytes::copy_from_slice(value.as_bytes()));
        }
    }
    metadata
}
