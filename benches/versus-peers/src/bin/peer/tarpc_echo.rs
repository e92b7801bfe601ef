//! tarpc, as its own examples run it: bincode over TCP, or over tokio-rustls.
//!
//! Generous where it costs tarpc nothing to be told: `TCP_NODELAY` is on, and the payload is `Bytes`, which serde
//! moves as one run where `Vec<u8>` would go byte by byte.

use bytes::Bytes;
use futures::StreamExt as _;
use tarpc::{
    client, context, serde_transport,
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::codec::LengthDelimitedCodec;

use crate::{
    Failure,
    args::Args,
    load, serving,
    tls::{self, Identity},
};

#[tarpc::service]
trait Echo {
    async fn echo(payload: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Mirror;

impl Echo for Mirror {
    async fn echo(self, _: context::Context, payload: Bytes) -> Bytes {
        payload
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let identity = Identity::fresh()?;
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(identity.server_config()?));
    let certificate = args.framework.has_tls().then(|| identity.for_the_client());
    serving::announce(listener.local_addr()?, certificate.as_deref())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if args.framework.has_tls() {
            let stream = acceptor.accept(stream).await?;
            tokio::spawn(answer(stream));
        } else {
            tokio::spawn(answer(stream));
        }
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = serde_transport::new(framed, Bincode::default());
    BaseChannel::with_defaults(transport)
        .execute(Mirror.serve())
        .for_each(|one| async move {
            tokio::spawn(one);
        })
        .await;
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let stream = TcpStream::connect(args.addr()?).await?;
    stream.set_nodelay(true)?;
    if args.framework.has_tls() {
        let connector = TlsConnector::from(tls::client_config(args.cert.as_deref())?);
        let stream = connector.connect(tls::NAME.try_into()?, stream).await?;
        call_over(args, stream).await
    } else {
        call_over(args, stream).await
    }
}

async fn call_over<S>(args: &Args, stream: S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = serde_transport::new(framed, Bincode::default());
    let client = EchoClient::new(client::Config::default(), transport).spawn();
    load::run(args, move |payload| {
        let client = client.clone();
        async move { Ok(client.echo(context::current(), payload).await?) }
    })
    .await
}
