//! An endpoint's breaker, as the plan turns it.

use std::time::Instant;

use super::Member;
#[cfg(feature = "fuzzing")]
use super::Ticket;
#[cfg(feature = "fuzzing")]
use crate::policy::breaker;
use crate::{
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
