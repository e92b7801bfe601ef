//! Counts of the last ten seconds, in buckets of one.
//!
//! # Why
//! Exact windows, not decaying averages: a burst that is over is gone from them at a known time, and tests can say when.

use std::time::Instant;

/// Buckets of one second.
const BUCKETS: usize = 10;

/// `N` counters over the last ten seconds.
#[derive(Clone, Debug)]
pub struct Window<const N: usize> {
    epoch: Instant,
    /// The second, since `epoch`, that the youngest bucket counts.
    second: u64,
    buckets: [[u64; N]; BUCKETS],
}

impl<const N: usize> Window<N> {
    /// Nothing counted.
    pub const fn new(now: Instant) -> Self {
        Self { epoch: now, second: 0, buckets: [[0; N]; BUCKETS] }
    }

    /// Adds to a counter of the present second.
    pub fn add(&mut self, counter: usize, amount: u64, now: Instant) {
        self.turn(now);
        let bucket = &mut self.buckets[(self.second % BUCKETS as u64) as usize];
        bucket[counter] = bucket[counter].saturating_add(amount);
    }

    /// Adds to a counter of a second that may have passed; nothing where it is out of the window.
    pub fn add_at(&mut self, counter: usize, amount: u64, second: u64, now: Instant) {
        self.turn(now);
        if second <= self.second && self.second - second < BUCKETS as u64 {
            let bucket = &mut self.buckets[(second % BUCKETS as u64) as usize];
            bucket[counter] = bucket[counter].saturating_add(amount);
        }
    }

    /// What the last ten seconds hold.
    pub fn sums(&mut self, now: Instant) -> [u64; N] {
        self.turn(now);
        let mut sums = [0_u64; N];
        for bucket in &self.buckets {
            for (sum, count) in sums.iter_mut().zip(bucket) {
                *sum = sum.saturating_add(*count);
            }
        }
        sums
    }

    /// Takes from a counter, oldest seconds first; what could not be taken.
    pub fn take(&mut self, counter: usize, amount: u64, now: Instant) -> u64 {
        self.turn(now);
        let mut left = amount;
        for age in (0..BUCKETS as u64).rev().filter(|age| *age <= self.second) {
            let bucket = &mut self.buckets[((self.second - age) % BUCKETS as u64) as usize];
            let taken = bucket[counter].min(left);
            bucket[counter] -= taken;
            left -= taken;
        }
        left
    }

    /// The present second, for [`add_at`](Self::add_at).
    pub fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_secs()
    }

    /// Forgets everything.
    pub fn clear(&mut self, now: Instant) {
        self.turn(now);
        self.buckets = [[0; N]; BUCKETS];
    }

    fn turn(&mut self, now: Instant) {
        let second = self.second(now);
        let passed = second.saturating_sub(self.second).min(BUCKETS as u64);
        for step in 1..=passed {
            self.buckets[((self.second + step) % BUCKETS as u64) as usize] = [0; N];
        }
        if passed == BUCKETS as u64 {
            self.buckets = [[0; N]; BUCKETS];
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::start;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_ten_seconds_old_is_gone_and_nothing_younger() {
        let t0 = start();
        let mut window = Window::<1>::new(t0);
        for second in 0..10 {
            window.add(0, 1, t0 + s(second));
        }
        assert_eq!(window.sums(t0 + s(9)), [10]);
        assert_eq!(window.sums(t0 + s(10)), [9]);
        assert_eq!(window.sums(t0 + s(18)), [1]);
        assert_eq!(window.sums(t0 + s(19)), [0]);
    }

    #[test]
    fn a_long_silence_leaves_nothing() {
        let t0 = start();
        let mut window = Window::<2>::new(t0);
        window.add(1, 7, t0);
        assert_eq!(window.sums(t0 + s(1_000_003)), [0, 0]);
        window.add(0, 1, t0 + s(1_000_003));
        assert_eq!(window.sums(t0 + s(1_000_004)), [1, 0]);
    }

    #[test]
    fn the_oldest_is_taken_first_and_what_is_missing_is_told() {
        let t0 = start();
        let mut window = Window::<1>::new(t0);
        window.add(0, 3, t0);
        window.add(0, 3, t0 + s(5));
        assert_eq!(window.take(0, 4, t0 + s(5)), 0);
        assert_eq!(window.sums(t0 + s(12)), [2], "the younger second kept two");
        assert_eq!(window.take(0, 9, t0 + s(12)), 7);
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_loses_nothing() {
        let t0 = start() + s(100);
        let mut window = Window::<1>::new(t0);
        window.add(0, 1, t0 + s(3));
        window.add(0, 1, t0 + s(1));
        assert_eq!(window.sums(t0 + s(2)), [2]);
    }

    #[test]
    fn what_is_late_counts_for_its_own_second() {
        let t0 = start();
        let mut window = Window::<1>::new(t0);
        window.add_at(0, 5, 0, t0 + s(9));
        assert_eq!(window.sums(t0 + s(9)), [5]);
        assert_eq!(window.sums(t0 + s(10)), [0]);
        window.add_at(0, 5, 0, t0 + s(10));
        assert_eq!(window.sums(t0 + s(10)), [0]);
    }
}
