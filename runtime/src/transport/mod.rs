//! How an attempt reaches an endpoint: a transport takes a *call*, not bytes.
//!
//! # Why
//! Which codec or binding applies belongs to the endpoint that an attempt goes to, so a session is handed the method,
//! the arguments as a value and the deadline, and does with them what its protocol asks. The frames of docs/wire.md are
//! one such protocol ([`frames`]), over any [`link`]: QUIC or memory.
//!
//! # Not here
//! Which endpoint, how often, for how long: the client's stack decides. Which handler: the server's.

pub(crate) mod connect;
pub(crate) mod dropped;
#[cfg(feature = "foreign")]
pub mod foreign;
pub(crate) mod frames;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod memory;
pub(crate) mod quic;
pub(crate) mod schemes;
pub(crate) mod turn;

use std::{
    collections::BTreeSet,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    ids::{Fingerprint, MethodId},
    metadata::Metadata,
    plan::server::Group,
    policy::silence::Life,
    wire::{
        answer::{AdmissionCut, AnswerHead},
        frame::TimeLeft,
        request::RequestHead,
        settings::Settings,
    },
};
use tokio::{sync::watch, time::Instant};

use self::turn::Turn;
#[cfg(feature = "foreign")]
use crate::call::method::Method;
use crate::{
    call::{
        context::{Context, Peer},
        pace::Pace,
        streaming::{EncodeItems, RawItems},
        types::Answerer,
    },
    codec::Encode,
    error::Status,
    metrics,
};

/// A boxed future: handed out per connection or per stream, never per small call.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One attempt, ready to be sent.
pub(crate) struct Outgoing<'a> {
    #[cfg(feature = "foreign")]
    pub(crate) method: &'static Method,
    pub(crate) head: &'a RequestHead,
    pub(crate) deadline: Option<Instant>,
    /// Somebody looks at the metadata of the answer.
    #[cfg(feature = "foreign")]
    pub(crate) wants_metadata: bool,
    pub(crate) arguments: &'a mut dyn Encode,
}

/// What came back, not looked at yet: whoever waits for it takes it apart, not the one task that reads for all.
#[derive(Debug)]
pub(crate) enum Received {
    /// As it came off a lane, and when.
    Frame { left: TimeLeft, rest: Bytes, at: Instant },
    /// Put together from several frames.
    Whole(Box<Answer>),
}

/// An answer: its head, what its sender believed to be left, and the encoded value.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: AnswerHead,
    pub(crate) left: TimeLeft,
    pub(crate) body: Bytes,
    /// When it was read, where that is known.
    pub(crate) at: Option<Instant>,
    /// Who answered, as the client's stack knows it.
    pub(crate) by: Answerer,
    /// What the caller gets where the method's own error is not to be read from the body.
    pub(crate) otherwise: Option<Status>,
}

/// What a streaming call came to.
pub(crate) enum StreamAnswer {
    /// No stream: the one answer of a call whose input streams, or a failure.
    Single(Box<Answer>),
    /// A stream of answers.
    Items { codec: u8, metadata: Metadata, items: RawItems, by: Answerer },
}

/// What the other side of a session has said of a method's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theirs {
    /// Nothing yet: its settings are on their way.
    Unheard,
    /// It did not mention the method.
    Unlisted,
    /// It refuses bincode for it.
    Named,
    /// This is its fingerprint.
    Known(Fingerprint),
}

/// Whether a session takes another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// The peer asked for no more; calls in flight go on.
    Draining,
    Closed,
}

/// A live connection to an endpoint, as the client's stack sees it.
///
/// Dropping the last handle, and the last call made on it, closes it.
pub(crate) trait Session: Send + Sync + fmt::Debug + 'static {
    /// Sends one unary attempt. Dropping what is returned cancels it on the other side.
    fn call(self: Arc<Self>, outgoing: Outgoing<'_>) -> Pending;

    /// Sends one streaming attempt. Dropping the future, or later the stream, cancels it on the other side.
    fn stream(
        self: Arc<Self>,
        outgoing: Outgoing<'_>,
        input: Option<Box<dyn EncodeItems>>,
        idle: Duration,
    ) -> BoxFuture<'static, Result<StreamAnswer, Status>>;

    /// Whether another protocol is spoken there, which knows nothing of types.
    #[cfg(feature = "foreign")]
    fn is_foreign(&self) -> bool {
        false
    }

    /// What the other side has said of a method's types.
    fn theirs(&self, method: MethodId) -> Theirs;

    /// The other side refused bincode for this method.
    fn disagreed(&self, method: MethodId);

    /// Waits until the other side has said what it knows of types. Cancel safe.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// Whether the other side says that this service of it can do its work.
    fn serves(&self, service: &str) -> bool;

    /// Whether it takes another call.
    fn readiness(&self) -> Readiness;

    /// Whether so many calls are out that another connection pays: four fifths of what the other side takes.
    fn is_crowded(&self) -> bool;

    /// Polls every call on it once: what they look at has changed.
    fn nudge(&self);

    /// Who is told when the session turns for the better or worse; called once, and what has turned already is told.
    fn observe(&self, observer: Observer);
}

