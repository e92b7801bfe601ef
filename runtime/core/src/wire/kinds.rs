//! The numbers of version 1: stream types, frame kinds, and the codes of resets and closes.
//!
//! # Why
//! A number that is on the wire is frozen. All of them stand on this page, so that a new one is
//! chosen in sight of the others, and none is ever used twice.
//!
//! # A frame's kind
//! ```text
//!   bit 7   the call has no deadline (call frames only)
//!   bit 6   may be passed over by who does not know it
//!   bits 0-6 together are the kind: 0x50 is another kind than 0x10
//! ```

use super::{Malformed, varint};
use crate::{codes::CancelReason, limits};

/// The application protocol that TLS agrees on.
pub const ALPN: &[u8] = b"sinew/1";
/// The version of the protocol that this crate is.
pub const VERSION: u64 = 1;

/// Bit 7 of a kind: no deadline.
pub const UNBOUNDED: u8 = 0x80;
/// Bit 6 of a kind: whoever does not know it may pass over the frame.
pub const SKIPPABLE: u8 = 0x40;

/// Connection frame: when the frames behind it were written.
pub const STAMP: u8 = 0x01;
/// Connection frame: what this side can do and wants.
pub const SETTINGS: u8 = 0x02;
/// Connection frame: this side is going away, in two steps.
pub const GOAWAY: u8 = 0x03;
/// Connection frame: the other side's GOAWAY was acted on.
pub const GOAWAY_ACK: u8 = 0x04;
/// Connection frame: are you there?
pub const PING: u8 = 0x05;
/// Connection frame: yes.
pub const PONG: u8 = 0x06;
/// Connection frame: whether a service is served.
pub const HEALTH: u8 = 0x07;

/// Stream code: abandoned without a reason, what a dropped stream half gives.
pub const STREAM_ABANDONED: u64 = 0;
/// Stream code: a cancel reason plus this, 0x100 to 0x1ff.
pub const STREAM_CANCEL_BASE: u64 = 0x100;
/// Stream code: stopped in the middle of a frame for too long.
pub const STREAM_LANE_STALLED: u64 = 0x200;
/// Stream code: the framing cannot be followed.
pub const STREAM_FRAME_ERROR: u64 = 0x201;
/// Stream code: not taken, nothing of it was read.
pub const STREAM_REFUSED: u64 = 0x202;
/// Stream code: of a type that this side does not know.
pub const STREAM_UNKNOWN_TYPE: u64 = 0x203;

/// Close code: no fault; not needed any more.
pub const CLOSE_DONE: u32 = 0;
/// Close code: the control stream broke a rule of the protocol.
pub const CLOSE_PROTOCOL: u32 = 1;
/// Close code: more resets, errors or idle frames than a peer may cause.
pub const CLOSE_EXCESSIVE_LOAD: u32 = 2;
/// Close code: this process is shutting down and the grace time is over.
pub const CLOSE_SHUTDOWN: u32 = 3;
/// Close code: the peer's identity is not the one expected, or has lost its trust.
pub const CLOSE_WRONG_IDENTITY: u32 = 4;
/// Close code: as many connections as this side or this identity may have.
pub const CLOSE_TOO_MANY_CONNECTIONS: u32 = 5;
/// Close code: no version or codec in common; the words say which ones each side speaks.
pub const CLOSE_INCOMPATIBLE: u32 = 6;
/// Close code: a fault of the closing side's own.
pub const CLOSE_INTERNAL: u32 = 7;

/// The name of a close code, for messages and metrics.
pub const fn close_name(code: u64) -> &'static str {
    match code {
        0 => "done",
        1 => "protocol",
        2 => "excessive load",
        3 => "shutdown",
        4 => "wrong identity",
        5 => "too many connections",
        6 => "incompatible",
        7 => "internal",
        _ => "unknown",
    }
}

/// The stream code that carries a cancel reason.
#[inline]
pub const fn cancel_code(reason: CancelReason) -> u64 {
    STREAM_CANCEL_BASE + reason.to_u8() as u64
}

/// The cancel reason that a stream code carries; `None` where it carries none.
#[inline]
pub const fn cancel_reason(code: u64) -> Option<CancelReason> {
    if code >> 8 == 1 { Some(CancelReason::from_u8(code as u8)) } else { None }
}

