//! Which endpoint gets an attempt.
//!
//! ```text
//!   1  a call with a key goes to the endpoint that the key finds: `keyed.rs`
//!   2  a probe that is due goes first: somebody must find out; a call that may be repeated, if one comes within 1 s
//!   3  the part of the endpoints that the call belongs to is drawn, by labels and zone: `parts.rs`
//!   4  one that was not asked for a second is asked, whatever it costs: it may have got better
//!   5  the cheapest of those looked at: all up to 8, else up to 3 that were heard last (`heard.rs`) and a random one, 3 of
//!      these where none was; by weight among those that cost about the same
//!   6  where none of these can be asked, the best of all: connected before not, in the drawn part before another zone, that
//!      before another label (for a call with a trace before it is connected, too), one that sheds nothing like it before, untried before tried, then with an open breaker, not serving, silent, out of reach, draining
//! ```

use std::{
    ops::Range,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use super::{
    Balance, ClientPlan, Turn,
    member::{Among, Member, Out, Ticket},
    moment::Moment,
    parts::number,
};
use crate::{
    limits::{BREAKER_PROBE_ANY, PICK_ALL_UP_TO, PICK_HEARD, PICK_UNTOUCHED},
    policy::{
        balance::{Price, choices, sample},
        stride,
    },
    rng::{Rng, below, unit_f64},
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
    /// Why this one.
    pub why: Chosen,
    /// It has said that it sheds calls like this one.
    pub sheds: bool,
}

/// Why an endpoint was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The key of the call leads there.
    Key,
    /// It was left alone, and somebody has to find out.
    Probe,
    /// It was not asked for long.
    Untouched,
    /// Of those that can be asked and were looked at, it was the best by the policy.
    Best,
    /// None of those can be asked as it is; it is the best all the same.
    Unfit,
}

/// How gladly an endpoint is asked; the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Fit,
    /// It would be fit, and is in another zone.
    Beside,
    /// It is on the side of the call's trace, and has no connection yet.
    Awaited,
    AwaitedBeside,
    /// It would be fit, and has another label than the call belongs to.
    Elsewhere,
    Cold,
    ColdElsewhere,
    Sheds,
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
/// How often one is drawn by its weight for each that is to be looked at.
const DRAWS: usize = 16;
/// What an endpoint without a sample costs beside others without one; beside one that has, as much as that one.
const SEED_US: f64 = 1000.0;

struct Best {
    rank: Rank,
    price: Price,
    score: f64,
    at: usize,
    /// The weight of all that cost about the same.
    weight: f64,
}

impl Best {
    fn is_cheaper(&self, other: &Self) -> bool {
        let seed = match (self.price.latency_us, other.price.latency_us) {
            (Some(_), Some(_)) | (None, None) => return self.score < other.score,
            (Some(known), None) | (None, Some(known)) => known,
        };
        self.price.score(seed) < other.price.score(seed)
    }
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
        self.refresh(members);
        // Most are picked for when their call begins.
        let at = if turn.began.now() == now { turn.began } else { self.moment(now) };
        let inside = &members[..self.parts.inside(members.len())];
        let first = match turn.key {
            Some(key) => self.by_key(members, turn, key, at),
            None => self.probe(inside, turn, at),
        };
        let mut picked = match (first, inside) {
            (Some(picked), _) => picked,
            (None, [only]) => Self::only(only.as_ref(), turn, at)?,
            (None, _) => self.cheapest(inside, turn, at, rng)?,
        };
        picked.ticket.again = turn.past.attempts > 0;
        picked.ticket.class = turn.class;
        let now_ms = at.ms();
        picked.sheds = self.is_cut(now_ms) && members[picked.at].as_ref().sheds(turn.level, now_ms);
        turn.at = members[picked.at].as_ref().id();
        Some(picked)
    }

    /// 2: a probe, if one is due and this call is fit for it.
    fn probe<M: AsRef<Member>>(&self, members: &[M], turn: &Turn, at: Moment) -> Option<Picked> {
        let due = self.probe_ms.load(Relaxed);
        if due == 0 || at.ms().wrapping_sub(due - 1) > u32::MAX / 2 {
            return None;
        }
        let patience = if turn.idempotent { Duration::ZERO } else { BREAKER_PROBE_ANY };
        let fit = |member: &Member| {
            !turn.has_tried(member.id())
                && member.probe_due(at.ms()).is_some_and(|overdue| overdue >= patience)
        };
        let place = members.iter().position(|member| fit(member.as_ref()))?;
        let ticket = members[place].as_ref().admit(turn.stripe, false, at)?;
        self.recount(members);
        Some(Picked { at: place, ticket, cold: None, why: Chosen::Probe, sheds: false })
    }

    /// 5 and 6, where there is one: what it costs and how it is make no difference.
    fn only(member: &Member, turn: &Turn, at: Moment) -> Option<Picked> {
        let ticket = member.admit(turn.stripe, true, at)?;
        Some(Picked { at: 0, ticket, cold: None, why: Chosen::Best, sheds: false })
    }

    fn cheapest<M: AsRef<Member>>(
        &self,
        members: &[M],
        turn: &mut Turn,
        moment: Moment,
        rng: &mut impl Rng,
    ) -> Option<Picked> {
        let n = members.len();
        if n == 0 {
            return None;
        }
        let part = self.parts.draw(n, &mut turn.side, rng);
        let turn = &*turn;
        let mut look = Look::new(self, turn, part.number, moment.ms());
        let seen_all = if self.balance() == Balance::RoundRobin {
            look.rotate(members, part.range);
            false
        } else {
            look.choose(members, part.range, rng)
        };
        if !seen_all && !look.finds(Rank::Fit) {
            for (at, member) in members.iter().enumerate() {
                look.at(at, member.as_ref(), rng);
            }
        }
        if part.number.is_some() {
            look.elsewhere(members, rng);
        }
        let best = look.best?;
        let (at, why) = match (best.rank, look.untouched) {
            (Rank::Fit, Some(untouched)) => (untouched, Chosen::Untouched),
            (Rank::Fit, None) => (best.at, Chosen::Best),
            _ => (best.at, Chosen::Unfit),
        };
        if n > PICK_ALL_UP_TO {
            self.news.heard(turn.stripe).used(at);
        }
        // What is asked although its breaker is open, is asked in spite of it.
        let ticket = members[at].as_ref().admit(turn.stripe, true, moment)?;
        let cold = look.cold.filter(|cold| *cold != at);
        Some(Picked { at, ticket, cold, why, sheds: false })
    }
}

