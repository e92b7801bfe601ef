//! The decisions and the bytes of sinew: everything that can be said without a clock, a socket or
//! chance.
//!
//! # Why
//! What decides must be testable by the thousand, in virtual time, under one seed. So the crate
//! that decides cannot even name a runtime: the moment and the randomness are arguments, and the
//! shell in crate `sinew` brings them.
//!
//! # Reading order
//! ```text
//!   rng, sha256, ids, codes, limits      words: they name things and do nothing
//!   wire::{varint, malformed, read}      numbers and texts as bytes
//!   deadline, age, backoff, ramp         arithmetic of time
//!   window, digest                       what happened lately
//!   spiffe, metadata, ledger             who calls, what travels along, where the time went
//!   wire                                 frames and heads, as docs/wire.md specifies them
//!   policy                               each decides one thing and knows no other
//!   plan                                 what to do next: the only place where policies meet
//! ```
//! Each line uses those above it and none below.
//!
//! # Invariants
//! 1. No clock, thread, socket, log or source of randomness; `clippy.toml` refuses them by name.
//! 2. No `HashMap`: nothing here has an order that differs from run to run.
//! 3. Everything that a peer can make grow has a bound in [`limits`], charged before allocating.

pub mod age;
pub mod backoff;
pub mod codes;
pub mod deadline;
pub mod digest;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod metadata;
pub mod plan;
pub mod policy;
pub mod ramp;
pub mod rng;
pub mod sha256;
pub mod spiffe;
#[cfg(test)]
mod tests;
pub mod window;
pub mod wire;
