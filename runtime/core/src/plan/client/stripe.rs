//! What the calls of one thread have counted at one endpoint: written by that thread alone, as long as there are as many
//! stripes as threads.
//!
//! # Why
//! A counter that two cores add to travels between them, 50 to 100 ns each time. Here each adds to its own, and a pick
//! reads the others' once in a millisecond. Right in sum at any time, whoever writes where.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::limits::GATHER_EVERY;

/// The counters of one thread; no two of them in one cache line, nor in two that are fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Stripe {
    /// Attempts sent so far in the upper half, those at work in the lower one.
    calls: AtomicU64,
    /// The same of all other stripes ...
    others: AtomicU64,
    /// ... as it was in this millisecond, plus one; zero where nobody has looked.
    others_ms: AtomicU32,
    /// What the server said of its calls at work, and the millisecond when.
    report: AtomicU64,
    /// Attempts sent when it said so.
    report_mark: AtomicU32,
    /// Successes not yet put into the machines: what they took together, in microseconds, and how many they are.
    kept: AtomicU64,
    /// The millisecond of the last of them.
    last_ms: AtomicU32,
    /// The millisecond when such were put in last.
    taken_ms: AtomicU32,
}

/// Bits of [`Stripe::kept`] that count.
const COUNT_BITS: u32 = 16;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// What one success adds at most, more than an hour: 2^16 of them stay below 2^48 in sum.
const TOOK_MAX_US: u64 = u32::MAX as u64;

/// Successes that were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) count: u64,
    /// What they took together.
    pub(super) sum_us: u64,
    /// The millisecond of the last one.
    pub(super) last_ms: u32,
}

impl Kept {
    /// These and others.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum_us: self.sum_us + other.sum_us,
            last_ms: self.last_ms.max(other.last_ms),
        }
    }

    /// What one took in the mean.
    pub(super) fn mean(&self) -> Duration {
        Duration::from_micros(self.sum_us / self.count.max(1))
    }
}

impl Stripe {
    // -- attempts --

    pub(super) fn began(&self) {
        self.calls.fetch_add(1 << 32 | 1, Relaxed);
    }

    pub(super) fn ended(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// Attempts sent so far, modulo 2^32, and those at work.
    pub(super) fn calls(&self) -> (u32, u32) {
        split(self.calls.load(Relaxed))
    }

    /// The same, together with what others count: asked for once in a millisecond.
    pub(super) fn calls_with<I>(&self, now_ms: u32, others: impl FnOnce() -> I) -> (u32, u32)
    where
        I: Iterator<Item = (u32, u32)>,
    {
        let mark = now_ms.wrapping_add(1).max(1);
        let (other_sent, other_at_work) = if self.others_ms.load(Relaxed) == mark {
            split(self.others.load(Relaxed))
        } else {
            let sum = others().fold((0_u32, 0_u32), |(sent, at_work), (more_sent, more)| {
                (sent.wrapping_add(more_sent), at_work.saturating_add(more))
            });
            self.others.store(u64::from(sum.0) << 32 | u64::from(sum.1), Relaxed);
            self.others_ms.store(mark, Relaxed);
            sum
        };
        let (sent, at_work) = self.calls();
        (sent.wrapping_add(other_sent), at_work.saturating_add(other_at_work))
    }

    // -- what the server says --

    pub(super) fn report(&self, in_flight: u32, sent: u32, now_ms: u32) {
        self.report_mark.store(sent, Relaxed);
        self.report.store(u64::from(in_flight) << 32 | u64::from(now_ms), Relaxed);
    }

    /// The server's calls at work: what it said, and what was sent since. `None` where that is older than `fresh`
    /// milliseconds.
    pub(super) fn reported(&self, sent: u32, fresh: f64, now_ms: u32) -> Option<u32> {
        let report = self.report.load(Relaxed);
        let age = now_ms.wrapping_sub(report as u32);
        (report != 0 && f64::from(age) < fresh).then(|| {
            let since = sent.wrapping_sub(self.report_mark.load(Relaxed));
            ((report >> 32) as u32).saturating_add(since)
        })
    }

    // -- successes --

    /// Keeps a success for later; `false` where it is time to put in what there is, and this one with it.
    pub(super) fn keep(&self, took_us: u64, now_ms: u32) -> bool {
        if now_ms.wrapping_sub(self.taken_ms.load(Relaxed)) >= GATHER_EVERY.as_millis() as u32
            || self.kept.load(Relaxed) & COUNT >= COUNT / 2
        {
            self.taken_ms.store(now_ms, Relaxed);
            return false;
        }
        let took_us = took_us.clamp(1, TOOK_MAX_US);
        self.kept.fetch_add(took_us << COUNT_BITS | 1, Relaxed);
        if self.last_ms.load(Relaxed) != now_ms {
            self.last_ms.store(now_ms, Relaxed);
        }
        true
    }

    /// Takes what was kept.
    pub(super) fn take(&self) -> Option<Kept> {
        if self.kept.load(Relaxed) == 0 {
            return None;
        }
        let kept = self.kept.swap(0, Relaxed);
        let (count, sum_us) = (kept & COUNT, kept >> COUNT_BITS);
        (count > 0).then(|| Kept { count, sum_us, last_ms: self.last_ms.load(Relaxed) })
    }
}

const fn split(calls: u64) -> (u32, u32) {
    ((calls >> 32) as u32, calls as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_taken_once() {
        let stripe = Stripe::default();
        assert_eq!(stripe.take(), None);
        assert!(stripe.keep(100, 3));
        assert!(stripe.keep(300, 5));
        assert_eq!(stripe.take(), Some(Kept { count: 2, sum_us: 400, last_ms: 5 }));
        assert_eq!(stripe.take(), None);
    }

    #[test]
    fn it_is_put_in_every_ten_milliseconds() {
        let stripe = Stripe::default();
        let kept = (0..35).map(|ms| stripe.keep(1, ms));
        assert_eq!(kept.filter(|kept| !kept).count(), 3);
    }

    #[test]
    fn however_many_there_are_nothing_runs_over() {
        let stripe = Stripe::default();
        let mut put_in = 0;
        for _ in 0..100_000 {
            if !stripe.keep(u64::MAX, 1) {
                let kept = stripe.take().unwrap();
                assert_eq!(kept.mean(), Duration::from_micros(TOOK_MAX_US));
                put_in += kept.count + 1;
            }
        }
        assert_eq!(put_in + stripe.take().unwrap().count, 100_000);
    }

    #[test]
    fn the_others_are_counted_once_in_a_millisecond() {
        let stripe = Stripe::default();
        stripe.began();
        stripe.began();
        stripe.ended();
        let look = |ms, others: (u32, u32)| stripe.calls_with(ms, || [others].into_iter());
        assert_eq!(look(0, (10, 3)), (12, 4));
        assert_eq!(look(0, (20, 9)), (12, 4));
        assert_eq!(look(1, (20, 9)), (22, 10));
    }
}
