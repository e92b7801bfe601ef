//! The numbers that a plan decides by, and how they are changed while calls are out.
//!
//! # Why
//! An operator changes a policy while calls fail: just then what was counted, saved and opened must not begin anew. So
//! each machine goes on where it stands and goes by other numbers, and which mechanisms there are stays as it was.
//!
//! # Invariants
//! 1. A pick reads one byte of what may change; all else is read where something fails, or endpoints change.

use std::{
    sync::{PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Balance, ClientPlan, Config, Member};
use crate::{
    limits,
    policy::{breaker, budget, retry, throttle},
};

/// The numbers that the policies of a plan decide by, beside what [`Config`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// What a call puts in for retries after a refusal for overload; at most what it puts in for any.
    pub budget_overload: f64,
    /// Retries a second that need no calls.
    pub budget_reserve_per_s: u32,
    /// Pauses between attempts.
    pub retry: retry::Terms,
    /// When an endpoint is left alone.
    pub breaker: breaker::Terms,
    /// The share of the endpoints that may be; rounded up, and never the last one.
    pub ejected_max: f64,
    /// How much is held back from servers that refuse.
    pub throttle: throttle::Terms,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            budget_overload: limits::BUDGET_OVERLOAD_SHARE,
            budget_reserve_per_s: limits::BUDGET_RESERVE_PER_S,
            retry: retry::Terms::default(),
            breaker: breaker::Terms::default(),
            ejected_max: limits::EJECTED_MAX,
            throttle: throttle::Terms::default(),
        }
    }
}

impl Config {
    pub(super) fn budget_terms(&self) -> budget::Terms {
        budget::Terms {
            share: self.budget.unwrap_or(0.0),
            overload_share: self.terms.budget_overload,
            reserve_per_s: self.terms.budget_reserve_per_s,
        }
    }
}

impl ClientPlan {
    /// Goes on under another configuration: what was counted, saved and opened stays. How many stripes and choices there
    /// are, and which mechanisms are at work, stays as it was. `members` are all endpoints as they are now.
    pub fn configure<M: AsRef<Member>>(&self, config: Config, members: &[M], now: Instant) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.balance.store(config.balance as u8, Relaxed);
        let mut shared = self.shared();
        self.fold(&mut shared.budget, now);
        shared.budget.set_terms(config.budget_terms(), now);
        shared.throttles.iter_mut().for_each(|known| known.set_terms(config.terms.throttle));
        drop(shared);
        self.set_hedge_extra(config.hedge_extra);
        members.iter().for_each(|member| member.as_ref().set_terms(config.terms.breaker));
        self.recount(members);
    }

    /// As it is configured now. Not for the way of every call.
    pub(super) fn current(&self) -> Config {
        *self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(super) fn balance(&self) -> Balance {
        Balance::ALL[usize::from(self.balance.load(Relaxed)) % Balance::ALL.len()]
    }
}
