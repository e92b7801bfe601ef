//! What a call knows of the call that it is part of: deadline, criticality, caller, trace, baggage.
//!
//! # Why
//! A deadline that somebody has to pass along is a deadline that somebody forgets. Here it is ambient: the server puts
//! a [`Context`] around each handler, a client call made inside reads it, and nobody passes anything.
//!
//! # Invariants
//! 1. A deadline only shrinks: a child's is the smaller of its own and its parent's.
//! 2. A call that is cancelled cancels what was started under it with [`spawn`](crate::spawn).
//! 3. In a process that serves, a call made with no context and outside [`root`](crate::root) is counted.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    codes::{CancelReason, Criticality},
    ledger::LedgerCall,
    limits,
    metadata::{Metadata, MetadataError},
    spiffe::SpiffeId,
    wire::trace::TraceContext,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::record::Record;

tokio::task_local! {
    static CURRENT: Context;
}

/// Services that this process is serving right now.
static SERVING: AtomicUsize = AtomicUsize::new(0);
/// Calls that were made with no context in a process that serves.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The verified caller of the call that is being served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub(crate) identity: SpiffeId,
    pub(crate) address: Option<std::net::SocketAddr>,
}

impl Peer {
    /// The SPIFFE id of its certificate.
    pub fn identity(&self) -> &SpiffeId {
        &self.identity
    }

    /// Where the connection comes from; `None` in process.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.address
    }
}

/// What surrounds a call. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) deadline: Option<Instant>,
    pub(crate) criticality: Option<Criticality>,
    pub(crate) no_retry: bool,
    pub(crate) shadow: bool,
    pub(crate) shed_key: Option<u16>,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) method: &'static str,
    pub(crate) peer: Option<Arc<Peer>>,
    /// The smallest round trip to whoever called: what an answer to them takes.
    pub(crate) caller_rtt: Duration,
    pub(crate) metadata: Metadata,
    answer_metadata: Mutex<Metadata>,
    /// The calls that were made under this one, for the ledger.
    calls: Mutex<Vec<Record>>,
    failed: Mutex<Vec<LedgerCall>>,
    cancel: Cancel,
}

/// A flag that wakes whoever waits for it.
#[derive(Default)]
struct Cancel {
    /// Zero until cancelled, then the reason's number.
    reason: AtomicU8,
    waker: Mutex<Option<Waker>>,
    children: OnceLock<CancellationToken>,
}

/// What a served call brings with it.
#[derive(Default)]
pub(crate) struct Inherited {
    pub(crate) deadline: Option<Instant>,
    pub(crate) criticality: Option<Criticality>,
    pub(crate) no_retry: bool,
    /// It is a copy of a call, or made for one.
    pub(crate) shadow: bool,
    pub(crate) shed_key: Option<u16>,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) method: &'static str,
    pub(crate) peer: Option<Arc<Peer>>,
    /// The smallest round trip to whoever called: what an answer to them takes.
    pub(crate) caller_rtt: Duration,
    pub(crate) metadata: Metadata,
}

