//! What is counted, and what is planted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    failed: AtomicU64,
    old: AtomicU64,
    new: AtomicU64,
    planted: AtomicU64,
    /// One of so many orders is wrong at the new side; none if it is zero.
    one_of: AtomicU64,
}

impl Tally {
    /// A call ended.
    pub(crate) fn call(&self, failed: bool) {
        self.calls.fetch_add(1, Relaxed);
        self.failed.fetch_add(u64::from(failed), Relaxed);
    }

    /// The old side answered.
    pub(crate) fn by_old(&self) {
        self.old.fetch_add(1, Relaxed);
    }

    /// The new side did.
    pub(crate) fn by_new(&self) {
        self.new.fetch_add(1, Relaxed);
    }

    /// It answered a call that is compared, and was wrong.
    pub(crate) fn planted(&self) {
        self.planted.fetch_add(1, Relaxed);
    }

    /// Makes one of so many orders wrong at the new side, or none.
    pub(crate) fn plant(&self, one_of: u64) {
        self.one_of.store(one_of, Relaxed);
    }

    /// Whether this one is.
    pub(crate) fn is_wrong(&self, id: u64) -> bool {
        let one_of = self.one_of.load(Relaxed);
        one_of > 0 && id % one_of == 1
    }

    /// Calls, and those that failed.
    pub(crate) fn calls(&self) -> (u64, u64) {
        (self.calls.load(Relaxed), self.failed.load(Relaxed))
    }

    /// How many the old side has answered, and the new one.
    pub(crate) fn sides(&self) -> (u64, u64) {
        (self.old.load(Relaxed), self.new.load(Relaxed))
    }

    /// How many mistakes were there to be found.
    pub(crate) fn all_planted(&self) -> u64 {
        self.planted.load(Relaxed)
    }
}
