//! What retries and hedges are paid from: a share of the calls of the last ten seconds, and a small reserve.
//!
//! # Why
//! Three attempts at each of three layers are 27 times the load, just when a service has none to spare. A budget bounds
//! it whatever fails: every call puts in 0.2, every retry takes out 1, what is not used in 10 s is gone. It counts
//! calls, not calls at the same time: those are fewest when they fail fast, and a budget made of them shrinks with them.
//!
//! ```text
//!   deposit   +0.2 per call, once, at its start                      (overload: +0.1, in a purse of its own)
//!   withdraw  -1 when a retry is scheduled, not when it is sent
//!   reserve   1 per second, at most 10 saved, while fewer than 50 calls came in 10 s: a client of few calls may retry
//!             too, and one of many adds no more than its share
//!   in vain   after 20 retries in a row that failed: +0.1 per call, and nothing of what was saved, until one succeeds
//!             or the last failure is 10 s old
//! ```
//!
//! After Finagle's `RetryBudget`; its reserve is 10 per second, which a thousand clients make ten thousand. That retries
//! in vain cost more is ours: ten seconds of savings hide the death of one server of three, and would triple the load in
//! the first second of an outage of all three, where no retry can help.
//!
//! # Invariants
//! 1. It is never negative.
//! 2. Retries of any time are at most that time's deposits, those of the 10 s before it, and the reserve.
//! 3. In vain they are at most half of that time's deposits, the 20, and 10 more.

use std::time::{Duration, Instant};

use crate::{
    limits::{
        BUDGET_OVERLOAD_SHARE, BUDGET_RESERVE_MAX, BUDGET_RESERVE_PER_S, BUDGET_SHARE,
        BUDGET_VAIN_AFTER, BUDGET_VAIN_SHARE,
    },
    window::Window,
};

/// One retry, in the unit of the purses.
const ONE: u64 = 1000;
const LEFT: usize = 0;
const PAID: usize = 1;

/// What a retry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A failure, or a hedge.
    Any,
    /// A refusal by a server that has too much to do: pays from both purses.
    Overload,
}

/// What calls pay in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Of a retry, for each call.
    pub share: f64,
    /// The same into the purse for refusals by servers that have too much to do; never more than `share`.
    pub overload_share: f64,
    /// Retries a second that need no calls; ten of them are saved.
    pub reserve_per_s: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            share: BUDGET_SHARE,
            overload_share: BUDGET_OVERLOAD_SHARE,
            reserve_per_s: BUDGET_RESERVE_PER_S,
        }
    }
}

/// The budget of one client and one service.
#[derive(Clone, Debug)]
pub struct Budget {
    any: Purse,
    overload: Purse,
    vain: Vain,
}

/// What there is for retries while none succeeds.
#[derive(Clone, Debug)]
struct Vain {
    /// Retries in a row that failed, and the last of them.
    row: u32,
    last: Instant,
    /// Per deposit, and what is left.
    share: u64,
    left: u64,
}

/// How long it counts that retries failed: as long as deposits do.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Thousandths of a retry.
#[derive(Clone, Debug)]
struct Purse {
    /// Per deposit.
    share: u64,
    reserve_per_s: u64,
    /// What is left of the deposits, and what they were.
    window: Window<2>,
    reserve: u64,
    filled: Instant,
}

impl Budget {
    /// With the shares of the defaults.
    pub fn new(now: Instant) -> Self {
        Self::with_share(BUDGET_SHARE, now)
    }

    /// Where a retry costs `1 / share` calls, in thousandths, rounded.
    pub fn with_share(share: f64, now: Instant) -> Self {
        Self::with(Terms { share, ..Terms::default() }, now)
    }

    /// On these terms.
    pub fn with(terms: Terms, now: Instant) -> Self {
        let mut budget = Self {
            any: Purse::new(now),
            overload: Purse::new(now),
            vain: Vain { row: 0, last: now, share: 0, left: BUDGET_RESERVE_MAX * ONE },
        };
        budget.set_terms(terms, now);
        budget
    }

    /// Other terms from here on. What was paid in stays, and what was saved of the reserve too.
    pub fn set_terms(&mut self, terms: Terms, now: Instant) {
        let Terms { share, overload_share, reserve_per_s } = terms;
        for (purse, share) in
            [(&mut self.any, share), (&mut self.overload, overload_share.min(share))]
        {
            // What has passed until now, at the old rate.
            purse.balance(now);
            purse.share = thousandths(share);
            purse.reserve_per_s = u64::from(reserve_per_s);
        }
        self.vain.share = thousandths(BUDGET_VAIN_SHARE.min(share));
    }

