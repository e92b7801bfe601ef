//! The frame engine: calls as frames over any link, as docs/wire.md specifies.
//!
//! ```text
//!   client.rs   one connection from the client: lanes, slots, answers          server.rs   its mirror
//!   calls.rs    a call on a stream of its own, from the client                 streams.rs  its mirror
//!   served.rs   a handler at work: its deadline, its context, its panics
//!   items.rs    the items of a stream, read and written, the same on both sides
//!   control.rs  the control stream, the same on both sides
//!   outbox.rs   what waits for a lane's writer        slots.rs   who waits for an answer
//! ```
//!
//! # Invariants
//! 1. No user code runs, and nothing is awaited, under a connection's lock.
//! 2. A malformed call is that call's error, a broken outer length its lane's; neither is the connection's.
//! 3. Every byte that a peer can make this side hold is bounded by a name in `sinew_core::limits`.

mod calls;
mod client;
mod control;
mod io;
mod items;
mod outbox;
mod served;
mod server;
mod slots;
mod streams;

pub(crate) use client::{ClientSession, LanePending};
pub(crate) use server::{Drain, serve};
