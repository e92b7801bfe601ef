//! A connection that somebody uses, and what becomes of it afterwards.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, Uri, header, uri::Scheme};
use hyper::body::Incoming;
use sinew::{Code, Reason, Status, foreign};
use sinew_core::limits;
use tokio::sync::OwnedSemaphorePermit;

use super::{Connection, Pool};
use crate::{address::Address, request::Outgoing};

/// A connection for one request. Dropped before its answer was read to its end, it is closed: what would still come must
/// not be taken for the next answer.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    connection: Connection,
    _place: OwnedSemaphorePermit,
    /// It has carried a request before.
    is_used: bool,
}

/// What became of a request.
pub(crate) enum Sent {
    /// The head of its answer; what is left of that is read from the lease.
    Answered(Response<Incoming>, Lease),
    /// Nothing of it was written, or the server says that it did nothing with it: it may go on another connection.
    Unwritten(Box<Request<Outgoing>>),
    /// It failed.
    Failed(Status),
}

impl Lease {
    pub(super) fn new(
        pool: Arc<Pool>,
        connection: Connection,
        place: OwnedSemaphorePermit,
        is_used: bool,
    ) -> Self {
        Self { pool, connection, _place: place, is_used }
    }

    /// Sends a request, whose URI is a path, and waits for the head of its answer.
    pub(crate) async fn send(mut self, mut request: Box<Request<Outgoing>>) -> Sent {
        let address = &self.pool.address;
        let mut copy = None;
        let sent = match &mut self.connection {
            Connection::One(connection) => {
                request.headers_mut().insert(header::HOST, address.host_header.clone());
                connection.try_send_request(*request).await
            }
            Connection::Many(connection) => {
                // Where many requests share a connection, each names the host itself.
                request.headers_mut().remove(header::HOST);
                copy = again(&request);
                *request.uri_mut() = absolute(request.uri(), address);
                Box::pin(connection.try_send_request(*request)).await
            }
        };
        let sent = sent.map_err(|mut failed| {
            let unwritten = failed.take_message().map(Box::new);
            let why = failed.into_error();
            let unwritten = unwritten.or_else(|| copy.filter(|_| is_untouched(&why)));
            (why, unwritten)
        });
        match sent {
            Ok(response) => Sent::Answered(response, self),
            Err((why, Some(request))) if self.is_used || is_untouched(&why) => {
                Sent::Unwritten(request)
            }
            Err((why, Some(_))) => Sent::Failed(foreign::not_sent(
                Code::Unavailable,
                Reason::ConnectionLost,
                format!("the connection was closed before the request was written: {why}"),
            )),
            Err((why, None)) => Sent::Failed(self.failed(&why)),
        }
    }

    /// A request that was written, at least in part, and that has no answer.
    fn failed(&self, why: &hyper::Error) -> Status {
        if let Some(status) = status_in(why) {
            return status;
        }
        let (code, reason) = if why.is_parse() {
            (Code::Internal, Reason::Malformed)
        } else {
            (Code::Unavailable, Reason::ConnectionLost)
        };
        let words = describe(why);
        let kept = if self.is_used && why.is_incomplete_message() {
            "; the connection had been kept open, and the server closed it as the request came"
        } else {
            ""
        };
        foreign::unknown(code, reason, format!("no answer: {words}{kept}"))
    }

    /// The answer was read to its end: the connection waits for the next request, if its server lets it.
    pub(crate) fn done(self, idle: Option<Duration>) {
        if let (Connection::One(connection), Some(idle)) = (self.connection, idle) {
            self.pool.keep(connection, idle);
        }
    }
}

/// The same request, where its body can be had again.
fn again(request: &Request<Outgoing>) -> Option<Box<Request<Outgoing>>> {
    let mut copy = Box::new(Request::new(request.body().again()?));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Whether the server said that it did nothing with the request: it ended the connection before this stream, or refused
/// it (RFC 9113, 8.7).
fn is_untouched(why: &hyper::Error) -> bool {
    let source = std::error::Error::source(why);
    let Some(why) = source.and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    let is_goodbye = why.is_go_away() && why.reason() == Some(h2::Reason::NO_ERROR);
    let is_refused = why.is_reset() && why.reason() == Some(h2::Reason::REFUSED_STREAM);
    why.is_remote() && (is_goodbye || is_refused)
}

/// The same path with scheme and host in front.
fn absolute(path: &Uri, address: &Address) -> Uri {
    let mut parts = path.clone().into_parts();
    parts.scheme = Some(if address.is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(address.authority.clone());
    // All three are there and were each checked: nothing is left to be wrong.
    Uri::from_parts(parts).unwrap_or_else(|_| path.clone())
}

/// How long a connection may wait after an answer with these headers; `None` where it is of no more use.
pub(crate) fn idle_for(headers: &HeaderMap) -> Option<Duration> {
    let words = |name| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase())
    };
    if words(header::CONNECTION).any(|word| word == "close") {
        return None;
    }
    let told = words(header::HeaderName::from_static("keep-alive"))
        .filter_map(|word| word.strip_prefix("timeout=")?.parse::<u64>().ok())
        .next();
    // A second less than the server waits: its close and our request must not meet.
    let told = told.map(|seconds| Duration::from_secs(seconds.saturating_sub(1)));
    let idle = told.map_or(limits::HTTP_IDLE, |told| told.min(limits::HTTP_IDLE));
    (!idle.is_zero()).then_some(idle)
}

/// The status with which the writer of an input stream ended a request.
fn status_in(why: &hyper::Error) -> Option<Status> {
    let mut source = std::error::Error::source(why);
    while let Some(error) = source {
        if let Some(status) = error.downcast_ref::<Status>() {
            return Some(status.clone());
        }
        source = error.source();
    }
    None
}

/// An error and what caused it, which hyper leaves out of its own words.
pub(crate) fn describe(why: &hyper::Error) -> String {
    let mut words = why.to_string();
    let mut source = std::error::Error::source(why);
    while let Some(error) = source {
        words.push_str(": ");
        words.push_str(&error.to_string());
        source = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_waits_for_less_than_its_server_does() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            idle_for(&map)
        };
        assert_eq!(of(&[]), Some(limits::HTTP_IDLE));
        assert_eq!(of(&[("connection", "keep-alive, Close")]), None);
        assert_eq!(of(&[("keep-alive", "timeout=3, max=5")]), Some(Duration::from_secs(2)));
        assert_eq!(of(&[("keep-alive", "timeout=75")]), Some(limits::HTTP_IDLE));
        assert_eq!(of(&[("keep-alive", "timeout=1")]), None);
        assert_eq!(of(&[("keep-alive", "nonsense")]), Some(limits::HTTP_IDLE));
    }
}