    /// So many calls began in this second (of [`second`](Self::second)).
    pub fn deposit(&mut self, calls: u64, second: u64, now: Instant) {
        for purse in [&mut self.any, &mut self.overload] {
            let paid = calls.saturating_mul(purse.share);
            purse.window.add_at(LEFT, paid, second, now);
            purse.window.add_at(PAID, paid, second, now);
        }
        self.vain.earn(calls.saturating_mul(self.vain.share));
    }

    /// A retry was answered, or failed as well.
    pub fn came_to(&mut self, answered: bool, now: Instant) {
        self.vain.row = if answered { 0 } else { self.vain.row.saturating_add(1) };
        self.vain.last = now;
    }

    /// The second that a call which begins now belongs to.
    pub fn second(&self, now: Instant) -> u64 {
        self.any.window.second(now)
    }

    /// Pays for one retry, if there is enough.
    pub fn withdraw(&mut self, purpose: Purpose, now: Instant) -> bool {
        let overload = purpose == Purpose::Overload;
        if self.balance(now) < ONE || (overload && self.overload.balance(now) < ONE) {
            return false;
        }
        if self.vain.is(now) {
            self.vain.left -= ONE;
        }
        self.any.take(now);
        if overload {
            self.overload.take(now);
        }
        true
    }

    /// A retry that was paid for and not sent.
    pub fn refund(&mut self, purpose: Purpose, now: Instant) {
        self.any.give_back(now);
        if self.vain.is(now) {
            self.vain.earn(ONE);
        }
        if purpose == Purpose::Overload {
            self.overload.give_back(now);
        }
    }

    /// Retries that could be paid for now, in thousandths.
    pub fn balance(&mut self, now: Instant) -> u64 {
        let saved = self.any.balance(now);
        if self.vain.is(now) { saved.min(self.vain.left) } else { saved }
    }

    /// Whether half of what there could be is left: of what ten seconds of calls have paid in, and of the reserve.
    pub fn is_half_full(&mut self, now: Instant) -> bool {
        let most = self.any.window.sums(now)[PAID] + BUDGET_RESERVE_MAX * ONE;
        self.balance(now) * 2 >= most
    }
}

impl Vain {
    fn is(&self, now: Instant) -> bool {
        self.row >= BUDGET_VAIN_AFTER && now.saturating_duration_since(self.last) < REMEMBERED
    }

    fn earn(&mut self, thousandths: u64) {
        self.left = self.left.saturating_add(thousandths).min(BUDGET_RESERVE_MAX * ONE);
    }
}

fn thousandths(share: f64) -> u64 {
    (share * ONE as f64).round() as u64
}

impl Purse {
    fn new(now: Instant) -> Self {
        Self {
            share: 0,
            reserve_per_s: 0,
            window: Window::new(now),
            reserve: BUDGET_RESERVE_MAX * ONE,
            filled: now,
        }
    }

    fn balance(&mut self, now: Instant) -> u64 {
        let sums = self.window.sums(now);
        if sums[PAID] < BUDGET_RESERVE_MAX * ONE {
            let passed = now.saturating_duration_since(self.filled).as_millis();
            let filled =
                u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(self.reserve_per_s);
            self.reserve = self.reserve.saturating_add(filled).min(BUDGET_RESERVE_MAX * ONE);
        }
        self.filled = self.filled.max(now);
        sums[LEFT].saturating_add(self.reserve)
    }

    fn take(&mut self, now: Instant) {
        // Deposits first: they expire.
        let missing = self.window.take(LEFT, ONE, now);
        self.reserve = self.reserve.saturating_sub(missing);
    }

    fn give_back(&mut self, now: Instant) {
        self.window.add(LEFT, ONE, now);
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, time::Duration};

    use super::*;
    use crate::{
        rng::{SplitMix, below},
        tests::start,
    };

