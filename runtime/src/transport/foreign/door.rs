//! The way in: a server's services for calls that came over another protocol.
//!
//! # Why
//! A caller that does not speak sinew gets the same server: its deadline, its place among the calls at work, who may call,
//! interceptors, metrics and reasons. So whoever understands the other protocol hands over a method, arguments one by one in
//! JSON, who calls and how long it may take, and is told how it ended, in the words of [`Inbound`].
//!
//! # What whoever opens it must keep to
//! 1. The identity of a [`Caller`] is proved: by a certificate, a token, or by nothing, and then it is one that says so.
//! 2. What callers say is bounded before it comes here; what waits and what runs is bounded by the server.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use sinew_core::{
    codes::{CancelReason, Code, Criticality, Disposition, Origin, Reason},
    ids::MethodId,
    limits,
    metadata::Metadata,
    plan::server::Group,
    spiffe::SpiffeId,
    wire::{request::RequestHead, trace::TraceContext},
};
use sinew_descriptor::Service;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Arguments, BoxFuture, Inbound, Payload, session};
use crate::{
    call::{
        context::{Context, Inherited, Peer},
        failure::Failure,
        method::Method,
        streaming::EncodeItems,
        types::Types,
    },
    codec,
    error::Status,
    identity, reflect,
    transport::{
        Incoming, Reply, Serve,
        frames::{Ended, Served, panicked},
    },
};

/// Who a certificate, in DER, is of: the one SPIFFE id in it. Whether it may be believed is for the handshake to find out.
///
/// # Errors
/// Why it is nobody's.
pub fn certified(certificate: &[u8]) -> Result<SpiffeId, String> {
    identity::peer_identity(&[certificate.into()]).map_err(|why| why.to_string())
}

/// Runs what calls on for somebody who does not speak sinew: calls made in it end by this deadline and belong to this trace,
/// and dropping it cancels them.
///
/// # Cancel safety
/// That of `future`.
pub async fn within<F: Future>(
    deadline: Option<std::time::Instant>,
    trace: Option<TraceContext>,
    future: F,
) -> F::Output {
    let deadline = deadline.map(Instant::from_std);
    let context = Context::new(Inherited { deadline, trace, ..Inherited::default() });
    context.scope(future).await
}

/// Items of a stream, in either direction: JSON, or bytes untouched. A status is the last one.
pub type Items = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// A server of this process. Made by [`Server::door`](crate::Server::door). Cheap to clone; it lives on when the server is
/// dropped, and its services with it.
#[derive(Clone)]
pub struct Door {
    serve: Arc<dyn Serve>,
    services: Arc<[(&'static str, Vec<&'static Types>)]>,
    own: SpiffeId,
}

/// A method that a server has.
#[derive(Debug, Clone, Copy)]
pub struct Entrance {
    id: MethodId,
    method: &'static Method,
}

impl Entrance {
    /// What its attributes say.
    pub fn method(&self) -> &'static Method {
        self.method
    }
}

/// Whoever calls: made once for a connection, or for an identity. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    peer: Arc<Peer>,
    group: Arc<Group>,
}

