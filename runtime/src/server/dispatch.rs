//! From the id in a frame to the method of a trait: the table, and what a generated handler is.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Reason},
    ids::{Fingerprint, MethodId},
    plan::server::ServerPlan,
};
use tokio::time::Instant;

use super::BindError;
use crate::{
    call::{
        context::Context,
        failure::{Failure, MethodError},
        method::Method,
        pace::Pace,
        streaming::{EncodeItems, RawItems, Streaming},
        types::{self, Answerer, Meeting, Types},
    },
    codec,
    error::Status,
    metrics::{Registry, Served},
    reflect,
    transport::{BoxFuture, Kept, Reply, turn::Admission},
};

/// A request on its way into a handler.
pub(crate) struct HandlerRequest {
    pub(crate) codec: u8,
    /// The caller's idea of the method's types, if it said so.
    pub(crate) theirs: Option<Fingerprint>,
    pub(crate) body: Bytes,
    pub(crate) input: Option<RawItems>,
}

/// Most answers fit into this many bytes: one allocation, and no second one to grow.
const SMALL: usize = 128;

type Run = dyn Fn(Context, HandlerRequest) -> BoxFuture<'static, Reply> + Send + Sync;

/// One method of one implementation, its types forgotten. Generated code makes these.
#[derive(Clone)]
pub struct Handler {
    types: &'static Types,
    kept: Arc<Kept>,
    /// Where its calls ask for their places; none for one that does not need one.
    admission: Option<Arc<Admission>>,
    run: Arc<Run>,
}

impl Handler {
    pub(crate) fn new<F>(types: &'static Types, run: F) -> Self
    where
        F: Fn(Context, HandlerRequest) -> BoxFuture<'static, Reply> + Send + Sync + 'static,
    {
        let kept = kept(types.method(), Arc::default());
        Self { types, kept, admission: None, run: Arc::new(run) }
    }

    /// The same at work in a server: counted in its mesh, and with a place among its calls.
    ///
    /// What takes a stream waits for its caller, mostly: for as long as the stream lasts. It needs no place, and nor does
    /// what a server says of itself.
    fn at_work(&self, metrics: &Registry, plan: &Arc<ServerPlan>) -> Self {
        let method = self.method();
        let counts = metrics.served(method.service(), method.name());
        let needs_place = !method.shape().has_input() && method.service() != reflect::REFLECTION;
        let admission = needs_place.then(|| {
            let method = plan.method(Instant::now().into_std());
            Arc::new(Admission { plan: Arc::clone(plan), method })
        });
        Self { kept: kept(method, counts), admission, ..self.clone() }
    }

    pub(crate) const fn admission(&self) -> Option<&Arc<Admission>> {
        self.admission.as_ref()
    }

    pub(crate) fn method(&self) -> &'static Method {
        self.types.method()
    }

    /// What its types allow on the wire.
    pub(crate) fn types(&self) -> &'static Types {
        self.types
    }

    pub(crate) fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// The handler at work, in its context.
    pub(crate) fn run(
        &self,
        context: Context,
        request: HandlerRequest,
    ) -> BoxFuture<'static, Reply> {
        (self.run)(context, request)
    }
}

fn kept(method: &'static Method, counts: Arc<Served>) -> Arc<Kept> {
    Arc::new(Kept { pace: Pace::new(method), counts })
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handler").field(&self.method().path()).finish()
    }
}

/// One implementation of one service: what `mesh.server().serve(..)` takes.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    handlers: Vec<Handler>,
}

impl Service {
    /// A service of these methods. Generated code calls this.
    pub fn new(name: &'static str, handlers: Vec<Handler>) -> Self {
        Self { name, handlers }
    }

    /// The service's name on the wire.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is known of the types of each method.
    pub(super) fn types(&self) -> Vec<&'static Types> {
        self.handlers.iter().map(Handler::types).collect()
    }
}

/// Every method that a server serves, found by its id.
#[derive(Debug)]
pub(super) struct Table(Vec<(MethodId, Handler)>);

impl Table {
    /// Sorted by id; two methods of one id cannot both be served.
    pub(super) fn new<'s>(
        services: impl Iterator<Item = &'s Service>,
        metrics: &Registry,
        plan: &Arc<ServerPlan>,
    ) -> Result<Self, BindError> {
        let handlers = services.flat_map(|service| &service.handlers);
        let mut table: Vec<(MethodId, Handler)> = handlers
            .map(|handler| (handler.types().id(), handler.at_work(metrics, plan)))
            .collect();
        table.sort_by_key(|(id, _)| *id);
        let collision = table.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some(pair) = collision {
            return Err(BindError::Collision {
                first: pair[0].1.method().path().to_owned(),
                second: pair[1].1.method().path().to_owned(),
            });
        }
        Ok(Self(table))
    }

    /// What the settings say of the types; zero where a method is not spoken in bincode.
    pub(super) fn fingerprints(&self) -> Vec<(MethodId, Fingerprint)> {
        let spoken = self.0.iter().filter(|(_, handler)| !handler.method().is_raw());
        spoken
            .map(|(id, handler)| (*id, handler.types().fingerprint().unwrap_or(Fingerprint(0))))
            .collect()
    }

    /// All of them, sorted by the ids of their methods.
    pub(super) fn handlers(&self) -> impl Iterator<Item = &Handler> {
        self.0.iter().map(|(_, handler)| handler)
    }

    pub(super) fn get(&self, id: MethodId) -> Option<&Handler> {
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, handler)| handler)
    }
}