    /// Retries that 10,000 failing calls in one moment get.
    fn retries(share: f64) -> u64 {
        let now = start();
        let mut budget = Budget::with_share(share, now);
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.deposit(1, budget.second(now), now);
            retries += u64::from(budget.withdraw(Purpose::Any, now));
        }
        while budget.withdraw(Purpose::Any, now) {
            retries += 1;
        }
        retries
    }

    #[test]
    fn retries_are_the_share_of_the_calls_and_the_reserve() {
        for share in [0.001, 0.1, 0.2, 0.25, 0.5, 0.99, 2.0] {
            let expected = (10_000.0 * share) as u64 + BUDGET_RESERVE_MAX;
            assert!(retries(share).abs_diff(expected) <= 1, "{share}: {}", retries(share));
        }
    }

    #[test]
    fn deposits_are_gone_after_ten_seconds_and_the_reserve_is_not() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        budget.deposit(1000, 0, t0);
        assert_eq!(budget.balance(t0), 200_000 + BUDGET_RESERVE_MAX * 1000);
        let later = t0 + Duration::from_secs(10);
        assert_eq!(budget.balance(later), BUDGET_RESERVE_MAX * 1000);
    }

    #[test]
    fn the_reserve_fills_by_one_a_second() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        while budget.withdraw(Purpose::Any, t0) {}
        assert!(!budget.withdraw(Purpose::Any, t0 + Duration::from_millis(999)));
        assert!(budget.withdraw(Purpose::Any, t0 + Duration::from_millis(1000)));
        assert!(!budget.withdraw(Purpose::Any, t0 + Duration::from_millis(1900)));
    }

    #[test]
    fn retries_in_vain_spend_no_savings() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        budget.deposit(5000, 0, t0);
        let at = |seconds| t0 + Duration::from_secs(seconds);
        // 500 calls a second, which all fail, and their retries as well.
        let mut retries = 0;
        for second in 1..=10 {
            for _ in 0..500 {
                budget.deposit(1, second, at(second));
                if budget.withdraw(Purpose::Any, at(second)) {
                    budget.came_to(false, at(second));
                    retries += 1;
                }
            }
        }
        let most = 5000 / 10 + u64::from(BUDGET_VAIN_AFTER) + BUDGET_RESERVE_MAX;
        assert!((most - 5..=most).contains(&retries), "{retries} of {most}");
        // One that succeeds opens the savings again.
        assert!(budget.balance(at(10)) <= BUDGET_RESERVE_MAX * ONE);
        budget.came_to(true, at(10));
        assert!(budget.balance(at(10)) > 400 * ONE);
    }

    #[test]
    fn that_retries_were_in_vain_is_forgotten() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        let at = |seconds| t0 + Duration::from_secs(seconds);
        for _ in 0..BUDGET_VAIN_AFTER {
            budget.came_to(false, at(1));
        }
        budget.deposit(1000, 9, at(9));
        assert_eq!(budget.balance(at(10)), BUDGET_RESERVE_MAX * ONE);
        assert_eq!(budget.balance(at(11)), 200 * ONE + BUDGET_RESERVE_MAX * ONE);
    }

    #[test]
    fn the_reserve_does_not_fill_while_calls_are_many() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        let mut retries = 0;
        for second in 0..60 {
            let now = t0 + Duration::from_secs(second);
            budget.deposit(100, second, now);
            while budget.withdraw(Purpose::Any, now) {
                retries += 1;
            }
        }
        assert_eq!(retries, 60 * 20 + BUDGET_RESERVE_MAX);
    }

    #[test]
    fn overload_pays_from_both_purses() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        budget.deposit(1000, 0, t0);
        let count = |budget: &mut Budget, purpose| {
            std::iter::from_fn(|| budget.withdraw(purpose, t0).then_some(())).count() as u64
        };
        assert_eq!(count(&mut budget, Purpose::Overload), 100 + BUDGET_RESERVE_MAX);
        assert_eq!(count(&mut budget, Purpose::Any), 100);
    }

    #[test]
    fn half_full_is_half_of_what_calls_paid_in_and_of_the_reserve() {
        let t0 = start();
        for (calls, most) in [(0, 10), (1000, 210)] {
            let mut budget = Budget::new(t0);
            budget.deposit(calls, 0, t0);
            let mut retries = 0;
            while budget.is_half_full(t0) {
                assert!(budget.withdraw(Purpose::Any, t0));
                retries += 1;
            }
            assert_eq!(retries, most / 2 + 1, "{calls}");
        }
    }

    #[test]
    fn what_is_paid_and_not_sent_is_given_back() {
        let t0 = start();
        let mut budget = Budget::new(t0);
        let before = budget.balance(t0);
        for purpose in [Purpose::Any, Purpose::Overload] {
            assert!(budget.withdraw(purpose, t0));
            budget.refund(purpose, t0);
            assert_eq!(budget.balance(t0), before);
        }
    }

    /// What both purses hold.
    fn purses(budget: &mut Budget, now: Instant) -> (u64, u64) {
        (budget.any.balance(now), budget.overload.balance(now))
    }

    fn emptied(t0: Instant) -> Budget {
        let mut budget = Budget::new(t0);
        while budget.withdraw(Purpose::Overload, t0) {}
        budget
    }

    #[test]
    fn every_state_answers_every_event() {
        let t0 = start();
        let paid = |calls| {
            let mut budget = emptied(t0);
            budget.deposit(calls, 0, t0);
            budget
        };
        let states = [
            ("new", Budget::new(t0)),
            ("empty", emptied(t0)),
            ("of few calls", paid(7)),
            ("of many", paid(50)),
        ];
        let mut table = String::new();
        for (state, made) in states {
            for event in ["call", "retry", "overload", "refund", "refunded overload", "1 s", "10 s"]
            {
                let mut budget = made.clone();
                let mut now = t0;
                let mut paid = true;
                match event {
                    "call" => budget.deposit(1, 0, t0),
                    "retry" => paid = budget.withdraw(Purpose::Any, t0),
                    "overload" => paid = budget.withdraw(Purpose::Overload, t0),
                    "refund" => budget.refund(Purpose::Any, t0),
                    "refunded overload" => budget.refund(Purpose::Overload, t0),
                    "1 s" => now += Duration::from_secs(1),
                    _ => now += Duration::from_secs(10),
                }
                let (any, overload) = purses(&mut budget, now);
                let refused = if paid { "" } else { " refused" };
                writeln!(table, "{state:<12} {event:<17} {any:>5} {overload:>5}{refused}").unwrap();
            }
        }
        assert_eq!(table, STATES);
    }

    /// Thousandths of a retry in the two purses.
    const STATES: &str = "\
new          call              10200 10100
new          retry              9000 10000
new          overload           9000  9000
new          refund            11000 10000
new          refunded overload 11000 11000
new          1 s               10000 10000
new          10 s              10000 10000
empty        call                200   100
empty        retry                 0     0 refused
empty        overload              0     0 refused
empty        refund             1000     0
empty        refunded overload  1000  1000
empty        1 s                1000  1000
empty        10 s              10000 10000
of few calls call               1600   800
of few calls retry               400   700
of few calls overload           1400   700 refused
of few calls refund             2400   700
of few calls refunded overload  2400  1700
of few calls 1 s                2400  1700
of few calls 10 s              10000 10000
of many      call              10200  5100
of many      retry              9000  5000
of many      overload           9000  4000
of many      refund            11000  5000
of many      refunded overload 11000  6000
of many      1 s               10000  6000
of many      10 s              10000 10000
";

    /// Against books kept beside it: nothing is paid that is not there, what is paid is gone, and what is refused costs
    /// nothing.
    #[test]
    fn whatever_happens_it_is_never_negative_and_its_books_balance() {
        for seed in 0..100 {
            let mut rng = SplitMix::new(seed);
            let mut now = start();
            let mut budget = Budget::new(now);
            let mut paid_out = Vec::new();
            for _ in 0..1000 {
                now += Duration::from_millis(below(&mut rng, 40));
                let before = purses(&mut budget, now);
                let purpose = [Purpose::Any, Purpose::Overload][below(&mut rng, 2) as usize];
                let expected = match below(&mut rng, 10) {
                    0..=4 => {
                        let calls = below(&mut rng, 4);
                        budget.deposit(calls, budget.second(now), now);
                        (before.0 + 200 * calls, before.1 + 100 * calls)
                    }
                    9 => match paid_out.pop() {
                        Some(purpose) => {
                            budget.refund(purpose, now);
                            let both = if purpose == Purpose::Overload { ONE } else { 0 };
                            (before.0 + ONE, before.1 + both)
                        }
                        None => before,
                    },
                    _ => {
                        let both = purpose == Purpose::Overload;
                        let enough = before.0 >= ONE && (!both || before.1 >= ONE);
                        assert_eq!(budget.withdraw(purpose, now), enough, "seed {seed}");
                        if enough {
                            paid_out.push(purpose);
                            (before.0 - ONE, before.1 - if both { ONE } else { 0 })
                        } else {
                            before
                        }
                    }
                };
                assert_eq!(purses(&mut budget, now), expected, "seed {seed}");
            }
        }
    }
}
