//! What makes one body of bytes that come: the headers that say so, and reading it to its end.
//!
//! # Invariants
//! 1. A body is never larger in memory than [`limits::HTTP_BODY_MAX`], whatever it says of its length.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use sinew_core::limits;

/// Whether a header frames a body, or belongs to a connection (RFC 9110, 7.6.1): it is never what somebody says beside a call.
pub(crate) fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Why a body was not read to its end.
pub(crate) enum Unread<E, W> {
    TooLarge,
    /// It broke off.
    Cut(E),
    /// Whoever counts its pieces wants no more.
    Refused(W),
}

/// Reads a body to its end. `counts` is told of each piece before it is kept.
pub(crate) async fn whole<B: Body, W>(
    body: B,
    mut counts: impl FnMut(usize) -> Result<(), W>,
) -> Result<Bytes, Unread<B::Error, W>> {
    if body.size_hint().lower() > limits::HTTP_BODY_MAX as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = std::pin::pin!(body);
    let mut whole = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // What follows a body (trailers) is of no use here, and of no meaning.
        let data = frame.map_err(Unread::Cut)?.into_data().ok();
        let len = data.as_ref().map_or(0, |data| data.remaining());
        counts(len).map_err(Unread::Refused)?;
        let Some(mut data) = data else { continue };
        if whole.len() + rest.len() + len > limits::HTTP_BODY_MAX {
            return Err(Unread::TooLarge);
        }
        // Most bodies are one piece, which is not copied.
        if whole.is_empty() && rest.is_empty() {
            whole = data.copy_to_bytes(len);
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut whole));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            rest.extend_from_slice(chunk);
            let taken = chunk.len();
            data.advance(taken);
        }
    }
    Ok(if rest.is_empty() { whole } else { rest.freeze() })
}
