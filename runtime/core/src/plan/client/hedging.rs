//! Whether a call that is slow gets a second attempt beside the first, and where.
//!
//! ```text
//!   the method earns it     policy::hedge: a twentieth of its calls
//!   the call may have it    idempotent, an attempt left, time left, none before
//!   it helps                another endpoint that is connected and not out, and no breaker open: where servers fail,
//!                           more calls are no help
//!   nobody else needs it    the budget for retries is half full, and is paid from; servers refuse few calls
//! ```
//! It is paid when it is decided, as a retry is, and takes one of the call's attempts.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{ClientPlan, Member, Picked, Turn};
use crate::{
    limits::SEND_MIN,
    policy::{
        budget::Purpose,
        hedge::{After, Counts, End, Hedge, Ticket},
    },
    rng::Rng,
};

/// The hedges of each method that has any.
pub(super) type Hedges = BTreeMap<u64, Box<Hedge>>;

/// A call of a hedged method whose first attempt is out; to be settled once.
#[derive(Debug)]
#[must_use = "what was let through must be settled"]
pub struct Hedging {
    method: u64,
    ticket: Ticket,
}

impl Hedging {
    /// When to ask for a second attempt; `None` where too little is known, or it has been asked for.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.ticket.next_wakeup()
    }
}

/// Why a call that is slow has no second attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unhedged {
    /// It is not time yet, or it had one.
    NotNow,
    /// It may not run twice, or has no attempt left.
    NoAttempts,
    /// It has too little time left.
    NoTime,
    /// A breaker is open.
    BreakerOpen,
    /// There is no other endpoint, or none that could answer now.
    NoEndpoint,
    /// Servers refuse too much.
    HeldBack,
    /// Its method had as many as it may have.
    NotEarned,
    /// The budget that it shares with retries is not half full.
    NoBudget,
}

impl ClientPlan {
    fn hedges(&self) -> MutexGuard<'_, Hedges> {
        self.hedges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_hedge_extra(&self, extra: Option<f64>) {
        self.hedges().values_mut().for_each(|hedge| hedge.set_extra(extra));
    }

    /// The first attempt of a call of a hedged method goes out.
    pub fn hedge_admit(&self, method: u64, after: After, now: Instant) -> Hedging {
        let mut hedges = self.hedges();
        let extra = || self.current().hedge_extra;
        let hedge = hedges.entry(method).or_insert_with(|| Box::new(Hedge::new(extra(), now)));
        Hedging { method, ticket: hedge.admit(after, now) }
    }

    /// The first attempt is slow: where the second goes, which is paid for now.
    ///
    /// # Errors
    /// Why there is none. It is not to be asked for again.
    pub fn hedge_wake<M: AsRef<Member>>(
        &self,
        members: &[M],
        (turn, hedging): (&mut Turn, &mut Hedging),
        left: Option<Duration>,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Result<Picked, Unhedged> {
        if hedging.next_wakeup().is_none_or(|due| now < due) || turn.hedged {
            return Err(Unhedged::NotNow);
        }
        turn.hedged = true;
        if !turn.idempotent || turn.attempts_left < 2 {
            return Err(Unhedged::NoAttempts);
        }
        if left.is_some_and(|left| left <= SEND_MIN) {
            return Err(Unhedged::NoTime);
        }
        let others = || members.iter().map(AsRef::as_ref);
        if others().any(Member::is_open) {
            return Err(Unhedged::BreakerOpen);
        }
        let fit = |member: &Member| {
            member.is_usable()
                && !member.is_cold()
                && member.id() != turn.at
                && !turn.has_tried(member.id())
        };
        if !others().any(fit) {
            return Err(Unhedged::NoEndpoint);
        }
        if !self.throttle(turn.class, now, rng) {
            return Err(Unhedged::HeldBack);
        }
        if !self.budget_is_half_full(now) {
            return Err(Unhedged::NoBudget);
        }
        let earned = |hedge: &mut Box<Hedge>| hedge.wake(&mut hedging.ticket, now);
        if !self.hedges().get_mut(&hedging.method).is_some_and(earned) {
            return Err(Unhedged::NotEarned);
        }
        if !self.withdraw(Purpose::Any, now) {
            self.not_sent(hedging);
            return Err(Unhedged::NoBudget);
        }
        turn.begin_hedge();
        let picked = self.pick(members, turn, now, rng);
        picked.ok_or_else(|| {
            self.hedge_unsent(turn, hedging, now);
            Unhedged::NoEndpoint
        })
    }

    /// The second attempt did not go out after all: it costs nothing, and there is no other.
    pub fn hedge_unsent(&self, turn: &mut Turn, hedging: &mut Hedging, now: Instant) {
        turn.end_hedge();
        self.not_sent(hedging);
        if self.config.budget.is_some() {
            self.shared().budget.refund(Purpose::Any, now);
        }
    }

    /// One of the two failed: the other goes on.
    pub fn hedge_one_failed(&self, hedging: &mut Hedging) {
        if let Some(hedge) = self.hedges().get_mut(&hedging.method) {
            hedge.one_failed(&mut hedging.ticket);
        }
    }

    fn not_sent(&self, hedging: &mut Hedging) {
        if let Some(hedge) = self.hedges().get_mut(&hedging.method) {
            hedge.unsent(&mut hedging.ticket);
        }
    }

    /// The call is over, or begins again.
    pub fn hedge_settle(&self, hedging: Hedging, end: End, now: Instant) {
        let Hedging { method, ticket } = hedging;
        if let Some(hedge) = self.hedges().get_mut(&method) {
            hedge.settle(ticket, end, now);
        }
    }

    /// How many hedges there were, of all methods.
    pub fn hedge_counts(&self) -> Counts {
        self.hedges().values().fold(Counts::default(), |all, hedge| {
            let one = hedge.counts();
            Counts {
                calls: all.calls + one.calls,
                sent: all.sent + one.sent,
                won: all.won + one.won,
                wasted: all.wasted + one.wasted,
            }
        })
    }

    fn budget_is_half_full(&self, now: Instant) -> bool {
        if self.config.budget.is_none() {
            return true;
        }
        let mut shared = self.shared();
        self.fold(&mut shared.budget, now);
        shared.budget.is_half_full(now)
    }
}

impl Turn {
    /// The first attempt counts as tried: the second goes elsewhere, and what follows both is the third.
    fn begin_hedge(&mut self) {
        self.note_tried();
        self.attempts_left -= 1;
        self.past.attempts = self.past.attempts.saturating_add(1);
    }

    /// The first is alone again.
    fn end_hedge(&mut self) {
        self.attempts_left += 1;
        self.past.attempts = self.past.attempts.saturating_sub(1);
        if let Some(first) = self.tried.iter_mut().rev().find(|id| **id != 0) {
            self.at = std::mem::take(first);
        }
    }
}
