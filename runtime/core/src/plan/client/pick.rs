//! Which endpoint gets an attempt.
//!
//! ```text
//!   1  a probe that is due goes first: somebody must find out; a call that may be repeated, if one comes within 1 s
//!   2  one that was not asked for a second is asked, whatever it costs: it may have got better
//!   3  the cheapest of those looked at: all up to 8, else 3 random ones; by weight among those that cost about the same
//!   4  where none of these can be asked, the best of all: connected before not, untried before tried,
//!      then with an open breaker, not serving, silent, out of reach, draining
//! ```

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use super::{
    Balance, ClientPlan, Turn,
    member::{Member, Out, Ticket},
};
use crate::{
    limits::{BREAKER_PROBE_ANY, PICK_ALL_UP_TO, PICK_UNTOUCHED},
    policy::balance::{Price, choices, sample},
    rng::{Rng, unit_f64},
};

/// Where an attempt goes.
#[derive(Debug)]
pub struct Picked {
    /// The place of the endpoint.
    pub at: usize,
    /// To be settled.
    pub ticket: Ticket,
    /// Another that has no connection, whyever: one may be made beside the call, or it never comes back.
    pub cold: Option<usize>,
}

/// How gladly an endpoint is asked; the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Fit,
    Cold,
    Tried,
    Open,
    NotServing,
    Silent,
    Unreachable,
    Draining,
}

/// So many times longer an endpoint is left alone by calls that cannot be repeated.
const PATIENCE: u32 = 20;
/// How often three others are looked at before all are.
const LOOKS: usize = 4;
/// What an endpoint without a sample costs beside others without one.
const SEED_US: f64 = 1000.0;

struct Best {
    rank: Rank,
    price: Price,
    score: f64,
    at: usize,
    /// The weight of all that cost about the same.
    weight: f64,
}

impl ClientPlan {
    /// Picks an endpoint for the next attempt of a call; `None` where there is none at all.
    pub fn pick<M: AsRef<Member>>(
        &self,
        members: &[M],
        turn: &mut Turn,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Picked> {
        let picked = match self.probe(members, turn, now) {
            Some(picked) => picked,
            None => self.cheapest(members, turn, now, rng)?,
        };
        turn.at = members[picked.at].as_ref().id();
        Some(picked)
    }

    /// 1: a probe, if one is due and this call is fit for it.
    fn probe<M: AsRef<Member>>(&self, members: &[M], turn: &Turn, now: Instant) -> Option<Picked> {
        let due = self.probe_ms.load(Relaxed);
        if due == 0 || self.ms(now).wrapping_sub(due - 1) > u32::MAX / 2 {
            return None;
        }
        let patience = if turn.idempotent { Duration::ZERO } else { BREAKER_PROBE_ANY };
        let fit = |member: &Member| {
            !turn.has_tried(member.id())
                && member.probe_due(now).is_some_and(|overdue| overdue >= patience)
        };
        let at = members.iter().position(|member| fit(member.as_ref()))?;
        let ticket = members[at].as_ref().admit(turn.stripe, false, now)?;
        self.recount(members);
        Some(Picked { at, ticket, cold: None })
    }

    fn cheapest<M: AsRef<Member>>(
        &self,
        members: &[M],
        turn: &Turn,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Picked> {
        let panic = self.panics();
        let n = members.len();
        if n == 0 {
            return None;
        }
        let mut look = Look {
            plan: self,
            turn,
            now_ms: self.ms(now),
            panic,
            best: None,
            untouched: None,
            cold: None,
        };
        if self.config.balance == Balance::RoundRobin {
            let first = self.cursor.fetch_add(1, Relaxed) as usize % n;
            (0..n)
                .map(|step| (first + step) % n)
                .for_each(|at| look.in_turn(at, members[at].as_ref()));
        } else if n <= self.config.choices.unwrap_or(PICK_ALL_UP_TO) {
            look.sample(members, rng);
        } else {
            for _ in 0..LOOKS {
                look.sample(members, rng);
                if look.finds(Rank::Fit) {
                    break;
                }
            }
            if !look.finds(Rank::Fit) {
                for (at, member) in members.iter().enumerate() {
                    look.at(at, member.as_ref(), rng);
                }
            }
        }
        let best = look.best?;
        let at = look.untouched.filter(|_| best.rank == Rank::Fit).unwrap_or(best.at);
        // What is asked although its breaker is open, is asked in spite of it.
        let ticket = members[at].as_ref().admit(turn.stripe, true, now)?;
        Some(Picked { at, ticket, cold: look.cold.filter(|cold| *cold != at) })
    }
}

/// One look at some of the endpoints.
struct Look<'a> {
    plan: &'a ClientPlan,
    turn: &'a Turn,
    now_ms: u32,
    panic: bool,
    best: Option<Best>,
    /// One that nobody has asked for too long.
    untouched: Option<usize>,
    cold: Option<usize>,
}

impl Look<'_> {
    fn sample<M: AsRef<Member>>(&mut self, members: &[M], rng: &mut impl Rng) {
        let many = members.len();
        let per_pick = self.plan.config.choices.unwrap_or_else(|| choices(many)).max(1);
        let too_long =
            (PICK_UNTOUCHED.as_millis() as u32).saturating_mul((many / per_pick).max(1) as u32);
        // What cannot be repeated finds out only where nobody else does.
        let too_long =
            if self.turn.idempotent { too_long } else { too_long.saturating_mul(PATIENCE) };
        let may_touch = self.plan.config.balance == Balance::PeakEwma && many > 1;
        let mut looked = [0; PICK_ALL_UP_TO];
        let mut count = 0;
        sample(many, per_pick, rng, |at| {
            looked[count] = at;
            count += 1;
        });
        for at in &looked[..count] {
            let member = members[*at].as_ref();
            let rank = self.at(*at, member, rng);
            if may_touch && rank == Rank::Fit && member.untouched_ms(self.now_ms) >= too_long {
                self.untouched = Some(*at);
            }
        }
    }

