//! The frame engine: calls as frames over any link, as docs/wire.md specifies.
//!
//! ```text
//!   client.rs       one connection: calls and their slots          server.rs       its mirror: places, bounds
//!   client_lane.rs  a lane's writer and reader                     server_lane.rs  its mirror
//!   calls.rs        a call on a stream of its own                  streams.rs      its mirror
//!   served.rs   a handler at work: its deadline, its context, its panics
//!   items.rs    the items of a stream, read and written, the same on both sides
//!   control.rs  the control stream, the same on both sides
//!   outbox.rs   what waits for a lane's writer        slots.rs   who waits for an answer
//!   room.rs     what answers may hold while nobody reads them
//! ```
//!
//! # Invariants
//! 1. No user code runs, and nothing is awaited, under a connection's lock.
//! 2. A malformed call is that call's error, a broken outer length its lane's; neither is the connection's.
//! 3. Every byte that a peer can make this side hold is bounded by a name in `sinew_core::limits`.

mod calls;
mod client;
mod client_lane;
mod control;
mod drain;
mod fault;
mod heard;
mod io;
mod items;
mod outbox;
mod room;
mod served;
mod server;
mod server_lane;
mod slots;
mod streams;
mod watch;

pub(crate) use client::{ClientSession, LanePending};
pub(crate) use drain::{Counted, Drain};
pub(crate) use fault::lost;
#[cfg(feature = "foreign")]
pub(crate) use fault::panicked;
#[cfg(feature = "foreign")]
pub(crate) use served::{Ended, Served};
pub(crate) use server::serve;
