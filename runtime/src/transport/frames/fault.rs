//! What the engine says when a call fails on its way: one wording for each.

use std::any::Any;

use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    limits,
    wire::kinds,
};

use super::{super::link::LinkError, io::ReadError};
use crate::error::Status;

/// A call that its server cannot read: refused before the handler.
pub(super) fn malformed(why: &str) -> Status {
    Status::rejected(
        Code::InvalidArgument,
        Reason::Malformed,
        format!("the call is malformed: {why}"),
    )
}

/// Arguments that cannot be written.
pub(super) fn unencodable(error: &crate::codec::CodecError) -> Status {
    Status::not_sent(Code::InvalidArgument, Reason::Malformed, format!("the arguments: {error}"))
}

pub(super) fn request_too_large(len: usize) -> Status {
    Status::not_sent(
        Code::ResourceExhausted,
        Reason::TooLarge,
        format!(
            "the arguments take {len} bytes, a message may have {} (MESSAGE_MAX); send them as a stream",
            limits::MESSAGE_MAX
        ),
    )
}

pub(super) fn bad_answer(why: &str) -> Status {
    Status::runtime(
        Code::Internal,
        Reason::Malformed,
        Disposition::Unknown,
        Origin::Transport,
        format!("the answer is malformed: {why}"),
    )
}

/// A call that would go out on a connection whose server has asked for no more.
pub(super) fn leaving() -> Status {
    Status::not_sent(
        Code::Unavailable,
        Reason::Draining,
        "the server asked for no more calls on this connection",
    )
}

/// The status of a call whose connection is gone.
pub(crate) fn lost(why: &LinkError, sent: bool) -> Status {
    if let LinkError::Refused { identity, why } = why {
        // A server serves nothing before it knows its caller: whatever was sent, nothing ran.
        let reason = if *identity { Reason::WrongIdentity } else { Reason::HandshakeFailed };
        return Status::not_sent(Code::Unavailable, reason, why.clone());
    }
    let disposition = if sent { Disposition::Unknown } else { Disposition::NotSent };
    Status::runtime(
        Code::Unavailable,
        Reason::ConnectionLost,
        disposition,
        Origin::Transport,
        format!("the connection broke: {why}"),
    )
}

pub(super) fn lane_lost(why: &ReadError, sent: bool) -> Status {
    if let ReadError::Link(error) = why
        && !matches!(error, LinkError::StreamReset(_))
    {
        return lost(error, sent);
    }
    let disposition = if sent { Disposition::Unknown } else { Disposition::NotSent };
    let reason = match why {
        ReadError::Stalled
        | ReadError::Link(LinkError::StreamReset(kinds::STREAM_LANE_STALLED)) => {
            Reason::LaneStalled
        }
        ReadError::Frame(_) => Reason::Malformed,
        _ => Reason::ConnectionLost,
    };
    Status::runtime(
        Code::Unavailable,
        reason,
        disposition,
        Origin::Transport,
        format!("the lane of this call ended: {why}"),
    )
}

/// A panic in code that is not ours: this call's error and nobody else's.
pub(crate) fn panicked(method: &str, panic: &(dyn Any + Send)) -> Status {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text");
    tracing::error!(method, panic = text, "user code panicked; its call failed, others go on");
    // The text stays here: it may hold what no caller should see.
    Status::runtime(
        Code::Internal,
        Reason::HandlerPanicked,
        Disposition::Unknown,
        Origin::PeerRuntime,
        format!("code of `{method}` panicked; the log of its process has the text"),
    )
}
