//! The head of an ANSWER: the outcome, and what the server tells its callers beside it.
//!
//! # Why
//! Whatever steers traffic rides on every answer, refusals included: load, draining, what is being
//! shed, how long the call waited and worked. So clients learn at the speed of calls and nobody
//! polls.
//!
//! # Layout
//! ```text
//!   flags, varint | codec, 1 byte | queue us, varint | work us, varint
//!   then, in the order of their flags: load | admission cut 3 | metadata | ledger | directive
//!     | total varint
//!   a status, where the outcome is one: code 1 | reason 1 | disposition 1 | origin 1 | message
//!   body: the rest; none with a status
//! ```

use std::time::Duration;

use bytes::{Buf, Bytes};

use super::{Malformed, kinds::known_flags, read, request::check_total, varint};
use crate::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    ledger::{self, LedgerCall},
    limits::STATUS_MESSAGE_MAX,
    metadata::Metadata,
};

/// Flags of an ANSWER. Bits 9 and above are not used yet and refused.
mod flag {
    pub(super) const OUTCOME: u64 = 3;
    pub(super) const DRAINING: u64 = 1 << 2;
    pub(super) const LOAD: u64 = 1 << 3;
    pub(super) const CUT: u64 = 1 << 4;
    pub(super) const METADATA: u64 = 1 << 5;
    pub(super) const LEDGER: u64 = 1 << 6;
    pub(super) const DIRECTIVE: u64 = 1 << 7;
    pub(super) const CONTINUES: u64 = 1 << 8;
    pub(super) const KNOWN: u64 = (1 << 9) - 1;
}

const OPEN_METADATA: u64 = 1;

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// The body is the result.
    Ok,
    /// The body is the service's own error.
    App,
    /// There is no body: the mesh or the handler says why.
    Status(WireStatus),
}

/// A fault, as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireStatus {
    /// What is wrong; `Ok` is written as `Unknown`.
    pub code: Code,
    /// Why exactly.
    pub reason: Reason,
    /// Whether the handler may have run.
    pub disposition: Disposition,
    /// Who noticed.
    pub origin: Origin,
    /// For people; cut to 1 KiB when written. A peer's words: not to be trusted, and may hold
    /// control characters.
    pub message: String,
}

/// What a server has to do at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Calls being served.
    pub in_flight: u32,
    /// Median latency lately at about this many in flight, in microseconds; zero where it is not known.
    pub latency_us: u64,
    /// Use of what is scarcest, in thousandths; may exceed 1000, and is zero where it is not known.
    pub utilisation_permille: u16,
}

/// What a server refuses at present: calls less critical than this, and of this class those above
/// the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmissionCut {
    /// The class of the cut.
    pub criticality: u8,
    /// The largest shed key of that class that is still served.
    pub shed_key: u16,
}

/// Everything of an ANSWER before its body.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerHead {
    /// What became of the call.
    pub outcome: AnswerOutcome,
    /// How the body is encoded.
    pub codec: u8,
    /// Microseconds the call waited at the server before its handler started.
    pub queue_us: u64,
    /// Microseconds its handler ran.
    pub work_us: u64,
    /// The server is going away: begin nothing new there.
    pub draining: bool,
    /// What the server asks of whoever may repeat the call; whole microseconds are kept.
    pub directive: Directive,
    /// What the server has to do.
    pub load: Option<LoadReport>,
    /// What the server refuses.
    pub cut: Option<AdmissionCut>,
    /// What the handler sends beside the result.
    pub metadata: Metadata,
    /// The calls that the handler made. Cut to the ledger's bounds when written.
    pub ledger: Vec<LedgerCall>,
    /// The body continues in DATA frames; this is its whole length, larger than what this frame
    /// holds of it.
    pub total: Option<u64>,
}

