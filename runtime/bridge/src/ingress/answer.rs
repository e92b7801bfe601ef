//! What a call came to, as an answer of HTTP.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use sinew::{
    Metadata, Status,
    descriptor::HttpContent,
    foreign::{Inbound, Items, Payload},
};
use sinew_core::limits;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    activity::Open,
    refusal::Refusal,
    route::{Answers, Route},
};
use crate::framing::is_framing;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What of an answer's metadata is no header either: what stands here.
const OURS: &[&str] = &["allow", "date", "retry-after", "server", "set-cookie", "www-authenticate"];

/// The answer to a call of this route.
pub(super) fn answered(
    route: &Route,
    asked: &HeaderMap,
    came: Result<Inbound, Status>,
    trusts: bool,
) -> Response<Body> {
    let answers = &route.answers;
    let (mut response, metadata) = match came {
        Ok(Inbound::Value { content, metadata }) => (value(answers, content), metadata),
        Ok(Inbound::Error { content, metadata, .. }) => {
            let mut response = Response::new(Body::whole(content));
            *response.status_mut() = answers.error;
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
            (response, metadata)
        }
        Ok(Inbound::Items { bytes, metadata, items }) => {
            let (shape, kind) = shape(bytes, asked);
            let mut response = Response::new(Body::items(items, shape, trusts));
            *response.status_mut() = answers.value;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, kind);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            // Proxies hold back what comes in small pieces.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            (response, metadata)
        }
        Err(status) => {
            tracing::debug!(method = route.name(), %status, "a call over HTTP failed");
            return Refusal::of_status(status, trusts).into_response();
        }
    };
    let headers = response.headers_mut();
    beside(headers, &metadata);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn value(answers: &Answers, content: Payload) -> Response<Body> {
    let (body, is_json) = match content {
        Payload::Json(body) => (body, true),
        Payload::Bytes(body) => (body, false),
    };
    if let Some(none) = answers.none.filter(|_| is_json && &*body == b"null") {
        let mut response = Response::new(Body::whole(body));
        *response.status_mut() = none;
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        return response;
    }
    let text = || serde_json::from_slice::<String>(&body);
    let mut response = match &answers.content {
        HttpContent::Nothing => Response::new(Body::whole(Bytes::new())),
        HttpContent::Bytes => with_kind(body, BYTES),
        HttpContent::Text => match text() {
            Ok(text) => with_kind(text.into(), TEXT),
            Err(_) => with_kind(body, JSON),
        },
        HttpContent::Header(name) => {
            let mut response = Response::new(Body::whole(Bytes::new()));
            let text = text().unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&text)) {
                response.headers_mut().insert(name, value);
            }
            response
        }
        HttpContent::Json if is_json => with_kind(body, JSON),
        HttpContent::Json => with_kind(body, BYTES),
    };
    *response.status_mut() = answers.value;
    response
}

fn with_kind(body: Bytes, kind: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The metadata of the answer as headers, where it can be.
fn beside(headers: &mut HeaderMap, metadata: &Metadata) {
    for (key, value) in metadata.iter() {
        if is_framing(key)
            || OURS.contains(&key)
            || key.starts_with("x-sinew-")
            || key.starts_with("access-control-")
        {
            tracing::debug!(key, "metadata of an answer that cannot be a header was left out");
            continue;
        }
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_bytes(value))
        {
            headers.insert(name, value);
        }
    }
}

/// How the items of a stream are written, and what that is called.
fn shape(bytes: bool, asked: &HeaderMap) -> (Shape, HeaderValue) {
    let accept = asked.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    match accept.unwrap_or_default().to_ascii_lowercase() {
        _ if bytes => (Shape::Pieces, BYTES),
        accept if accept.contains("text/event-stream") => (Shape::Events, EVENTS),
        _ => (Shape::Lines, LINES),
    }
}

/// A value is handed on in pieces of so much: whoever takes it slowly has a request that is not over.
const PIECE: usize = 64 * 1024;

