//! When one endpoint gets no more calls, and how it gets them back.
//!
//! # Why
//! A breaker belongs to one client and one endpoint, never to a service: a service-wide breaker turns the failure of a
//! shard into a failure of everything. What trips it are faults of the endpoint; what a service answers, even if it is
//! an error of its own, is a success.
//!
//! ```text
//!            5 failures in a row, or < 80 % of >= 20 in 10 s and 20 points below its peers
//!   closed ----------------------------------------------------------------> open  1 s, doubling to 60 s
//!     ^                                                                       |  ^
//!     | 3 successes             a success                      time is up: 1 probe|
//!   ramp <---------------------------------------------------------- probing <-+  |
//!     |                                                                  |        |
//!     +------------------------- any failure ----------------------------+--------+
//! ```
//! While so many are open that none counts, calls go to all of them. Three in a row that succeed there close a breaker at
//! once: it has had its whole share, and what was wrong is over.
//!
//! # Invariants
//! 1. A result from before the last change of state changes nothing: tickets carry an epoch.
//! 2. At most one probe is out, and one that comes to nothing gives its place back.
//! 3. It only ever asks to be opened ([`Breaker::settle`]): how many endpoints may be out at once is the plan's to say.
//!
//! # Not here
//! Endpoints that cannot be reached, or are silent: those are facts, not statistics, and end at once.
//!
//! Modelled on Finagle's failure accrual and Linkerd's breakers, with an epoch against late results.

use std::time::{Duration, Instant};

use crate::{
    limits::{
        BREAKER_GAP, BREAKER_HASTENED, BREAKER_IN_A_ROW, BREAKER_JITTER, BREAKER_OPEN_FIRST,
        BREAKER_OPEN_MAX, BREAKER_RAMP_OK, BREAKER_RATE, BREAKER_RATE_CALLS, BREAKER_RELENT,
    },
    rng::{Rng, unit_f64},
    window::Window,
};

/// When one opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Failures in a row that open it.
    pub in_a_row: u32,
    /// The share of successes below which it opens ...
    pub rate: f64,
    /// ... from so many attempts in ten seconds.
    pub rate_calls: u32,
    /// How long it is open at first; twice as long each time ...
    pub open_first: Duration,
    /// ... and at most.
    pub open_max: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            in_a_row: BREAKER_IN_A_ROW,
            rate: BREAKER_RATE,
            rate_calls: BREAKER_RATE_CALLS,
            open_first: BREAKER_OPEN_FIRST,
            open_max: BREAKER_OPEN_MAX,
        }
    }
}

/// Why an endpoint is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Failures in a row.
    InARow,
    /// Too many failures for its peers.
    SuccessRate,
    /// The probe, or a call soon after it, failed.
    Relapse,
}

impl Cause {
    /// For messages: "after ..".
    pub const fn words(self) -> &'static str {
        match self {
            Self::InARow => "failures in a row",
            Self::SuccessRate => "more failures than its peers",
            Self::Relapse => "another failure when it was tried again",
        }
    }
}

/// What an attempt says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// It works and has too much to do: counts in the rate, not in the row.
    Overloaded,
    /// Nothing: the caller went away, or the call never got there.
    Nothing,
}

/// What was let through; settled exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    epoch: u32,
    probe: bool,
}

impl Ticket {
    /// Whether this attempt decides over the endpoint's return.
    pub const fn is_probe(self) -> bool {
        self.probe
    }

    /// What a closed breaker of this epoch lets through.
    pub const fn of_epoch(epoch: u32) -> Self {
        Self { epoch, probe: false }
    }

    /// Whether it was let through in this epoch.
    pub const fn is_of_epoch(self, epoch: u32) -> bool {
        self.epoch == epoch
    }
}

/// Where a breaker stands, for those who look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Calls go through.
    Closed,
    /// None do, before this.
    Open {
        /// When one may probe.
        until: Instant,
        /// Why.
        cause: Cause,
    },
    /// One is out to see.
    Probing,
    /// Calls go through; the endpoint gets more and more of its share.
    Ramp,
}

