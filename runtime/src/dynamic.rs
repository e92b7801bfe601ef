//! Calls of services whose trait is not at hand: by name, with values that serde writes.
//!
//! # Why
//! A tool knows a service by its [descriptor] alone. Its calls go through the same pipeline as a
//! generated client's, and as MessagePack with named fields, which any build of the service reads.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew::{CallError, dynamic::DynamicMethod};
//!
//! let mesh = sinew::Mesh::from_env().await?;
//! let client = mesh.dynamic("Greeter");
//! let described = client.describe().await?;
//! let greeter = described.service("Greeter").ok_or("no such service")?;
//! let greet = DynamicMethod::new(greeter, &greeter.methods[0]);
//! let answer: Result<String, CallError<()>> = client.call(&greet, ("World",)).await;
//! # let _ = answer; Ok(()) }
//! ```

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sinew_core::codes::Code;
use sinew_descriptor::{self as descriptor, Descriptor, Streams};

use crate::{
    call::{
        context::Context,
        failure::{Failure, MethodError},
        method::{Method, Shape},
        options::CallOptions,
        streaming::Streaming,
        types::Types,
    },
    client::{Channel, answer, stack},
    codec,
    error::{CallError, Status},
    reflect::{self, reflection},
    server::{self, Handler, Service},
};

/// A method that is called by name.
#[derive(Debug, Clone, Copy)]
pub struct DynamicMethod(&'static Types);

impl DynamicMethod {
    /// This method of this service. What is kept of it is kept until the process ends: make it once, not for each call.
    pub fn new(service: &descriptor::Service, method: &descriptor::Method) -> Self {
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let (of, name) = (leak(&service.name), leak(&method.name));
        let path = leak(&format!("{of}/{name}"));
        let shape = match method.streams {
            Streams::None => Shape::Unary,
            Streams::Output => Shape::ServerStreaming,
            Streams::Input => Shape::ClientStreaming,
            Streams::Both => Shape::Bidirectional,
        };
        let names: Vec<&'static str> =
            method.arguments.iter().map(|argument| leak(&argument.name)).collect();
        let names: &'static [&'static str] = Box::leak(names.into());
        let mut known = Method::new(of, name, path, shape).arguments(names);
        if method.idempotent {
            known = known.idempotent();
        }
        if method.raw {
            known = known.raw();
        }
        if let Some(us) = method.timeout_us {
            known = known.timeout_us(us);
        }
        if let Some(input) = &method.input {
            known = known.with_input(leak(&input.name), input.at);
        }
        if let Some(http) = &method.http {
            known = known.http(Box::leak(Box::new(reflect::unbound(http, names))));
        }
        Self(Box::leak(Box::new(Types::untyped(Box::leak(Box::new(known))))))
    }

    /// What is known of it.
    pub fn method(&self) -> &'static Method {
        self.0.method()
    }
}

/// A client of any service. Made by [`Mesh::dynamic`](crate::Mesh::dynamic). Cheap to clone.
#[derive(Debug, Clone)]
pub struct DynamicClient(Channel);