/// The body of an answer.
pub struct Body {
    kind: Kind,
    /// As long as it is there, its request is not over.
    _open: Option<Open>,
}

enum Kind {
    Whole(Bytes),
    Items(Box<Streamed>),
}

struct Streamed {
    /// `None` when it is over.
    items: Option<Items>,
    shape: Shape,
    trusts: bool,
    /// Says that the connection lives, where that can be said between items.
    beat: Pin<Box<Sleep>>,
    /// What is written before it breaks off.
    last: Option<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Server-sent events (WHATWG HTML, 9.2).
    Events,
    /// One per line.
    Lines,
    /// Bytes as they come.
    Pieces,
}

/// A stream that ended before its end. The connection is broken off, so that nobody takes what came for all of it.
#[derive(Debug, Clone)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream ended early: {}", self.0)
    }
}

impl std::error::Error for Broken {}

impl Body {
    pub(super) fn whole(body: Bytes) -> Self {
        Self { kind: Kind::Whole(body), _open: None }
    }

    fn items(items: Items, shape: Shape, trusts: bool) -> Self {
        let beat = Box::pin(sleep_until(Instant::now() + limits::HTTP_EVENT_BEAT));
        let streamed = Streamed { items: Some(items), shape, trusts, beat, last: None };
        Self { kind: Kind::Items(Box::new(streamed)), _open: None }
    }

    /// The same; its request is over when it is gone.
    pub(super) fn held(self, open: Open) -> Self {
        Self { _open: Some(open), ..self }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Whole(body) => write!(f, "Body({} bytes)", body.len()),
            Kind::Items(streamed) => write!(f, "Body({:?})", streamed.shape),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.get_mut().kind {
            Kind::Whole(body) if body.is_empty() => Poll::Ready(None),
            Kind::Whole(body) => {
                let piece = body.split_to(body.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Kind::Items(streamed) => {
                streamed.poll(cx).map(|next| next.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.kind, Kind::Whole(body) if body.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Kind::Items(_) => SizeHint::new(),
        }
    }
}

impl Streamed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(broken) = self.last.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        let Some(items) = &mut self.items else { return Poll::Ready(None) };
        let next = match items.as_mut().poll_next(cx) {
            Poll::Ready(next) => next,
            Poll::Pending if self.shape == Shape::Events => {
                ready!(self.beat.as_mut().poll(cx));
                self.later();
                // It is to be woken for the next one.
                let _ = self.beat.as_mut().poll(cx);
                return Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n"))));
            }
            Poll::Pending => return Poll::Pending,
        };
        match next {
            Some(Ok(item)) => {
                if self.shape == Shape::Events {
                    self.later();
                }
                Poll::Ready(Some(Ok(written(&item, self.shape))))
            }
            Some(Err(status)) => {
                self.items = None;
                let refusal = Refusal::of_status(status, self.trusts);
                let broken = Broken(refusal.words().to_owned());
                if self.shape != Shape::Events {
                    return Poll::Ready(Some(Err(broken)));
                }
                let words =
                    serde_json::json!({ "status": refusal.http.as_u16(), "detail": broken.0 });
                self.last = Some(broken);
                Poll::Ready(Some(Ok(format!("event: error\ndata: {words}\n\n").into())))
            }
            None => {
                self.items = None;
                Poll::Ready(None)
            }
        }
    }

    fn later(&mut self) {
        self.beat.as_mut().reset(Instant::now() + limits::HTTP_EVENT_BEAT);
    }
}

fn written(item: &Bytes, shape: Shape) -> Bytes {
    let (before, after): (&[u8], &[u8]) = match shape {
        Shape::Events => (b"data: ", b"\n\n"),
        Shape::Lines => (b"", b"\n"),
        Shape::Pieces => return item.clone(),
    };
    let mut out = BytesMut::with_capacity(before.len() + item.len() + after.len());
    out.extend_from_slice(before);
    out.extend_from_slice(item);
    out.extend_from_slice(after);
    out.freeze()
}
