//! Counters that threads add to without waiting for each other.
//!
//! # Why
//! A counter that two threads add to travels between their caches, which takes longer than everything else that is
//! counted for a call. So what every call adds to stands in stripes, a thread adds to its own ([`stripe`]), and who reads
//! sums up.
//!
//! # Invariants
//! 1. A counter never goes back: what is read later is not less.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::stripe;

/// Values of one shape, one per stripe, each on cache lines of its own.
pub(super) struct Striped<T>(Box<[Line<T>]>);

#[derive(Default)]
#[repr(align(64))]
struct Line<T>(T);

impl<T: Default> Default for Striped<T> {
    fn default() -> Self {
        Self((0..stripe::count()).map(|_| Line::default()).collect())
    }
}

impl<T> fmt::Debug for Striped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Striped").finish_non_exhaustive()
    }
}

impl<T> Striped<T> {
    /// This thread's stripe.
    #[inline]
    pub(super) fn own(&self) -> &T {
        &self.0[stripe::own() % self.0.len()].0
    }

    /// What the stripes hold together.
    pub(super) fn sum(&self, of: impl Fn(&T) -> u64) -> u64 {
        self.0.iter().fold(0, |sum, line| sum.wrapping_add(of(&line.0)))
    }
}

/// One striped counter.
#[derive(Debug, Default)]
pub(super) struct Counter(Striped<AtomicU64>);

impl Counter {
    pub(super) fn add_one(&self) {
        self.0.own().fetch_add(1, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.sum(|counter| counter.load(Relaxed))
    }
}

/// Buckets of a histogram of times: up to 16 us, 32 us, ... 33.5 s, and beyond.
pub(super) const BUCKETS: usize = 23;
/// The first bucket ends at 2^4 us.
const FIRST: u32 = 4;

/// The upper end of a bucket, in microseconds; `None` for the last one, which has none.
pub(super) fn upper_us(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| 1 << (bucket as u32 + FIRST))
}

/// Which bucket a time belongs to: the first that does not end before it.
pub(super) fn bucket(took: Duration) -> usize {
    let below_a_second = u64::from(took.subsec_nanos().div_ceil(1000));
    let us = took.as_secs().saturating_mul(1_000_000).saturating_add(below_a_second);
    let bits = u64::BITS - us.saturating_sub(1).leading_zeros();
    (bits.saturating_sub(FIRST) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_that_does_not_end_before_it() {
        for (ns, expected) in [
            (0, 0),
            (1, 0),
            (16_000, 0),
            (16_001, 1),
            (32_000, 1),
            (32_001, 2),
            (1_024_000, 6),
            (33_554_432_000, 21),
            (33_554_432_001, 22),
            (u64::MAX, 22),
        ] {
            let bucket = bucket(Duration::from_nanos(ns));
            assert_eq!(bucket, expected, "{ns} ns");
            assert!(upper_us(bucket).is_none_or(|upper| ns <= upper * 1000));
            assert!(bucket == 0 || upper_us(bucket - 1).is_some_and(|below| ns > below * 1000));
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_is_lost_however_many_threads_add() {
        const THREADS: usize = 24;
        const EACH: u64 = 10_000;
        let counter = Counter::default();
        let all = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    all.wait();
                    (0..EACH).for_each(|_| counter.add_one());
                });
            }
        });
        assert_eq!(counter.get(), EACH * THREADS as u64);
    }
}
