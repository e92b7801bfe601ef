//! Where the next attempt of a call goes, or why there is none.
//!
//! # Why
//! Whether a call may be repeated is the one decision that an RPC framework must never get wrong, so it is made here,
//! in one function of plain values, and the shell only does what it says.
//!
//! ```text
//!            begin                 failed, provably never ran
//!   call  ----------->  endpoint  ----------------------------->  the next endpoint in turn
//!                          |      failed, may have run, or answered
//!                          +------------------------------------>  give up
//! ```
//!
//! # Invariants
//! 1. What may have run is not repeated.
//! 2. No more than the allowed number of attempts reaches a server.
//! 3. An endpoint that cannot be reached costs no attempt: nothing was sent.
//!
//! # Not here
//! Time: the caller bounds all of this by the call's deadline.

use std::time::Duration;

use crate::{
    codes::{Code, Directive, Disposition, Reason},
    limits,
    rng::{Rng, below},
};

/// The endpoints of one service, tried in turn: each call begins with the one after the last call's.
#[derive(Debug, Clone)]
pub struct ClientPlan {
    endpoints: usize,
    cursor: usize,
}

/// Where one call stands.
#[derive(Debug, Clone)]
pub struct Turn {
    endpoints: usize,
    at: usize,
    attempts_left: u8,
    /// Endpoints in a row that could not be reached.
    unreachable: usize,
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
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The failure is the call's.
    GiveUp,
    /// Try the turn's endpoint now.
    Next,
    /// Try the turn's endpoint after this long.
    NextAfter(Duration),
    /// No endpoint can be reached: wait until one can, as long as the call is willing to.
    WaitForReady,
}

impl ClientPlan {
    /// A plan for this many endpoints.
    pub const fn new(endpoints: usize) -> Self {
        Self { endpoints, cursor: 0 }
    }

    /// Begins a call with at most `attempts` of them; `None` when there is no endpoint at all.
    pub fn begin(&mut self, attempts: u8) -> Option<Turn> {
        let at = self.cursor;
        if self.endpoints == 0 {
            return None;
        }
        self.cursor = (at + 1) % self.endpoints;
        let attempts_left = attempts.clamp(1, limits::ATTEMPTS_MAX);
        Some(Turn { endpoints: self.endpoints, at, attempts_left, unreachable: 0 })
    }
}

impl Turn {
    /// The endpoint that is to be tried.
    pub const fn endpoint(&self) -> usize {
        self.at
    }

    /// Moves the turn to the nearest endpoint that is ready, if its own is not and another is: a call does not wait
    /// for a connection while it could use one.
    pub fn prefer(&mut self, ready: impl Fn(usize) -> bool) {
        let ahead = (0..self.endpoints).map(|step| (self.at + step) % self.endpoints);
        if let Some(at) = ahead.into_iter().find(|at| ready(*at)) {
            self.at = at;
        }
    }

    /// What follows an attempt that failed; moves the turn to the next endpoint where there is one more attempt.
    pub fn failed(&mut self, failed: Failed, rng: &mut impl Rng) -> Verdict {
        if matches!(failed.directive, Directive::DoNotRetry) {
            return Verdict::GiveUp;
        }
        match failed.disposition {
            Disposition::NotSent if failed.code == Code::Unavailable => self.unreachable(failed),
            Disposition::Rejected
                if matches!(failed.code, Code::Unavailable | Code::ResourceExhausted) =>
            {
                self.rejected(failed, rng)
            }
            Disposition::NotSent
            | Disposition::Rejected
            | Disposition::Unknown
            | Disposition::Processed => Verdict::GiveUp,
        }
    }

    fn unreachable(&mut self, failed: Failed) -> Verdict {
        self.unreachable += 1;
        self.at = (self.at + 1) % self.endpoints;
        if self.unreachable < self.endpoints {
            return Verdict::Next;
        }
        self.unreachable = 0;
        match failed.reason {
            // Somebody else answers there: waiting does not change who it is.
            Reason::WrongIdentity => Verdict::GiveUp,
            _ => Verdict::WaitForReady,
        }
    }

