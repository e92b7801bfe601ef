//! The two halves of a quinn stream behind the link trait.
//!
//! # Why
//! A lane is read and written for thousands of calls per second, so each poll has to do much: a
//! read takes up to [`CHUNKS`] pieces under one lock of the connection and hands them out from
//! memory, a write gives the buffer itself to quinn instead of a copy.
//!
//! # Invariants
//! 1. A failed read stays failed. quinn reports a reset once and the end of the stream after that,
//!    which would make a cut stream look complete.
//! 2. Dropping an unfinished sending half resets it; quinn alone would finish it.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    slice,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use quinn::{RecvStream, SendStream, StoppedError, VarInt};

use super::error;
use crate::transport::link::{LinkError, LinkRecv, LinkSend};

/// Pieces taken from quinn at once: what one receive call delivers of a busy stream, and 512 bytes
/// of memory per stream.
const CHUNKS: usize = 16;

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send>>;

/// The sending half.
pub(super) struct QuicSend {
    stream: SendStream,
    /// Finished, reset or stopped: nothing to undo when dropped.
    settled: bool,
    /// Waits for the peer; made when first asked for.
    stopped: Option<Stopped>,
}

impl QuicSend {
    pub(super) fn boxed(stream: SendStream) -> Box<dyn LinkSend> {
        Box::new(Self { stream, settled: false, stopped: None })
    }
}

impl LinkSend for QuicSend {
    /// What is taken stays in memory until the peer has acknowledged it, together with the whole
    /// allocation that it is a part of: do not cut small pieces out of large buffers.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), LinkError>> {
        self.poll_write_pieces(cx, slice::from_mut(data))
    }

    fn poll_write_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &mut [Bytes],
    ) -> Poll<Result<(), LinkError>> {
        if pieces.iter().all(Bytes::is_empty) {
            return Poll::Ready(Ok(()));
        }
        // The future holds no state between polls, so a new one each time loses nothing.
        let write = pin!(self.stream.write_chunks(pieces));
        match ready!(write.poll(cx)) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(why) => {
                // quinn answers a stop with a reset of the same code when the half is dropped.
                self.settled = true;
                Poll::Ready(Err(error::write_failed(why)))
            }
        }
    }

    fn finish(&mut self) {
        self.settled = true;
        // Fails only after an earlier finish or reset.
        let _ = self.stream.finish();
    }

    fn reset(&mut self, code: u64) {
        self.settled = true;
        // Fails only after an earlier reset, or once everything was acknowledged.
        let _ = self.stream.reset(stream_code(code));
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u64>, LinkError>> {
        let stream = &self.stream;
        let stopped = self.stopped.get_or_insert_with(|| Box::pin(stream.stopped()));
        let outcome = ready!(stopped.as_mut().poll(cx));
        self.stopped = None;
        Poll::Ready(match outcome {
            Ok(code) => Ok(code.map(VarInt::into_inner)),
            Err(why) => Err(error::stopped_failed(why)),
        })
    }
}

impl Drop for QuicSend {
    fn drop(&mut self) {
        if !self.settled {
            let _ = self.stream.reset(VarInt::from_u32(0));
        }
    }
}

impl fmt::Debug for QuicSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicSend")
            .field("stream", &self.stream.id())
            .field("settled", &self.settled)
            .finish_non_exhaustive()
    }
}

/// The receiving half. quinn stops it with code 0 when it is dropped before the end.
pub(super) struct QuicRecv {
    stream: RecvStream,
    chunks: [Bytes; CHUNKS],
    /// The next of `chunks` to hand out, and the first that holds nothing.
    next: usize,
    filled: usize,
    failed: Option<LinkError>,
}

impl QuicRecv {
    pub(super) fn boxed(stream: RecvStream) -> Box<dyn LinkRecv> {
        Box::new(Self {
            stream,
            chunks: [const { Bytes::new() }; CHUNKS],
            next: 0,
            filled: 0,
            failed: None,
        })
    }
}

impl LinkRecv for QuicRecv {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        if self.next == self.filled {
            if let Some(why) = &self.failed {
                return Poll::Ready(Err(why.clone()));
            }
            // The future holds no state between polls, so a new one each time loses nothing.
            let read = pin!(self.stream.read_chunks(&mut self.chunks));
            match ready!(read.poll(cx)) {
                Ok(Some(count)) => (self.next, self.filled) = (0, count),
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(why) => {
                    let why = error::read_failed(why);
                    self.failed = Some(why.clone());
                    return Poll::Ready(Err(why));
                }
            }
        }
        let chunk = std::mem::take(&mut self.chunks[self.next]);
        self.next += 1;
        Poll::Ready(Ok(Some(chunk)))
    }

    fn stop(&mut self, code: u64) {
        self.chunks = [const { Bytes::new() }; CHUNKS];
        (self.next, self.filled) = (0, 0);
        // Fails only when the stream has ended already.
        let _ = self.stream.stop(stream_code(code));
    }
}

impl fmt::Debug for QuicRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicRecv")
            .field("stream", &self.stream.id())
            .field("held", &(self.filled - self.next))
            .finish_non_exhaustive()
    }
}

/// A code as QUIC carries it: 62 bits.
fn stream_code(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}
