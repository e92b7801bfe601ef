//! quinn's errors in the words of the link trait, and the reasons why there is no link.
//!
//! # Why
//! Who reads "aborted by peer: the cryptographic handshake failed: error 46" looks in the wrong
//! place. The words of a certificate verifier are what helps, so they are kept whole and come
//! first, and each error says which side spoke.

use std::{fmt, time::Duration};

use quinn::{ConnectionError, ReadError, StoppedError, TransportErrorCode, VarInt, WriteError};

use crate::identity::{HandshakeFailure, RefusedBy};
use crate::transport::link::{self, LinkError};

/// TLS alerts travel as transport errors from here on.
const CRYPTO_FIRST: u64 = 0x100;
const CRYPTO_LAST: u64 = 0x1ff;
/// The alert of a peer with which no application protocol is shared.
const NO_APPLICATION_PROTOCOL: u64 = 0x178;

/// Why no link came about. Nothing of a call has been sent in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// An address or a TLS configuration of ours cannot be used; nothing was sent.
    #[error("cannot connect: {0}")]
    Unusable(String),
    /// No answer, or none that finished the handshake.
    #[error("the handshake timed out after {0:?}")]
    TimedOut(Duration),
    /// The host said that no program listens at the port.
    #[error("nobody listens there, its host says; is the server running?")]
    NobodyListens,
    /// The peer, or we, turned the connection away.
    #[error("the connection was refused: {0}")]
    Refused(String),
    /// One side does not accept the other's certificate, or its TLS otherwise.
    #[error("the TLS handshake failed: {0}")]
    Tls(TlsFailure),
    /// The two sides share no version of QUIC, or no application protocol (ALPN).
    #[error("no common version: {0}")]
    Version(String),
    /// The certificate is sound but names no identity that can be used.
    #[error("the peer has no usable identity: {0}")]
    Identity(String),
    /// The transport broke in some other way.
    #[error("the connection broke during the handshake: {0}")]
    Broken(String),
}

impl ConnectError {
    /// From what quinn says when a handshake ends early, `waited` after it began at the latest.
    pub(super) fn from_quinn(error: ConnectionError, waited: Duration) -> Self {
        match error {
            ConnectionError::TimedOut => Self::TimedOut(waited),
            ConnectionError::VersionMismatch => {
                Self::Version("the peer speaks no version of QUIC that we do".into())
            }
            ConnectionError::TransportError(error) => {
                Self::from_code(error.code.into(), Side::Here, printable(error.reason.as_bytes()))
                    .unwrap_or_else(|| Self::Broken(error.to_string()))
            }
            ConnectionError::ConnectionClosed(close) => {
                let why = printable(&close.reason);
                Self::from_code(close.error_code.into(), Side::Peer, why)
                    .unwrap_or_else(|| Self::Broken(peer_aborted(&close)))
            }
            ConnectionError::ApplicationClosed(close) => {
                Self::Refused(peer_closed(close.error_code, &close.reason).to_string())
            }
            ConnectionError::Reset => Self::Refused("the peer does not know the connection".into()),
            ConnectionError::LocallyClosed => {
                Self::Refused("the endpoint was closed on this side".into())
            }
            ConnectionError::CidsExhausted => Self::Unusable("out of connection ids".into()),
        }
    }

    /// The codes of QUIC itself that mean something to the reader.
    fn from_code(code: u64, side: Side, why: String) -> Option<Self> {
        let refused = u64::from(TransportErrorCode::CONNECTION_REFUSED);
        Some(match code {
            NO_APPLICATION_PROTOCOL => {
                Self::Version("the two sides share no application protocol (ALPN)".into())
            }
            CRYPTO_FIRST..=CRYPTO_LAST => {
                Self::Tls(TlsFailure { by_peer: side == Side::Peer, code, text: why })
            }
            _ if code == refused && why.is_empty() => {
                Self::Refused("the peer takes no new connections".into())
            }
            _ if code == refused => Self::Refused(why),
            _ => return None,
        })
    }
}

/// Which side ended a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Here,
    Peer,
}