impl AnswerHead {
    /// A plain answer with nothing beside the outcome.
    #[inline]
    pub const fn new(outcome: AnswerOutcome, codec: u8) -> Self {
        Self {
            outcome,
            codec,
            queue_us: 0,
            work_us: 0,
            draining: false,
            directive: Directive::Default,
            load: None,
            cut: None,
            metadata: Metadata::new(),
            ledger: Vec::new(),
            total: None,
        }
    }

    #[inline]
    fn flags(&self) -> u64 {
        let on = |set: bool, flag: u64| if set { flag } else { 0 };
        let outcome = match self.outcome {
            AnswerOutcome::Ok => 0,
            AnswerOutcome::App => 1,
            AnswerOutcome::Status(_) => 2,
        };
        outcome
            | on(self.draining, flag::DRAINING)
            | on(self.load.is_some(), flag::LOAD)
            | on(self.cut.is_some(), flag::CUT)
            | on(!self.metadata.is_empty(), flag::METADATA)
            | on(!self.ledger.is_empty(), flag::LEDGER)
            | on(self.directive != Directive::Default, flag::DIRECTIVE)
            | on(self.total.is_some(), flag::CONTINUES)
    }

    /// Appends it; append the body behind it.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.flags());
        out.push(self.codec);
        varint::put(out, self.queue_us);
        varint::put(out, self.work_us);
        if let Some(load) = &self.load {
            varint::put(out, u64::from(load.in_flight));
            varint::put(out, load.latency_us);
            varint::put(out, u64::from(load.utilisation_permille));
        }
        if let Some(cut) = &self.cut {
            out.push(cut.criticality);
            out.extend_from_slice(&cut.shed_key.to_be_bytes());
        }
        if !self.metadata.is_empty() {
            self.metadata.encode(out);
        }
        if !self.ledger.is_empty() {
            ledger::encode(&self.ledger, out);
        }
        put_directive(out, self.directive);
        if let Some(total) = self.total {
            varint::put(out, total);
        }
        if let AnswerOutcome::Status(status) = &self.outcome {
            put_status(out, status);
        }
    }

    /// Whether the rest of an ANSWER says that its server is going away, without taking it apart. False where it is
    /// malformed: whoever decodes it will say so.
    #[inline]
    pub fn says_draining(mut rest: &[u8]) -> bool {
        varint::get(&mut rest).is_ok_and(|flags| flags & flag::DRAINING != 0)
    }

    /// Splits the rest of an ANSWER into head and body, without copying the body.
    ///
    /// # Errors
    /// Where a field is cut off, out of range, or announced with the value that its absence means.
    #[inline]
    pub fn decode(mut rest: Bytes) -> Result<(Self, Bytes), Malformed> {
        let mut buf: &[u8] = &rest;
        let flags = varint::get(&mut buf)?;
        known_flags(flags, flag::KNOWN)?;
        let has = |flag: u64| flags & flag != 0;
        let mut head = Self::new(AnswerOutcome::Ok, read::u8(&mut buf)?);
        head.queue_us = varint::get(&mut buf)?;
        head.work_us = varint::get(&mut buf)?;
        head.draining = has(flag::DRAINING);
        if has(flag::LOAD) {
            head.load = Some(decode_load(&mut buf)?);
        }
        if has(flag::CUT) {
            let criticality = read::u8(&mut buf)?;
            head.cut = Some(AdmissionCut { criticality, shed_key: read::u16(&mut buf)? });
        }
        head.metadata = Metadata::decode_announced(&mut buf, has(flag::METADATA))?;
        if has(flag::LEDGER) {
            head.ledger = ledger::decode(&mut buf)?;
        }
        if has(flag::DIRECTIVE) {
            head.directive = decode_directive(&mut buf)?;
        }
        if has(flag::CONTINUES) {
            head.total = Some(varint::get(&mut buf)?);
        }
        match flags & flag::OUTCOME {
            0 => {}
            1 => head.outcome = AnswerOutcome::App,
            2 => head.outcome = AnswerOutcome::Status(decode_status(&mut buf, head.total)?),
            _ => return Err(Malformed::new("an unknown outcome")),
        }
        let at = rest.len() - buf.len();
        rest.advance(at);
        check_total(head.total, rest.len())?;
        Ok((head, rest))
    }
}

