//! Where users extend the path of a call: `async fn(Request, Next) -> Response`, at marked places of the two stacks.
//!
//! # Why
//! Authentication of end users, audit, fault injection: what an organisation does around every call belongs in one
//! place and not in every handler. What sinew itself does is not made of interceptors: it is the text of `stack.rs`.
//!
//! # Cost
//! A stack without interceptors pays one comparison. With them a call pays a few allocations, and its arguments are
//! encoded before the first of them runs.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sinew_core::{
    codes::{Code, Reason},
    metadata::Metadata,
    wire::answer::AnswerOutcome,
};
use tokio::time::Instant;

use crate::{
    call::{context::Peer, method::Method},
    codec::{self, CodecError, Encode},
    discovery::Entry,
    error::Status,
    mirrored::Observer,
    transport::{Answer, BoxFuture, Reply, StreamAnswer},
};

/// Something that runs around calls. Every `Fn(Request, Next) -> impl Future<Output = Response>` is one.
///
/// ```
/// use sinew::{Code, Next, Request, Response, Status};
///
/// async fn only_reads(request: Request, next: Next) -> Response {
///     if !request.method().is_idempotent() {
///         return Response::status(Status::new(Code::PermissionDenied, "this replica is for reading"));
///     }
///     next.run(request).await
/// }
/// # let _ = sinew::Mesh::builder().intercept_calls(only_reads);
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Runs around one call; `next.run(request)` goes on with it.
    fn intercept(&self, request: Request, next: Next) -> BoxFuture<'static, Response>;
}

impl<F, Fut> Interceptor for F
where
    F: Fn(Request, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    fn intercept(&self, request: Request, next: Next) -> BoxFuture<'static, Response> {
        Box::pin(self(request, next))
    }
}

/// A call as an interceptor sees it.
#[derive(Debug)]
pub struct Request {
    pub(crate) method: &'static Method,
    pub(crate) metadata: Metadata,
    pub(crate) deadline: Option<Instant>,
    pub(crate) peer: Option<Arc<Peer>>,
    pub(crate) endpoint: Option<Arc<str>>,
    /// What discovery says of that.
    pub(crate) entry: Option<Arc<Entry>>,
    pub(crate) attempt: u8,
    pub(crate) shadow: bool,
    pub(crate) codec: u8,
    pub(crate) body: Bytes,
}

impl Request {
    /// The method.
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// The request's metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The request's metadata, to add to or take from. Bounded as always.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// When the call must have ended; `None` for one without a deadline.
    pub fn deadline(&self) -> Option<std::time::Instant> {
        self.deadline.map(Instant::into_std)
    }

    /// On a server: the verified caller.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_deref()
    }

    /// On a client, per attempt: the endpoint it goes to.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// On a client, per attempt: what the endpoint that it goes to has under this label.
    pub fn endpoint_label(&self, label: &str) -> Option<&str> {
        self.entry.as_ref()?.about.labels.get(label).map(String::as_str)
    }

    /// Which attempt of its call this is, from 0.
    pub fn attempt(&self) -> u8 {
        self.attempt
    }

    /// Whether it is a copy of a call, whose answer nobody uses, or made for one.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// The arguments, decoded as a tuple of their types, only when asked for: `request.arguments::<(Sku, u32)>()`.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when they are not such a tuple.
    pub fn arguments<A: DeserializeOwned + 'static>(&self) -> Result<A, Status> {
        codec::decode_arguments(self.codec, self.method.argument_names(), &self.body)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }

    /// The arguments as they are on the wire.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// What a call came to, as an interceptor sees it.
pub struct Response(pub(crate) Outcome);

pub(crate) enum Outcome {
    Answer(Box<Answer>),
    Stream(StreamAnswer),
    Reply(Reply),
    Status(Status),
}

impl Response {
    /// Ends the call with this status, here.
    pub fn status(status: Status) -> Self {
        Self(Outcome::Status(status))
    }

    /// The code and the reason of the status that the call failed with, if it did, whoever says so. The service's own errors
    /// are answers.
    pub fn failure(&self) -> Option<(Code, Reason)> {
        match &self.0 {
            Outcome::Answer(answer) | Outcome::Stream(StreamAnswer::Single(answer)) => {
                match &answer.head.outcome {
                    AnswerOutcome::Status(status) => Some((status.code, status.reason)),
                    AnswerOutcome::Ok | AnswerOutcome::App => None,
                }
            }
            _ => self.failed().map(|status| (status.code(), status.reason())),
        }
    }

    /// The status, if the call failed with one on this side; of what the other side answered [`failure`](Self::failure) tells. The
    /// service's own errors are answers.
    pub fn failed(&self) -> Option<&Status> {
        match &self.0 {
            Outcome::Status(status) | Outcome::Reply(Reply::Status(status)) => Some(status),
            Outcome::Answer(_) | Outcome::Stream(_) | Outcome::Reply(_) => None,
        }
    }

    /// On a client: the metadata of the answer.
    pub fn metadata(&self) -> Option<&Metadata> {
        match &self.0 {
            Outcome::Answer(answer) | Outcome::Stream(StreamAnswer::Single(answer)) => {
                Some(&answer.head.metadata)
            }
            Outcome::Stream(StreamAnswer::Items { metadata, .. }) => Some(metadata),
            Outcome::Reply(_) | Outcome::Status(_) => None,
        }
    }

