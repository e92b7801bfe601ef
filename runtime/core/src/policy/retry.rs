//! Whether an attempt that failed is made again, and what that costs.
//!
//! # Why
//! Peers ask this of one ambiguous code. Here the answering side says whether the handler ran, the trait says whether
//! running twice is harmless, and only the two together decide. It is one function of plain values: the decision that an
//! RPC framework must never get wrong is read in one screen.
//!
//! ```text
//!                 not sent          rejected                 maybe processed        processed
//!   any method    elsewhere, free   elsewhere, paid;         no                     no
//!                                   by drain first free
//!   idempotent    the same          the same                 Unavailable, DataLoss  Unavailable, not relayed
//!                                                          and what the policy adds, not relayed
//!   directive     do not retry: never. retry after: not before. retry elsewhere: not here
//! ```
//!
//! # Not here
//! Whether there is a budget, time or endpoint left: the plan's.

use std::time::Duration;

use crate::{
    codes::{Code, Codes, Directive, Disposition, Origin, Reason},
    limits::{RETRY_BACKOFF_FIRST, RETRY_BACKOFF_MAX},
    rng::{Rng, below},
};

/// How long is waited between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The longest first pause; twice as long each time ...
    pub first: Duration,
    /// ... and at most.
    pub max: Duration,
    /// What idempotent methods are called again for besides, whether they ran or may have. Not what was relayed: who answered
    /// so has seen to it.
    pub also: Codes,
}

impl Default for Terms {
    fn default() -> Self {
        Self { first: RETRY_BACKOFF_FIRST, max: RETRY_BACKOFF_MAX, also: Codes::NONE }
    }
}

/// What is known of an attempt that gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// The canonical code.
    pub code: Code,
    /// The exact reason.
    pub reason: Reason,
    /// How far the attempt came.
    pub disposition: Disposition,
    /// What the server asks for.
    pub directive: Directive,
    /// Who noticed.
    pub origin: Origin,
}

/// What may follow, as far as the failure goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Nothing: it may have run, or trying again is no use.
    No,
    /// At another endpoint, at no cost: nothing was sent.
    Unreached,
    /// At another endpoint.
    Yes {
        /// What it costs.
        cost: Cost,
        /// Not before this.
        wait: Duration,
        /// The same endpoint may serve it, if there is no other.
        here_too: bool,
    },
}

/// What a further attempt costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: the first refusal by a server that drains.
    Free,
    /// One of the budget.
    Usual,
    /// One of the budget, and one of the smaller purse for refusals by servers that have too much to do.
    Overload,
}

/// What one call has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// Attempts that reached a server, this one included.
    pub attempts: u8,
    /// It was sent elsewhere by a server that drains before.
    pub drained: bool,
}

/// Whether the call may go again after this.
pub fn again(
    failed: &Failed,
    idempotent: bool,
    past: Past,
    terms: Terms,
    rng: &mut impl Rng,
) -> Again {
    if matches!(failed.directive, Directive::DoNotRetry) {
        return Again::No;
    }
    let told = match failed.directive {
        Directive::RetryAfter(wait) | Directive::RetryElsewhere(wait) => Some(wait),
        Directive::Default | Directive::DoNotRetry => None,
    };
    let here_too = !matches!(failed.directive, Directive::RetryElsewhere(_));
    // Drawn whether it is needed or not: one draw per decision, so that a seed means the same sequence.
    let wait = match told {
        Some(told) => spread(told, rng),
        None => backoff(past.attempts, terms, rng),
    };
    match failed.disposition {
        Disposition::NotSent if failed.code == Code::Unavailable => Again::Unreached,
        Disposition::NotSent => Again::No,
        Disposition::Rejected if failed.reason == Reason::Draining => Again::Yes {
            cost: if past.drained { Cost::Usual } else { Cost::Free },
            wait: Duration::ZERO,
            here_too: false,
        },
        Disposition::Rejected => match failed.code {
            Code::ResourceExhausted => Again::Yes { cost: Cost::Overload, wait, here_too },
            Code::Unavailable => Again::Yes { cost: Cost::Usual, wait, here_too },
            _ => Again::No,
        },
        Disposition::Unknown | Disposition::Processed if !idempotent => Again::No,
        Disposition::Unknown if matches!(failed.code, Code::Unavailable | Code::DataLoss) => {
            Again::Yes { cost: Cost::Usual, wait, here_too }
        }
        Disposition::Processed
            if failed.code == Code::Unavailable && !matches!(failed.origin, Origin::Relayed) =>
        {
            Again::Yes { cost: Cost::Usual, wait, here_too }
        }
        Disposition::Processed if told.is_some() => {
            Again::Yes { cost: Cost::Usual, wait, here_too }
        }
        Disposition::Unknown | Disposition::Processed
            if terms.also.contains(failed.code) && !matches!(failed.origin, Origin::Relayed) =>
        {
            Again::Yes { cost: Cost::Usual, wait, here_too }
        }
        Disposition::Unknown | Disposition::Processed => Again::No,
    }
}

