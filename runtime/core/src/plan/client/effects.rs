//! What an attempt's outcome means to breaker, latency and throttle: one table, read in one place.
//!
//! ```text
//!   outcome                                 breaker      latency                throttle
//!   a value, or the service's own error     success      what it took           accepted
//!   a status that blames the request        success      what it took           accepted
//!   Unavailable, DataLoss                   failure      penalty                accepted
//!   Internal                                failure      what it took           accepted
//!   refused: too much to do                 overloaded   penalty, as told       refused
//!   refused: calls like it are shed         nothing      none                   refused
//!   refused: drains                         nothing      none                   none
//!   refused: anything else                  nothing      none                   accepted
//!   maybe processed, Unavailable            failure      penalty                accepted
//!   not sent                                nothing      none                   none
//!   out of time, and there was enough       failure      at least what it took  accepted
//!   out of time, and there was little       nothing      if that raises it      accepted
//!   given up by its caller, or for a hedge  nothing      if that raises it      none
//! ```

use std::time::Duration;

use crate::{
    codes::{Code, Directive, Disposition, Reason},
    limits::FAILURE_PENALTY,
    policy::{breaker::Verdict, retry::Failed},
};

/// What became of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// The service answered, with a value or an error of its own.
    Answered,
    /// There is a status in place of an answer; `had` is the time that the attempt had when it was sent.
    Failed {
        /// What is known of it.
        failed: &'a Failed,
        /// The time that it had; `None` for any.
        had: Option<Duration>,
    },
    /// Nobody waits for it any more.
    Abandoned,
}

/// What an attempt says of its endpoint's latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// Nothing.
    None,
    /// What it took.
    Took,
    /// A failure: it costs at least this, and what it took, until there is an answer.
    AtLeast(Duration),
    /// What it took, if that is more than is known.
    IfRaises,
}

/// What it means to the throttle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleEffect {
    /// Nothing.
    None,
    /// The service took it.
    Accepted,
    /// The service refused it.
    Refused,
}

/// What it means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects {
    /// To the endpoint's breaker.
    pub breaker: Verdict,
    /// To its latency.
    pub sample: Sample,
    /// To the throttle of the service.
    pub throttle: ThrottleEffect,
}

/// A time-out is the endpoint's fault where the attempt had so many times what is typical ...
const ENOUGH: u32 = 10;
/// ... and where nothing is typical yet, this.
const ENOUGH_UNKNOWN: Duration = Duration::from_secs(1);

/// Whether a failure is the service's own answer, that another server would give as well.
pub fn is_answer(failed: &Failed) -> bool {
    effects(Outcome::Failed { failed, had: None }, || None).breaker == Verdict::Success
}

/// The table above. `typical` is what an answer takes there.
pub fn effects(outcome: Outcome<'_>, typical: impl FnOnce() -> Option<Duration>) -> Effects {
    let of = |breaker, sample, throttle| Effects { breaker, sample, throttle };
    let (failed, had) = match outcome {
        Outcome::Answered => {
            return of(Verdict::Success, Sample::Took, ThrottleEffect::Accepted);
        }
        Outcome::Abandoned => return of(Verdict::Nothing, Sample::IfRaises, ThrottleEffect::None),
        Outcome::Failed { failed, had } => (failed, had),
    };
    let penalty = match failed.directive {
        Directive::RetryAfter(wait) | Directive::RetryElsewhere(wait) => wait.min(FAILURE_PENALTY),
        Directive::Default | Directive::DoNotRetry => FAILURE_PENALTY,
    };
    let penalty = Sample::AtLeast(penalty);
    match (failed.disposition, failed.code) {
        (Disposition::NotSent, _) => of(Verdict::Nothing, Sample::None, ThrottleEffect::None),
        (Disposition::Rejected, _) if failed.reason == Reason::Draining => {
            of(Verdict::Nothing, Sample::None, ThrottleEffect::None)
        }
        (Disposition::Rejected, _) if failed.reason == Reason::Shed => {
            of(Verdict::Nothing, Sample::None, ThrottleEffect::Refused)
        }
        (Disposition::Rejected, Code::ResourceExhausted) => {
            of(Verdict::Overloaded, penalty, ThrottleEffect::Refused)
        }
        (Disposition::Rejected, Code::Unavailable) => {
            of(Verdict::Failure, penalty, ThrottleEffect::Accepted)
        }
        (Disposition::Rejected, _) => of(Verdict::Nothing, Sample::None, ThrottleEffect::Accepted),
        (_, Code::DeadlineExceeded) => {
            let enough = typical().map_or(ENOUGH_UNKNOWN, |typical| typical * ENOUGH);
            if had.is_none_or(|had| had >= enough) {
                let took = Sample::AtLeast(Duration::ZERO);
                return of(Verdict::Failure, took, ThrottleEffect::Accepted);
            }
            of(Verdict::Nothing, Sample::IfRaises, ThrottleEffect::Accepted)
        }
        (_, Code::Unavailable | Code::DataLoss) => {
            of(Verdict::Failure, penalty, ThrottleEffect::Accepted)
        }
        (_, Code::Internal) => of(Verdict::Failure, Sample::Took, ThrottleEffect::Accepted),
        (_, Code::ResourceExhausted) => of(Verdict::Overloaded, penalty, ThrottleEffect::Accepted),
        (_, Code::Cancelled) => of(Verdict::Nothing, Sample::IfRaises, ThrottleEffect::None),
        _ => of(Verdict::Success, Sample::Took, ThrottleEffect::Accepted),
    }
}
