//! tonic with prost, by its defaults.

use tonic::{
    Request, Response, Status,
    transport::{
        Certificate, ClientTlsConfig, Endpoint, Server, ServerTlsConfig, server::TcpIncoming,
    },
};
use versus_peers::{
    echo::{Echo, EchoClient, EchoServer, Message},
    tls::{self, Identity},
};

use crate::{Failure, args::Args, load, serving};

struct Mirror;

#[tonic::async_trait]
impl Echo for Mirror {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
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
    Ok(server.add_service(EchoServer::new(Mirror)).serve_with_incoming(incoming).await?)
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let addr = args.addr()?;
    let endpoint = if args.framework.has_tls() {
        let certificate = Certificate::from_pem(tls::pem_of_server(args.cert.as_deref())?);
        let tls = ClientTlsConfig::new().ca_certificate(certificate).domain_name(tls::NAME);
        Endpoint::from_shared(format!("https://{addr}"))?.tls_config(tls)?
    } else {
        Endpoint::from_shared(format!("http://{addr}"))?
    };
    let client = EchoClient::new(endpoint.connect().await?);
    load::run(args, move |payload| {
        let mut client = client.clone();
        let request = Request::new(Message { payload });
        async move { Ok(client.echo(request).await?.into_inner().payload) }
    })
    .await
}
