//! Policies: each decides one thing, and none knows another. They meet in [`plan`](crate::plan).
//!
//! All have the same verbs, so that reading one teaches all: `new` starts; `admit` says whether an attempt may go, with
//! a ticket if so; `settle` hears what became of it, once per ticket. Time and chance are arguments.

pub mod aperture;
pub mod authorize;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod copies;
pub mod cut;
pub mod hedge;
pub mod limit;
pub mod queue;
pub mod rendezvous;
pub mod retry;
pub mod roster;
pub mod silence;
pub mod stride;
pub mod throttle;
pub mod zone;
