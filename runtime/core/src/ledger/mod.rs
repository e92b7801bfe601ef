//! The ledger of a call: where its time went, as its caller saw it, down the tree of calls below.
//!
//! # Why
//! "Deadline exceeded" tells an operator nothing. The answer of each hop carries what the calls
//! below it took, so the caller's error names the hop that used up the time. It rides on answers,
//! so it must stay small: depth, nodes and bytes are bounded, and what took least is left out
//! first.
//!
//! ```text
//!   LedgerCall     one logical call     waited for an endpoint, then tried
//!    └ LedgerAttempt   one try of it    at one endpoint
//!       └ LedgerServer     its answer   queue, work, and the calls that its handler made
//!          └ LedgerCall ...
//! ```
//!
//! # Invariants
//! 1. What is encoded has at most 8 levels of calls, 64 calls and attempts, 4 KiB.
//! 2. A call is kept only with its parent; the number left out is kept beside it.
//! 3. Decoding recurses at most 8 levels, whatever the bytes say.
//!
//! # Not here
//! Who fills it: the client's call path, and the server's answer.

mod show;
mod wire;

pub use show::Culprit;
pub use wire::truncate_to_bounds;
pub(crate) use wire::{cut, decode, encode};

use crate::codes::Code;

/// One logical call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCall {
    /// `Service/method`.
    pub method: String,
    /// Microseconds from begin to end, all attempts together.
    pub total_us: u64,
    /// Microseconds before the first attempt: waiting for an endpoint, a slot or a connection.
    pub waited_us: u64,
    /// How it ended.
    pub code: Code,
    /// It was still running when the ledger was written.
    pub unfinished: bool,
    /// Its attempts in the order in which they began.
    pub attempts: Vec<LedgerAttempt>,
    /// How many calls beside or below this one were left out to keep the ledger small.
    pub dropped: u32,
}

/// One try of a call at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerAttempt {
    /// Where, as discovery names it.
    pub endpoint: String,
    /// Microseconds after the call began.
    pub started_us: u64,
    /// Microseconds it took.
    pub took_us: u64,
    /// How it ended.
    pub code: Code,
    /// What the server said about its time; `None` where no answer came.
    pub answered: Option<LedgerServer>,
}

/// Where the time went at the server, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerServer {
    /// Microseconds before the handler started.
    pub queue_us: u64,
    /// Microseconds the handler ran.
    pub work_us: u64,
    /// Microseconds that the server believed to be left when it answered; `None` without a
    /// deadline.
    pub left_us: Option<u64>,
    /// The calls that the handler made.
    pub calls: Vec<LedgerCall>,
}

impl Default for LedgerCall {
    fn default() -> Self {
        Self {
            method: String::new(),
            total_us: 0,
            waited_us: 0,
            code: Code::Ok,
            unfinished: false,
            attempts: Vec::new(),
            dropped: 0,
        }
    }
}

impl Default for LedgerAttempt {
    fn default() -> Self {
        Self { endpoint: String::new(), started_us: 0, took_us: 0, code: Code::Ok, answered: None }
    }
}

impl LedgerCall {
    /// The calls made on behalf of this one, over all its attempts.
    pub(crate) fn below(&self) -> impl DoubleEndedIterator<Item = &LedgerCall> {
        self.attempts.iter().filter_map(|attempt| attempt.answered.as_ref()).flat_map(|s| &s.calls)
    }
}