/// The arguments, or the answer that says what is wrong with them.
fn arguments<A: DeserializeOwned + 'static>(
    types: &Types,
    request: &HandlerRequest,
) -> Result<A, Reply> {
    let method = types.method();
    codec::decode_arguments(request.codec, method.argument_names(), &request.body).map_err(
        |error| {
            Reply::Status(Status::rejected(
                Code::InvalidArgument,
                Reason::Malformed,
                match request.codec {
                    codec::BINCODE | codec::MESSAGEPACK => format!(
                        "the arguments of `{}`: {error}; {}",
                        method.path(),
                        types::sides(
                            ("the caller's build", request.theirs),
                            ("this server's", types.fingerprint())
                        )
                    ),
                    // Who speaks JSON has no build that could differ.
                    _ => format!("the arguments of `{}`: {error}", method.path()),
                },
            ))
        },
    )
}

/// What a failure is on the wire.
fn failed(failure: Failure, codec: u8) -> Reply {
    match failure {
        Failure::Status(status) => Reply::Status(status.of_handler()),
        Failure::App(error) => {
            let mut body = Vec::new();
            // A raw method carries bytes, and says nothing of the structure of its error.
            let codec = if codec == codec::RAW { codec::MESSAGEPACK } else { codec };
            match error.encode(codec, &mut body) {
                Ok(codec) => Reply::App { codec, body },
                Err(error) => unencodable(&error),
            }
        }
    }
}

fn unencodable(error: &codec::CodecError) -> Reply {
    Reply::Status(Status::new(Code::Internal, format!("the answer: {error}")))
}

fn value<T: Serialize + 'static, E: MethodError>(result: Result<T, E>, codec: u8) -> Reply {
    match result {
        Ok(value) => {
            let mut body = Vec::with_capacity(SMALL);
            match codec::encode_or_named(codec, &value, &mut body) {
                Ok(codec) => Reply::Value { codec, body },
                Err(error) => unencodable(&error),
            }
        }
        Err(error) => failed(error.into_failure(), codec),
    }
}

fn stream<T: Serialize + Send + 'static, E: MethodError>(
    result: Result<Streaming<T>, E>,
    codec: u8,
) -> Reply {
    match result {
        Ok(items) => Reply::Stream { codec, items: Box::new(items) as Box<dyn EncodeItems> },
        Err(error) => failed(error.into_failure(), codec),
    }
}

fn input<I: DeserializeOwned + Send + 'static>(
    types: &'static Types,
    request: &mut HandlerRequest,
) -> Result<Streaming<I>, Reply> {
    let items = request.input.take().ok_or_else(|| {
        Reply::Status(Status::rejected(
            Code::InvalidArgument,
            Reason::Malformed,
            "the method takes a stream and the call brought none; the two builds differ",
        ))
    })?;
    Ok(Streaming::remote(
        request.codec,
        items,
        Meeting { types, by: Answerer { theirs: request.theirs, endpoint: None } },
    ))
}

/// A handler of a unary method.
pub(crate) fn unary_handler<A, T, E, F, Fut>(types: &'static Types, handler: F) -> Handler
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    E: MethodError,
    F: FnOnce(A) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    Handler::new(types, move |context, request| {
        let handler = handler.clone();
        boxed(context, async move {
            let codec = request.codec;
            match arguments(types, &request) {
                Ok(arguments) => value(handler(arguments).await, codec),
                Err(reply) => reply,
            }
        })
    })
}

/// A handler of a method that answers with a stream.
pub(crate) fn server_streaming_handler<A, T, E, F, Fut>(
    types: &'static Types,
    handler: F,
) -> Handler
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    E: MethodError,
    F: FnOnce(A) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Streaming<T>, E>> + Send + 'static,
{
    Handler::new(types, move |context, request| {
        let handler = handler.clone();
        boxed(context, async move {
            let codec = request.codec;
            match arguments(types, &request) {
                Ok(arguments) => stream(handler(arguments).await, codec),
                Err(reply) => reply,
            }
        })
    })
}

/// A handler of a method that takes a stream.
pub(crate) fn client_streaming_handler<A, I, T, E, F, Fut>(
    types: &'static Types,
    handler: F,
) -> Handler
where
    A: DeserializeOwned + Send + 'static,
    I: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    E: MethodError,
    F: FnOnce(A, Streaming<I>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    Handler::new(types, move |context, mut request| {
        let handler = handler.clone();
        boxed(context, async move {
            let codec = request.codec;
            match arguments(types, &request).and_then(|all| Ok((all, input(types, &mut request)?)))
            {
                Ok((arguments, input)) => value(handler(arguments, input).await, codec),
                Err(reply) => reply,
            }
        })
    })
}

/// A handler of a method of which both sides stream.
pub(crate) fn bidirectional_handler<A, I, T, E, F, Fut>(
    types: &'static Types,
    handler: F,
) -> Handler
where
    A: DeserializeOwned + Send + 'static,
    I: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    E: MethodError,
    F: FnOnce(A, Streaming<I>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Streaming<T>, E>> + Send + 'static,
{
    Handler::new(types, move |context, mut request| {
        let handler = handler.clone();
        boxed(context, async move {
            let codec = request.codec;
            match arguments(types, &request).and_then(|all| Ok((all, input(types, &mut request)?)))
            {
                Ok((arguments, input)) => stream(handler(arguments, input).await, codec),
                Err(reply) => reply,
            }
        })
    })
}

/// One allocation for the handler and its context together.
fn boxed<F>(context: Context, handler: F) -> BoxFuture<'static, Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    Box::pin(context.scope(handler))
}
