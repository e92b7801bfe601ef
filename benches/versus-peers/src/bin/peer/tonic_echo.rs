//! tonic with prost, by its defaults; with certificates of both sides where connections are what is measured.

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TonicIdentity, Server,
        ServerTlsConfig, server::TcpIncoming,
    },
};
use versus_peers::{
    authority::{Authority, Leaf},
    echo::{Echo, EchoClient, EchoServer, Message},
    flow::{Count, Flow, FlowClient, FlowServer},
    tls::{self, Identity},
};

use crate::{
    Failure,
    args::{Args, Work},
    load::{self, flow, fresh},
    serving,
};

struct Mirror;

#[tonic::async_trait]
impl Echo for Mirror {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tonic::async_trait]
impl Flow for Mirror {
    async fn down(
        &self,
        request: Request<Message>,
    ) -> Result<Response<BoxStream<'static, Result<Message, Status>>>, Status> {
        let item = request.into_inner();
        Ok(Response::new(stream::repeat_with(move || Ok(item.clone())).boxed()))
    }

    async fn up(&self, request: Request<Streaming<Message>>) -> Result<Response<Count>, Status> {
        let mut messages = request.into_inner();
        let mut items = 0;
        while messages.message().await?.is_some() {
            items += 1;
        }
        Ok(Response::new(Count { items }))
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let incoming = TcpIncoming::bind(args.bind())?.with_nodelay(Some(true));
    let mut server = Server::builder();
    let mut certificate = None;
    if args.framework.has_tls() {
        let (tls, for_the_client) = server_tls(args)?;
        server = server.tls_config(tls)?;
        certificate = Some(for_the_client);
    }
    serving::announce(incoming.local_addr()?, certificate.as_deref())?;
    let router = match args.work {
        Work::Down | Work::Up => server.add_service(FlowServer::new(Mirror)),
        Work::Echo | Work::Cold | Work::Idle => server.add_service(EchoServer::new(Mirror)),
    };
    Ok(router.serve_with_incoming(incoming).await?)
}

/// And what the client has to know of it.
fn server_tls(args: &Args) -> Result<(ServerTlsConfig, String), Failure> {
    if args.work != Work::Cold {
        let own = Identity::fresh()?;
        let identity = TonicIdentity::from_pem(&own.certificate_pem, &own.key_pem);
        return Ok((ServerTlsConfig::new().identity(identity), own.for_the_client()));
    }
    let authority = Authority::fresh()?;
    let trusted = Certificate::from_pem(&authority.certificate_pem);
    let tls = ServerTlsConfig::new().identity(identity(&authority.leaf("Echo")?));
    Ok((tls.client_ca_root(trusted), authority.for_the_client()))
}

fn identity(leaf: &Leaf) -> TonicIdentity {
    TonicIdentity::from_pem(&leaf.certificate_pem, &leaf.key_pem)
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let caller = Caller::new(args)?;
    match args.work {
        Work::Echo => {
            let mut echoes = Vec::with_capacity(args.connections);
            for _ in 0..args.connections {
                let client = EchoClient::new(caller.endpoint()?.connect().await?);
                echoes.push(move |payload| {
                    let mut client = client.clone();
                    let request = Request::new(Message { payload });
                    async move { Ok(client.echo(request).await?.into_inner().payload) }
                });
            }
            load::run(args, echoes).await
        }
        Work::Cold => fresh::one_after_another(args, caller).await,
        Work::Idle => fresh::held(args, caller).await,
        Work::Down => {
            let mut client = FlowClient::new(caller.endpoint()?.connect().await?);
            flow::down(args, move |payload| async move {
                let items = client.down(Request::new(Message { payload })).await?.into_inner();
                Ok(items.map_ok(|message| message.payload).map_err(Failure::from))
            })
            .await
        }
        Work::Up => {
            let mut client = FlowClient::new(caller.endpoint()?.connect().await?);
            flow::up(args, move |items| async move {
                let items = stream::iter(items.map(|payload| Message { payload }));
                Ok(client.up(items).await?.into_inner().items)
            })
            .await
        }
    }
}

/// How to get to the server.
struct Caller {
    address: String,
    tls: Option<ClientTlsConfig>,
}

impl Caller {
    fn new(args: &Args) -> Result<Self, Failure> {
        let addr = args.addr()?;
        if !args.framework.has_tls() {
            return Ok(Self { address: format!("http://{addr}"), tls: None });
        }
        let tls = ClientTlsConfig::new().domain_name(tls::NAME);
        let hex = args.cert.as_deref();
        let tls = if args.work == Work::Cold {
            let authority = Authority::of_server(hex)?;
            let tls = tls.ca_certificate(Certificate::from_pem(&authority.certificate_pem));
            tls.identity(identity(&authority.leaf("caller")?))
        } else {
            tls.ca_certificate(Certificate::from_pem(tls::pem_of_server(hex)?))
        };
        Ok(Self { address: format!("https://{addr}"), tls: Some(tls) })
    }

    /// Each has TLS settings of its own, so that no session is resumed.
    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let endpoint = Endpoint::from_shared(self.address.clone())?;
        Ok(match &self.tls {
            Some(tls) => endpoint.tls_config(tls.clone())?,
            None => endpoint,
        })
    }
}

impl fresh::Fresh for Caller {
    type Ready = Endpoint;
    type Open = EchoClient;

    async fn prepare(&self) -> Result<Endpoint, Failure> {
        self.endpoint()
    }

    async fn connect(
        &self,
        endpoint: Endpoint,
        payload: Bytes,
    ) -> Result<(Bytes, EchoClient), Failure> {
        let channel: Channel = endpoint.connect().await?;
        let mut client = EchoClient::new(channel);
        let answer = client.echo(Request::new(Message { payload })).await?;
        Ok((answer.into_inner().payload, client))
    }
}
