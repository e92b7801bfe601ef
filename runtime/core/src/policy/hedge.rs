//! A second attempt beside a first that is slow: when, and how many at most.
//!
//! # Why
//! One slow answer of a hundred makes two pages of three slow that need a hundred. Asking a second server after the
//! time in which 95 % are answered cuts that tail for 5 % more load (Dean and Barroso, "The Tail at Scale"). Without a
//! cap it makes an outage worse: when a fifth of the servers hang, every call waits that long and is sent twice. So
//! there is one: every call earns a twentieth of a hedge, and what is not earned is not sent.
//!
//! ```text
//!   alone ---- wake: due, and earned ----> hedged ---- settle: one answered, the other was for nothing
//!     |                                      |
//!     +------- wake: due, not earned ---+    +---- unsent (paid back), one failed
//!     |                                 v    v
//!     +------- settle                   single ------- settle
//! ```
//!
//! # What differs from Finagle's `BackupRequestFilter`
//! - What is earned is saved by count and not for ten seconds: one call in ten seconds is hedged sometimes, too.
//! - A first attempt that lost counts as at least as long as it was waited for. Where it does not count, the percentile
//!   creeps down: those that took longest are never seen.
//!
//! # Invariants
//! 1. Hedges are at most a twentieth of the calls, from the first call on.
//! 2. A call has one hedge at most.
//!
//! # Not here
//! Whether the call may run twice, whether there is another endpoint, time, or a budget for retries: the plan's.

use std::time::{Duration, Instant};

use crate::{
    digest::Digest,
    limits::{HEDGE_MIN, HEDGE_SAVED_MAX},
    window::Window,
};

/// One hedge, in the unit of what is earned.
const ONE: u64 = 1000;

/// For how long a first attempt is waited for alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// As long as so many of a hundred take.
    Percentile(u8),
    /// This long.
    Delay(Duration),
}

/// The hedges of one method.
#[derive(Clone, Debug)]
pub struct Hedge {
    /// What a call earns; `None`: hedges cost nothing.
    share: Option<u64>,
    took: Digest,
    earned: u64,
    /// What ten seconds brought: so much may be saved.
    window: Window<1>,
    counts: Counts,
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that could have had one.
    pub calls: u64,
    /// Hedges that were sent.
    pub sent: u64,
    /// Those that gave the answer.
    pub won: u64,
    /// Attempts, first ones or hedges, that were given up because the other one had answered.
    pub wasted: u64,
}

/// A call whose first attempt is out; to be settled once.
#[derive(Debug)]
#[must_use = "what was let through must be settled"]
pub struct Ticket {
    sent: Instant,
    /// What it was told to wait; `None` where too little is known.
    after: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its hedge is to come.
    Alone,
    /// One attempt is out, and no other comes.
    Single,
    /// Both are out.
    Hedged,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first attempt answered.
    First,
    /// The hedge did.
    Hedge,
    /// No attempt did.
    Failed,
    /// Nobody waits for it any more.
    Abandoned,
}

impl Ticket {
    /// When to call [`Hedge::wake`].
    pub fn next_wakeup(&self) -> Option<Instant> {
        match self.state {
            State::Alone => self.after.map(|after| self.sent + after),
            State::Single | State::Hedged => None,
        }
    }
}

fn thousandths(share: f64) -> u64 {
    (share * ONE as f64).round() as u64
}

impl Hedge {
    /// Where hedges are at most this share of the calls; `None`: where nothing bounds them.
    pub fn new(extra: Option<f64>, now: Instant) -> Self {
        Self {
            share: extra.map(thousandths),
            took: Digest::new(now),
            earned: 0,
            window: Window::new(now),
            counts: Counts::default(),
        }
    }

    /// Another share from here on; what was earned stays.
    pub fn set_extra(&mut self, extra: Option<f64>) {
        self.share = extra.map(thousandths);
    }