/// The rest of an OPEN: the answer is a stream, and this goes before its items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenHead {
    /// How the items are encoded.
    pub codec: u8,
    /// What the handler says before its first item.
    pub metadata: Metadata,
}

impl OpenHead {
    /// Appends it: codec, 1 byte; flags, varint (bit 0: metadata); metadata.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.codec);
        if self.metadata.is_empty() {
            out.push(0);
        } else {
            varint::put(out, OPEN_METADATA);
            self.metadata.encode(out);
        }
    }

    /// Reads the rest of an OPEN, all of it.
    ///
    /// # Errors
    /// Where it is not exactly such a head.
    pub fn decode(rest: Bytes) -> Result<Self, Malformed> {
        let mut buf: &[u8] = &rest;
        let codec = read::u8(&mut buf)?;
        let flags = varint::get(&mut buf)?;
        known_flags(flags, OPEN_METADATA)?;
        let metadata = Metadata::decode_announced(&mut buf, flags & OPEN_METADATA != 0)?;
        read::end(buf)?;
        Ok(Self { codec, metadata })
    }
}

fn decode_load(buf: &mut &[u8]) -> Result<LoadReport, Malformed> {
    Ok(LoadReport {
        in_flight: read::varint_u32(buf)?,
        latency_us: varint::get(buf)?,
        utilisation_permille: u16::try_from(varint::get(buf)?)
            .map_err(|_| Malformed::new("a utilisation above 65535 thousandths"))?,
    })
}

fn put_directive(out: &mut Vec<u8>, directive: Directive) {
    let (number, pause) = match directive {
        Directive::Default => return,
        Directive::DoNotRetry => return out.push(1),
        Directive::RetryAfter(pause) => (2, pause),
        Directive::RetryElsewhere(pause) => (3, pause),
    };
    out.push(number);
    varint::put(out, u64::try_from(pause.as_micros()).unwrap_or(varint::MAX));
}

fn decode_directive(buf: &mut &[u8]) -> Result<Directive, Malformed> {
    match read::u8(buf)? {
        1 => Ok(Directive::DoNotRetry),
        2 => varint::get(buf).map(|us| Directive::RetryAfter(Duration::from_micros(us))),
        3 => varint::get(buf).map(|us| Directive::RetryElsewhere(Duration::from_micros(us))),
        _ => Err(Malformed::new("an unknown directive")),
    }
}

fn put_status(out: &mut Vec<u8>, status: &WireStatus) {
    let code = if status.code == Code::Ok { Code::Unknown } else { status.code };
    let numbers =
        [code as u8, status.reason.to_u8(), status.disposition as u8, status.origin as u8];
    out.extend_from_slice(&numbers);
    let message = ledger::cut(&status.message, STATUS_MESSAGE_MAX);
    varint::put(out, message.len() as u64);
    out.extend_from_slice(message.as_bytes());
}

#[cold]
fn decode_status(buf: &mut &[u8], total: Option<u64>) -> Result<WireStatus, Malformed> {
    let [code, reason, disposition, origin] = read::array(buf)?;
    let status = WireStatus {
        code: match Code::from_u8(code) {
            None | Some(Code::Ok) => {
                return Err(Malformed::new("a status without a code of failure"));
            }
            Some(code) => code,
        },
        reason: Reason::from_u8(reason),
        disposition: Disposition::from_u8(disposition)
            .ok_or(Malformed::new("an unknown disposition"))?,
        origin: Origin::from_u8(origin).ok_or(Malformed::new("an unknown origin"))?,
        message: read::text(buf, STATUS_MESSAGE_MAX)?.to_owned(),
    };
    if total.is_some() || !buf.is_empty() {
        return Err(Malformed::new("a status with a body"));
    }
    Ok(status)
}
