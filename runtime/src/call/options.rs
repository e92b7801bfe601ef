//! What one call may ask for beyond what its trait says.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    codes::Criticality,
    metadata::{Metadata, MetadataError},
    wire::trace::TraceContext,
};

use crate::error::Account;

/// Options for the calls made through one client value: `client.with(options).method(..)`.
///
/// Plain data: nothing here fails or does I/O. What is left unset comes from the trait, then from the defaults.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) unbounded: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) criticality: Option<Criticality>,
    pub(crate) wait_for_ready: Option<Duration>,
    pub(crate) attempts: Option<u8>,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) shed_key: Option<u16>,
    pub(crate) no_retry: bool,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) metadata: Metadata,
    pub(crate) answer: Option<AnswerMetadata>,
    pub(crate) account: Option<Account>,
}

/// When a second attempt goes beside a first that is slow.
///
/// Only what is idempotent and no stream can be hedged. A hedge goes to another endpoint, is one of the attempts that a
/// call may make, is paid from the budget of retries, and at most 5 % of a method's calls have one (`HEDGE_EXTRA`).
/// While a breaker is open or that budget is below half, nothing is hedged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// Never; the default.
    Off,
    /// After the time that so many of a hundred answers took lately, once 100 are known. Accepted 95 to 99, others are
    /// clamped: below 95 more calls would be slow than may be hedged.
    AfterPercentile(u8),
    /// After this long, at least 1 ms.
    After(Duration),
}

impl Hedge {
    /// After the time in which 95 % were answered: at most 5 % more load.
    pub const P95: Self = Self::AfterPercentile(95);
}

/// Where the metadata of an answer goes: hand one to [`CallOptions::answer_metadata`], look into it afterwards.
#[derive(Debug, Clone, Default)]
pub struct AnswerMetadata(Arc<Mutex<Metadata>>);

impl AnswerMetadata {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the last answer brought.
    pub fn get(&self) -> Metadata {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, metadata: Metadata) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }
}

impl CallOptions {
    /// Everything from the trait and the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the call may take, all attempts together; for a streaming call, the whole stream.
    ///
    /// Default: the method's `timeout`, else 10 s; a streaming call without one is bounded by its caller's deadline
    /// only. The deadline inherited from an incoming call wins if it is earlier. Accepted: 1 us to 5 min; a longer one
    /// is clamped, zero fails the call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// No deadline of its own: the call may last for ever, except for the deadline that it inherits.
    ///
    /// A call that hangs then holds its memory and its slot for as long as the process lives; prefer a long timeout.
    #[must_use]
    pub fn without_deadline_at_my_own_risk(mut self) -> Self {
        self.unbounded = true;
        self
    }

    /// The longest silence between two items of a stream. Default 30 s.
    #[must_use]
    pub fn stream_idle(mut self, silence: Duration) -> Self {
        self.idle = Some(silence);
        self
    }

    /// How much the call matters when a server must shed. Default: inherited, else the method's, else `Critical`.
    /// A call made while serving another is never raised above it.
    #[must_use]
    pub fn criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = Some(criticality);
        self
    }

    /// How long to wait for an endpoint that can be reached. Default min(3 s, 25 % of the deadline); zero fails at
    /// once.
    #[must_use]
    pub fn wait_for_ready(mut self, wait: Duration) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// How many attempts at most, the first and a hedge included. Default 3; accepted 1 to 5, others are clamped.
    ///
    /// It is a bound, not a wish: what is not `#[rpc(idempotent)]` is still only repeated where it provably did not run.
    #[must_use]
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// When a second attempt goes beside a first that is slow. Default: as the method says, else [`Hedge::Off`].
    ///
    /// A method that is not `#[rpc(idempotent)]`, or streams, cannot be hedged: its calls fail with
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument), not sent.
    #[must_use]
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// A number that is the same for one user or session over all hops, so that a server sheds whole users rather than
    /// random parts of their requests.
    #[must_use]
    pub fn shed_key(mut self, key: u16) -> Self {
        self.shed_key = Some(key);
        self
    }

    /// The trace that the call belongs to, and everything that is called for it in turn: what a request that came in by
    /// another protocol says in its `traceparent`. Default: that of the call that is being served, if that has one.
    ///
    /// All calls of one trace are on one side of a split, in every process ([`Policy::label_weight`](crate::Policy::label_weight)).
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The caller repeats by itself: nobody below this call may.
    #[must_use]
    pub fn no_retry_below(mut self) -> Self {
        self.no_retry = true;
        self
    }

    /// Adds one entry of request metadata. A key that starts with `baggage.` is handed on to every call that the
    /// handler makes in turn.
    ///
    /// # Errors
    /// A key that is not `[a-z0-9._-]{1,64}` or is reserved, a value above 4 KiB, more than 64 entries or 8 KiB in all.
    pub fn metadata(
        mut self,
        key: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, MetadataError> {
        self.metadata.insert(key.as_ref(), Bytes::copy_from_slice(value.as_ref()))?;
        Ok(self)
    }

    /// Keeps the metadata of the answer, of a failed call too if it was answered.
    #[must_use]
    pub fn answer_metadata(mut self, into: &AnswerMetadata) -> Self {
        self.answer = Some(into.clone());
        self
    }

    /// Keeps an account of the call: where each attempt went and why, and where the time went, also where it succeeds. It
    /// costs a few microseconds; without it a call pays nothing for it.
    #[must_use]
    pub fn account(mut self, into: &Account) -> Self {
        self.account = Some(into.clone());
        self
    }

    pub(crate) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