impl Context {
    /// The context of the running call; `None` outside of a handler, [`spawn`](crate::spawn), [`detach`](crate::detach)
    /// and [`root`](crate::root).
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    pub(crate) fn new(inherited: Inherited) -> Self {
        Self(Arc::new(Inner {
            deadline: inherited.deadline,
            criticality: inherited.criticality,
            no_retry: inherited.no_retry,
            shadow: inherited.shadow,
            shed_key: inherited.shed_key,
            trace: inherited.trace,
            method: inherited.method,
            peer: inherited.peer,
            caller_rtt: inherited.caller_rtt,
            metadata: inherited.metadata,
            answer_metadata: Mutex::default(),
            calls: Mutex::default(),
            failed: Mutex::default(),
            cancel: Cancel::default(),
        }))
    }

    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Runs this in the context.
    #[cfg(feature = "foreign")]
    pub(crate) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), run)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// When the call must have ended; `None` for one without a deadline.
    pub fn deadline(&self) -> Option<std::time::Instant> {
        self.0.deadline.map(Instant::into_std)
    }

    /// The time that is left, zero when it is over; `None` for a call without a deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// How much the call matters.
    pub fn criticality(&self) -> Criticality {
        self.0.criticality.unwrap_or_default()
    }

    /// The verified caller; `None` in a context that serves nobody.
    pub fn peer(&self) -> Option<&Peer> {
        self.0.peer.as_deref()
    }

    /// `Service/method` of the call that is being served, else empty.
    pub fn method(&self) -> &str {
        self.0.method
    }

    /// The W3C trace context that came with the call.
    pub fn trace(&self) -> Option<TraceContext> {
        self.0.trace
    }

    /// Whether this is a copy of a call, which somebody else answers ([`Policy::mirror`](crate::Policy::mirror)), or was
    /// called for one: nobody uses the answer, and what is done outside of this process is done twice. The calls that are
    /// made under it say so too.
    ///
    /// It is the caller's word, as all that comes with a call.
    pub fn is_shadow(&self) -> bool {
        self.0.shadow
    }

    /// The metadata that came with the request.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Adds one entry to the metadata of the answer.
    ///
    /// # Errors
    /// As [`CallOptions::metadata`](crate::CallOptions::metadata).
    pub fn set_answer_metadata(
        &self,
        key: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), MetadataError> {
        lock(&self.0.answer_metadata).insert(key.as_ref(), Bytes::copy_from_slice(value.as_ref()))
    }

    /// Whether the caller has gone away.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.reason.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take_answer_metadata(&self) -> Metadata {
        std::mem::take(&mut *lock(&self.0.answer_metadata))
    }

    /// Notes a call that was made under this one, a bounded number of them.
    pub(crate) fn note_call(&self, call: Record) {
        let mut calls = lock(&self.0.calls);
        if calls.len() < limits::LEDGER_CALLS_MAX {
            calls.push(call);
            return;
        }
        // What took longest explains most: the quickest makes room.
        let quickest = calls.iter_mut().min_by_key(|known| known.total());
        if let Some(quickest) = quickest
            && quickest.total() < call.total()
        {
            *quickest = call;
        }
    }

    /// Notes a call that failed, already written out for its own status.
    pub(crate) fn note_ledger(&self, call: LedgerCall) {
        let mut failed = lock(&self.0.failed);
        if failed.len() < limits::LEDGER_CALLS_MAX {
            failed.push(call);
        }
    }

    pub(crate) fn take_calls(&self) -> Vec<LedgerCall> {
        let calls = std::mem::take(&mut *lock(&self.0.calls));
        let now = Instant::now();
        let mut all: Vec<LedgerCall> =
            calls.into_iter().map(|call| call.into_ledger(now)).collect();
        all.append(&mut lock(&self.0.failed));
        all
    }

    /// Cancels the call; the first reason stays.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        let cancel = &self.0.cancel;
        let first =
            cancel.reason.compare_exchange(0, reason.to_u8(), Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            if let Some(children) = cancel.children.get() {
                children.cancel();
            }
            let waker = lock(&cancel.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether it is cancelled, and if not, who wants to hear of it.
    pub(crate) fn poll_cancelled(&self, waker: &Waker) -> bool {
        if self.is_cancelled() {
            return true;
        }
        {
            let mut slot = lock(&self.0.cancel.waker);
            match &mut *slot {
                Some(known) if known.will_wake(waker) => {}
                other => *other = Some(waker.clone()),
            }
        }
        self.is_cancelled()
    }

    /// A token that is cancelled with this call.
    pub(crate) fn child_token(&self) -> CancellationToken {
        let token = self.0.cancel.children.get_or_init(CancellationToken::new);
        if self.is_cancelled() {
            token.cancel();
        }
        token.clone()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.0.method)
            .field("remaining", &self.remaining())
            .field("criticality", &self.criticality())
            .field("peer", &self.0.peer)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many calls were made without a context in a process that serves, since it started.
///
/// Each is a call whose deadline, criticality and cancellation come from nowhere: most often made in a
/// `tokio::spawn` inside a handler. [`spawn`](crate::spawn) carries the context over, [`root`](crate::root) says that
/// there is none on purpose.
pub fn lost_contexts() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Counts a call that has no context, if this process serves.
pub(crate) fn note_lost_context(method: &'static str) {
    if SERVING.load(Ordering::Relaxed) == 0 {
        return;
    }
    if LOST.fetch_add(1, Ordering::Relaxed) == 0 {
        tracing::warn!(
            method,
            "a call was made without the context of the call it belongs to, so it inherits no deadline; \
             use `sinew::spawn` in place of `tokio::spawn`, or `sinew::root` where there is no parent \
             (counted by `sinew::lost_contexts`, said once)"
        );
    }
}

/// Counts this process as one that serves, until dropped.
#[derive(Debug)]
pub(crate) struct ServingGuard(());

impl ServingGuard {
    pub(crate) fn new() -> Self {
        SERVING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for ServingGuard {
    fn drop(&mut self) {
        SERVING.fetch_sub(1, Ordering::Relaxed);
    }
}
