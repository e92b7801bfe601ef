//! One authenticated connection as the frame engine sees it: ordered byte streams and nothing about frames.
//!
//! # Why
//! The protocol of docs/wire.md needs little of QUIC: streams that are ordered, flow-controlled and can be reset
//! alone, and a verified peer. Said as a trait, the same engine runs over quinn ([`quic`](super::quic)) and in
//! process ([`memory`](super::memory)), so that a test sees what production sees, and a driver of our own can take
//! quinn's place without a change above this line.
//!
//! # Not here
//! Frames, calls, deadlines: those are the engine's (`frames/`).

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{limits, spiffe::SpiffeId};

/// A boxed future; links hand them out once per stream or connection, never per call.
pub(crate) type LinkFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Both halves of a bidirectional stream.
pub(crate) type BiStream = (Box<dyn LinkSend>, Box<dyn LinkRecv>);

/// Why a link or one of its streams cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The peer reset this stream (or stopped reading it) with this application code.
    StreamReset(u64),
    /// The handshake was complete on this side, and the peer then turned us away: nothing was served.
    Refused {
        /// It does not accept who we are; otherwise it takes nobody just now.
        identity: bool,
        /// Its words, or ours for it.
        why: String,
    },
    /// The peer closed the whole connection with this application code and reason.
    PeerClosed {
        /// The application code of the close.
        code: u64,
        /// The peer's words, made [`printable`].
        reason: String,
    },
    /// Nothing of what was written to this stream was taken for [`limits::ANSWER_STALL`].
    Unread,
    /// We closed it ourselves.
    LocallyClosed,
    /// Nothing was heard from the peer for the idle time.
    TimedOut,
    /// The transport broke: its own words.
    Transport(String),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamReset(code) => write!(f, "the peer reset the stream with code {code:#x}"),
            Self::Refused { why, .. } => f.write_str(why),
            Self::PeerClosed { code, reason } if reason.is_empty() => {
                write!(f, "the peer closed the connection with code {code:#x}")
            }
            Self::PeerClosed { code, reason } => {
                write!(f, "the peer closed the connection with code {code:#x}: {reason}")
            }
            Self::Unread => write!(
                f,
                "nothing of an answer was taken for {} s (ANSWER_STALL)",
                limits::ANSWER_STALL.as_secs()
            ),
            Self::LocallyClosed => f.write_str("the connection was closed on this side"),
            Self::TimedOut => f.write_str("nothing was heard from the peer for the idle time"),
            Self::Transport(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LinkError {}

/// Who is at the other end: verified before the link exists.
#[derive(Clone, Debug)]
pub(crate) struct LinkPeer {
    /// The one SPIFFE id of its certificate.
    pub(crate) identity: SpiffeId,
    /// Where it is; `None` in process.
    pub(crate) address: Option<SocketAddr>,
}

/// A connection. Dropping the last handle closes it with code 0.
pub(crate) trait Link: Send + Sync + fmt::Debug + 'static {
    /// The verified peer.
    fn peer(&self) -> &LinkPeer;
    /// The certificates that it showed, its own first, as DER; none in process.
    fn certificates(&self) -> Vec<Vec<u8>>;
    /// Opens a bidirectional stream; waits for stream credit.
    fn open_bi(&self) -> LinkFuture<'_, Result<BiStream, LinkError>>;
    /// Opens a unidirectional stream.
    fn open_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkSend>, LinkError>>;
    /// The next bidirectional stream of the peer. Cancel safe.
    fn accept_bi(&self) -> LinkFuture<'_, Result<BiStream, LinkError>>;
    /// The next unidirectional stream of the peer. Cancel safe.
    fn accept_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkRecv>, LinkError>>;
    /// Resolves when the connection is gone, with why.
    fn closed(&self) -> LinkFuture<'_, LinkError>;
    /// Closes the connection at once; streams are lost.
    fn close(&self, code: u32, reason: &str);
    /// The smallest round trip seen; `None` before the first sample and in process.
    fn min_rtt(&self) -> Option<Duration>;
    /// Packets that came from the peer so far, and after how long one that was sent is asked about again (its probe
    /// time-out); `None` where there are no packets.
    fn heard(&self) -> Option<(u64, Duration)>;
    /// Asks the peer's host whether anybody listens at its port; true if it says that nobody does. A hint, which anyone
    /// on the way can forge, and silence means nothing.
    fn is_refused(&self) -> LinkFuture<'_, bool>;
    /// How many bidirectional streams the peer may have open at once.
    fn set_max_peer_bi(&self, streams: u32);
}

/// The sending half of a stream. Dropping it without [`finish`](Self::finish) resets it with code 0.
pub(crate) trait LinkSend: Send + fmt::Debug {
    /// Takes bytes off the front of `data` as flow control allows; `Ready(Ok(()))` once at least one was taken.
    fn poll_write(&mut self, cx: &mut Context<'_>, data: &mut Bytes)
    -> Poll<Result<(), LinkError>>;
    /// The same off the front of several pieces, in their order: one lock of the connection and one wake-up of whoever sends
    /// for all of them, where the link can.
    fn poll_write_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &mut [Bytes],
    ) -> Poll<Result<(), LinkError>> {
        match pieces.iter_mut().find(|piece| !piece.is_empty()) {
            Some(piece) => self.poll_write(cx, piece),
            None => Poll::Ready(Ok(())),
        }
    }
    /// Says that nothing follows. What was written is still delivered.
    fn finish(&mut self);
    /// Abandons the stream: undelivered bytes may be lost.
    fn reset(&mut self, code: u64);
    /// Ready when the peer stopped reading (with its code) or took everything after a finish (`None`).
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u64>, LinkError>>;
}

/// The receiving half of a stream. Dropping it before the end stops it with code 0.
pub(crate) trait LinkRecv: Send + fmt::Debug {
    /// The next bytes in order, never empty; `None` after the peer's finish.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>>;
    /// Tells the peer that nothing more will be read.
    fn stop(&mut self, code: u64);
}

/// The words of a peer, fit for a log and for an error: bounded, and without control characters.
pub(crate) fn printable(words: &[u8]) -> String {
    let words = &words[..words.len().min(limits::CLOSE_REASON_MAX)];
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    String::from_utf8_lossy(words).chars().map(printable).collect()
}