    pub(crate) fn into_answer(self) -> Result<Box<Answer>, Status> {
        match self.0 {
            Outcome::Answer(answer) | Outcome::Stream(StreamAnswer::Single(answer)) => Ok(answer),
            Outcome::Status(status) => Err(status),
            Outcome::Stream(_) | Outcome::Reply(_) => Err(mixed_up()),
        }
    }

    pub(crate) fn into_stream(self) -> Result<StreamAnswer, Status> {
        match self.0 {
            Outcome::Answer(answer) => Ok(StreamAnswer::Single(answer)),
            Outcome::Stream(answer) => Ok(answer),
            Outcome::Status(status) => Err(status),
            Outcome::Reply(_) => Err(mixed_up()),
        }
    }

    pub(crate) fn into_reply(self) -> Reply {
        match self.0 {
            Outcome::Reply(reply) => reply,
            Outcome::Status(status) => Reply::Status(status),
            Outcome::Answer(_) | Outcome::Stream(_) => Reply::Status(mixed_up()),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failed() {
            Some(status) => f.debug_tuple("Response").field(status).finish(),
            None => f.write_str("Response(answered)"),
        }
    }
}

/// An interceptor gave back the response of some other call.
fn mixed_up() -> Status {
    Status::new(Code::Internal, "an interceptor answered with the response of another call")
}

type Last = Box<dyn FnOnce(Request) -> BoxFuture<'static, Response> + Send>;

/// The rest of the way of a call.
pub struct Next {
    chain: Arc<[Arc<dyn Interceptor>]>,
    at: usize,
    last: Last,
}

impl Next {
    /// Goes on with the call.
    pub fn run(mut self, request: Request) -> BoxFuture<'static, Response> {
        match self.chain.get(self.at).cloned() {
            Some(interceptor) => {
                self.at += 1;
                interceptor.intercept(request, self)
            }
            None => (self.last)(request),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} more)", self.chain.len() - self.at.min(self.chain.len()))
    }
}

/// The interceptors of one place, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Chain(Option<Arc<[Arc<dyn Interceptor>]>>);

impl Chain {
    pub(crate) fn push(&mut self, interceptor: Arc<dyn Interceptor>) {
        let known = self.0.iter().flat_map(|chain| chain.iter().cloned());
        self.0 = Some(known.chain([interceptor]).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Runs `last` inside of all interceptors.
    pub(crate) fn run<F>(&self, request: Request, last: F) -> BoxFuture<'static, Response>
    where
        F: FnOnce(Request) -> BoxFuture<'static, Response> + Send + 'static,
    {
        match &self.0 {
            Some(chain) => {
                Next { chain: Arc::clone(chain), at: 0, last: Box::new(last) }.run(request)
            }
            None => last(request),
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({})", self.0.as_ref().map_or(0, |chain| chain.len()))
    }
}

/// The two places of a client, and who compares its copies.
#[derive(Clone, Default)]
pub(crate) struct Interceptors {
    pub(crate) per_call: Chain,
    pub(crate) per_attempt: Chain,
    pub(crate) compares: Option<Observer>,
    /// Around attempts at one service, by its name.
    of_services: Vec<(String, Arc<dyn Interceptor>)>,
}

impl Interceptors {
    pub(crate) fn push_of(&mut self, service: String, interceptor: Arc<dyn Interceptor>) {
        self.of_services.push((service, interceptor));
    }

    /// Those of the clients of this service.
    pub(crate) fn of(&self, service: &str) -> Self {
        let mut all = Self { of_services: Vec::new(), ..self.clone() };
        let its = self.of_services.iter().filter(|(name, _)| name == service);
        its.for_each(|(_, interceptor)| all.per_attempt.push(Arc::clone(interceptor)));
        all
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interceptors")
            .field("per_call", &self.per_call)
            .field("per_attempt", &self.per_attempt)
            .finish_non_exhaustive()
    }
}

/// Arguments that were encoded before an interceptor saw them, and that can be encoded again for a server that wants
/// another codec.
pub(crate) struct Encoded {
    codec: u8,
    body: Bytes,
    arguments: Option<Box<dyn Encode>>,
}

impl Encoded {
    /// For the way of one attempt, whose codec is settled.
    pub(crate) fn once(codec: u8, arguments: &mut dyn Encode) -> Result<Self, CodecError> {
        let mut body = Vec::new();
        arguments.encode(codec, &mut body)?;
        Ok(Self { codec, body: body.into(), arguments: None })
    }

    /// For a whole call.
    pub(crate) fn new(codec: u8, mut arguments: Box<dyn Encode>) -> Result<Self, CodecError> {
        let encoded = Self::once(codec, &mut *arguments)?;
        Ok(Self { arguments: Some(arguments), ..encoded })
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Encode for Encoded {
    fn encode(&mut self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match &mut self.arguments {
            _ if codec == self.codec => out.extend_from_slice(&self.body),
            Some(arguments) => return arguments.encode(codec, out),
            None => return Err(CodecError::Unknown(codec)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Passes;

    impl Interceptor for Passes {
        fn intercept(&self, request: Request, next: Next) -> BoxFuture<'static, Response> {
            next.run(request)
        }
    }

    #[test]
    fn what_is_around_one_service_is_around_no_other() {
        let mut all = Interceptors::default();
        all.push_of("a".to_owned(), Arc::new(Passes));
        assert!(!all.of("a").per_attempt.is_empty());
        assert!(all.of("b").per_attempt.is_empty());
        assert!(all.of("a").per_call.is_empty());
    }
}
