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
    args::{Args, Work},
    load::{self, fresh},
    serving,
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
    let listener = TcpListener::bind(args.bind()).await?;
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
    let caller = Caller(args.clone());
    match args.work {
        Work::Echo => {
            let mut echoes = Vec::with_capacity(args.connections);
            for _ in 0..args.connections {
                let client = caller.client(caller.tls()?).await?;
                echoes.push(move |payload| {
                    let client = client.clone();
                    async move { Ok(client.echo(context::current(), payload).await?) }
                });
            }
            load::run(args, echoes).await
        }
        Work::Cold => fresh::one_after_another(args, caller).await,
        Work::Idle => fresh::held(args, caller).await,
        Work::Down | Work::Up => Err(args.is_not_done()),
    }
}

/// How to get to the server.
struct Caller(Args);

impl Caller {
    /// Settings of its own for each connection, so that no session is resumed.
    fn tls(&self) -> Result<Option<TlsConnector>, Failure> {
        let of_server = || tls::client_config(self.0.cert.as_deref());
        let tls = self.0.framework.has_tls().then(of_server).transpose()?;
        Ok(tls.map(TlsConnector::from))
    }

    async fn client(&self, tls: Option<TlsConnector>) -> Result<EchoClient, Failure> {
        let stream = TcpStream::connect(self.0.addr()?).await?;
        stream.set_nodelay(true)?;
        Ok(match tls {
            Some(tls) => over(tls.connect(tls::NAME.try_into()?, stream).await?),
            None => over(stream),
        })
    }
}

fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> EchoClient {
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = serde_transport::new(framed, Bincode::default());
    EchoClient::new(client::Config::default(), transport).spawn()
}

impl fresh::Fresh for Caller {
    type Ready = Option<TlsConnector>;
    type Open = EchoClient;

    async fn prepare(&self) -> Result<Option<TlsConnector>, Failure> {
        self.tls()
    }

    async fn connect(
        &self,
        tls: Option<TlsConnector>,
        payload: Bytes,
    ) -> Result<(Bytes, EchoClient), Failure> {
        let client = self.client(tls).await?;
        Ok((client.echo(context::current(), payload).await?, client))
    }
}
