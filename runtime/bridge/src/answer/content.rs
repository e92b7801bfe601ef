//! The body of an answer that is one value: read to its end, within its bound.
//!
//! # Invariants
//! 1. A body is never larger in memory than [`limits::HTTP_BODY_MAX`], whatever it says of its length and however small it
//!    was packed.

use std::{convert::Infallible, io::Read as _};

use bytes::Bytes;
use http::{HeaderMap, header};
use hyper::body::Incoming;
use sinew::{Code, Reason, Status, foreign};
use sinew_core::limits;

use crate::{
    connection::describe,
    framing::{self, Unread},
};

/// Reads a body to its end. `heard` is told of each piece.
pub(super) async fn read(body: Incoming, mut heard: impl FnMut()) -> Result<Bytes, Status> {
    let heard = |_| {
        heard();
        Ok::<_, Infallible>(())
    };
    framing::whole(body, heard).await.map_err(|why| match why {
        Unread::TooLarge => too_large(),
        Unread::Cut(why) => cut(&why),
        Unread::Refused(never) => match never {},
    })
}

/// A body as its server meant it: without the coding that it was sent in.
pub(super) fn decoded(body: Bytes, headers: &HeaderMap) -> Result<Bytes, Status> {
    let coding = headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes);
    match coding {
        None | Some(b"" | b"identity") => Ok(body),
        Some(b"gzip" | b"x-gzip") => {
            let most = limits::HTTP_BODY_MAX as u64;
            let mut out = Vec::new();
            let mut unpacking = flate2::read::MultiGzDecoder::new(&*body).take(most + 1);
            unpacking
                .read_to_end(&mut out)
                .map_err(|why| malformed(format!("the body is no gzip: {why}")))?;
            if out.len() > limits::HTTP_BODY_MAX { Err(too_large()) } else { Ok(out.into()) }
        }
        Some(other) => Err(malformed(format!(
            "the body came in the coding `{}`, which was not asked for",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// What a body, or the rest of one, cannot be.
pub(super) fn malformed(why: impl Into<String>) -> Status {
    foreign::unknown(Code::Internal, Reason::Malformed, why)
}

/// A body that ended before its end.
pub(super) fn cut(why: &hyper::Error) -> Status {
    let words = format!("the answer broke off: {}", describe(why));
    foreign::unknown(Code::Unavailable, Reason::ConnectionLost, words)
}

fn too_large() -> Status {
    let most = limits::HTTP_BODY_MAX;
    foreign::unknown(
        Code::ResourceExhausted,
        Reason::TooLarge,
        format!(
            "the body of the answer has more than {most} bytes (HTTP_BODY_MAX); return a `Streaming` of its parts"
        ),
    )
}