/// The breaker of one endpoint.
#[derive(Clone, Debug)]
pub struct Breaker {
    terms: Terms,
    state: State,
    epoch: u32,
    in_a_row: u32,
    /// How often it opened without a time of health after it.
    relapses: u32,
    healthy_since: Instant,
    /// Successes in a row of calls that were let through although it is open.
    in_spite: u32,
    window: Window<3>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant, cause: Cause },
    Probing { cause: Cause },
    Ramp { ok: u32 },
}

/// So many failures in a row are no accident.
const FAILING: u32 = 2;

const GOOD: usize = 0;
const BAD: usize = 1;
const REFUSED: usize = 2;
/// A refusal for overload is so much of a failure: a server that protects itself is not ill, and if it is left out the
/// others get its calls too. One that refuses nearly all, beside others that take theirs, is.
const REFUSAL: f64 = 0.1;

impl Breaker {
    /// Closed.
    pub fn new(terms: Terms, now: Instant) -> Self {
        Self {
            terms,
            state: State::Closed,
            epoch: 0,
            in_a_row: 0,
            relapses: 0,
            healthy_since: now,
            in_spite: 0,
            window: Window::new(now),
        }
    }

    /// Other terms from here on; where it stands, and what it has counted, stays.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Closed => Phase::Closed,
            State::Open { until, cause } => Phase::Open { until, cause },
            State::Probing { .. } => Phase::Probing,
            State::Ramp { .. } => Phase::Ramp,
        }
    }

    /// Whether an attempt may go: a probe, once an opening is over and while no other is out. `None` if not.
    pub fn admit(&mut self, now: Instant) -> Option<Ticket> {
        match self.state {
            State::Closed | State::Ramp { .. } => Some(self.ticket()),
            State::Open { until, cause } if now >= until => {
                self.enter(State::Probing { cause });
                Some(Ticket { epoch: self.epoch, probe: true })
            }
            State::Open { .. } | State::Probing { .. } => None,
        }
    }

    /// A ticket whatever the state: when too many endpoints are out, calls go to all of them, and still count.
    pub fn admit_in_panic(&self) -> Ticket {
        self.ticket()
    }

    fn ticket(&self) -> Ticket {
        Ticket::of_epoch(self.epoch)
    }

    /// How often its state has changed.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether it is closed and has nothing to forget: one more success changes no decision of its, now or later, but
    /// by its count.
    pub const fn is_plain(&self) -> bool {
        matches!(self.state, State::Closed) && self.in_a_row == 0 && self.relapses == 0
    }

    /// Whether the last attempts failed, or it is open because they did.
    pub const fn is_failing(&self) -> bool {
        match self.state {
            State::Open { .. } | State::Probing { .. } => true,
            State::Closed | State::Ramp { .. } => self.in_a_row >= FAILING,
        }
    }

    /// So many attempts were successes while it [was plain](Self::is_plain), the last of them then.
    pub fn succeeded(&mut self, attempts: u64, at: Instant) {
        self.window.add_at(GOOD, attempts, self.window.second(at), at);
    }

    /// What became of an attempt. A cause means: it asks to be opened, by [`open`](Self::open). For its success rate it
    /// ought to be only where it [`falls_behind`] its peers, whom it does not know.
    pub fn settle(&mut self, ticket: Ticket, verdict: Verdict, now: Instant) -> Option<Cause> {
        if ticket.epoch != self.epoch {
            return None;
        }
        match (self.state, verdict) {
            (State::Probing { cause }, Verdict::Nothing) => {
                // The next one may try at once.
                self.enter(State::Open { until: now, cause });
                None
            }
            (_, Verdict::Nothing) | (State::Open { .. }, Verdict::Overloaded) => None,
            (State::Open { .. }, Verdict::Failure) => {
                self.in_spite = 0;
                None
            }
            (State::Open { .. }, Verdict::Success) => {
                self.in_spite += 1;
                if self.in_spite >= BREAKER_RAMP_OK {
                    self.healthy_since = now;
                    self.enter(State::Closed);
                }
                None
            }
            (State::Probing { .. }, Verdict::Success | Verdict::Overloaded) => {
                self.ramp(now);
                None
            }
            (State::Probing { .. } | State::Ramp { .. }, Verdict::Failure) => Some(Cause::Relapse),
            (State::Ramp { ok }, Verdict::Success) => {
                let ok = ok + 1;
                self.state = if ok < BREAKER_RAMP_OK { State::Ramp { ok } } else { State::Closed };
                self.count(GOOD, now);
                None
            }
            (State::Ramp { .. }, Verdict::Overloaded) => None,
            (State::Closed, Verdict::Success) => {
                self.in_a_row = 0;
                self.count(GOOD, now);
                None
            }
            (State::Closed, Verdict::Failure) => {
                self.in_a_row += 1;
                self.count(BAD, now);
                if self.in_a_row >= self.terms.in_a_row {
                    return Some(Cause::InARow);
                }
                self.rate_is_low(now)
            }
            (State::Closed, Verdict::Overloaded) => {
                self.count(REFUSED, now);
                self.rate_is_low(now)
            }
        }
    }

    fn count(&mut self, what: usize, now: Instant) {
        self.window.add(what, 1, now);
        if self.relapses > 0 && now.saturating_duration_since(self.healthy_since) >= BREAKER_RELENT
        {
            self.relapses -= 1;
            self.healthy_since = now;
        }
    }

    fn rate_is_low(&mut self, now: Instant) -> Option<Cause> {
        let rate = self.success_rate(now)?;
        (rate < self.terms.rate).then_some(Cause::SuccessRate)
    }

    /// The share of successes in the last 10 s; `None` where there were too few attempts to tell.
    pub fn success_rate(&mut self, now: Instant) -> Option<f64> {
        let [good, bad, refused] = self.window.sums(now);
        if good + bad + refused < u64::from(self.terms.rate_calls) {
            return None;
        }
        let (good, bad, refused) = (good as f64, bad as f64, refused as f64);
        Some(good / refused.mul_add(REFUSAL, good + bad).max(1e-9))
    }

    /// Opens: twice as long each time, of which chance takes up to a half. Returns until when.
    pub fn open(&mut self, cause: Cause, now: Instant, rng: &mut (impl Rng + ?Sized)) -> Instant {
        let doubled = self.terms.open_first.saturating_mul(1 << self.relapses.min(16));
        let whole = doubled.min(self.terms.open_max).as_secs_f64();
        let pause = Duration::from_secs_f64(whole * (1.0 - BREAKER_JITTER * unit_f64(rng)));
        self.relapses = (self.relapses + 1).min(16);
        self.in_a_row = 0;
        self.healthy_since = now;
        self.window.clear(now);
        let until = now + pause;
        self.enter(State::Open { until, cause });
        until
    }

    /// The others have too much to do: it may try again soon, if it has been open for a while. Whether that is news.
    pub fn hasten(&mut self, now: Instant) -> bool {
        let State::Open { until, .. } = &mut self.state else { return false };
        let sooner = (self.healthy_since + BREAKER_HASTENED).max(now);
        let news = sooner < *until;
        *until = sooner.min(*until);
        news
    }

    /// It may not be opened: too many others are out. It counts from nothing again.
    pub fn stay(&mut self, now: Instant) {
        self.in_a_row = 0;
        self.window.clear(now);
        self.enter(State::Closed);
    }

    fn ramp(&mut self, now: Instant) {
        self.healthy_since = now;
        self.enter(State::Ramp { ok: 0 });
    }

    fn enter(&mut self, state: State) {
        self.epoch = self.epoch.wrapping_add(1);
        self.in_spite = 0;
        self.state = state;
    }
}

/// Whether a success rate is worse than that of its peers: where all are ill, none is the worse.
pub fn falls_behind(rate: f64, peers: f64) -> bool {
    rate < peers - BREAKER_GAP
}

#[cfg(test)]
mod tests;
