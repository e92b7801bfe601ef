//! How long bytes lay around before they were read, found without a wall clock.
//!
//! # Why
//! A request that waited in the kernel while the process was frozen looks fresh when it is read:
//! the time left that it carries was counted from when it was *written*. The transport shows no
//! arrival times and the two sides share no clock. But each write says when it was made on the
//! sender's clock, and the smallest difference between reading and writing seen lately is as near
//! to "no delay" as the path gets. What a write exceeds that by is its age.
//!
//! ```text
//!   offset = read - sent_at         unknown constant + delay
//!   base   = min(offset) of 60 s    unknown constant + least delay
//!   age    = offset - base          delay beyond the least
//! ```
//!
//! # Invariants
//! 1. Age is never negative, and the first sample's is zero.
//! 2. The base is forgotten by newer samples only, never by silence: what is read first after a
//!    freeze of any length is still compared with what came before.
//!
//! # Not here
//! The least delay itself: half the smallest round trip stands for it, see
//! [`deadline::transit`](crate::deadline).

use crate::limits::AGE_WINDOW;

/// Half the window: the base is the smaller of this half's and the last one's.
const HALF_US: u64 = AGE_WINDOW.as_micros() as u64 / 2;

/// Keeps the base of one direction of one connection.
#[derive(Clone, Debug, Default)]
pub struct AgeTracker {
    halves: Option<Halves>,
}

#[derive(Clone, Copy, Debug)]
struct Halves {
    /// When the running half began, on the reader's clock.
    since_us: u64,
    running: i64,
    last: i64,
}

impl AgeTracker {
    /// Starts with no sample.
    pub const fn new() -> Self {
        Self { halves: None }
    }

    /// Takes one write into account and says how old it is, in microseconds.
    ///
    /// `read_us` is the reader's monotonic clock, `sent_at_us` the sender's as its STAMP gives it;
    /// each counts from a moment of its own choice. A sender that lies harms the calls on its own
    /// connection and no others.
    #[inline]
    pub fn observe(&mut self, read_us: u64, sent_at_us: u64) -> u64 {
        let offset = signed(read_us).saturating_sub(signed(sent_at_us));
        let halves =
            self.halves.get_or_insert(Halves { since_us: read_us, running: offset, last: offset });
        if read_us.saturating_sub(halves.since_us) >= HALF_US {
            *halves = Halves { since_us: read_us, running: offset, last: halves.running };
        }
        halves.running = halves.running.min(offset);
        let base = halves.running.min(halves.last);
        // Never below zero: the base is at most the offset.
        offset.saturating_sub(base).unsigned_abs()
    }
}

#[inline]
fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_steady_path_has_no_age_whatever_the_clocks_say() {
        let mut tracker = AgeTracker::new();
        for i in 0..1_000 {
            assert_eq!(tracker.observe(i * SECOND, 7_000 * SECOND + i * SECOND), 0);
        }
    }

    #[test]
    fn what_lay_through_a_freeze_is_as_old_as_the_freeze() {
        let mut tracker = AgeTracker::new();
        tracker.observe(10 * SECOND, 5 * SECOND);
        assert_eq!(tracker.observe(14 * SECOND, 6 * SECOND), 3 * SECOND);
        assert_eq!(tracker.observe(15 * SECOND, 10 * SECOND), 0);
    }

    #[test]
    fn silence_does_not_forget_the_base() {
        let mut tracker = AgeTracker::new();
        tracker.observe(0, 0);
        assert_eq!(tracker.observe(603 * SECOND, 600 * SECOND), 3 * SECOND);
    }

    #[test]
    fn a_path_that_became_longer_is_the_new_base_within_the_window() {
        let mut tracker = AgeTracker::new();
        let mut last_old = 0;
        for i in 0..200 {
            let delay = if i < 50 { 0 } else { 40_000 };
            if tracker.observe(i * SECOND + delay, i * SECOND) > 0 {
                last_old = i;
            }
        }
        assert!((80..=111).contains(&last_old), "{last_old}");
    }

    #[test]
    fn ends_of_the_number_range_do_not_overflow() {
        let mut tracker = AgeTracker::new();
        let _ = tracker.observe(0, u64::MAX);
        assert_eq!(tracker.observe(u64::MAX, 0), i64::MAX.unsigned_abs());
        let _ = tracker.observe(0, 0);
    }
}
