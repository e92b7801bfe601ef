//! What the answers of one connection may hold while its peer does not read them.
//!
//! # Why
//! An answer is of its peer's making and stays until the peer takes it: 1,024 calls for 4 MiB each would be 4 GiB. Whoever
//! waits costs little before its handler has begun, and much once there is an answer. So handlers wait, not answers.
//!
//! ```text
//!   lanes    answers on lanes          full: no lane is read from, and what its handlers would add waits
//!   waiting  answers that have their   full: handlers whose answers are mostly large wait; small calls go on, for a
//!            own streams                     large answer must hold up nothing that is small
//!   large    those, and the items of   full: one more is refused, with the name of the limit. Only handlers that were
//!            streams                         all at work before their answers were known to be large get there
//! ```
//!
//! # Invariants
//! 1. One is always allowed, whatever its size: nothing waits for room that nobody holds.
//! 2. Who holds room gives it back at its deadline, or once nothing was taken for [`limits::ANSWER_STALL`]; so who waits
//!    for it does not wait for ever.
//! 3. Items of streams hold up no handler: their reader may be waiting for the answer of that very handler.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sinew_core::limits;
use tokio::sync::{Notify, Semaphore};

/// The answers of one connection.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) lanes: Arc<Room>,
    pub(super) waiting: Arc<Room>,
    pub(super) large: Arc<Room>,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            lanes: Room::new(limits::LANE_ANSWERS_MAX),
            waiting: Room::new(limits::ANSWERS_WAITING_MAX),
            large: Room::new(limits::LARGE_ANSWERS_MAX),
        }
    }

    /// Room for an answer on a stream of its own, if there is any.
    pub(super) fn take(&self, bytes: usize) -> Option<Taken> {
        let large = self.large.try_take(bytes)?;
        Some(Taken { _large: large, _waiting: self.waiting.take(bytes) })
    }
}

/// What one answer on a stream of its own holds.
#[derive(Debug)]
pub(super) struct Taken {
    _large: Held,
    _waiting: Held,
}

/// Bytes that are held, out of so many.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    held: AtomicUsize,
    /// Held by the first of those that wait.
    turn: Semaphore,
    freed: Notify,
}

/// Bytes of a room, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
            turn: Semaphore::new(1),
            freed: Notify::new(),
        })
    }

    /// Whether anything is left.
    pub(super) fn is_open(&self) -> bool {
        self.held.load(Ordering::SeqCst) < self.most
    }

    /// Waits until something is left, in the order in which it is called: who reads its answers in the order of its calls
    /// gets on. Cancel safe.
    pub(super) async fn opened(&self) {
        if self.is_open() {
            return;
        }
        // Never closed.
        let Ok(_turn) = self.turn.acquire().await else { return };
        loop {
            let mut freed = pin!(self.freed.notified());
            // Waits from here on: what is freed after the look below is not missed.
            freed.as_mut().enable();
            if self.is_open() {
                return;
            }
            freed.await;
        }
    }

    /// Takes `bytes`, whether they are left or not.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Held {
        self.held.fetch_add(bytes, Ordering::SeqCst);
        Held { room: Arc::clone(self), bytes }
    }

    /// Takes `bytes` if they are left, or if nobody else holds any.
    pub(super) fn try_take(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let held = self.take(bytes);
        let all = self.held.load(Ordering::SeqCst);
        (all <= self.most || all == bytes || bytes == 0).then_some(held)
    }
}

impl Held {
    /// Takes more, up to so many in all.
    pub(super) fn grow_to(&mut self, bytes: usize) {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            self.room.held.fetch_add(more, Ordering::SeqCst);
            self.bytes = bytes;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self.room.held.fetch_sub(self.bytes, Ordering::SeqCst);
        if before >= self.room.most && before - self.bytes < self.room.most {
            self.room.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future as _, poll_fn},
        task::Poll,
    };

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn who_waits_begins_in_order_as_room_is_given_back() {
        let room = Room::new(10);
        let first = room.take(25);
        let turns = Arc::new(AtomicUsize::new(0));
        let waiting: Vec<_> = (0..6)
            .map(|place| {
                let (room, turns) = (Arc::clone(&room), Arc::clone(&turns));
                tokio::spawn(async move {
                    room.opened().await;
                    assert_eq!(turns.fetch_add(1, Ordering::SeqCst), place);
                    room.take(5)
                })
            })
            .collect();
        for _ in 0..20 {
            yield_now().await;
        }
        assert_eq!(turns.load(Ordering::SeqCst), 0);
        drop(first);
        for _ in 0..20 {
            yield_now().await;
        }
        // Two fill it; what they hold is in their tasks' results.
        assert_eq!(turns.load(Ordering::SeqCst), 2);
        for task in waiting {
            drop(task.await.unwrap());
        }
        assert_eq!(turns.load(Ordering::SeqCst), 6);
        assert_eq!(room.held.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn who_is_woken_and_dropped_wakes_another() {
        let room = Room::new(10);
        let first = room.take(10);
        let mut dropped = Box::pin(room.opened());
        let poll = poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx)));
        assert!(poll.await.is_pending());
        let waits = tokio::spawn({
            let room = Arc::clone(&room);
            async move { room.opened().await }
        });
        yield_now().await;
        drop(first);
        drop(dropped);
        waits.await.unwrap();
    }

    #[test]
    fn one_is_always_allowed_and_the_next_is_not() {
        let room = Room::new(10);
        let first = room.try_take(40).unwrap();
        assert!(room.try_take(1).is_none());
        assert!(!room.is_open());
        drop(first);
        assert!(room.is_open());
        let mut first = room.try_take(4).unwrap();
        let second = room.try_take(6).unwrap();
        assert!(room.try_take(1).is_none());
        drop(second);
        first.grow_to(9);
        assert_eq!(first.bytes(), 9);
        assert!(room.try_take(2).is_none());
    }
}