/// One look at some of the endpoints.
struct Look<'a> {
    plan: &'a ClientPlan,
    balance: Balance,
    turn: &'a Turn,
    /// The part that the call belongs to, where there are several.
    part: Option<usize>,
    now_ms: u32,
    /// Some endpoint sheds something.
    cut: bool,
    /// No breaker counts, where there is one part only.
    panic: bool,
    best: Option<Best>,
    /// One that nobody has asked for too long.
    untouched: Option<usize>,
    cold: Option<usize>,
    /// Those that are looked at were drawn by their weights, which have done their work then.
    weighed: bool,
    among: Among,
}

impl<'a> Look<'a> {
    #[inline]
    fn new(plan: &'a ClientPlan, turn: &'a Turn, part: Option<usize>, now_ms: u32) -> Self {
        let panic = part.is_none() && plan.parts.panics(0);
        let (best, untouched, cold, weighed) = (None, None, None, false);
        let among = Among::default();
        let cut = plan.is_cut(now_ms);
        let balance = plan.balance();
        Self {
            plan,
            balance,
            turn,
            part,
            now_ms,
            cut,
            panic,
            best,
            untouched,
            cold,
            weighed,
            among,
        }
    }

    /// All endpoints of a part where they are few, else some until one can be asked. Whether that were all there are.
    #[inline]
    fn choose<M: AsRef<Member>>(
        &mut self,
        members: &[M],
        range: Range<usize>,
        rng: &mut impl Rng,
    ) -> bool {
        let many = range.len();
        if many <= self.plan.config.choices.unwrap_or(PICK_ALL_UP_TO) {
            self.sample(members, range, rng);
            return many == members.len();
        }
        let others = self.plan.news.heard(self.turn.stripe).others();
        self.among = Among { many: self.plan.config.choices.is_none(), others };
        for _ in 0..LOOKS {
            self.sample(members, range.clone(), rng);
            if self.finds(Rank::Fit) {
                break;
            }
        }
        self.weighed = false;
        false
    }

    fn sample<M: AsRef<Member>>(&mut self, members: &[M], range: Range<usize>, rng: &mut impl Rng) {
        let many = range.len();
        let per_pick = self.plan.config.choices.unwrap_or_else(|| choices(many)).max(1);
        // What cannot be repeated finds out only where nobody else does.
        let patience = if self.turn.idempotent { 1 } else { PATIENCE };
        let rounds = ((many / per_pick).max(1) as u32).saturating_mul(patience);
        let too_long = (PICK_UNTOUCHED.as_millis() as u32).saturating_mul(rounds);
        let may_touch = self.balance == Balance::PeakEwma && many > 1;
        let mut looked = [0; PICK_ALL_UP_TO];
        let count = self.draw(members, range, per_pick, &mut looked, rng);
        for at in &looked[..count] {
            let member = members[*at].as_ref();
            let rank = self.at(*at, member, rng);
            if may_touch && rank == Rank::Fit && member.untouched_ms(self.now_ms) >= too_long {
                self.untouched = Some(*at);
            }
        }
    }

