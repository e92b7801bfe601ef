//! DATA, what streams and large messages are made of, and CANCEL.
//!
//! # Why
//! The end of a stream is always said (END by the client, ANSWER by the server), so that a cut is
//! never taken for an end; and an item or message above one frame continues in the next DATA, so
//! that no frame is large.

use bytes::{Buf, Bytes};

use super::{
    Malformed,
    frame::{TimeLeft, put_call_frame},
    kinds::{CallKind, known_flags},
    varint,
};
use crate::codes::CancelReason;

const MORE: u64 = 1;

/// The start of a DATA's rest; bytes follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataHead {
    /// The item or message continues in the next DATA of this call.
    pub more: bool,
}

impl DataHead {
    /// What it takes, in bytes.
    pub const LEN: usize = 1;

    /// Appends it; append the bytes behind it.
    #[inline]
    pub fn encode(self, out: &mut Vec<u8>) {
        varint::put(out, if self.more { MORE } else { 0 });
    }

    /// Splits the rest of a DATA into head and bytes, without a copy.
    ///
    /// # Errors
    /// Unknown flags, and a DATA that continues and adds nothing.
    #[inline]
    pub fn decode(mut rest: Bytes) -> Result<(Self, Bytes), Malformed> {
        let mut buf: &[u8] = &rest;
        let flags = varint::get(&mut buf)?;
        known_flags(flags, MORE)?;
        let more = flags & MORE != 0;
        if more && buf.is_empty() {
            return Err(Malformed::new("a DATA that continues and adds nothing"));
        }
        let at = rest.len() - buf.len();
        rest.advance(at);
        Ok((Self { more }, rest))
    }
}

/// Appends a CANCEL.
#[inline]
pub fn put_cancel(out: &mut Vec<u8>, call: u64, time: TimeLeft, reason: CancelReason) {
    put_call_frame(out, CallKind::Cancel, call, time, &[reason.to_u8()]);
}

/// Reads the rest of a CANCEL.
///
/// # Errors
/// Where it is not exactly one byte.
#[inline]
pub fn decode_cancel(rest: &[u8]) -> Result<CancelReason, Malformed> {
    match rest {
        [reason] => Ok(CancelReason::from_u8(*reason)),
        _ => Err(Malformed::new("a CANCEL that is not one byte")),
    }
}
