//! What a change leaves to be done once the connection's lock is free.
//!
//! # Why
//! Waking may poll a task at once, and the destructor of a waker or of a buffer may run anybody's
//! code, which may come back to this connection. Under the lock that is a deadlock, so a change
//! only notes such things down here.

use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::Bytes;

/// Work for after the lock. Nothing is allocated for the usual: at most one waker to wake.
#[derive(Debug, Default)]
pub(super) struct Due {
    wake: Option<Waker>,
    wake_too: Vec<Waker>,
    stale: Vec<Waker>,
    lost: Vec<VecDeque<Bytes>>,
    bell: bool,
}

impl Due {
    /// Wakes who waits in `slot`, and empties it.
    pub(super) fn wake(&mut self, slot: &mut Option<Waker>) {
        if let Some(waker) = slot.take() {
            match self.wake {
                None => self.wake = Some(waker),
                Some(_) => self.wake_too.push(waker),
            }
        }
    }

    /// Has the task of `cx` wait in `slot`, in place of whoever waited there.
    pub(super) fn wait(&mut self, slot: &mut Option<Waker>, cx: &Context<'_>) {
        if !slot.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
            self.forget(slot);
            *slot = Some(cx.waker().clone());
        }
    }

    /// Empties `slot` without waking.
    pub(super) fn forget(&mut self, slot: &mut Option<Waker>) {
        self.stale.extend(slot.take());
    }

    /// Drops bytes that nobody will read.
    pub(super) fn lose(&mut self, chunks: &mut VecDeque<Bytes>) {
        if !chunks.is_empty() {
            self.lost.push(std::mem::take(chunks));
        }
    }

    /// Rings the connection's bell: streams came, credit came back, or all is over.
    pub(super) fn ring(&mut self) {
        self.bell = true;
    }

    /// Does it all, except for the bell; says whether that is to be rung.
    pub(super) fn settle(self) -> bool {
        self.wake.into_iter().chain(self.wake_too).for_each(Waker::wake);
        self.bell
    }
}