/// What a stream is for: its first varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamType {
    /// Settings, drain, health: unidirectional, each side opens one first.
    Control,
    /// Frames of many small calls: bidirectional, opened by the client.
    Lane,
    /// One call: bidirectional, opened by the client.
    Call,
    /// One large answer to a call on a lane: bidirectional, opened by the server; the client says
    /// nothing on it.
    Answer,
}

impl StreamType {
    /// The number on the wire.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        match self {
            Self::Control => 0,
            Self::Lane => 1,
            Self::Call => 2,
            Self::Answer => 3,
        }
    }

    /// The type with this number.
    #[inline]
    pub const fn from_u64(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            1 => Some(Self::Lane),
            2 => Some(Self::Call),
            3 => Some(Self::Answer),
            _ => None,
        }
    }

    /// Appends it, as the first bytes of a stream.
    #[inline]
    pub fn put(self, out: &mut Vec<u8>) {
        varint::put(out, self.to_u64());
    }

    /// The largest frame that a stream of this type may carry, in bytes behind its length.
    #[inline]
    pub const fn frame_max(self) -> usize {
        match self {
            Self::Control => limits::CONTROL_FRAME_MAX,
            Self::Lane => limits::LANE_FRAME_MAX,
            Self::Call | Self::Answer => limits::STREAM_FRAME_MAX,
        }
    }
}

/// What a call frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CallKind {
    /// Client: the call begins.
    Request = 0x10,
    /// Server: the call's only answer, or what ends its stream.
    Answer = 0x11,
    /// Client: nobody waits any more.
    Cancel = 0x12,
    /// Either: bytes of a stream's item, or more of a message.
    Data = 0x13,
    /// Client: its half of the stream is complete.
    End = 0x14,
    /// Server: the answer is a stream.
    Open = 0x15,
}

impl CallKind {
    /// The kind with these bits 0 to 6.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0x10 => Some(Self::Request),
            0x11 => Some(Self::Answer),
            0x12 => Some(Self::Cancel),
            0x13 => Some(Self::Data),
            0x14 => Some(Self::End),
            0x15 => Some(Self::Open),
            _ => None,
        }
    }

    /// Whether a client may send it.
    #[inline]
    pub const fn is_from_client(self) -> bool {
        matches!(self, Self::Request | Self::Cancel | Self::Data | Self::End)
    }

    /// Whether a server may send it.
    #[inline]
    pub const fn is_from_server(self) -> bool {
        matches!(self, Self::Answer | Self::Data | Self::Open)
    }

    /// The name in docs/wire.md.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Answer => "ANSWER",
            Self::Cancel => "CANCEL",
            Self::Data => "DATA",
            Self::End => "END",
            Self::Open => "OPEN",
        }
    }
}

/// Flags must all be known: a sender uses a new one only towards a peer whose settings offer it.
#[inline]
pub(crate) const fn known_flags(flags: u64, known: u64) -> Result<(), Malformed> {
    if flags & !known == 0 { Ok(()) } else { Err(Malformed::new("an unknown flag")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_types_survive() {
        for number in 0..100 {
            assert_eq!(
                StreamType::from_u64(number).map(StreamType::to_u64),
                (number < 4).then_some(number)
            );
        }
    }

    #[test]
    fn call_kinds_survive_and_have_a_sender() {
        for number in 0..=u8::MAX {
            let kind = CallKind::from_u8(number);
            assert_eq!(
                kind.map(|kind| kind as u8),
                (0x10..=0x15).contains(&number).then_some(number)
            );
            if let Some(kind) = kind {
                assert!(kind.is_from_client() || kind.is_from_server());
            }
        }
    }

    #[test]
    fn cancel_reasons_survive_as_stream_codes() {
        for number in 0..=u8::MAX {
            let reason = CancelReason::from_u8(number);
            assert_eq!(cancel_reason(cancel_code(reason)), Some(reason));
        }
        for code in [STREAM_ABANDONED, STREAM_LANE_STALLED, STREAM_REFUSED, 0x301, u64::MAX] {
            assert_eq!(cancel_reason(code), None);
        }
    }
}