/// Full jitter: anywhere between nothing and 25 ms, 50, 100, 200, 250 (Brooker, "Exponential Backoff and Jitter").
fn backoff(attempts: u8, terms: Terms, rng: &mut impl Rng) -> Duration {
    let steps = u32::from(attempts.saturating_sub(1).min(8));
    let most = terms.first.saturating_mul(1 << steps).min(terms.max);
    Duration::from_micros(below(rng, most.as_micros() as u64 + 1))
}

/// What a server asks for is kept, and up to a half more by chance: its callers must not come back in step.
fn spread(told: Duration, rng: &mut impl Rng) -> Duration {
    let half = u64::try_from(told.as_micros() / 2).unwrap_or(u64::MAX);
    told.saturating_add(Duration::from_micros(below(rng, half.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::rng::SplitMix;

    fn failed(disposition: Disposition, code: Code) -> Failed {
        Failed {
            code,
            reason: Reason::None,
            disposition,
            directive: Directive::Default,
            origin: Origin::PeerRuntime,
        }
    }

    fn may(failed: Failed, idempotent: bool) -> bool {
        again(
            &failed,
            idempotent,
            Past { attempts: 1, drained: false },
            Terms::default(),
            &mut SplitMix::new(1),
        ) != Again::No
    }

    #[test]
    fn what_may_have_run_is_never_repeated_unless_that_is_harmless() {
        for code in Code::ALL {
            for directive in [
                Directive::Default,
                Directive::RetryAfter(Duration::ZERO),
                Directive::RetryElsewhere(Duration::ZERO),
                Directive::DoNotRetry,
            ] {
                for disposition in [Disposition::Unknown, Disposition::Processed] {
                    let failed = Failed { directive, ..failed(disposition, code) };
                    assert!(!may(failed, false), "{failed:?}");
                }
            }
        }
    }

    #[test]
    fn every_code_and_disposition_has_its_answer() {
        let mut table = Vec::new();
        for code in Code::ALL {
            let cells: String = [
                (Disposition::NotSent, false),
                (Disposition::Rejected, false),
                (Disposition::Unknown, true),
                (Disposition::Processed, true),
            ]
            .map(
                |(disposition, idempotent)| {
                    if may(failed(disposition, code), idempotent) { 'y' } else { '-' }
                },
            )
            .iter()
            .collect();
            if cells != "----" {
                table.push(format!("{code} {cells}"));
            }
        }
        // Not sent, rejected, maybe processed, processed; of an idempotent method.
        assert_eq!(table, ["ResourceExhausted -y--", "Unavailable yyyy", "DataLoss --y-"]);
    }

    #[test]
    fn a_policy_adds_codes_for_what_may_run_twice_and_for_nothing_else() {
        let also = [Code::Internal, Code::Aborted].into_iter().collect();
        let terms = Terms { also, ..Terms::default() };
        let past = Past { attempts: 1, drained: false };
        let may = |failed: Failed, idempotent| {
            again(&failed, idempotent, past, terms, &mut SplitMix::new(1)) != Again::No
        };
        for code in Code::ALL {
            for disposition in [Disposition::Unknown, Disposition::Processed] {
                let added = matches!(code, Code::Internal | Code::Aborted);
                let failed = failed(disposition, code);
                assert!(!may(failed, false), "{failed:?}");
                assert!(may(failed, true) || !added, "{failed:?}");
                let relayed = Failed { origin: Origin::Relayed, ..failed };
                assert!(!(added && may(relayed, true)), "{relayed:?}");
                let told = Failed { directive: Directive::DoNotRetry, ..failed };
                assert!(!may(told, true), "{told:?}");
            }
            // What surely did not run is none of this.
            let rejected = failed(Disposition::Rejected, code);
            let usual = matches!(code, Code::ResourceExhausted | Code::Unavailable);
            assert_eq!(may(rejected, true), usual, "{rejected:?}");
        }
    }

    /// The longest wait that chance can give.
    struct Longest;
    impl Rng for Longest {
        fn next_u64(&mut self) -> u64 {
            u64::MAX
        }
    }

    #[test]
    fn every_state_answers_every_event() {
        let told = Duration::from_millis(70);
        let unavailable = |disposition| failed(disposition, Code::Unavailable);
        let rejected = unavailable(Disposition::Rejected);
        let lost = unavailable(Disposition::Unknown);
        let events = [
            ("not sent", unavailable(Disposition::NotSent)),
            ("drains", Failed { reason: Reason::Draining, ..rejected }),
            ("full", Failed { code: Code::ResourceExhausted, ..rejected }),
            ("refused", rejected),
            ("lost", lost),
            ("answered so", unavailable(Disposition::Processed)),
            ("retry after", Failed { directive: Directive::RetryAfter(told), ..lost }),
            ("elsewhere", Failed { directive: Directive::RetryElsewhere(told), ..lost }),
            ("do not retry", Failed { directive: Directive::DoNotRetry, ..rejected }),
        ];
        let states = [
            ("first", Past { attempts: 1, drained: false }),
            ("second", Past { attempts: 2, drained: false }),
            ("sent away", Past { attempts: 2, drained: true }),
        ];
        let mut table = String::new();
        for (state, past) in states {
            for (event, failed) in &events {
                let mut row = format!("{state:<9} {event:<12}");
                // What may be repeated, and what may not.
                for idempotent in [true, false] {
                    let cell = match again(failed, idempotent, past, Terms::default(), &mut Longest)
                    {
                        Again::No => "no".to_owned(),
                        Again::Unreached => "unreached".to_owned(),
                        Again::Yes { cost, wait, here_too } => {
                            let place = if here_too { "anywhere" } else { "elsewhere" };
                            format!("{cost:?}, {} ms, {place}", wait.as_millis())
                        }
                    };
                    write!(row, " | {cell:<27}").unwrap();
                }
                writeln!(table, "{}", row.trim_end()).unwrap();
            }
        }
        assert_eq!(table, STATES);
    }

    const STATES: &str = "\
first     not sent     | unreached                   | unreached
first     drains       | Free, 0 ms, elsewhere       | Free, 0 ms, elsewhere
first     full         | Overload, 25 ms, anywhere   | Overload, 25 ms, anywhere
first     refused      | Usual, 25 ms, anywhere      | Usual, 25 ms, anywhere
first     lost         | Usual, 25 ms, anywhere      | no
first     answered so  | Usual, 25 ms, anywhere      | no
first     retry after  | Usual, 105 ms, anywhere     | no
first     elsewhere    | Usual, 105 ms, elsewhere    | no
first     do not retry | no                          | no
second    not sent     | unreached                   | unreached
second    drains       | Free, 0 ms, elsewhere       | Free, 0 ms, elsewhere
second    full         | Overload, 50 ms, anywhere   | Overload, 50 ms, anywhere
second    refused      | Usual, 50 ms, anywhere      | Usual, 50 ms, anywhere
second    lost         | Usual, 50 ms, anywhere      | no
second    answered so  | Usual, 50 ms, anywhere      | no
second    retry after  | Usual, 105 ms, anywhere     | no
second    elsewhere    | Usual, 105 ms, elsewhere    | no
second    do not retry | no                          | no
sent away not sent     | unreached                   | unreached
sent away drains       | Usual, 0 ms, elsewhere      | Usual, 0 ms, elsewhere
sent away full         | Overload, 50 ms, anywhere   | Overload, 50 ms, anywhere
sent away refused      | Usual, 50 ms, anywhere      | Usual, 50 ms, anywhere
sent away lost         | Usual, 50 ms, anywhere      | no
sent away answered so  | Usual, 50 ms, anywhere      | no
sent away retry after  | Usual, 105 ms, anywhere     | no
sent away elsewhere    | Usual, 105 ms, elsewhere    | no
sent away do not retry | no                          | no
";

    #[test]
    fn a_relayed_failure_is_not_repeated() {
        let relayed =
            Failed { origin: Origin::Relayed, ..failed(Disposition::Processed, Code::Unavailable) };
        assert!(!may(relayed, true));
    }

    #[test]
    fn do_not_retry_means_it() {
        for disposition in [Disposition::NotSent, Disposition::Rejected, Disposition::Unknown] {
            let failed = Failed {
                directive: Directive::DoNotRetry,
                ..failed(disposition, Code::Unavailable)
            };
            assert!(!may(failed, true));
        }
    }

    #[test]
    fn the_first_refusal_by_a_server_that_drains_is_free_and_at_once() {
        let failed =
            Failed { reason: Reason::Draining, ..failed(Disposition::Rejected, Code::Unavailable) };
        let mut past = Past { attempts: 1, drained: false };
        let rng = &mut SplitMix::new(1);
        for cost in [Cost::Free, Cost::Usual] {
            let expected = Again::Yes { cost, wait: Duration::ZERO, here_too: false };
            assert_eq!(again(&failed, false, past, Terms::default(), rng), expected);
            past.drained = true;
        }
    }

    #[test]
    fn waits_grow_by_chance_to_the_longest_and_what_is_told_is_kept() {
        let rng = &mut SplitMix::new(1);
        let lost = failed(Disposition::Unknown, Code::Unavailable);
        for (attempts, most) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (9, 250)] {
            let mut longest = Duration::ZERO;
            for _ in 0..1000 {
                let past = Past { attempts, drained: false };
                let Again::Yes { wait, .. } = again(&lost, true, past, Terms::default(), rng)
                else {
                    panic!()
                };
                longest = longest.max(wait);
            }
            let most = Duration::from_millis(most);
            assert!(longest <= most && longest > most * 9 / 10, "{attempts}: {longest:?}");
        }
        let told = Duration::from_millis(70);
        let failed = Failed { directive: Directive::RetryAfter(told), ..lost };
        for _ in 0..1000 {
            let past = Past { attempts: 1, drained: false };
            let Again::Yes { wait, .. } = again(&failed, true, past, Terms::default(), rng) else {
                panic!()
            };
            assert!((told..=told * 3 / 2).contains(&wait), "{wait:?}");
        }
    }
}
