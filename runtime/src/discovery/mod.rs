//! Where the servers of a service are: who says so, and who hears it.
//!
//! # Why
//! Membership is a hint. What is said here is where one may try; whether an endpoint is used is decided by what its
//! connection and its answers show, and who may answer by its certificate. So an answer that is late, partial or wrong
//! costs a failed handshake at most, and the last good one stays: nothing that is here empties a client.

mod announcement;
mod local;

pub(crate) use local::{Announced, Local, Look};

/// A place where a service may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Tells it from whatever was at the same address before.
    pub(crate) id: String,
    /// `host:port`.
    pub(crate) address: String,
}
