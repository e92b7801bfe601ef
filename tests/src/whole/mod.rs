//! The whole, simulated: real meshes, clients and servers with quinn and rustls, on a network in memory and in virtual time.
//!
//! # Why
//! What each part does under faults is tested part by part. What they do together, when a partition falls into a restart
//! while discovery answers with nothing, nobody can write down case by case. So the seed makes up the case, the network
//! and the clock are the only things that are not production's, and rules that must hold whatever happens are looked at
//! throughout. A run of half a minute takes a fraction of a second, and its seed plays it again (`docs/simulation.md`).
//!
//! ```text
//!   callers    who calls what, when, and does not wait for it      faults     what goes wrong, and when
//!   service    three services that do what an order says           world      processes: start, crash, come back
//!   net        hosts, links and sockets in memory                  journal    what happened, and the rules of each event
//!   run        one seed from its beginning to its hash             rules      the rules of all of them together
//!   program    many seeds, and what is told of them
//! ```
//!
//! # Invariants
//! 1. Everything follows from the seed: all chance is drawn from it, and time is the runtime's, which stands still until
//!    nothing is left to do.
//! 2. Nothing that a user cannot have is between a client and a server, but for the doors of `sinew::fuzzing`.

pub mod callers;
pub mod faults;
pub mod journal;
pub mod net;
pub mod program;
pub mod rules;
pub mod run;
pub mod service;
pub mod world;

pub use program::main;
pub use run::{Order, Report, run};
