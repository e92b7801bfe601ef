//! Whether one more endpoint may be out for its failures.
//!
//! # Why
//! A breaker knows its own endpoint and nothing of the others. When all of them fail at once, because what they depend on
//! does, to leave some out helps nobody: those that are left cannot do the work of all when it is over, and the pauses of
//! the others outlast the trouble by seconds (measured: 5 s of 3, with three servers at four fifths of their capacity).

use std::time::Instant;

use super::{
    ClientPlan, Event,
    member::{Member, Out},
};
use crate::{
    policy::breaker::{Cause, falls_behind},
    rng::Rng,
};

/// Endpoints that one is compared with at most.
const PEERS: usize = 31;

impl ClientPlan {
    /// An endpoint refused a call because it has too much to do: those that are out may be back sooner, for the others
    /// cannot do their work; and one whose breaker has closed has half of its share at once. It is no newcomer whose caches
    /// are empty, and would stand idle beside those that refuse for the seconds of a slow start.
    pub(super) fn hasten<M: AsRef<Member>>(&self, members: &[M], now: Instant) {
        let mut any = false;
        for member in members.iter().map(AsRef::as_ref) {
            if member.is_open_only() {
                any |= member.hasten(now);
            }
            member.shorten_recovery();
        }
        if any {
            self.recount(members);
        }
    }

    /// A breaker asks to be opened. Whether it ought to be for its success rate, the others say.
    pub(super) fn asks_to_open<M: AsRef<Member>>(
        &self,
        members: &[M],
        of: &Member,
        cause: Cause,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<Event> {
        if !self.config.breakers
            || (cause == Cause::SuccessRate && !falls_behind_its_peers(members, of, now))
        {
            return None;
        }
        let openings = self.openings();
        let event = if all_fail(members, of) {
            // Nor was it the fault of those that are out.
            let open = members.iter().map(AsRef::as_ref).filter(|member| member.is_open());
            open.for_each(|member| member.stay(now));
            of.stay(now);
            Event::Spared { cause }
        } else if may_open(members, of, self.current().terms.ejected_max) {
            Event::Opened { cause, until: of.open(cause, now, rng) }
        } else {
            of.stay(now);
            Event::Spared { cause }
        };
        drop(openings);
        Some(event)
    }
}

fn others<'m, M: AsRef<Member>>(
    members: &'m [M],
    one: &'m Member,
) -> impl Iterator<Item = &'m Member> {
    inside(members).filter(|other| other.id() != one.id())
}

/// Those of the aperture: the others get a call now and then, of which little can be said.
fn inside<M: AsRef<Member>>(members: &[M]) -> impl Iterator<Item = &Member> {
    members.iter().map(AsRef::as_ref).filter(|member| member.is_inside())
}

/// Whether all others that can be reached fail as well, and there are some.
fn all_fail<M: AsRef<Member>>(members: &[M], one: &Member) -> bool {
    let reached = |other: &&Member| !matches!(other.out(), Some(Out::Unreachable | Out::Silent));
    // Not the first ones: they may have a zone of their own.
    let step = (members.len() / PEERS).max(1);
    let mut reached = others(members, one).filter(reached).step_by(step).peekable();
    reached.peek().is_some() && reached.all(Member::is_failing)
}

/// Whether one more may be out: at most this share, rounded up, and never the last one.
fn may_open<M: AsRef<Member>>(members: &[M], one: &Member, most: f64) -> bool {
    let ejected = others(members, one).filter(|other| other.is_open()).count();
    let most = (inside(members).count() as f64 * most).ceil() as usize;
    ejected < most && others(members, one).any(Member::is_usable)
}

/// Whether it has fewer successes than is usual among the others: than the median of up to [`PEERS`] of them.
fn falls_behind_its_peers<M: AsRef<Member>>(members: &[M], one: &Member, now: Instant) -> bool {
    let rates = others(members, one).filter_map(|other| other.success_rate(now));
    let mut rates: Vec<f64> = rates.take(PEERS).collect();
    rates.sort_unstable_by(f64::total_cmp);
    match (one.success_rate(now), rates.get(rates.len() / 2)) {
        (Some(rate), Some(usual)) => falls_behind(rate, *usual),
        _ => false,
    }
}
