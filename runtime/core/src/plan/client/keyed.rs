//! Which endpoint gets an attempt of a call that has a key: its own, as long as that can be asked.
//!
//! ```text
//!   of the endpoints that can be asked, untried ones, in every zone:
//!   1  the one that scores highest for the key, if it has not too many calls out
//!   2  else the next in the order of scores that has not
//!   where there is none: as without a key
//! ```
//! Its own may be outside of the client's aperture: a key has the same endpoint in every client.
//! Who is not connected is asked all the same: a key that went elsewhere for the time of a handshake would be at two
//! servers. Who is out of reach is not asked, and named, so that it is tried beside the calls. A breaker that is open is probed by its own keys only.

use std::time::Duration;

use super::{
    ClientPlan, Turn,
    member::Member,
    moment::Moment,
    parts::{Part, number},
    pick::{Chosen, Picked},
};
use crate::{
    limits::BREAKER_PROBE_ANY,
    policy::rendezvous::{cap, score},
};

/// Whether and how an endpoint can be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Probe,
}

/// All that can be asked, and the best of them.
#[derive(Default)]
struct Found {
    best: Option<(usize, f64, Way)>,
    /// Calls out at all of them, and their weights.
    out: u64,
    weight: f64,
    /// The best of those without a connection, whether they can be asked or not.
    cold: Option<(usize, f64)>,
}

impl ClientPlan {
    pub(super) fn by_key<M: AsRef<Member>>(
        &self,
        members: &[M],
        turn: &Turn,
        key: u64,
        moment: Moment,
    ) -> Option<Picked> {
        let part = self.parts.draw_by_key(key, members.len());
        let now_ms = moment.ms();
        let look = Look { plan: self, turn, key, now_ms, part: &part };
        let found = look.best(members, |_| true);
        let (mut at, _, mut way) = found.best?;
        let is_below = |member: &Member| {
            member.at_work(turn.stripe, now_ms)
                < cap(found.out + 1, member.own_weight() / found.weight.max(1e-9))
        };
        if self.config.bounded && !is_below(members[at].as_ref()) {
            (at, _, way) = look.best(members, is_below).best.unwrap_or((at, 0.0, way));
        }
        let member = members[at].as_ref();
        // Somebody else's probe may have gone meanwhile: then it is left alone.
        let ticket = member.admit(turn.stripe, way == Way::Plain, moment)?;
        let why = if ticket.is_probe() { Chosen::Probe } else { Chosen::Key };
        if ticket.is_probe() {
            self.recount(members);
        }
        let cold = found.cold.map(|(cold, _)| cold).filter(|cold| *cold != at);
        Some(Picked { at, ticket, cold, why, sheds: false })
    }
}

struct Look<'a> {
    plan: &'a ClientPlan,
    turn: &'a Turn,
    key: u64,
    now_ms: u32,
    part: &'a Part,
}

impl Look<'_> {
    /// The highest score of those that can be asked and are `fit`.
    fn best<M: AsRef<Member>>(&self, members: &[M], fit: impl Fn(&Member) -> bool) -> Found {
        let mut found = Found::default();
        for at in self.part.range.clone() {
            let member = members[at].as_ref();
            if member.is_cold() {
                // Each key looks after its own endpoint: one that is never there keeps nobody from another that is back.
                let score = score(self.key, member.hash(), member.own_weight());
                if found.cold.is_none_or(|(_, best)| score > best) {
                    found.cold = Some((at, score));
                }
            }
            let Some(way) = self.way(member) else { continue };
            found.out += u64::from(member.at_work(self.turn.stripe, self.now_ms));
            found.weight += member.own_weight();
            if !fit(member) {
                continue;
            }
            let score = score(self.key, member.hash(), member.own_weight());
            if found.best.is_none_or(|(_, best, _)| score > best) {
                found.best = Some((at, score, way));
            }
        }
        found
    }

    fn way(&self, member: &Member) -> Option<Way> {
        let number = number(member, &self.plan.config);
        let elsewhere = self.part.number.is_some_and(|near| near != number & !1);
        if elsewhere || member.out().is_some() || self.turn.has_tried(member.id()) {
            return None;
        }
        if !member.is_open() || self.plan.parts.panics(number) {
            return Some(Way::Plain);
        }
        let patience = if self.turn.idempotent { Duration::ZERO } else { BREAKER_PROBE_ANY };
        member.probe_due(self.now_ms).filter(|overdue| *overdue >= patience).map(|_| Way::Probe)
    }
}
