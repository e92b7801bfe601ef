//! Frames of calls: kind, call id, time left, rest.
//!
//! # Why
//! Every frame of a call carries the time that its caller has left, at the moment of writing, so
//! that each side can stop at once when it is over. "No deadline" is a flag and never a number: a
//! rounded-down zero must not become for ever.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Malformed, kinds::UNBOUNDED, varint};
pub use super::{
    control::{ConnectionFrame, put_connection_frame, put_stamp},
    kinds::CallKind,
    malformed::FrameError,
};

/// The time that a call has left, counted from the STAMP before its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeLeft {
    /// So many microseconds, at least 1.
    Micros(u64),
    /// No deadline, said explicitly.
    Unbounded,
    /// A zero on the wire: an error of that call. Only a parser makes it; written, it becomes 1.
    Zero,
}

impl TimeLeft {
    /// The time from `now` to `deadline` in whole microseconds, at least 1; no deadline is
    /// [`Self::Unbounded`].
    #[inline]
    pub fn until(deadline: Option<Instant>, now: Instant) -> Self {
        match deadline {
            Some(deadline) => Self::from_duration(deadline.saturating_duration_since(now)),
            None => Self::Unbounded,
        }
    }

    /// `left` in whole microseconds, at least 1.
    #[inline]
    pub fn from_duration(left: Duration) -> Self {
        Self::Micros(u64::try_from(left.as_micros()).unwrap_or(u64::MAX).clamp(1, varint::MAX))
    }

    /// The time as a duration; `None` where there is no deadline.
    #[inline]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Micros(us) => Some(Duration::from_micros(us)),
            Self::Unbounded => None,
            Self::Zero => Some(Duration::ZERO),
        }
    }
}

/// One frame of one call; `rest` is what its kind says, see the heads in this module's siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFrame {
    /// What it says.
    pub kind: CallKind,
    /// Which call: chosen by the client, unique on the connection.
    pub call: u64,
    /// The time that the call has left.
    pub time: TimeLeft,
    /// Everything behind the time.
    pub rest: Bytes,
}

/// What a parser found.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// About the connection.
    Connection(ConnectionFrame),
    /// About one call.
    Call(CallFrame),
    /// A sound outer length with a bad inside: the error of that call, where one can be named.
    Bad {
        /// The call, where its id could be read.
        call: Option<u64>,
        /// What the frame meant to say; `None` for a connection frame.
        kind: Option<CallKind>,
        /// What is wrong.
        why: Malformed,
    },
    /// Unknown, and it may be passed over.
    Skipped {
        /// Its kind, with bits 6 and 7.
        kind: u8,
        /// Bytes behind the kind.
        len: usize,
    },
}

/// Appends one call frame. No allocation beyond the growth of `out`.
///
/// `rest` goes into one frame: the caller holds it to the stream's limit.
#[inline]
pub fn put_call_frame(out: &mut Vec<u8>, kind: CallKind, call: u64, time: TimeLeft, rest: &[u8]) {
    out.reserve(FRAME_START + rest.len());
    put_call_frame_start(out, kind, call, time, rest.len());
    out.extend_from_slice(rest);
}

/// A frame's length, kind, call and time have at most so many bytes.
const FRAME_START: usize = 8 + 1 + 8 + 8;

/// Appends a call frame up to its rest, of which exactly `rest_len` bytes must follow.
///
/// For bodies that should not be copied once more: write them behind it.
#[inline]
pub fn put_call_frame_start(
    out: &mut Vec<u8>,
    kind: CallKind,
    call: u64,
    time: TimeLeft,
    rest_len: usize,
) {
    let us = match time {
        TimeLeft::Micros(us) => Some(us.max(1)),
        TimeLeft::Unbounded => None,
        TimeLeft::Zero => Some(1),
    };
    let inner = 1 + varint::len(call) + us.map_or(0, varint::len) + rest_len;
    varint::put(out, inner as u64);
    match us {
        Some(us) => {
            out.push(kind as u8);
            varint::put(out, call);
            varint::put(out, us);
        }
        None => {
            out.push(kind as u8 | UNBOUNDED);
            varint::put(out, call);
        }
    }
}

/// Reads a call frame's start off `rest`, behind its kind.
#[inline]
pub(crate) fn decode_call(kind: CallKind, unbounded: bool, mut rest: Bytes) -> Frame {
    let mut buf: &[u8] = &rest;
    let call = match varint::get(&mut buf) {
        Ok(call) => call,
        Err(why) => {
            return Frame::Bad { call: None, kind: Some(kind), why };
        }
    };
    let time = if unbounded {
        TimeLeft::Unbounded
    } else {
        match varint::get(&mut buf) {
            Ok(0) => TimeLeft::Zero,
            Ok(us) => TimeLeft::Micros(us),
            Err(why) => {
                return Frame::Bad { call: Some(call), kind: Some(kind), why };
            }
        }
    };
    let at = rest.len() - buf.len();
    if kind == CallKind::End && !buf.is_empty() {
        let why = Malformed::new("bytes behind the last field");
        return Frame::Bad { call: Some(call), kind: Some(kind), why };
    }
    bytes::Buf::advance(&mut rest, at);
    Frame::Call(CallFrame { kind, call, time, rest })
}
