//! A moment as the plan reckons with it.
//!
//! # Why
//! The machines take an `Instant`. What is worked out for each attempt are differences, in milliseconds mostly, and to
//! subtract two `Instant`s takes a tenth of a pick: so it is done once, and what needs the number is handed it.

use std::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    now: Instant,
    /// Microseconds since the plan began.
    us: u64,
}

impl Moment {
    pub(super) fn new(epoch: Instant, now: Instant) -> Self {
        let since = now.saturating_duration_since(epoch);
        Self { now, us: since.as_secs() * 1_000_000 + u64::from(since.subsec_micros()) }
    }

    pub(super) const fn now(self) -> Instant {
        self.now
    }

    /// Microseconds since the plan began.
    pub(super) const fn us(self) -> u64 {
        self.us
    }

    /// The second of the plan.
    pub(super) const fn second(self) -> u64 {
        self.us / 1_000_000
    }

    /// Milliseconds since the plan began, modulo 2^32: only differences count.
    pub(super) const fn ms(self) -> u32 {
        (self.us / 1000) as u32
    }
}
