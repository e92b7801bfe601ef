//! tonic with prost, streams: what `tonic-prost-build` writes for
//! `service Flow { rpc Down (Message) returns (stream Message); rpc Up (stream Message) returns (Count); }` with the
//! message of [`echo`](crate::echo) and `message Count { uint64 items = 1; }`, written here by hand.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::stream::BoxStream;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::Grpc as ClientGrpc,
    codegen::{BoxFuture, Service, http},
    server::{ClientStreamingService, Grpc as ServerGrpc, NamedService, ServerStreamingService},
    transport::Channel,
};
use tonic_prost::ProstCodec;

use crate::echo::Message;

const DOWN: &str = "/versus.Flow/Down";
const UP: &str = "/versus.Flow/Up";

/// How many items came.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Count {
    /// So many.
    #[prost(uint64, tag = "1")]
    pub items: u64,
}

/// The service.
#[tonic::async_trait]
pub trait Flow: Send + Sync + 'static {
    /// The same item, for as long as anybody reads.
    async fn down(
        &self,
        request: Request<Message>,
    ) -> Result<Response<BoxStream<'static, Result<Message, Status>>>, Status>;

    /// Counts what comes.
    async fn up(&self, request: Request<Streaming<Message>>) -> Result<Response<Count>, Status>;
}

/// The service as tonic's server takes it.
#[derive(Debug)]
pub struct FlowServer<T> {
    inner: Arc<T>,
}

impl<T> FlowServer<T> {
    /// Serves this.
    pub fn new(inner: T) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl<T> Clone for FlowServer<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> NamedService for FlowServer<T> {
    const NAME: &'static str = "versus.Flow";
}

struct DownMethod<T>(Arc<T>);

impl<T: Flow> ServerStreamingService<Message> for DownMethod<T> {
    type Response = Message;
    type ResponseStream = BoxStream<'static, Result<Message, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { T::down(&inner, request).await })
    }
}

struct UpMethod<T>(Arc<T>);

impl<T: Flow> ClientStreamingService<Message> for UpMethod<T> {
    type Response = Count;
    type Future = BoxFuture<Response<Count>, Status>;

    fn call(&mut self, request: Request<Streaming<Message>>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { T::up(&inner, request).await })
    }
}

impl<T: Flow> Service<http::Request<Body>> for FlowServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        match request.uri().path() {
            DOWN => Box::pin(async move {
                let mut grpc = ServerGrpc::new(ProstCodec::default());
                Ok(grpc.server_streaming(DownMethod(inner), request).await)
            }),
            UP => Box::pin(async move {
                let mut grpc = ServerGrpc::new(ProstCodec::default());
                Ok(grpc.client_streaming(UpMethod(inner), request).await)
            }),
            _ => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
    }
}

/// The client.
#[derive(Clone, Debug)]
pub struct FlowClient {
    inner: ClientGrpc<Channel>,
}

impl FlowClient {
    /// Calls through this channel.
    pub fn new(channel: Channel) -> Self {
        Self { inner: ClientGrpc::new(channel) }
    }

    /// Calls the method.
    ///
    /// # Errors
    /// The channel's and the service's.
    pub async fn down(
        &mut self,
        request: Request<Message>,
    ) -> Result<Response<Streaming<Message>>, Status> {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(DOWN);
        self.inner.server_streaming(request, path, ProstCodec::default()).await
    }

    /// Calls the method.
    ///
    /// # Errors
    /// As [`down`](Self::down).
    pub async fn up<S>(&mut self, items: S) -> Result<Response<Count>, Status>
    where
        S: futures::Stream<Item = Message> + Send + 'static,
    {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(UP);
        self.inner.client_streaming(Request::new(items), path, ProstCodec::default()).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let why = |why| Status::unknown(format!("service was not ready: {why}"));
        self.inner.ready().await.map_err(why)
    }
}