    /// Which are looked at, and how many: by their weights where those differ, else those that were heard last and a
    /// random one at least.
    fn draw<M: AsRef<Member>>(
        &mut self,
        members: &[M],
        range: Range<usize>,
        per_pick: usize,
        looked: &mut [usize; PICK_ALL_UP_TO],
        rng: &mut impl Rng,
    ) -> usize {
        let many = range.len();
        let mut count = 0;
        let (heaviest, uneven) = self.plan.parts.heaviest();
        self.weighed = uneven && many > per_pick;
        if self.weighed {
            for _ in 0..per_pick * DRAWS {
                let at = range.start + below(rng, many as u64) as usize;
                let takes = unit_f64(rng) * heaviest < members[at].as_ref().weight();
                if takes && !looked[..count].contains(&at) {
                    looked[count] = at;
                    count += 1;
                }
                if count == per_pick.min(PICK_ALL_UP_TO) {
                    break;
                }
            }
            return count;
        }
        // Where that did not find anybody, others are looked at.
        if self.among.many && self.best.is_none() {
            let heard = self.plan.news.heard(self.turn.stripe);
            count = heard.latest(&range, self.now_ms, &mut looked[..PICK_HEARD]);
        }
        let known = count;
        sample(many, per_pick.saturating_sub(known).max(1), rng, |at| {
            let at = range.start + at;
            if !looked[..known].contains(&at) {
                looked[count] = at;
                count += 1;
            }
        });
        count
    }

    fn finds(&self, rank: Rank) -> bool {
        self.best.as_ref().is_some_and(|best| best.rank <= rank)
    }

    fn at(&mut self, at: usize, member: &Member, rng: &mut impl Rng) -> Rank {
        let rank = self.rank(member);
        if member.is_cold() {
            self.cold = Some(at);
        }
        let mut price = member.price(self.turn.stripe, self.among, self.now_ms);
        if self.balance != Balance::PeakEwma {
            price.latency_us = Some(1.0);
        }
        // Who was drawn by its weight must not win by it again; what is left is its slow start.
        let weight = if self.weighed { price.weight / member.weight() } else { price.weight };
        let new = Best { rank, price, score: price.score(SEED_US), at, weight };
        let Some(best) = &mut self.best else {
            self.best = Some(new);
            return rank;
        };
        if rank == best.rank && new.price.is_like(&best.price) {
            best.weight += new.weight;
            if unit_f64(rng) * best.weight < new.weight {
                self.best = Some(Best { weight: best.weight, ..new });
            }
        } else if rank < best.rank || (rank == best.rank && new.is_cheaper(best)) {
            self.best = Some(new);
        }
        rank
    }

    /// Whose turn it is, skipping those that cannot be asked.
    fn rotate<M: AsRef<Member>>(&mut self, members: &[M], range: Range<usize>) {
        let many = range.len() as u64;
        if many == 0 {
            return;
        }
        let (heaviest, _) = self.plan.parts.heaviest();
        // One more than a round: who starts where the last one started would always ask the same one.
        for _ in 0..=many {
            let turn = self.plan.cursor.fetch_add(1, Relaxed);
            let place = (turn % many) as usize;
            let at = range.start + place;
            let member = members[at].as_ref();
            let price = member.price(self.turn.stripe, self.among, self.now_ms);
            if !stride::takes(turn / many, place, price.weight / heaviest.max(1e-9)) {
                continue;
            }
            let rank = self.rank(member);
            if member.is_cold() {
                self.cold = Some(at);
            }
            if self.best.as_ref().is_none_or(|best| rank < best.rank) {
                self.best = Some(Best { rank, price, score: 0.0, at, weight: 0.0 });
            }
            if rank == Rank::Fit {
                break;
            }
        }
    }

    /// One of the other parts, so that connections are there when they are needed.
    fn elsewhere<M: AsRef<Member>>(&mut self, members: &[M], rng: &mut impl Rng) {
        let at = below(rng, members.len() as u64) as usize;
        if self.cold.is_none() && members[at].as_ref().is_cold() {
            self.cold = Some(at);
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
        let (place, panic) = match self.part {
            None => (Place::Here, self.panic),
            Some(part) => {
                let number = number(member, &self.plan.config);
                (Place::of(number, part), self.plan.parts.panics(number))
            }
        };
        if member.is_open() && !panic {
            return Rank::Open;
        }
        if self.turn.has_tried(member.id()) {
            return Rank::Tried;
        }
        if self.cut && member.sheds(self.turn.level, self.now_ms) {
            return Rank::Sheds;
        }
        match (member.is_cold(), place) {
            (false, Place::Here) => Rank::Fit,
            (false, Place::Beside) => Rank::Beside,
            (false, Place::Elsewhere) => Rank::Elsewhere,
            // A trace that went elsewhere for the time of a handshake would be on two sides.
            (true, Place::Here) if self.turn.trace.is_some() => Rank::Awaited,
            (true, Place::Beside) if self.turn.trace.is_some() => Rank::AwaitedBeside,
            (true, Place::Here) => Rank::Cold,
            (true, Place::Beside | Place::Elsewhere) => Rank::ColdElsewhere,
        }
    }
}

/// Where an endpoint is, for a call that belongs to a part.
#[derive(Clone, Copy)]
enum Place {
    Here,
    /// It has the same label, and is in another zone.
    Beside,
    Elsewhere,
}

impl Place {
    const fn of(number: usize, part: usize) -> Self {
        match number ^ part {
            0 => Self::Here,
            1 => Self::Beside,
            _ => Self::Elsewhere,
        }
    }
}