/// Hears what a session turns to. Called without a lock, from the session's tasks.
pub(crate) type Observer = Box<dyn Fn(Turned) + Send + Sync>;

/// What a session turned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// It fell silent with calls out, or was heard again.
    Life(Life),
    /// The host says that nobody listens at the port any more: a hint.
    Refused,
    /// It takes no more calls.
    Draining,
    /// The other side said something of its health: [`Session::serves`].
    Health,
    /// It is over.
    Gone,
}

/// The answer of one unary attempt, some time.
pub(crate) enum Pending {
    /// On a lane: whoever waits for it is polled again within a moment, even if nothing happens.
    Lane(frames::LanePending),
    /// On its own.
    Boxed(BoxFuture<'static, Result<Received, Status>>),
    /// It was never sent.
    Failed(Option<Status>),
}

impl Future for Pending {
    type Output = Result<Received, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Lane(pending) => Pin::new(pending).poll(cx),
            Self::Boxed(pending) => pending.as_mut().poll(cx),
            Self::Failed(status) => match status.take() {
                Some(status) => Poll::Ready(Err(status)),
                None => Poll::Pending,
            },
        }
    }
}

/// Makes sessions to one endpoint.
pub(crate) trait Connector: Send + Sync + fmt::Debug + 'static {
    /// Connects, authenticates both sides and is ready for calls.
    ///
    /// The status says "not sent" and what to do. Cancel safe: dropping the future abandons the connection.
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>>;
}

/// A request as a server's transport hands it over.
pub(crate) struct Incoming {
    pub(crate) head: RequestHead,
    pub(crate) body: Bytes,
    /// When the caller stops waiting, by our clock, age and transit taken off; `None` if it never does.
    pub(crate) deadline: Option<Instant>,
    /// The frame said "zero left" and not "unbounded".
    pub(crate) invalid_deadline: bool,
    /// When its bytes were read.
    pub(crate) read_at: Instant,
    pub(crate) peer: Arc<Peer>,
    /// Whoever calls, among those that share the server's places.
    pub(crate) caller: Arc<Group>,
    /// The smallest round trip to the caller, zero where it is not known.
    pub(crate) caller_rtt: Duration,
    pub(crate) input: Option<RawItems>,
    /// It came over another protocol, in JSON, which sinew's own wire never carries.
    pub(crate) is_foreign: bool,
}

/// A request that was admitted: its context, and the handler's work, not yet begun.
pub(crate) struct Begun {
    pub(crate) context: Context,
    pub(crate) work: BoxFuture<'static, Reply>,
    pub(crate) kept: Arc<Kept>,
    /// Its place among the calls at work; none where it does not need one.
    pub(crate) turn: Option<Turn>,
}

/// What a server keeps of one method, over all of its calls.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) pace: Pace,
    pub(crate) counts: Arc<metrics::Served>,
}

/// What a handler came to.
pub(crate) enum Reply {
    /// The encoded value.
    Value { codec: u8, body: Vec<u8> },
    /// The service's own error, encoded.
    App { codec: u8, body: Vec<u8> },
    /// A status, of the handler or of the runtime.
    Status(Status),
    /// A stream of values.
    Stream { codec: u8, items: Box<dyn EncodeItems> },
}

/// Services that cannot do their work now, by name; the empty name stands for all of them.
pub(crate) type Unwell = Arc<BTreeSet<String>>;

/// The server behind a connection, as its transport sees it.
pub(crate) trait Serve: Send + Sync + fmt::Debug + 'static {
    /// Whoever calls, among those that share the server's places: asked for once per connection.
    fn caller(&self, peer: &Peer) -> Arc<Group>;

    /// Admits one request or says why not; nothing of the handler runs here.
    fn begin(&self, request: Incoming) -> Result<Begun, Status>;

    /// What of a caller's calls it sheds at present.
    fn cut(&self, caller: &Group) -> Option<AdmissionCut>;

    /// A request did not get to its handler, whoever says so.
    fn refused(&self, status: &Status);

    /// What this side says of itself when a connection opens.
    fn settings(&self) -> Settings;

    /// Which of its services cannot do their work, as that changes.
    fn health(&self) -> watch::Receiver<Unwell>;
}