    /// The first attempt of a call goes out.
    pub fn admit(&mut self, after: After, now: Instant) -> Ticket {
        self.counts.calls += 1;
        if let Some(share) = self.share {
            self.window.add(0, share, now);
            let [lately] = self.window.sums(now);
            let most = lately.max(HEDGE_SAVED_MAX * ONE);
            self.earned = (self.earned + share).min(most);
        }
        let after = match after {
            After::Percentile(percent) => self.took.percentile(percent),
            After::Delay(delay) => Some(delay),
        };
        Ticket { sent: now, after: after.map(|after| after.max(HEDGE_MIN)), state: State::Alone }
    }

    /// The time is over: whether the hedge goes out. It is paid for then.
    pub fn wake(&mut self, ticket: &mut Ticket, now: Instant) -> bool {
        if ticket.next_wakeup().is_none_or(|due| now < due) {
            return false;
        }
        let paid = match self.share {
            None => Some(self.earned),
            Some(_) => self.earned.checked_sub(ONE),
        };
        ticket.state = if paid.is_some() { State::Hedged } else { State::Single };
        let Some(left) = paid else { return false };
        self.earned = left;
        self.counts.sent += 1;
        true
    }

    /// The hedge did not go out after all.
    pub fn unsent(&mut self, ticket: &mut Ticket) {
        if ticket.state == State::Hedged {
            ticket.state = State::Single;
            self.counts.sent -= 1;
            if self.share.is_some() {
                self.earned += ONE;
            }
        }
    }

    /// One of the two failed: the other goes on.
    pub fn one_failed(&mut self, ticket: &mut Ticket) {
        if ticket.state == State::Hedged {
            ticket.state = State::Single;
        }
    }

    /// The call is over.
    #[expect(clippy::needless_pass_by_value, reason = "a call is over once")]
    pub fn settle(&mut self, ticket: Ticket, end: End, now: Instant) {
        let took = now.saturating_duration_since(ticket.sent);
        let slow = ticket.after.is_some_and(|after| took >= after);
        match end {
            End::First => self.took.add(took, now),
            // All that is known is that it would have taken longer. What was waited for less says nothing.
            End::Hedge | End::Abandoned if slow => self.took.add(took, now),
            End::Hedge | End::Abandoned | End::Failed => {}
        }
        self.counts.won += u64::from(end == End::Hedge);
        let lost = ticket.state == State::Hedged && matches!(end, End::First | End::Hedge);
        self.counts.wasted += u64::from(lost);
    }

