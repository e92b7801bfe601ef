//! One direction of a stream: a bounded queue of chunks between a writer and a reader, and how
//! either ended it.
//!
//! # Why
//! It knows nothing of connections, so that what each side sees after a finish, reset or stop can
//! be read in one place.
//!
//! # Invariants
//! 1. At most [`STREAM_WINDOW`] bytes wait; chunks are handed over, never copied, and never empty.
//! 2. The first end counts: what the writer ended stays ended, and of several stops the first code
//!    stands.
//! 3. A reader sees the clean end only after it took every byte.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use sinew_core::limits::STREAM_WINDOW;

use super::due::Due;
use crate::transport::link::LinkError;

/// What the writer has said of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Finished,
    Reset(u64),
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) struct Pipe {
    chunks: VecDeque<Bytes>,
    buffered: usize,
    end: End,
    /// The code with which the reader stopped before the end.
    stopped: Option<u64>,
    /// The reader saw the end, or wants to see no more.
    reader_done: bool,
    /// The halves are dropped.
    writer_gone: bool,
    reader_gone: bool,
    on_bytes: Option<Waker>,
    on_room: Option<Waker>,
    on_stopped: Option<Waker>,
}

impl Pipe {
    pub(super) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            buffered: 0,
            end: End::Open,
            stopped: None,
            reader_done: false,
            writer_gone: false,
            reader_gone: false,
            on_bytes: None,
            on_room: None,
            on_stopped: None,
        }
    }

    /// The direction that a unidirectional stream does not have: over from the start.
    pub(super) fn absent() -> Self {
        Self {
            end: End::Finished,
            reader_done: true,
            writer_gone: true,
            reader_gone: true,
            ..Self::new()
        }
    }

    // -- the writer --

    /// `data` is not empty.
    pub(super) fn write(
        &mut self,
        cx: &Context<'_>,
        data: &mut Bytes,
        due: &mut Due,
    ) -> Poll<Result<(), LinkError>> {
        if let Some(code) = self.stopped {
            return Poll::Ready(Err(LinkError::StreamReset(code)));
        }
        if self.end != End::Open {
            let why = "the stream was finished or reset on this side";
            return Poll::Ready(Err(LinkError::Transport(why.into())));
        }
        let room = STREAM_WINDOW - self.buffered;
        if room == 0 {
            due.wait(&mut self.on_room, cx);
            return Poll::Pending;
        }
        let chunk = data.split_to(room.min(data.len()));
        self.buffered += chunk.len();
        self.chunks.push_back(chunk);
        due.wake(&mut self.on_bytes);
        Poll::Ready(Ok(()))
    }

    pub(super) fn finish(&mut self, due: &mut Due) {
        if self.end == End::Open {
            self.end = End::Finished;
            due.wake(&mut self.on_bytes);
            if self.chunks.is_empty() {
                due.wake(&mut self.on_stopped);
            }
        }
    }

    pub(super) fn reset(&mut self, code: u64, due: &mut Due) {
        if !self.is_at_end() {
            self.end = End::Reset(code);
            self.lose_chunks(due);
            due.wake(&mut self.on_bytes);
            due.wake(&mut self.on_stopped);
        }
    }

    /// What became of it, once that is known: the code of a stop, or `None` where nothing is left
    /// to take.
    pub(super) fn outcome(&self) -> Option<Option<u64>> {
        match self.stopped {
            Some(code) => Some(Some(code)),
            None => self.is_at_end().then_some(None),
        }
    }

    pub(super) fn watch(&mut self, cx: &Context<'_>, due: &mut Due) {
        due.wait(&mut self.on_stopped, cx);
    }

    pub(super) fn drop_writer(&mut self, due: &mut Due) {
        self.writer_gone = true;
        due.forget(&mut self.on_room);
        due.forget(&mut self.on_stopped);
    }

    /// Whether nothing more will be written.
    pub(super) fn is_ended(&self) -> bool {
        self.end != End::Open
    }

    // -- the reader --

    /// `lost` is why the connection is gone, if it is: then only an end that was reached before is
    /// still seen.
    pub(super) fn read(
        &mut self,
        cx: &Context<'_>,
        lost: Option<LinkError>,
        due: &mut Due,
    ) -> Poll<Result<Option<Bytes>, LinkError>> {
        if self.stopped.is_some() {
            let why = "the stream was stopped on this side";
            return Poll::Ready(Err(LinkError::Transport(why.into())));
        }
        if let End::Reset(code) = self.end {
            self.reader_done = true;
            return Poll::Ready(Err(LinkError::StreamReset(code)));
        }
        if self.is_at_end() {
            self.reader_done = true;
            return Poll::Ready(Ok(None));
        }
        if let Some(why) = lost {
            return Poll::Ready(Err(why));
        }
        let Some(chunk) = self.chunks.pop_front() else {
            due.wait(&mut self.on_bytes, cx);
            return Poll::Pending;
        };
        self.buffered -= chunk.len();
        due.wake(&mut self.on_room);
        if self.is_at_end() {
            due.wake(&mut self.on_stopped);
        }
        Poll::Ready(Ok(Some(chunk)))
    }

    pub(super) fn stop(&mut self, code: u64, due: &mut Due) {
        self.reader_done = true;
        if self.stopped.is_none() && !self.is_at_end() {
            self.stopped = Some(code);
            self.lose_chunks(due);
            due.wake(&mut self.on_room);
            due.wake(&mut self.on_stopped);
        }
    }

    pub(super) fn drop_reader(&mut self, due: &mut Due) {
        self.reader_gone = true;
        due.forget(&mut self.on_bytes);
    }

    /// Whether the reader saw the end, or stopped and the writer ended too.
    pub(super) fn is_over(&self) -> bool {
        self.reader_done && self.is_ended()
    }

    // -- both --

    /// Whether both halves are dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        self.writer_gone && self.reader_gone
    }

    /// Hands over what its own destructor would drop.
    pub(super) fn dismantle(mut self, due: &mut Due) {
        self.lose_chunks(due);
    }

    pub(super) fn wake_all(&mut self, due: &mut Due) {
        due.wake(&mut self.on_bytes);
        due.wake(&mut self.on_room);
        due.wake(&mut self.on_stopped);
    }

    /// The writer ended and nothing is left to take.
    fn is_at_end(&self) -> bool {
        self.is_ended() && self.chunks.is_empty()
    }

    fn lose_chunks(&mut self, due: &mut Due) {
        self.buffered = 0;
        due.lose(&mut self.chunks);
    }
}
