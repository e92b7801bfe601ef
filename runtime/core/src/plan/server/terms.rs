//! What the plan is told of a server and of a call, and what it says.

use std::time::Instant;

use super::{Seat, Unqueued};
use crate::{
    codes::Criticality,
    limits::{CONCURRENCY_MAX, CONCURRENCY_START},
    wire::answer::AdmissionCut,
};

/// How many calls a server works on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as it finds that it can: [`policy::limit`](crate::policy::limit).
    Adaptive {
        /// At first.
        initial: u32,
        /// At most.
        max: u32,
    },
    /// So many.
    Fixed(u32),
    /// As many as come.
    Unlimited,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self::Adaptive { initial: CONCURRENCY_START, max: CONCURRENCY_MAX }
    }
}

/// Which mechanisms are at work. What is off is off for comparison.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How many calls are at work.
    pub concurrency: Concurrency,
    /// Cores of the machine: an adaptive limit stays at or above twice as many.
    pub cores: u32,
    /// Whether a wait is bounded.
    pub bounded_wait: bool,
    /// Whether a call that waited, and cannot end in time, is refused.
    pub feasibility: bool,
    /// Whether calls are shed by their class and user.
    pub cut: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            cores: 1,
            bounded_wait: true,
            feasibility: true,
            cut: true,
        }
    }
}

/// What the plan has to know of a call.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    /// How much it matters.
    pub class: Criticality,
    /// Whom it is for, as a hash; any number where that is not known.
    pub key: u16,
    /// When it is too late.
    pub deadline: Option<Instant>,
}

/// What becomes of a call that came.
#[derive(Debug)]
pub enum Arrived {
    /// It has a place, to be given back by [`ServerPlan::leave`](super::ServerPlan::leave).
    Begins,
    /// It waits for one: [`Seat::poll`], and [`ServerPlan::give_up`](super::ServerPlan::give_up) if it does not.
    Waits(Seat),
    /// It has none.
    Refused(Refused),
}

/// Why a call has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Calls as little critical as this are shed at present.
    Shed,
    /// There is nothing to be had by waiting.
    Queue(Unqueued),
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Calls at work.
    pub at_work: u32,
    /// How many may be; `None` for any number.
    pub limit: Option<u32>,
    /// Calls that wait.
    pub waiting: u32,
    /// What is shed.
    pub cut: Option<AdmissionCut>,
}