    fn finds(&self, rank: Rank) -> bool {
        self.best.as_ref().is_some_and(|best| best.rank <= rank)
    }

    fn at(&mut self, at: usize, member: &Member, rng: &mut impl Rng) -> Rank {
        let rank = self.rank(member);
        if member.is_cold() {
            self.cold = Some(at);
        }
        let mut price = member.price(self.turn.stripe, self.now_ms);
        if self.plan.config.balance != Balance::PeakEwma {
            price.latency_us = Some(1.0);
        }
        let new = Best { rank, price, score: price.score(SEED_US), at, weight: price.weight };
        let Some(best) = &mut self.best else {
            self.best = Some(new);
            return rank;
        };
        if rank == best.rank && new.price.is_like(&best.price) {
            best.weight += new.weight;
            if unit_f64(rng) * best.weight < new.weight {
                self.best = Some(Best { weight: best.weight, ..new });
            }
        } else if rank < best.rank || (rank == best.rank && new.score < best.score) {
            self.best = Some(new);
        }
        rank
    }

    fn in_turn(&mut self, at: usize, member: &Member) {
        let rank = self.rank(member);
        if member.is_cold() {
            self.cold = Some(at);
        }
        if self.best.as_ref().is_none_or(|best| rank < best.rank) {
            let price = member.price(self.turn.stripe, self.now_ms);
            self.best = Some(Best { rank, price, score: 0.0, at, weight: 0.0 });
        }
    }

    fn rank(&self, member: &Member) -> Rank {
        match member.out() {
            Some(Out::Draining) => return Rank::Draining,
            Some(Out::Unreachable) => return Rank::Unreachable,
            Some(Out::Silent) => return Rank::Silent,
            Some(Out::NotServing) => return Rank::NotServing,
            None => {}
        }
        if member.is_open() && !self.panic {
            return Rank::Open;
        }
        if self.turn.has_tried(member.id()) {
            return Rank::Tried;
        }
        if member.is_cold() { Rank::Cold } else { Rank::Fit }
    }
}
