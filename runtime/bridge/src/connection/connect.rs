//! How a connection comes about: TCP, TLS where the address says so, and the version of HTTP that both speak.

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sinew::Status;
use sinew_core::limits;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Connection, Pool, gone};

/// Receive windows of HTTP/2: what a server may have on its way to us, per stream and for the connection.
const WINDOW: u32 = 1 << 20;
const WINDOW_OF_CONNECTION: u32 = 4 << 20;

impl Pool {
    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connection, Status> {
        let connecting = async {
            let tcp = self.reach().await?;
            match &self.tls {
                None => self.shake_hands(tcp, self.is_prior_knowledge).await,
                Some(tls) => {
                    let (tls, is_two) = tls.connect(&self.address.host, tcp).await.map_err(gone)?;
                    self.shake_hands(tls, is_two).await
                }
            }
        };
        let limit = limits::CONNECT_ATTEMPT;
        timeout(limit, connecting).await.unwrap_or_else(|_| {
            Err(gone(format!(
                "no connection to {} within {} ms (CONNECT_ATTEMPT)",
                self.address,
                limit.as_millis()
            )))
        })
    }

    /// A TCP connection: to the first of the host's addresses that takes one.
    async fn reach(&self) -> Result<TcpStream, Status> {
        let to = (&*self.address.host, self.address.port);
        let tcp = TcpStream::connect(to).await.map_err(|why| {
            gone(format!("cannot connect to {}: {why}; does a server listen there?", self.address))
        })?;
        // Requests are written whole: nothing is gained by waiting for more.
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    async fn shake_hands<T>(&self, io: T, is_two: bool) -> Result<Connection, Status>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let failed = |why: hyper::Error| gone(format!("no HTTP with {}: {why}", self.address));
        if is_two {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW_OF_CONNECTION)
                .max_header_list_size(limits::HTTP_HEAD_MAX as u32)
                .handshake(TokioIo::new(io))
                .await
                .map_err(failed)?;
            tokio::spawn(ended(connection));
            return Ok(Connection::Many(sender));
        }
        // More headers than hyper takes by itself are not asked for: for its own number it needs no allocation.
        const _: () = assert!(limits::HTTP_HEADERS_MAX == 100, "what hyper allows by itself");
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(limits::HTTP_HEAD_MAX)
            .handshake(TokioIo::new(io))
            .await
            .map_err(failed)?;
        tokio::spawn(ended(connection));
        Ok(Connection::One(sender))
    }

    /// Whether the process behind the address says anything: to `OPTIONS *`, which has no effect (RFC 9110, 9.3.7), or in
    /// a TLS handshake. Whatever it says, and a connection that it closes, is a sign of life.
    pub(crate) async fn is_alive(&self) -> bool {
        let Ok(mut tcp) = self.reach().await else { return false };
        if let Some(tls) = &self.tls {
            return tls.connect(&self.address.host, tcp).await.is_ok();
        }
        let mut question = b"OPTIONS * HTTP/1.1\r\nhost: ".to_vec();
        question.extend_from_slice(self.address.host_header.as_bytes());
        question.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
        if tcp.write_all(&question).await.is_err() {
            return false;
        }
        // A byte, an end or a reset: somebody did that.
        let _ = tcp.read(&mut [0; 1]).await;
        true
    }
}

async fn ended(connection: impl Future<Output = Result<(), hyper::Error>>) {
    if let Err(why) = connection.await {
        tracing::debug!(%why, "an HTTP connection ended");
    }
}
