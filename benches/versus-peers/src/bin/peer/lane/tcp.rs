//! The same lane over TLS and TCP: what a framework that costs nothing would do without QUIC.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    Lane, answer,
    frames::{In, Out},
};
use crate::{
    Failure,
    args::{Args, Work},
    load, serving,
    tls::{self, Identity},
};

/// What is read in one go, at most.
const CHUNK: usize = 64 * 1024;

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let listener = TcpListener::bind(args.bind()).await?;
    let identity = Identity::fresh()?;
    let acceptor = TlsAcceptor::from(Arc::new(identity.server_config()?));
    serving::announce(listener.local_addr()?, Some(&identity.for_the_client()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (input, out) = tokio::io::split(acceptor.accept(stream).await?);
        answer(out, Input { half: input, buffer: BytesMut::new() });
    }
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    if args.work != Work::Echo {
        return Err(args.is_not_done());
    }
    let connector = TlsConnector::from(tls::client_config(args.cert.as_deref())?);
    let mut echoes = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        let stream = TcpStream::connect(args.addr()?).await?;
        stream.set_nodelay(true)?;
        let stream = connector.connect(tls::NAME.try_into()?, stream).await?;
        let (input, out) = tokio::io::split(stream);
        let lane = Arc::new(Lane::over(out, Input { half: input, buffer: BytesMut::new() }, None));
        echoes.push(move |payload| lane.call(payload));
    }
    load::run(args, echoes).await
}

/// The reading half, with what is read into.
struct Input<T> {
    half: ReadHalf<T>,
    buffer: BytesMut,
}

impl<T: AsyncRead + Send + 'static> In for Input<T> {
    async fn read(&mut self, chunks: &mut [Bytes]) -> Option<usize> {
        self.buffer.reserve(CHUNK);
        let count = self.half.read_buf(&mut self.buffer).await.ok()?;
        *chunks.first_mut()? = self.buffer.split().freeze();
        (count > 0).then_some(1)
    }
}

impl<T: tokio::io::AsyncWrite + Send + 'static> Out for WriteHalf<T> {
    async fn write(&mut self, pieces: &mut [Bytes]) -> bool {
        for piece in pieces {
            if self.write_all(piece).await.is_err() {
                return false;
            }
        }
        self.flush().await.is_ok()
    }

    async fn finish(&mut self) {
        // It may be over already.
        let _ = self.shutdown().await;
    }
}