    /// How many there were.
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::{DIGEST_SAMPLES, HEDGE_EXTRA},
        rng::{SplitMix, below, unit_f64},
        tests::start,
    };

    const MS: Duration = Duration::from_millis(1);
    const P95: After = After::Percentile(95);
    const EVENTS: [&str; 8] =
        ["wake early", "wake", "unsent", "one failed", "first", "hedge", "failed", "abandoned"];

    /// One that knows that answers take 10 ms, and has earned as much as can be saved.
    fn known(now: Instant) -> Hedge {
        let mut hedge = Hedge::new(Some(HEDGE_EXTRA), now - 10 * MS);
        for _ in 0..HEDGE_SAVED_MAX * 20 {
            let ticket = hedge.admit(P95, now - 10 * MS);
            hedge.settle(ticket, End::First, now);
        }
        hedge
    }

    /// A call in a state, by name.
    fn in_state(hedge: &mut Hedge, state: &str, now: Instant) -> Ticket {
        match state {
            "unknown" => Hedge::new(Some(HEDGE_EXTRA), now).admit(P95, now),
            "alone" => hedge.admit(P95, now),
            "hedged" => {
                let mut ticket = hedge.admit(P95, now - 20 * MS);
                assert!(hedge.wake(&mut ticket, now));
                ticket
            }
            "single" => {
                let mut ticket = in_state(hedge, "hedged", now);
                hedge.one_failed(&mut ticket);
                ticket
            }
            other => unreachable!("{other}"),
        }
    }

    /// Lets an event happen to a call: its state after it.
    fn happens(hedge: &mut Hedge, mut ticket: Ticket, event: &str, now: Instant) -> String {
        let end = match event {
            "first" => Some(End::First),
            "hedge" => Some(End::Hedge),
            "failed" => Some(End::Failed),
            "abandoned" => Some(End::Abandoned),
            _ => None,
        };
        if let Some(end) = end {
            hedge.settle(ticket, end, now);
            return "over".to_owned();
        }
        match event {
            "wake early" => _ = hedge.wake(&mut ticket, now - 19 * MS),
            "wake" => _ = hedge.wake(&mut ticket, now),
            "unsent" => hedge.unsent(&mut ticket),
            _ => hedge.one_failed(&mut ticket),
        }
        format!("{:?}", ticket.state)
    }

    /// Every state under every event: the state after it, hedges sent, won and wasted by it, and samples.
    #[test]
    fn every_state_under_every_event() {
        let now = start() + 1000 * MS;
        let mut table = Vec::new();
        for state in ["unknown", "alone", "hedged", "single"] {
            for event in EVENTS {
                let mut hedge = known(now);
                let ticket = in_state(&mut hedge, state, now);
                let (before, samples) = (hedge.counts(), hedge.took.samples());
                let later = now + 20 * MS;
                let state_after = happens(&mut hedge, ticket, event, later);
                let after = hedge.counts();
                table.push(format!(
                    "{state}, {event}: {state_after}, sent {}, won {}, wasted {}, samples {}",
                    after.sent as i64 - before.sent as i64,
                    after.won - before.won,
                    after.wasted - before.wasted,
                    hedge.took.samples() - samples,
                ));
            }
        }
        assert_eq!(
            table,
            [
                "unknown, wake early: Alone, sent 0, won 0, wasted 0, samples 0",
                "unknown, wake: Alone, sent 0, won 0, wasted 0, samples 0",
                "unknown, unsent: Alone, sent 0, won 0, wasted 0, samples 0",
                "unknown, one failed: Alone, sent 0, won 0, wasted 0, samples 0",
                "unknown, first: over, sent 0, won 0, wasted 0, samples 1",
                "unknown, hedge: over, sent 0, won 1, wasted 0, samples 0",
                "unknown, failed: over, sent 0, won 0, wasted 0, samples 0",
                "unknown, abandoned: over, sent 0, won 0, wasted 0, samples 0",
                "alone, wake early: Alone, sent 0, won 0, wasted 0, samples 0",
                "alone, wake: Hedged, sent 1, won 0, wasted 0, samples 0",
                "alone, unsent: Alone, sent 0, won 0, wasted 0, samples 0",
                "alone, one failed: Alone, sent 0, won 0, wasted 0, samples 0",
                "alone, first: over, sent 0, won 0, wasted 0, samples 1",
                "alone, hedge: over, sent 0, won 1, wasted 0, samples 1",
                "alone, failed: over, sent 0, won 0, wasted 0, samples 0",
                "alone, abandoned: over, sent 0, won 0, wasted 0, samples 1",
                "hedged, wake early: Hedged, sent 0, won 0, wasted 0, samples 0",
                "hedged, wake: Hedged, sent 0, won 0, wasted 0, samples 0",
                "hedged, unsent: Single, sent -1, won 0, wasted 0, samples 0",
                "hedged, one failed: Single, sent 0, won 0, wasted 0, samples 0",
                "hedged, first: over, sent 0, won 0, wasted 1, samples 1",
                "hedged, hedge: over, sent 0, won 1, wasted 1, samples 1",
                "hedged, failed: over, sent 0, won 0, wasted 0, samples 0",
                "hedged, abandoned: over, sent 0, won 0, wasted 0, samples 1",
                "single, wake early: Single, sent 0, won 0, wasted 0, samples 0",
                "single, wake: Single, sent 0, won 0, wasted 0, samples 0",
                "single, unsent: Single, sent 0, won 0, wasted 0, samples 0",
                "single, one failed: Single, sent 0, won 0, wasted 0, samples 0",
                "single, first: over, sent 0, won 0, wasted 0, samples 1",
                "single, hedge: over, sent 0, won 1, wasted 0, samples 1",
                "single, failed: over, sent 0, won 0, wasted 0, samples 0",
                "single, abandoned: over, sent 0, won 0, wasted 0, samples 1",
            ]
        );
    }

    #[test]
    fn a_percentile_needs_samples_and_a_delay_does_not() {
        let now = start();
        let mut hedge = Hedge::new(Some(HEDGE_EXTRA), now);
        for _ in 0..DIGEST_SAMPLES {
            let ticket = hedge.admit(P95, now);
            assert_eq!(ticket.next_wakeup(), None);
            hedge.settle(ticket, End::First, now + 5 * MS);
        }
        let due = hedge.admit(P95, now).next_wakeup().unwrap() - now;
        assert!((5 * MS..6 * MS).contains(&due), "{due:?}");
        let mut hedge = Hedge::new(Some(HEDGE_EXTRA), now);
        let ticket = hedge.admit(After::Delay(20 * MS), now);
        assert_eq!(ticket.next_wakeup(), Some(now + 20 * MS));
        let quick = hedge.admit(After::Delay(MS / 10), now);
        assert_eq!(quick.next_wakeup(), Some(now + HEDGE_MIN));
    }

    #[test]
    fn what_was_given_up_early_does_not_make_the_percentile_smaller() {
        let now = start() + 1000 * MS;
        let mut hedge = known(now);
        for _ in 0..1000 {
            let ticket = hedge.admit(P95, now);
            hedge.settle(ticket, End::Abandoned, now + MS);
        }
        let due = hedge.admit(P95, now).next_wakeup().unwrap() - now;
        assert!(due >= 10 * MS, "{due:?}");
    }

    /// Whatever happens in whatever order: hedges are at most a twentieth of the calls, and all that is slow is one.
    #[test]
    fn under_any_interleaving_hedges_are_a_twentieth_of_the_calls() {
        for seed in 0..100 {
            let mut rng = SplitMix::new(seed);
            let mut now = start();
            let mut hedge = Hedge::new(Some(HEDGE_EXTRA), now);
            let mut out: Vec<Ticket> = Vec::new();
            let slow = unit_f64(&mut rng);
            for _ in 0..3000 {
                now += Duration::from_micros(below(&mut rng, 20_000));
                match below(&mut rng, 5) {
                    0 | 1 => {
                        let after = if below(&mut rng, 2) == 0 { P95 } else { After::Delay(MS) };
                        out.push(hedge.admit(after, now));
                    }
                    2 if !out.is_empty() => {
                        let at = below(&mut rng, out.len() as u64) as usize;
                        hedge.wake(&mut out[at], now);
                    }
                    _ if out.is_empty() || unit_f64(&mut rng) < slow => {}
                    _ => {
                        let at = below(&mut rng, out.len() as u64) as usize;
                        let mut ticket = out.swap_remove(at);
                        if below(&mut rng, 8) == 0 {
                            hedge.unsent(&mut ticket);
                        }
                        let end = match below(&mut rng, 4) {
                            0 if ticket.state == State::Hedged => End::Hedge,
                            1 => End::Failed,
                            2 => End::Abandoned,
                            _ => End::First,
                        };
                        hedge.settle(ticket, end, now);
                    }
                }
                let Counts { calls, sent, won, wasted } = hedge.counts();
                assert!(
                    sent as f64 <= calls as f64 * HEDGE_EXTRA + 1e-9,
                    "seed {seed}: {sent} of {calls}"
                );
                assert!(won <= wasted && wasted <= sent, "seed {seed}");
            }
            assert!(hedge.counts().sent > 0, "seed {seed}");
        }
    }

    #[test]
    fn what_is_saved_is_what_ten_seconds_bring_and_a_few_in_any_case() {
        let now = start();
        for (calls, saved) in [(100, 5), (10_000, 500)] {
            let mut hedge = Hedge::new(Some(HEDGE_EXTRA), now);
            for _ in 0..calls {
                let _ = hedge.admit(P95, now);
            }
            let later = now + Duration::from_secs(60);
            let mut hedges = 0;
            for _ in 0..1000 {
                let mut ticket = hedge.admit(After::Delay(MS), later);
                hedges += u64::from(hedge.wake(&mut ticket, later + MS));
            }
            // What is earned meanwhile is fifty.
            let most = if calls == 100 { saved } else { HEDGE_SAVED_MAX } + 50;
            assert!((most - 1..=most).contains(&hedges), "{calls}: {hedges}");
        }
    }
}
