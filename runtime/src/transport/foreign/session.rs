//! An endpoint of another protocol as the client's stack sees endpoints: a connector and its sessions.
//!
//! # Invariants
//! 1. An endpoint is never taken for dead as long as it can be connected to: a server of one thread is as silent as one that
//!    was frozen, and what must run once waits for it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_core::Stream;
use sinew_core::{
    codes::{Code, Disposition, Reason},
    ids::MethodId,
    limits,
    metadata::Metadata,
    policy::silence::Life,
    wire::{
        answer::{AnswerHead, AnswerOutcome},
        frame::TimeLeft,
    },
};
use tokio::time::Instant;

use super::{
    Inbound, Input, Outbound, Payload, Pulse, Remote,
    silence::{Paces, Waiting, watch},
};
use crate::{
    call::{
        failure::Failure,
        method::Method,
        streaming::{EncodeItems, RawItems},
        types::Answerer,
    },
    codec,
    error::Status,
    transport::{
        Answer, BoxFuture, Connector, Observer, Outgoing, Pending, Readiness, Received, Session,
        StreamAnswer, Theirs, Turned,
    },
};

/// How long the answers of a service take, over all of its endpoints.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulses(Arc<Paces>);

/// Connects to an endpoint of another protocol.
#[derive(Debug)]
pub(crate) struct ForeignConnector {
    remote: Arc<dyn Remote>,
    paces: Arc<Paces>,
}

impl ForeignConnector {
    pub(crate) fn new(remote: Arc<dyn Remote>, pulses: &Pulses) -> Self {
        Self { remote, paces: Arc::clone(&pulses.0) }
    }
}

impl Connector for ForeignConnector {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        Box::pin(async move {
            self.remote.connect().await?;
            Ok(ForeignSession::open(self) as Arc<dyn Session>)
        })
    }
}

/// A time in which the endpoint can be reached.
struct ForeignSession {
    remote: Arc<dyn Remote>,
    paces: Arc<Paces>,
    pulse: Pulse,
    waiting: Arc<Waiting>,
    closed: AtomicBool,
    observer: OnceLock<Observer>,
    watching: Mutex<Option<tokio::task::AbortHandle>>,
}

impl fmt::Debug for ForeignSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignSession").field("remote", &self.remote).finish_non_exhaustive()
    }
}

impl ForeignSession {
    fn open(connector: &ForeignConnector) -> Arc<Self> {
        let session = Arc::new(Self {
            remote: Arc::clone(&connector.remote),
            paces: Arc::clone(&connector.paces),
            pulse: Pulse::default(),
            waiting: Arc::default(),
            closed: AtomicBool::new(false),
            observer: OnceLock::new(),
            watching: Mutex::default(),
        });
        let weak = Arc::downgrade(&session);
        let tell = move |life: Life| {
            let Some(session) = weak.upgrade() else { return false };
            session.tell(Turned::Life(life));
            true
        };
        let Self { remote, pulse, waiting, .. } = &*session;
        let watching = watch(Arc::clone(remote), pulse.clone(), Arc::clone(waiting), tell);
        let watching = tokio::spawn(watching).abort_handle();
        *session.watching.lock().unwrap_or_else(PoisonError::into_inner) = Some(watching);
        session
    }

    fn tell(&self, turned: Turned) {
        if let Some(observer) = self.observer.get() {
            observer(turned);
        }
    }

    /// One attempt, from now on.
    fn begin(
        self: Arc<Self>,
        outgoing: Outgoing<'_>,
        input: Option<Box<dyn EncodeItems>>,
        idle: Duration,
    ) -> impl Future<Output = Result<Inbound, Status>> + Send + use<> {
        let method: &'static Method = outgoing.method;
        let id = outgoing.head.method;
        let outbound =
            Outbound { method, outgoing, input: input.map(Input), idle, pulse: self.pulse.clone() };
        let wait = self.waiting.begin(id, &self.paces);
        let call = self.remote.call(outbound);
        let began = Instant::now();
        async move {
            let inbound = call.await;
            drop(wait);
            match &inbound {
                Ok(_) => {
                    let now = Instant::now();
                    self.paces.note(id, now.saturating_duration_since(began), now);
                }
                Err(status) => self.failed(status),
            }
            inbound
        }
    }

