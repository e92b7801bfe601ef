//! Frames about the connection itself: stamps, settings, going away, pings, health.
//!
//! # Why
//! They name no call and carry no time. All but STAMP stand on the control stream only, so that a
//! flood of them has one place where it is counted; STAMP stands wherever calls are, before the
//! frames of one write.

use super::{Malformed, Settings, StreamType, kinds, read, varint};
use crate::spiffe::is_service_name;

/// One frame about the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionFrame {
    /// The frames behind it were written now.
    Stamp {
        /// Microseconds of the sender's monotonic clock since a moment of its choice, the same for
        /// all its streams.
        sent_at_us: u64,
    },
    /// What the sender can do and wants.
    Settings(Settings),
    /// The sender is going away.
    GoAway {
        /// 1: please begin no more calls, and acknowledge; 2: what begins now is refused.
        phase: u8,
    },
    /// The peer's GOAWAY of this phase was acted on: nothing that begins after this frame was
    /// written ignores it.
    GoAwayAck {
        /// The phase acknowledged.
        phase: u8,
    },
    /// Asks for a PONG.
    Ping {
        /// To be given back.
        nonce: u64,
    },
    /// Answers a PING.
    Pong {
        /// The nonce of that PING.
        nonce: u64,
    },
    /// Whether a service is served here.
    Health {
        /// Its name; empty for all.
        service: String,
        /// Whether calls should come.
        serving: bool,
    },
}

impl ConnectionFrame {
    /// Whether it may stand on a stream of this type.
    pub const fn is_allowed_on(&self, stream: StreamType) -> bool {
        matches!((self, stream), (Self::Stamp { .. }, _) | (_, StreamType::Control))
    }
}

/// Appends a STAMP.
#[inline]
pub fn put_stamp(out: &mut Vec<u8>, sent_at_us: u64) {
    put_number(out, kinds::STAMP, sent_at_us);
}

/// Appends a connection frame.
///
/// A HEALTH of a name that no service can have is left out: no such service is served or not.
pub fn put_connection_frame(out: &mut Vec<u8>, frame: &ConnectionFrame) {
    match frame {
        ConnectionFrame::Stamp { sent_at_us } => put_stamp(out, *sent_at_us),
        ConnectionFrame::GoAway { phase } => put_phase(out, kinds::GOAWAY, *phase),
        ConnectionFrame::GoAwayAck { phase } => put_phase(out, kinds::GOAWAY_ACK, *phase),
        ConnectionFrame::Ping { nonce } => put_number(out, kinds::PING, *nonce),
        ConnectionFrame::Pong { nonce } => put_number(out, kinds::PONG, *nonce),
        ConnectionFrame::Settings(settings) => {
            let mut payload = Vec::new();
            settings.encode(&mut payload);
            varint::put(out, 1 + payload.len() as u64);
            out.push(kinds::SETTINGS);
            out.extend_from_slice(&payload);
        }
        ConnectionFrame::Health { service, serving } => {
            if !service.is_empty() && !is_service_name(service) {
                return;
            }
            varint::put(out, 2 + service.len() as u64);
            out.extend_from_slice(&[kinds::HEALTH, u8::from(*serving)]);
            out.extend_from_slice(service.as_bytes());
        }
    }
}

#[inline]
fn put_number(out: &mut Vec<u8>, kind: u8, number: u64) {
    // At most nine bytes, so the length is one byte.
    out.extend_from_slice(&[1 + varint::len(number) as u8, kind]);
    varint::put(out, number);
}

fn put_phase(out: &mut Vec<u8>, kind: u8, phase: u8) {
    out.extend_from_slice(&[2, kind, phase.clamp(1, 2)]);
}

/// Whether `kind` (bits 0 to 6) is a connection frame of this version.
#[inline]
pub(crate) const fn is_connection_kind(kind: u8) -> bool {
    matches!(kind, kinds::STAMP..=kinds::HEALTH)
}

/// Reads a connection frame's payload.
pub(crate) fn decode(kind: u8, mut buf: &[u8]) -> Result<ConnectionFrame, Malformed> {
    let frame = match kind {
        kinds::STAMP => ConnectionFrame::Stamp { sent_at_us: varint::get(&mut buf)? },
        kinds::SETTINGS => return Settings::decode(buf).map(ConnectionFrame::Settings),
        kinds::GOAWAY => ConnectionFrame::GoAway { phase: phase(&mut buf)? },
        kinds::GOAWAY_ACK => ConnectionFrame::GoAwayAck { phase: phase(&mut buf)? },
        kinds::PING => ConnectionFrame::Ping { nonce: varint::get(&mut buf)? },
        kinds::PONG => ConnectionFrame::Pong { nonce: varint::get(&mut buf)? },
        kinds::HEALTH => return health(buf),
        _ => return Err(Malformed::new("a connection frame of unknown kind")),
    };
    read::end(buf)?;
    Ok(frame)
}

fn phase(buf: &mut &[u8]) -> Result<u8, Malformed> {
    match read::u8(buf)? {
        phase @ 1..=2 => Ok(phase),
        _ => Err(Malformed::new("a phase of going away that is neither 1 nor 2")),
    }
}

fn health(mut buf: &[u8]) -> Result<ConnectionFrame, Malformed> {
    let serving = match read::u8(&mut buf)? {
        0 => false,
        1 => true,
        _ => return Err(Malformed::new("a health that is neither 0 nor 1")),
    };
    let service = match std::str::from_utf8(buf) {
        Ok(name) if name.is_empty() || is_service_name(name) => name.to_owned(),
        _ => return Err(Malformed::new("a service name that no service can have")),
    };
    Ok(ConnectionFrame::Health { service, serving })
}
