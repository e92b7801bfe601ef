//! Frames in and out: length (u32, big endian, of what follows), number of the call (u32), payload.

use std::future::Future;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::yield_now,
};

/// Bytes before the payload.
const HEAD: usize = 8;
/// Payloads up to this are copied together; larger ones are passed on as they are.
const COPY_MAX: usize = 4096;

/// A call or its answer.
pub(crate) struct Frame {
    pub(crate) call: u32,
    pub(crate) payload: Bytes,
}

/// Cuts a stream's chunks into frames; a frame that lies in one chunk is not copied.
#[derive(Default)]
pub(crate) struct Frames {
    chunk: Bytes,
    /// The front of a frame that went on in the next chunk.
    carry: BytesMut,
}

impl Frames {
    /// Takes the next chunk. The one before must have been used up.
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        if self.carry.is_empty()
            && let Some(length) = length_of(&self.chunk)
            && self.chunk.len() >= 4 + length
        {
            let mut frame = self.chunk.split_to(4 + length);
            frame.advance(4);
            return Some(Frame { call: frame.get_u32(), payload: frame });
        }
        self.next_in_pieces()
    }

    fn next_in_pieces(&mut self) -> Option<Frame> {
        self.move_to_carry(4);
        let whole = 4 + length_of(&self.carry)?;
        self.move_to_carry(whole);
        if self.carry.len() < whole {
            return None;
        }
        let mut frame = self.carry.split_to(whole).freeze();
        frame.advance(4);
        Some(Frame { call: frame.get_u32(), payload: frame })
    }

    /// Moves bytes from the chunk until the carry holds `want`, or the chunk is used up.
    fn move_to_carry(&mut self, want: usize) {
        let missing = want.saturating_sub(self.carry.len());
        self.carry.reserve(missing);
        let moved = self.chunk.split_to(missing.min(self.chunk.len()));
        self.carry.extend_from_slice(&moved);
    }
}

fn length_of(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk()?;
    Some(u32::from_be_bytes(*length) as usize)
}

/// Between those who have something to send and the one who writes.
#[expect(
    clippy::disallowed_methods,
    reason = "bounded by the callers: each has one call at a time"
)]
pub(crate) fn queue() -> (UnboundedSender<Frame>, UnboundedReceiver<Frame>) {
    unbounded_channel()
}

/// Where frames go.
pub(crate) trait Out: Send + 'static {
    /// Writes all of these; whether it could.
    fn write(&mut self, pieces: &mut [Bytes]) -> impl Future<Output = bool> + Send;

    /// There will be no more.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
}

/// Where frames come from.
pub(crate) trait In: Send + 'static {
    /// The next chunks, and how many they are; `None` at the end.
    fn read(&mut self, chunks: &mut [Bytes]) -> impl Future<Output = Option<usize>> + Send;
}

/// Writes what is queued, all of it in one go, until the queue or the stream ends.
pub(crate) async fn write(mut out: impl Out, mut queued: UnboundedReceiver<Frame>) {
    let mut batch = Vec::with_capacity(1024);
    let mut copied = BytesMut::with_capacity(64 * 1024);
    let mut pieces = Vec::with_capacity(1024);
    while queued.recv_many(&mut batch, 1024).await > 0 {
        // Whoever is ready to call or answer does so first, and rides along.
        yield_now().await;
        while let Ok(frame) = queued.try_recv() {
            batch.push(frame);
        }
        for frame in batch.drain(..) {
            copied.reserve(HEAD + COPY_MAX);
            copied.put_u32((frame.payload.len() + 4) as u32);
            copied.put_u32(frame.call);
            if frame.payload.len() <= COPY_MAX {
                copied.put_slice(&frame.payload);
            } else {
                pieces.push(copied.split().freeze());
                pieces.push(frame.payload);
            }
        }
        if !copied.is_empty() {
            pieces.push(copied.split().freeze());
        }
        if !out.write(&mut pieces).await {
            return;
        }
        pieces.clear();
    }
    out.finish().await;
}

/// Takes frames off the stream and hands them to `take` until the stream or the connection ends.
pub(crate) async fn read(mut input: impl In, take: impl Fn(Frame)) {
    let mut chunks = [const { Bytes::new() }; 32];
    let mut frames = Frames::default();
    while let Some(count) = input.read(&mut chunks).await {
        for chunk in &mut chunks[..count] {
            frames.feed(std::mem::take(chunk));
            while let Some(frame) = frames.next() {
                take(frame);
            }
        }
    }
}
