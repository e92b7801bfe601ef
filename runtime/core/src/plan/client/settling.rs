//! What becomes of an attempt, told to everybody whom it concerns.
//!
//! ```text
//!   answered, and nothing new in it ----> counted in the stripe of its thread: no lock, and no look at the others
//!   anything else ----------------------> throttle, budget, breaker and latency, which may open the breaker
//! ```

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use super::{
    ClientPlan, Event,
    effects::{Outcome, Sample, ThrottleEffect, effects},
    member::{Member, Settled, Ticket},
};
use crate::{codes::Criticality, policy::breaker::Verdict as Blame, rng::Rng};

impl ClientPlan {
    /// What became of an attempt; each ticket exactly once. `members` are all endpoints as they are now, `of` the one
    /// that had it.
    pub fn settle<M: AsRef<Member>>(
        &self,
        members: &[M],
        of: &Member,
        (ticket, outcome): (Ticket, Outcome<'_>),
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Event> {
        if matches!(outcome, Outcome::Answered) && self.answered(of, &ticket, now) {
            return None;
        }
        self.settle_news(members, of, (ticket, outcome), now, rng)
    }

    /// Whether an attempt that was answered is settled by this: nothing is new. Else nothing was done, and
    /// [`settle_news`](Self::settle_news) is to be told.
    #[inline]
    pub fn answered(&self, of: &Member, ticket: &Ticket, now: Instant) -> bool {
        let plain = !ticket.again && !self.refused.load(Relaxed);
        plain && of.answered(ticket, self.moment(now))
    }

    /// [`settle`](Self::settle) of an attempt of which something is new, or may be.
    pub fn settle_news<M: AsRef<Member>>(
        &self,
        members: &[M],
        of: &Member,
        (ticket, outcome): (Ticket, Outcome<'_>),
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Event> {
        let mut effects = effects(outcome, || of.typical());
        if !self.config.penalty && matches!(effects.sample, Sample::AtLeast(_)) {
            effects.sample = Sample::Took;
        }
        self.throttle_settle(effects.throttle, ticket.class, now);
        if effects.throttle == ThrottleEffect::Refused {
            self.hasten(members, now);
        }
        if ticket.again && matches!(effects.breaker, Blame::Success | Blame::Failure) {
            self.shared().budget.came_to(effects.breaker == Blame::Success, now);
        }
        #[cfg(feature = "fuzzing")]
        let ticket = if self.config.unstamped { of.restamped(ticket) } else { ticket };
        let was_open = of.is_open();
        let at = self.moment(now);
        // A status that is the service's answer says no more than a value does.
        let is_answer = !matches!(outcome, Outcome::Answered)
            && (effects.breaker, effects.sample) == (Blame::Success, Sample::Took);
        let settled = match is_answer && of.answered(&ticket, at) {
            true => Settled::default(),
            false => of.settle(ticket, effects.breaker, effects.sample, at),
        };
        let asked = settled.asks_to_open;
        let event = asked.and_then(|cause| self.asks_to_open(members, of, cause, now, rng));
        let event = event.or(settled.closed.then_some(Event::Closed));
        if event.is_some() || was_open {
            self.recount(members);
        }
        event
    }

    pub(super) fn throttle_settle(&self, effect: ThrottleEffect, class: Criticality, now: Instant) {
        let accepted = match effect {
            ThrottleEffect::None => return,
            ThrottleEffect::Accepted if !self.refused.load(Relaxed) => return,
            ThrottleEffect::Accepted => true,
            ThrottleEffect::Refused => false,
        };
        let mut shared = self.shared();
        shared.throttles[class as usize].settle(accepted, now);
        if !accepted {
            shared.last_refusal = now;
            self.refused.store(true, Relaxed);
        } else if now.saturating_duration_since(shared.last_refusal) > Duration::from_secs(10) {
            self.refused.store(false, Relaxed);
        }
    }
}
