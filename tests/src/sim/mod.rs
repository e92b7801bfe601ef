//! A discrete-event simulation of clients and servers around the decision code that production runs.
//!
//! # Why
//! What a balancer, a breaker and a budget are worth shows only in minutes of traffic over many servers. Here the real
//! [`ClientPlan`](sinew_core::plan::client::ClientPlan) decides, time is a number that jumps from event to event, and all chance comes from one seed: a minute
//! of ten thousand calls per second takes a second, and every figure can be had again.
//!
//! ```text
//!   arrive ──> pick ──> reach ──> (queue, workers) ──> done ──> answer ──> settle ──> ok, or failed ──> again?
//!                                                                  ^
//!              the call's deadline ────────────────────────────────+── out of time
//! ```
//! What is simulated is the network and the servers, as simply as can be: a constant time each way, a queue in order of
//! arrival, a number of workers.

pub mod crowd;
mod disturbed;
mod figures;
pub mod overload;
pub mod scenarios;
mod world;

pub use figures::{Bar, Figure};
pub use world::{Choose, Decide, Fate, ServerSpec, Setup, Stats, World};
