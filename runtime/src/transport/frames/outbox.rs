//! The bytes of one lane that wait for its writer: many calls' frames, one write.
//!
//! # Why
//! One wake-up, one packet and one system call can carry the frames of every call that is ready. So a caller appends
//! its frame under the connection's lock and wakes the writer only if it sleeps. Where the last batch was of several
//! calls, this one most likely is as well: their tasks were woken together, and the writer lets those go first that wait
//! for a thread already. Else it would be the next one on the thread of the first of them, and every packet hold one call.
//!
//! # Invariants
//! 1. Every batch begins with a STAMP, and every time in it counts from that stamp: however long the batch waits for
//!    flow control, the receiver sees how old it is.
//! 2. The clock is read once per batch.
//! 3. A batch waits for one turn of the scheduler at most, never for time; and that of a call that is alone does not wait.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sinew_core::wire::{
    StreamType,
    frame::{CallKind, TimeLeft, put_call_frame, put_stamp},
};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    stamp: Instant,
    epoch: Instant,
    /// Counts batches taken: a frame pushed in batch `n` left for the wire once `n < batch`.
    batch: u64,
    /// Frames in it, and in the last one.
    frames: u32,
    last: u32,
    /// The writer has let others go first.
    gave_way: bool,
    writer: Option<Waker>,
    /// Told when a full outbox has been taken.
    room: Vec<Waker>,
    /// What is queued still goes out, then the writer is done.
    ending: bool,
    closed: bool,
}

impl Outbox {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            bytes: Vec::new(),
            stamp: epoch,
            epoch,
            batch: 0,
            frames: 0,
            last: 0,
            gave_way: false,
            writer: None,
            room: Vec::new(),
            ending: false,
            closed: false,
        }
    }

    /// Bytes of a batch that the writer has not taken.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The batch that a frame pushed now belongs to.
    pub(super) fn batch(&self) -> u64 {
        self.batch
    }

    /// Appends a frame; the waker, if any, is to be woken once the lock is released.
    #[must_use]
    pub(super) fn push(
        &mut self,
        kind: CallKind,
        call: u64,
        deadline: Option<Instant>,
        rest: &[u8],
    ) -> Option<Waker> {
        if self.closed {
            return None;
        }
        if self.bytes.is_empty() {
            self.stamp = Instant::now();
            put_stamp(&mut self.bytes, micros_between(self.epoch, self.stamp));
        }
        put_call_frame(&mut self.bytes, kind, call, time_left(deadline, self.stamp), rest);
        self.frames += 1;
        self.writer.take()
    }

    /// The bytes that the stream begins with: written at once, without waiting for a frame, for a peer learns of a
    /// stream only by its first byte.
    pub(super) fn begin_stream(&mut self, kind: StreamType) {
        kind.put(&mut self.bytes);
        self.stamp = Instant::now();
        put_stamp(&mut self.bytes, micros_between(self.epoch, self.stamp));
    }

    /// The next batch; `None` once closed.
    pub(super) fn poll_take(&mut self, cx: &Context<'_>) -> Poll<Option<(Bytes, Vec<Waker>)>> {
        if self.closed {
            return Poll::Ready(None);
        }
        if self.bytes.is_empty() {
            if self.ending {
                return Poll::Ready(None);
            }
            match &mut self.writer {
                Some(known) if known.will_wake(cx.waker()) => {}
                other => *other = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        if self.last > 1 && !self.gave_way {
            self.gave_way = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.batch += 1;
        (self.last, self.frames, self.gave_way) = (self.frames, 0, false);
        let size = self.bytes.len().clamp(256, 16 * 1024);
        let full = std::mem::replace(&mut self.bytes, Vec::with_capacity(size));
        Poll::Ready(Some((Bytes::from(full), std::mem::take(&mut self.room))))
    }

    /// Waits until fewer than `limit` bytes are queued.
    pub(super) fn poll_room(&mut self, cx: &Context<'_>, limit: usize) -> Poll<()> {
        if self.closed || self.bytes.len() < limit {
            return Poll::Ready(());
        }
        if !self.room.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.room.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether nothing goes out any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Ready once closed, for a writer that is busy with what it took before.
    pub(super) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.closed {
            return Poll::Ready(());
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The writer is done once what is queued has gone out; it is to be woken once the lock is released.
    #[must_use]
    pub(super) fn end(&mut self) -> Option<Waker> {
        self.ending = true;
        self.writer.take()
    }

    /// Nothing more goes out; who waits is to be woken once the lock is released.
    #[must_use]
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.closed = true;
        self.bytes = Vec::new();
        let mut wakers = std::mem::take(&mut self.room);
        wakers.extend(self.writer.take());
        wakers
    }
}

/// Time left at `stamp`, as a frame says it: at least one microsecond, for zero would be the caller's error.
pub(super) fn time_left(deadline: Option<Instant>, stamp: Instant) -> TimeLeft {
    match deadline {
        None => TimeLeft::Unbounded,
        Some(deadline) => TimeLeft::Micros(micros_between(stamp, deadline).max(1)),
    }
}

/// Whole microseconds from `earlier` to `later`, zero if it is the other way round.
pub(super) fn micros_between(earlier: Instant, later: Instant) -> u64 {
    u64::try_from(later.saturating_duration_since(earlier).as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{task::Context, time::Duration};

    use sinew_core::wire::{
        frame::{ConnectionFrame, Frame},
        parser::Parser,
    };

    use super::*;

    fn frames(bytes: Bytes) -> Vec<Frame> {
        let mut parser = Parser::new(1024);
        parser.feed(bytes);
        std::iter::from_fn(|| parser.next().unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn times_in_a_batch_count_from_its_stamp_however_late_a_frame_joins() {
        let epoch = Instant::now();
        let mut outbox = Outbox::new(epoch);
        let deadline = epoch + Duration::from_millis(500);
        tokio::time::advance(Duration::from_millis(100)).await;
        let _ = outbox.push(CallKind::Request, 1, Some(deadline), b"a");
        tokio::time::advance(Duration::from_millis(200)).await;
        let _ = outbox.push(CallKind::Request, 2, Some(deadline), b"b");
        let cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some((bytes, _))) = outbox.poll_take(&cx) else { panic!("a batch waits") };
        let frames = frames(bytes);
        assert!(matches!(
            frames[0],
            Frame::Connection(ConnectionFrame::Stamp { sent_at_us: 100_000 })
        ));
        for frame in &frames[1..] {
            let Frame::Call(call) = frame else { panic!("{frame:?}") };
            assert_eq!(call.time, TimeLeft::Micros(400_000));
        }
        assert_eq!(frames.len(), 3);
    }

    /// After a batch of several the writer lets others go first, once; after one of a single call it does not.
    #[tokio::test]
    async fn a_writer_gives_way_once_where_the_last_batch_was_of_several() {
        let mut outbox = Outbox::new(Instant::now());
        let cx = Context::from_waker(Waker::noop());
        let mut written = |calls: u64| {
            (0..calls).for_each(|call| drop(outbox.push(CallKind::Request, call, None, b"a")));
            std::iter::from_fn(|| outbox.poll_take(&cx).is_pending().then_some(())).take(2).count()
        };
        assert_eq!([1, 1, 3, 2, 1, 1].map(&mut written), [0, 0, 0, 1, 1, 0]);
    }
}