impl Caller {
    /// Who it is.
    pub fn identity(&self) -> &SpiffeId {
        self.peer.identity()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

/// A call to a server.
pub struct Call {
    /// What is called.
    pub entrance: Entrance,
    /// Who calls.
    pub caller: Caller,
    /// The arguments, in order.
    pub arguments: Arguments,
    /// The input stream, where the method takes one.
    pub input: Option<Items>,
    /// Items of the input that are `Bytes` come untouched, and not as JSON.
    pub takes_bytes: bool,
    /// A value, or the items of the answer's stream, that are `Bytes` go untouched, and not as JSON.
    pub gives_bytes: bool,
    /// When nobody waits for it any more; `None` if somebody always does.
    pub deadline: Option<std::time::Instant>,
    /// How much it matters; `None` for what the method says of itself.
    pub criticality: Option<Criticality>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// What goes beside the arguments.
    pub metadata: Metadata,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.entrance.method.path())
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

impl Door {
    pub(crate) fn new(
        serve: Arc<dyn Serve>,
        services: Vec<(&'static str, Vec<&'static Types>)>,
        own: SpiffeId,
    ) -> Self {
        Self { serve, services: services.into(), own }
    }

    /// The services, as data. Their types are learnt now, in up to some milliseconds each: not for the way of a call.
    pub fn services(&self) -> Vec<Service> {
        self.services.iter().map(|(name, types)| reflect::service(name, types)).collect()
    }

    /// The method of these names, if the server has it.
    pub fn entrance(&self, service: &str, method: &str) -> Option<Entrance> {
        let (_, methods) = self.services.iter().find(|(name, _)| *name == service)?;
        let types = methods.iter().find(|types| types.method().name() == method)?;
        Some(Entrance { id: types.id(), method: types.method() })
    }

    /// Who the server itself is.
    pub fn own_identity(&self) -> &SpiffeId {
        &self.own
    }

    /// Somebody who calls as this identity.
    pub fn caller(&self, identity: SpiffeId, address: Option<SocketAddr>) -> Caller {
        let peer = Arc::new(Peer { identity, address });
        let group = self.serve.caller(&peer);
        Caller { peer, group }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Every status that the server has for a caller of its own protocol.
    ///
    /// # Cancel safety
    /// Dropping the future, or the items of the answer, cancels the call.
    pub fn call(&self, call: Call) -> BoxFuture<'static, Result<Inbound, Status>> {
        let Call { entrance, caller, arguments, input, takes_bytes, gives_bytes, deadline, .. } =
            call;
        let now = Instant::now();
        let spoken = if takes_bytes || gives_bytes { codec::JSON_OR_BYTES } else { codec::JSON };
        let mut head = RequestHead::new(entrance.id, spoken);
        head.idempotent = entrance.method.is_idempotent();
        head.input_stream = input.is_some();
        let usual = entrance.method.default_criticality();
        head.criticality = call.criticality.or(usual).unwrap_or_default();
        head.trace = call.trace;
        head.metadata = call.metadata;
        let begun = self.serve.begin(Incoming {
            head,
            body: arguments.into_body(),
            deadline: deadline.map(Instant::from_std),
            invalid_deadline: false,
            read_at: now,
            peer: caller.peer,
            caller: caller.group,
            caller_rtt: std::time::Duration::ZERO,
            input: input.map(|items| Box::pin(session::Items(items)) as _),
            is_foreign: true,
        });
        let begun = match begun {
            Ok(begun) => begun,
            Err(status) => {
                self.serve.refused(&status);
                return Box::pin(std::future::ready(Err(status)));
            }
        };
        let running = Running {
            context: begun.context.clone(),
            served: Served::new(begun, now),
            is_over: false,
        };
        let serve = Arc::clone(&self.serve);
        Box::pin(async move {
            let ended = running.await;
            if let (true, Some(Reply::Status(status))) = (ended.refused, &ended.reply) {
                serve.refused(status);
            }
            inbound(ended, gives_bytes)
        })
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.services.iter().map(|(name, _)| name);
        f.debug_tuple("Door").field(&names.collect::<Vec<_>>()).finish()
    }
}

/// A handler at work, for as long as somebody waits for it.
struct Running {
    context: Context,
    served: Served,
    is_over: bool,
}

impl Future for Running {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Ended> {
        let ended = ready!(Pin::new(&mut self.served).poll(cx));
        self.is_over = true;
        Poll::Ready(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.context.cancel(CancelReason::Dropped);
        }
    }
}

/// How it ended, for whoever speaks the other protocol.
fn inbound(ended: Ended, gives_bytes: bool) -> Result<Inbound, Status> {
    let context = ended.context;
    let metadata = context.take_answer_metadata();
    match ended.reply {
        Some(Reply::Value { body, .. }) if body.len() > limits::MESSAGE_MAX => Err(Status::new(
            Code::ResourceExhausted,
            format!(
                "the answer takes {} bytes, a message may have {}; return a stream",
                body.len(),
                limits::MESSAGE_MAX
            ),
        )),
        Some(Reply::Value { body, .. }) => {
            let content = Bytes::from(body);
            let content =
                if gives_bytes { Payload::Bytes(content) } else { Payload::Json(content) };
            Ok(Inbound::Value { content, metadata })
        }
        Some(Reply::App { body, .. }) => {
            let words = format!("`{}` failed with its own error", context.method());
            let otherwise = Status::new(Code::Unknown, words);
            Ok(Inbound::Error { content: body.into(), metadata, otherwise })
        }
        Some(Reply::Status(status)) => Err(status),
        Some(Reply::Stream { items, .. }) => {
            let items = Box::pin(AnswerItems::new(items, context, gives_bytes));
            Ok(Inbound::Items { bytes: gives_bytes, metadata, items })
        }
        // Whoever waits for this has not dropped it, so nobody has cancelled it but the process that ends.
        None => Err(Status::runtime(
            Code::Cancelled,
            Reason::None,
            Disposition::Unknown,
            Origin::PeerRuntime,
            "the call was cancelled",
        )),
    }
}

/// The stream that a handler returned: polled in its context, until its deadline.
struct AnswerItems {
    /// `None` when it is over.
    items: Option<Box<dyn EncodeItems>>,
    context: Context,
    codec: u8,
    timer: Option<Pin<Box<Sleep>>>,
}

impl AnswerItems {
    fn new(items: Box<dyn EncodeItems>, context: Context, gives_bytes: bool) -> Self {
        let codec = if gives_bytes { codec::JSON_OR_BYTES } else { codec::JSON };
        let timer = context.inner().deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        Self { items: Some(items), context, codec, timer }
    }

    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(items) = &mut self.items else { return Poll::Ready(None) };
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Status::new(
                Code::DeadlineExceeded,
                "the deadline passed in the middle of the stream",
            ))));
        }
        let mut item = Vec::new();
        let codec = self.codec;
        let polled = self
            .context
            .enter(|| catch_unwind(AssertUnwindSafe(|| items.poll_encode(cx, codec, &mut item))));
        let next = match polled {
            Ok(polled) => ready!(polled),
            Err(panic) => {
                return Poll::Ready(Some(Err(panicked(self.context.inner().method, &*panic))));
            }
        };
        Poll::Ready(next.map(|next| match next {
            Ok(()) => Ok(item.into()),
            Err(Failure::Status(status)) => Err(status),
            Err(Failure::App(error)) => Err(Status::new(
                Code::Unknown,
                format!("the stream ended with an error of its own: {error:?}"),
            )),
        }))
    }
}

impl Stream for AnswerItems {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll_item(cx));
        if !matches!(item, Some(Ok(_))) {
            self.items = None;
        }
        Poll::Ready(item)
    }
}

impl Drop for AnswerItems {
    fn drop(&mut self) {
        // Whoever read it went away before its end.
        if self.items.take().is_some() {
            self.context.cancel(CancelReason::StreamDropped);
        }
    }
}