    fn rejected(&mut self, failed: Failed, rng: &mut impl Rng) -> Verdict {
        self.unreachable = 0;
        self.attempts_left -= 1;
        if self.attempts_left == 0 {
            return Verdict::GiveUp;
        }
        self.at = (self.at + 1) % self.endpoints;
        match failed.directive {
            Directive::RetryAfter(wait) => Verdict::NextAfter(wait),
            Directive::RetryElsewhere(_) if self.endpoints > 1 => Verdict::Next,
            Directive::RetryElsewhere(wait) => Verdict::NextAfter(wait),
            Directive::DoNotRetry => Verdict::GiveUp,
            // A server that is leaving sends its calls elsewhere at once; one that is full wants to be left alone.
            Directive::Default if failed.reason == Reason::Draining && self.endpoints > 1 => {
                Verdict::Next
            }
            Directive::Default => Verdict::NextAfter(full_jitter(rng)),
        }
    }
}

/// Full jitter: anywhere between nothing and the first step of the backoff (Brooker, "Exponential Backoff and Jitter").
fn full_jitter(rng: &mut impl Rng) -> Duration {
    let most = u64::try_from(limits::RETRY_BACKOFF_FIRST.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(below(rng, most.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);
    impl Rng for Fixed {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    fn failed(disposition: Disposition, code: Code) -> Failed {
        Failed { code, reason: Reason::None, disposition, directive: Directive::Default }
    }

    fn begin(endpoints: usize, attempts: u8) -> Turn {
        ClientPlan::new(endpoints).begin(attempts).unwrap()
    }

    #[test]
    fn calls_begin_at_one_endpoint_after_the_other() {
        let mut plan = ClientPlan::new(3);
        let begun: Vec<usize> = (0..4).map(|_| plan.begin(1).unwrap().endpoint()).collect();
        assert_eq!(begun, [0, 1, 2, 0]);
        assert!(ClientPlan::new(0).begin(3).is_none());
    }

    #[test]
    fn what_may_have_run_is_never_repeated() {
        for disposition in [Disposition::Unknown, Disposition::Processed] {
            for code in Code::ALL {
                let verdict = begin(3, 5).failed(failed(disposition, code), &mut Fixed(1));
                assert_eq!(verdict, Verdict::GiveUp, "{disposition:?} {code}");
            }
        }
    }

    #[test]
    fn a_rejected_call_reaches_no_more_servers_than_it_has_attempts() {
        let mut turn = begin(8, 3);
        let rejected = failed(Disposition::Rejected, Code::Unavailable);
        let mut reached = 1;
        while turn.failed(rejected, &mut Fixed(1)) != Verdict::GiveUp {
            reached += 1;
        }
        assert_eq!(reached, 3);
    }

    #[test]
    fn endpoints_that_cannot_be_reached_are_each_tried_before_the_call_waits() {
        let mut turn = begin(3, 1);
        let unreachable = failed(Disposition::NotSent, Code::Unavailable);
        let mut tried = vec![turn.endpoint()];
        while turn.failed(unreachable, &mut Fixed(1)) == Verdict::Next {
            tried.push(turn.endpoint());
        }
        assert_eq!(tried, [0, 1, 2]);
    }

    #[test]
    fn a_ready_endpoint_goes_before_one_that_is_not() {
        let mut turn = begin(4, 3);
        turn.prefer(|at| at == 2 || at == 3);
        assert_eq!(turn.endpoint(), 2);
        turn.prefer(|_| false);
        assert_eq!(turn.endpoint(), 2);
    }

    #[test]
    fn waiting_is_no_help_where_somebody_else_answers() {
        let wrong = Failed {
            reason: Reason::WrongIdentity,
            ..failed(Disposition::NotSent, Code::Unavailable)
        };
        assert_eq!(begin(1, 3).failed(wrong, &mut Fixed(1)), Verdict::GiveUp);
    }

    #[test]
    fn what_the_server_asks_for_is_done() {
        let rejected = failed(Disposition::Rejected, Code::ResourceExhausted);
        let wait = Duration::from_millis(70);
        let cases = [
            (Directive::DoNotRetry, 2, Verdict::GiveUp),
            (Directive::RetryAfter(wait), 2, Verdict::NextAfter(wait)),
            (Directive::RetryElsewhere(wait), 2, Verdict::Next),
            (Directive::RetryElsewhere(wait), 1, Verdict::NextAfter(wait)),
        ];
        for (directive, endpoints, expected) in cases {
            let verdict =
                begin(endpoints, 3).failed(Failed { directive, ..rejected }, &mut Fixed(1));
            assert_eq!(verdict, expected, "{directive:?} with {endpoints}");
        }
    }

    #[test]
    fn a_call_with_a_malformed_argument_is_not_tried_again() {
        let malformed = failed(Disposition::Rejected, Code::InvalidArgument);
        assert_eq!(begin(3, 3).failed(malformed, &mut Fixed(1)), Verdict::GiveUp);
    }
}
