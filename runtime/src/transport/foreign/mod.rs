//! Protocols beside sinew's own: what a crate implements so that a mesh can call endpoints which speak another one, and the
//! [`Door`] through which callers that speak one come in.
//!
//! # Why
//! Whatever an endpoint speaks, its calls go through the same pipeline: deadline, balancing, breaker, bulkhead, retries and
//! their budget, metrics, reasons. So a transport is handed one attempt at a time, as a method, arguments and a deadline,
//! and says how it ended. It decides nothing: not where, not how often, not for how long.
//!
//! A mesh knows transports by the schemes of addresses: [`MeshBuilder::transport`](crate::MeshBuilder::transport).
//!
//! # What a transport must keep to
//! 1. The disposition of a status is the truth: [`not_sent`] only where no byte left, [`rejected`] only where the other side
//!    said that nothing was done, [`unknown`] in every doubt. Calls that must not run twice rely on it.
//! 2. Dropping the future of a call, or the items of an answer, gives the call up on the other side as far as the
//!    protocol can, and leaves nothing of it to the next call.
//! 3. Whatever is heard from an endpoint is told to its [`Pulse`]: silence is judged by it.
//! 4. What an endpoint can make it keep is bounded.

mod door;
mod outbound;
mod session;
mod silence;

use std::{fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    metadata::Metadata,
};

pub use self::door::{Call, Caller, Door, Entrance, Items, certified, within};
pub use self::outbound::{Arguments, Input, Outbound};
pub(crate) use self::session::{ForeignConnector, Pulses};
pub use self::silence::Pulse;
use crate::error::Status;
pub use crate::{call::http, codec::Argument};

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A protocol that a mesh speaks beside its own.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// The schemes of the addresses that it reaches: `http` for `http://legacy.internal:8080`.
    fn schemes(&self) -> &'static [&'static str];

    /// The endpoint at an address with such a scheme. No I/O; called once for each endpoint of a client.
    ///
    /// # Errors
    /// What is wrong with the address, and what to write instead.
    fn remote(&self, address: &str) -> Result<Arc<dyn Remote>, String>;
}

/// An endpoint that speaks another protocol.
pub trait Remote: Send + Sync + fmt::Debug + 'static {
    /// Makes sure that somebody listens there, and keeps what that took for the calls to come.
    ///
    /// # Errors
    /// A status that says [`not_sent`] and what to do.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the connection.
    fn connect(&self) -> BoxFuture<'_, Result<(), Status>>;

    /// Makes one attempt. What it needs of `outbound` it takes before it returns.
    ///
    /// A status whose reason is [`Reason::HandshakeFailed`] and whose disposition is "not sent" says that nobody can be
    /// reached there any more: the endpoint is left until [`connect`](Self::connect) succeeds.
    fn call(&self, outbound: Outbound<'_>) -> BoxFuture<'static, Result<Inbound, Status>>;

    /// Asks for a sign of life in a way that has no effect, and tells the pulse when one comes. Called when calls wait for
    /// longer than they should; dropped when it no longer matters.
    fn ask(&self, pulse: Pulse) -> BoxFuture<'static, ()>;
}

/// How an attempt ended well: with the service's own answer.
pub enum Inbound {
    /// The value.
    Value {
        /// What it is.
        content: Payload,
        /// What came beside it.
        metadata: Metadata,
    },
    /// The method's own error, where this can be read as one.
    Error {
        /// In JSON.
        content: Bytes,
        /// What came beside it.
        metadata: Metadata,
        /// What the caller gets if it cannot be read, or if the method has no error of its own.
        otherwise: Status,
    },
    /// A stream of values.
    Items {
        /// Whether they are bytes, and not JSON.
        bytes: bool,
        /// What came before them.
        metadata: Metadata,
        /// One by one. A status is the last one.
        items: Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>,
    },
}

/// A value.
#[derive(Debug, Clone)]
pub enum Payload {
    /// In JSON.
    Json(Bytes),
    /// Bytes, untouched.
    Bytes(Bytes),
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { content, .. } => f.debug_tuple("Value").field(content).finish(),
            Self::Error { otherwise, .. } => f.debug_tuple("Error").field(otherwise).finish(),
            Self::Items { .. } => f.write_str("Items"),
        }
    }
}

/// A status of a call of which no byte left this process. With [`Code::Unavailable`] it may go to any endpoint.
pub fn not_sent(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    Status::runtime(code, reason, Disposition::NotSent, Origin::Transport, message.into())
}

/// A status of a call that the other side turned away before it did anything.
pub fn rejected(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    Status::rejected(code, reason, message.into())
}

/// A status of a call of which nobody knows whether it was processed.
pub fn unknown(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    Status::runtime(code, reason, Disposition::Unknown, Origin::Transport, message.into())
}

/// A status that the other side answered with, after it had processed the call.
pub fn answered(code: Code, message: impl Into<String>) -> Status {
    Status::new(code, message.into())
}
