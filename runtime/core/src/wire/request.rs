//! The head of a REQUEST: which method, under which rules, and what goes before the body.
//!
//! # Why
//! A plain call's head is a method id, one byte of flags and a codec: ten bytes. Everything else is
//! announced by a flag and absent by default, so that the common call pays for nothing it does not
//! use.
//!
//! # Layout
//! ```text
//!   method id, 8 bytes | flags, varint | codec, 1 byte
//!   then, in the order of their flags: fingerprint 8 | metadata | trace 25 | shed key 2
//!     | total varint | attempt 1 | criticality 1
//!   body: the rest
//! ```

use bytes::{Buf, Bytes};

use super::{Malformed, TraceContext, kinds::known_flags, read, varint};
use crate::{
    codes::Criticality,
    ids::{Fingerprint, MethodId},
    metadata::Metadata,
};

/// Flags of a REQUEST. Bits 13 and above are not used yet and refused.
mod flag {
    pub(super) const IDEMPOTENT: u64 = 1;
    pub(super) const SHADOW: u64 = 1 << 1;
    pub(super) const NO_RETRY: u64 = 1 << 2;
    pub(super) const HEDGE: u64 = 1 << 3;
    pub(super) const FINGERPRINT: u64 = 1 << 4;
    pub(super) const METADATA: u64 = 1 << 5;
    pub(super) const TRACE: u64 = 1 << 6;
    pub(super) const SHED_KEY: u64 = 1 << 7;
    pub(super) const INPUT_STREAM: u64 = 1 << 8;
    pub(super) const CONTINUES: u64 = 1 << 9;
    pub(super) const ATTEMPT: u64 = 1 << 10;
    pub(super) const CRITICALITY: u64 = 1 << 11;
    pub(super) const WANT_LEDGER: u64 = 1 << 12;
    pub(super) const KNOWN: u64 = (1 << 13) - 1;
}

/// Everything of a REQUEST before its body.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestHead {
    /// Which method.
    pub method: MethodId,
    /// How the body is encoded: 0 raw, 1 bincode, 2 MessagePack.
    pub codec: u8,
    /// Repeating it does no harm.
    pub idempotent: bool,
    /// A copy of a call whose answer nobody reads; it must not cause effects outside.
    pub shadow: bool,
    /// Whoever serves it must not retry below: somebody above repeats already.
    pub no_retry: bool,
    /// A second attempt beside a first one that is slow.
    pub hedge: bool,
    /// The caller wants to know where the time below went.
    pub want_ledger: bool,
    /// Which attempt this is, from 0.
    pub attempt: u8,
    /// What to shed first.
    pub criticality: Criticality,
    /// The caller's idea of the method's types; absent once settings showed that both agree.
    pub fingerprint: Option<Fingerprint>,
    /// A stable key of whom the call is for, so that shedding hits the same ones.
    pub shed_key: Option<u16>,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
    /// What the caller sends beside the argument.
    pub metadata: Metadata,
    /// A stream of items follows as DATA, closed by END.
    pub input_stream: bool,
    /// The body continues in DATA frames; this is its whole length, larger than what this frame
    /// holds of it.
    pub total: Option<u64>,
}

impl RequestHead {
    /// Whom the call is for, as a hash: its shed key, else its trace's last bits. All calls that serve one request have the
    /// same, at every hop.
    pub fn shed_hash(&self) -> Option<u16> {
        let of_trace =
            |trace: &TraceContext| u16::from_be_bytes([trace.trace_id[14], trace.trace_id[15]]);
        self.shed_key.or_else(|| self.trace.as_ref().map(of_trace))
    }

    /// A plain first attempt with nothing beside the argument.
    #[inline]
    pub const fn new(method: MethodId, codec: u8) -> Self {
        Self {
            method,
            codec,
            idempotent: false,
            shadow: false,
            no_retry: false,
            hedge: false,
            want_ledger: false,
            attempt: 0,
            criticality: Criticality::Critical,
            fingerprint: None,
            shed_key: None,
            trace: None,
            metadata: Metadata::new(),
            input_stream: false,
            total: None,
        }
    }

