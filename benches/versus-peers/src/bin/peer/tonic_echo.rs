//! tonic with prost, by its defaults: what `tonic-prost-build` writes for
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
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Server, ServerTlsConfig,
        server::TcpIncoming,
    },
};
use tonic_prost::ProstCodec;

use crate::{
    Failure,
    args::Args,
    load, serving,
    tls::{self, Identity},
};

const PATH: &str = "/versus.Echo/Echo";

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
}

#[tonic::async_trait]
trait Echo: Send + Sync + 'static {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status>;
}

struct Mirror;

#[tonic::async_trait]
impl Echo for Mirror {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

struct EchoServer<T> {
    inner: Arc<T>,
}

impl<T> Clone for EchoServer<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
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

#[derive(Clone)]
struct EchoClient {
    inner: ClientGrpc<Channel>,
}

impl EchoClient {
    async fn echo(&mut self, message: Message) -> Result<Response<Message>, Status> {
        self.inner
            .ready()
            .await
            .map_err(|why| Status::unknown(format!("service was not ready: {why}")))?;
        let codec = ProstCodec::default();
        let path = http::uri::PathAndQuery::from_static(PATH);
        self.inner.unary(Request::new(message), path, codec).await
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    let identity = Identity::fresh()?;
    let mut server = Server::builder();
    let mut certificate = None;
    if args.framework.has_tls() {
        let own =
            tonic::transport::Identity::from_pem(&identity.certificate_pem, &identity.key_pem);
        server = server.tls_config(ServerTlsConfig::new().identity(own))?;
        certificate = Some(identity.for_the_client());
    }
    serving::announce(incoming.local_addr()?, certificate.as_deref())?;
    let echo = EchoServer {
        inner: Arc::new(Mirror),
    };
    Ok(server
        .add_service(echo)
        .serve_with_incoming(incoming)
        .await?)
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let addr = args.addr()?;
    let endpoint = if args.framework.has_tls() {
        let certificate = Certificate::from_pem(tls::pem_of_server(args)?);
        let tls = ClientTlsConfig::new()
            .ca_certificate(certificate)
            .domain_name(tls::NAME);
        Endpoint::from_shared(format!("https://{addr}"))?.tls_config(tls)?
    } else {
        Endpoint::from_shared(format!("http://{addr}"))?
    };
    let client = EchoClient {
        inner: ClientGrpc::new(endpoint.connect().await?),
    };
    load::run(args, move |payload| {
        let mut client = client.clone();
        async move { Ok(client.echo(Message { payload }).await?.into_inner().payload) }
    })
    .await
}
