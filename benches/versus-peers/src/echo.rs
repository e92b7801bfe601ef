//! tonic with prost: what `tonic-prost-build` writes for
//! `service Echo { rpc Echo (Message) returns (Message); }` with `message Message { bytes payload = 1; }`, written
//! here by hand so that nobody needs a protoc. `payload` is `Bytes`, the cheapest of prost's choices.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tonic::{
    Request, Response, Status,
    body::Body,
    client::Grpc as ClientGrpc,
    codegen::{BoxFuture, Service, http},
    server::{Grpc as ServerGrpc, NamedService, UnaryService},
    transport::Channel,
};
use tonic_prost::ProstCodec;

const PATH: &str = "/versus.Echo/Echo";

/// Argument and result.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Message {
    /// Whatever is said.
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

/// The service.
#[tonic::async_trait]
pub trait Echo: Send + Sync + 'static {
    /// Its method.
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status>;
}

/// The service as tonic's server takes it.
#[derive(Debug)]
pub struct EchoServer<T> {
    inner: Arc<T>,
}

impl<T> EchoServer<T> {
    /// Serves this.
    pub fn new(inner: T) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl<T> Clone for EchoServer<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> NamedService for EchoServer<T> {
    const NAME: &'static str = "versus.Echo";
}

struct EchoMethod<T>(Arc<T>);

impl<T: Echo> UnaryService<Message> for EchoMethod<T> {
    type Response = Message;
    type Future = BoxFuture<Response<Message>, Status>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { T::echo(&inner, request).await })
    }
}

impl<T: Echo> Service<http::Request<Body>> for EchoServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return Box::pin(async { Ok(Status::unimplemented("").into_http()) });
        }
        let method = EchoMethod(Arc::clone(&self.inner));
        Box::pin(async move {
            let mut grpc = ServerGrpc::new(ProstCodec::default());
            Ok(grpc.unary(method, request).await)
        })
    }
}

/// The client.
#[derive(Clone, Debug)]
pub struct EchoClient {
    inner: ClientGrpc<Channel>,
}

impl EchoClient {
    /// Calls through this channel.
    pub fn new(channel: Channel) -> Self {
        Self { inner: ClientGrpc::new(channel) }
    }

    /// Calls the method.
    ///
    /// # Errors
    /// The channel's and the service's.
    pub async fn echo(&mut self, request: Request<Message>) -> Result<Response<Message>, Status> {
        self.inner
            .ready()
            .await
            .map_err(|why| Status::unknown(format!("service was not ready: {why}")))?;
        let codec = ProstCodec::default();
        let path = http::uri::PathAndQuery::from_static(PATH);
        self.inner.unary(request, path, codec).await
    }
}
