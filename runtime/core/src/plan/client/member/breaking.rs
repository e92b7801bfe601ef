//! An endpoint's breaker, as the plan turns it.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

#[cfg(feature = "fuzzing")]
use super::Ticket;
use super::{Member, RECOVERS};
#[cfg(feature = "fuzzing")]
use crate::policy::breaker;
use crate::{
    limits::SLOW_START,
    policy::breaker::{Cause, Terms},
    rng::Rng,
};

impl Member {
    pub(in super::super) fn set_terms(&self, terms: Terms) {
        self.lock().breaker.set_terms(terms);
    }

    /// The same ticket as if it were of now.
    #[cfg(feature = "fuzzing")]
    pub(in super::super) fn restamped(&self, ticket: Ticket) -> Ticket {
        let breaker = breaker::Ticket::of_epoch(self.lock().breaker.epoch());
        Ticket { breaker, ..ticket }
    }

    pub(in super::super) fn open(&self, cause: Cause, now: Instant, rng: &mut impl Rng) -> Instant {
        let mut inner = self.lock();
        let until = inner.breaker.open(cause, now, rng);
        self.publish_breaker(&inner);
        until
    }

    pub(in super::super) fn hasten(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        let news = inner.breaker.hasten(now);
        self.publish_breaker(&inner);
        news
    }

    /// Where its share grows since its breaker closed, it has half of it from here on.
    pub(in super::super) fn shorten_recovery(&self) {
        // Mostly it does not, and whoever is refused asks: without a write, then.
        let recovers = |flags: u32| flags & RECOVERS != 0;
        if !recovers(self.flags.load(Relaxed))
            || !recovers(self.flags.fetch_and(!RECOVERS, Relaxed))
        {
            return;
        }
        let half = (SLOW_START.as_millis() / 2) as u32;
        let back = self.back_ms.load(Relaxed);
        if back != 0 {
            self.back_ms.store(back.wrapping_sub(half).max(1), Relaxed);
        }
    }

    pub(in super::super) fn stay(&self, now: Instant) {
        let mut inner = self.lock();
        inner.breaker.stay(now);
        self.publish_breaker(&inner);
    }

    /// Whether its last calls failed, or it is out because they did.
    pub(in super::super) fn is_failing(&self) -> bool {
        self.lock().breaker.is_failing()
    }

    /// Its share of successes lately.
    pub(in super::super) fn success_rate(&self, now: Instant) -> Option<f64> {
        let mut inner = self.lock();
        self.gather(&mut inner);
        inner.breaker.success_rate(now)
    }
}