/// A TLS handshake that one side ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFailure {
    /// Whether the peer ended it; otherwise this side did.
    pub(crate) by_peer: bool,
    /// The code on the wire: 0x100 and the TLS alert.
    pub(crate) code: u64,
    /// The words of whichever side ended it, a verifier's whole; may be empty.
    pub(crate) text: String,
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by_peer { RefusedBy::Peer } else { RefusedBy::Us };
        let failure = HandshakeFailure { by, code: self.code, text: &self.text };
        f.write_str(&failure.explain("peer", None))
    }
}

/// A whole connection's end, as the link reports it.
pub(super) fn connection_lost(error: ConnectionError) -> LinkError {
    match error {
        ConnectionError::ApplicationClosed(close) => peer_closed(close.error_code, &close.reason),
        ConnectionError::LocallyClosed => LinkError::LocallyClosed,
        ConnectionError::TimedOut => LinkError::TimedOut,
        ConnectionError::Reset => LinkError::Transport(
            "the peer does not know the connection any more, it was probably restarted".into(),
        ),
        ConnectionError::ConnectionClosed(close) => {
            peer_refused(&close).unwrap_or_else(|| LinkError::Transport(peer_aborted(&close)))
        }
        error => LinkError::Transport(error.to_string()),
    }
}

pub(super) fn write_failed(error: WriteError) -> LinkError {
    match error {
        WriteError::Stopped(code) => LinkError::StreamReset(code.into()),
        WriteError::ConnectionLost(error) => connection_lost(error),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => {
            LinkError::Transport("the stream was finished or reset on this side".into())
        }
    }
}

pub(super) fn read_failed(error: ReadError) -> LinkError {
    match error {
        ReadError::Reset(code) => LinkError::StreamReset(code.into()),
        ReadError::ConnectionLost(error) => connection_lost(error),
        error => LinkError::Transport(error.to_string()),
    }
}

pub(super) fn stopped_failed(error: StoppedError) -> LinkError {
    match error {
        StoppedError::ConnectionLost(error) => connection_lost(error),
        error => LinkError::Transport(error.to_string()),
    }
}

fn peer_closed(code: VarInt, reason: &[u8]) -> LinkError {
    LinkError::PeerClosed { code: code.into_inner(), reason: link::printable(reason) }
}

/// The words of a peer that rejects our certificate: it reads that after our side of the handshake
/// is complete, and an alert of TLS can mean nothing else from then on.
fn peer_refused(close: &quinn::ConnectionClose) -> Option<LinkError> {
    // An application's close is told so only as long as the peer's side of the handshake is not complete.
    if close.error_code == TransportErrorCode::APPLICATION_ERROR {
        let why = "the peer closed the connection before it was complete".into();
        return Some(LinkError::Refused { identity: false, why });
    }
    let error =
        ConnectError::from_code(close.error_code.into(), Side::Peer, printable(&close.reason))?;
    let identity = matches!(error, ConnectError::Tls(_));
    Some(LinkError::Refused { identity, why: error.to_string() })
}

fn peer_aborted(close: &quinn::ConnectionClose) -> String {
    let why = printable(&close.reason);
    let separator = if why.is_empty() { "" } else { ": " };
    format!("the peer aborted the connection: {}{separator}{why}", close.error_code)
}

/// Words without control characters, fit for a log, and whole: what a verifier says names two ids
/// and what to do, and what a peer says of it has fitted into one packet.
fn printable(words: &[u8]) -> String {
    String::from_utf8_lossy(words)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_peer_hold_no_control_characters() {
        let words = printable(b"a\x1b[31m\nb\xff");
        assert_eq!(words, "a\u{fffd}[31m\u{fffd}b\u{fffd}");
    }

    #[test]
    fn missing_protocol_is_said_in_words_whichever_side_noticed() {
        for side in [Side::Here, Side::Peer] {
            let error = ConnectError::from_code(0x178, side, "whatever".into());
            assert!(matches!(error, Some(ConnectError::Version(_))), "{error:?}");
        }
    }

    #[test]
    fn words_of_a_verifier_reach_whoever_has_to_explain_them_whole() {
        let words = "invalid peer certificate: Other(no SPIFFE id) ".repeat(20);
        for (side, by_peer) in [(Side::Here, false), (Side::Peer, true)] {
            match ConnectError::from_code(0x12e, side, words.clone()) {
                Some(ConnectError::Tls(tls)) => {
                    assert_eq!((tls.by_peer, tls.code, tls.text), (by_peer, 0x12e, words.clone()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