    #[inline]
    fn flags(&self) -> u64 {
        let on = |set: bool, flag: u64| if set { flag } else { 0 };
        on(self.idempotent, flag::IDEMPOTENT)
            | on(self.shadow, flag::SHADOW)
            | on(self.no_retry, flag::NO_RETRY)
            | on(self.hedge, flag::HEDGE)
            | on(self.fingerprint.is_some(), flag::FINGERPRINT)
            | on(!self.metadata.is_empty(), flag::METADATA)
            | on(self.trace.is_some(), flag::TRACE)
            | on(self.shed_key.is_some(), flag::SHED_KEY)
            | on(self.input_stream, flag::INPUT_STREAM)
            | on(self.total.is_some(), flag::CONTINUES)
            | on(self.attempt > 0, flag::ATTEMPT)
            | on(self.criticality != Criticality::Critical, flag::CRITICALITY)
            | on(self.want_ledger, flag::WANT_LEDGER)
    }

    /// Appends it; append the body behind it.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.method.0.to_be_bytes());
        varint::put(out, self.flags());
        out.push(self.codec);
        if let Some(fingerprint) = self.fingerprint {
            out.extend_from_slice(&fingerprint.0.to_be_bytes());
        }
        if !self.metadata.is_empty() {
            self.metadata.encode(out);
        }
        if let Some(trace) = &self.trace {
            out.extend_from_slice(&trace.trace_id);
            out.extend_from_slice(&trace.span_id);
            out.push(trace.flags);
        }
        if let Some(key) = self.shed_key {
            out.extend_from_slice(&key.to_be_bytes());
        }
        if let Some(total) = self.total {
            varint::put(out, total);
        }
        if self.attempt > 0 {
            out.push(self.attempt);
        }
        if self.criticality != Criticality::Critical {
            out.push(self.criticality as u8);
        }
    }

    /// Splits the rest of a REQUEST into head and body, without copying the body.
    ///
    /// # Errors
    /// Where a field is cut off, out of range, or announced with the value that its absence means.
    #[inline]
    pub fn decode(mut rest: Bytes) -> Result<(Self, Bytes), Malformed> {
        let mut buf: &[u8] = &rest;
        let method = MethodId(read::u64(&mut buf)?);
        let flags = varint::get(&mut buf)?;
        known_flags(flags, flag::KNOWN)?;
        let mut head = Self::new(method, read::u8(&mut buf)?);
        let has = |flag: u64| flags & flag != 0;
        head.idempotent = has(flag::IDEMPOTENT);
        head.shadow = has(flag::SHADOW);
        head.no_retry = has(flag::NO_RETRY);
        head.hedge = has(flag::HEDGE);
        head.input_stream = has(flag::INPUT_STREAM);
        head.want_ledger = has(flag::WANT_LEDGER);
        if has(flag::FINGERPRINT) {
            head.fingerprint = Some(Fingerprint(read::u64(&mut buf)?));
        }
        head.metadata = Metadata::decode_announced(&mut buf, has(flag::METADATA))?;
        if has(flag::TRACE) {
            head.trace = Some(TraceContext {
                trace_id: read::array(&mut buf)?,
                span_id: read::array(&mut buf)?,
                flags: read::u8(&mut buf)?,
            });
        }
        if has(flag::SHED_KEY) {
            head.shed_key = Some(read::u16(&mut buf)?);
        }
        if has(flag::CONTINUES) {
            head.total = Some(varint::get(&mut buf)?);
        }
        if has(flag::ATTEMPT) {
            head.attempt = match read::u8(&mut buf)? {
                0 => return Err(Malformed::new("an attempt that is announced and zero")),
                attempt => attempt,
            };
        }
        if has(flag::CRITICALITY) {
            head.criticality = match Criticality::from_u8(read::u8(&mut buf)?) {
                None => return Err(Malformed::new("an unknown criticality")),
                Some(Criticality::Critical) => {
                    return Err(Malformed::new("a criticality that is announced and default"));
                }
                Some(criticality) => criticality,
            };
        }
        let at = rest.len() - buf.len();
        rest.advance(at);
        check_total(head.total, rest.len())?;
        Ok((head, rest))
    }
}

/// A message that continues must be longer than what is there of it.
#[inline]
pub(crate) fn check_total(total: Option<u64>, here: usize) -> Result<(), Malformed> {
    match total {
        Some(total) if total <= here as u64 => {
            Err(Malformed::new("a message that continues and is complete"))
        }
        _ => Ok(()),
    }
}