    /// An endpoint that cannot be connected to any more is left until it can.
    fn failed(&self, status: &Status) {
        let unreachable = status.reason() == Reason::HandshakeFailed
            && status.disposition() == Disposition::NotSent;
        if unreachable && !self.closed.swap(true, Ordering::Relaxed) {
            self.tell(Turned::Gone);
        }
    }
}

impl Drop for ForeignSession {
    fn drop(&mut self) {
        let watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(watching) = watching {
            watching.abort();
        }
    }
}

impl Session for ForeignSession {
    fn call(self: Arc<Self>, outgoing: Outgoing<'_>) -> Pending {
        let inbound = self.begin(outgoing, None, limits::STREAM_FRAME_GAP);
        Pending::Boxed(Box::pin(async move {
            match inbound.await? {
                Inbound::Items { .. } => Err(unexpected_stream()),
                Inbound::Value { content, metadata } => {
                    Ok(Received::Whole(value(content, metadata)))
                }
                Inbound::Error { content, metadata, otherwise } => {
                    Ok(Received::Whole(error(content, metadata, otherwise)))
                }
            }
        }))
    }

    fn stream(
        self: Arc<Self>,
        outgoing: Outgoing<'_>,
        input: Option<Box<dyn EncodeItems>>,
        idle: Duration,
    ) -> BoxFuture<'static, Result<StreamAnswer, Status>> {
        let inbound = self.begin(outgoing, input, idle);
        Box::pin(async move {
            Ok(match inbound.await? {
                Inbound::Value { content, metadata } => {
                    StreamAnswer::Single(value(content, metadata))
                }
                Inbound::Error { content, metadata, otherwise } => {
                    StreamAnswer::Single(error(content, metadata, otherwise))
                }
                Inbound::Items { bytes, metadata, items } => StreamAnswer::Items {
                    codec: if bytes { codec::RAW } else { codec::JSON },
                    metadata,
                    items: Box::pin(Items(items)) as RawItems,
                    by: Answerer::default(),
                },
            })
        })
    }

    fn is_foreign(&self) -> bool {
        true
    }

    fn theirs(&self, _: MethodId) -> Theirs {
        Theirs::Unlisted
    }

    fn disagreed(&self, _: MethodId) {}

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn serves(&self, _: &str) -> bool {
        true
    }

    fn readiness(&self) -> Readiness {
        if self.closed.load(Ordering::Relaxed) { Readiness::Closed } else { Readiness::Ready }
    }

    fn is_crowded(&self) -> bool {
        false
    }

    fn nudge(&self) {}

    fn observe(&self, observer: Observer) {
        if self.observer.set(observer).is_ok() && self.closed.load(Ordering::Relaxed) {
            self.tell(Turned::Gone);
        }
    }
}

fn value(content: Payload, metadata: Metadata) -> Box<Answer> {
    let (codec, body) = match content {
        Payload::Json(body) => (codec::JSON, body),
        Payload::Bytes(body) => (codec::RAW, body),
    };
    answer(AnswerOutcome::Ok, codec, body, metadata)
}

fn error(content: bytes::Bytes, metadata: Metadata, otherwise: Status) -> Box<Answer> {
    let mut answer = answer(AnswerOutcome::App, codec::JSON, content, metadata);
    answer.otherwise = Some(otherwise);
    answer
}

fn answer(
    outcome: AnswerOutcome,
    codec: u8,
    body: bytes::Bytes,
    metadata: Metadata,
) -> Box<Answer> {
    let head = AnswerHead { metadata, ..AnswerHead::new(outcome, codec) };
    let (at, by) = (Some(Instant::now()), Answerer::default());
    Box::new(Answer { head, left: TimeLeft::Unbounded, body, at, by, otherwise: None })
}

fn unexpected_stream() -> Status {
    super::answered(Code::Internal, "a stream came where the method answers with one value")
}

/// Items of which the last may be a status.
pub(super) struct Items(pub(super) super::Items);

impl Stream for Items {
    type Item = Result<bytes::Bytes, Failure>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(|item| item.map_err(Failure::Status)))
    }
}