impl DynamicClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(channel)
    }

    /// The same client; these options hold for every call made through it.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self(self.0.with(options))
    }

    /// The service's name on the wire.
    pub fn service(&self) -> &str {
        self.0.service()
    }

    /// All services of the server that answers, as data.
    ///
    /// # Errors
    /// Those of any call; `Unimplemented` where the server does not say it (`without_reflection`).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call on the server.
    pub async fn describe(&self) -> Result<Descriptor, Status> {
        let (types, arguments) = (reflection(), (Bytes::new(),));
        let channel = self.0.clone();
        let call =
            stack::unary::<_, Bytes, Status>(channel, types, arguments, None, Context::current());
        let answer = call.await?;
        let descriptor: Descriptor = codec::decode(codec::MESSAGEPACK, &answer)
            .map_err(|error| Status::new(Code::Internal, format!("the description: {error}")))?;
        Ok(descriptor)
    }

    /// Calls a method of one request and one answer. `arguments` is a tuple of as many parts as it has arguments, each as
    /// serde writes the original.
    ///
    /// # Errors
    /// Those of any call; the method's own error as far as `E` reads it.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call on the server.
    pub async fn call<A, T, E>(
        &self,
        method: &DynamicMethod,
        arguments: A,
    ) -> Result<T, CallError<E>>
    where
        A: Serialize + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        E: Serialize + DeserializeOwned + Send + 'static,
    {
        let (channel, types) = (self.0.clone(), method.0);
        stack::unary::<A, T, E>(channel, types, arguments, None, Context::current()).await
    }

    /// Calls a method of which at least one side streams.
    ///
    /// # Errors
    /// Those of any call; the method's own error as far as `E` reads it.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call on the server.
    pub async fn stream<A, I, T, E>(
        &self,
        method: &DynamicMethod,
        arguments: A,
        input: Option<Streaming<I>>,
    ) -> Result<DynamicAnswer<T, E>, CallError<E>>
    where
        A: Serialize + Send + 'static,
        I: Serialize + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        E: Serialize + DeserializeOwned + Send + 'static,
    {
        let input = input.map(|input| Box::new(input) as Box<_>);
        let (channel, types) = (self.0.clone(), method.0);
        let call = stack::streaming(channel, types, (arguments, input), None, Context::current());
        let answer = call.await.map_err(|status| E::caller(Failure::Status(status)))?;
        if types.method().shape().has_output_stream() {
            return answer::typed_stream(types, answer)
                .map(DynamicAnswer::Stream)
                .map_err(E::caller);
        }
        answer::typed_single(types, answer).map(DynamicAnswer::Value).map_err(E::caller)
    }
}

/// What a call came to that streams.
#[derive(Debug)]
pub enum DynamicAnswer<T, E> {
    /// The method takes a stream and answers with one value.
    Value(T),
    /// It answers with a stream.
    Stream(Streaming<T, E>),
}

/// A service whose trait is not at hand, as a server has it: each method hands its calls to a function. What
/// `ServerBuilder::serve` takes.
///
/// Its callers are any generated clients of the service. They are told that their types cannot be compared, and write
/// MessagePack with named fields.
#[derive(Debug)]
pub struct DynamicService {
    name: &'static str,
    handlers: Vec<Handler>,
}

impl DynamicService {
    /// Without methods.
    pub fn new(name: &str) -> Self {
        Self { name: Box::leak(name.to_owned().into_boxed_str()), handlers: Vec::new() }
    }

    /// A method of one request and one answer.
    #[must_use]
    pub fn unary<A, T, E, F, Fut>(mut self, method: &DynamicMethod, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: MethodError,
        F: FnOnce(A) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.handlers.push(server::unary_handler(method.0, handler));
        self
    }

    /// One that answers with a stream.
    #[must_use]
    pub fn server_streaming<A, T, E, F, Fut>(mut self, method: &DynamicMethod, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: MethodError,
        F: FnOnce(A) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Streaming<T>, E>> + Send + 'static,
    {
        self.handlers.push(server::server_streaming_handler(method.0, handler));
        self
    }

    /// One that takes a stream.
    #[must_use]
    pub fn client_streaming<A, I, T, E, F, Fut>(
        mut self,
        method: &DynamicMethod,
        handler: F,
    ) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: MethodError,
        F: FnOnce(A, Streaming<I>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.handlers.push(server::client_streaming_handler(method.0, handler));
        self
    }

    /// One of which both sides stream.
    #[must_use]
    pub fn bidirectional<A, I, T, E, F, Fut>(mut self, method: &DynamicMethod, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        T: Serialize + Send + 'static,
        E: MethodError,
        F: FnOnce(A, Streaming<I>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Streaming<T>, E>> + Send + 'static,
    {
        self.handlers.push(server::bidirectional_handler(method.0, handler));
        self
    }
}

impl From<DynamicService> for Service {
    fn from(service: DynamicService) -> Self {
        Self::new(service.name, service.handlers)
    }
}
