//! A client by hand.

use std::net::SocketAddr;

use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, SendStream};
use sinew_core::wire::StreamType;
use tokio::time::Instant;

use super::{RawStream, anywhere, frames, id, loopback, tls};
use crate::{Must as _, authority::Authority, wait::soon};

/// A connection to a server of ours.
#[derive(Debug)]
pub struct RawClient {
    /// The connection.
    pub connection: Connection,
    _endpoint: Endpoint,
    /// When the connection began, for stamps.
    began: Instant,
    /// Dropping it would end the control stream.
    control: Option<SendStream>,
}

impl RawClient {
    /// Connects as `spiffe://test.example/raw` and opens the control stream as it should be.
    pub async fn connect(authority: &Authority, server: SocketAddr) -> Self {
        Self::connect_silently(authority, server).await.said_hello().await
    }

    async fn said_hello(self) -> Self {
        let mut hello = self.now();
        hello.extend(frames::settings());
        let control = self.control(&hello).await;
        Self { control: Some(control), ..self }
    }

    /// Connects and opens nothing.
    pub async fn connect_silently(authority: &Authority, server: SocketAddr) -> Self {
        Self::try_connect(authority, server).await.must("a connection")
    }

    /// Tries to connect, and opens nothing.
    ///
    /// # Errors
    /// Why the server does not want it.
    pub async fn try_connect(
        authority: &Authority,
        server: SocketAddr,
    ) -> Result<Self, ConnectionError> {
        Self::try_connect_as("raw", authority, server).await
    }

    /// The same as `spiffe://test.example/NAME`.
    ///
    /// # Errors
    /// Why the server does not want it.
    pub async fn try_connect_as(
        name: &str,
        authority: &Authority,
        server: SocketAddr,
    ) -> Result<Self, ConnectionError> {
        Self::try_connect_with(tls::client(authority, &id(name)), server).await
    }

    /// Connects like [`connect`](Self::connect), and lets the server send `window` bytes of a stream until it has read
    /// them.
    pub async fn connect_stingy(authority: &Authority, server: SocketAddr, window: u32) -> Self {
        let config = tls::stingy_client(authority, &id("raw"), window);
        let client = Self::try_connect_with(config, server).await.must("a connection");
        client.said_hello().await
    }

    async fn try_connect_with(
        config: ClientConfig,
        server: SocketAddr,
    ) -> Result<Self, ConnectionError> {
        let local = if server.ip().is_loopback() { loopback() } else { anywhere() };
        let endpoint = Endpoint::client(local).must("a socket");
        let connecting = endpoint.connect_with(config, server, "raw.sinew").must("a try");
        let connection = soon("a handshake", connecting).await?;
        Ok(Self { connection, _endpoint: endpoint, began: Instant::now(), control: None })
    }

    /// A control stream that goes on with these bytes.
    pub async fn control(&self, bytes: &[u8]) -> SendStream {
        let mut control = soon("a stream", self.connection.open_uni()).await.must("a stream");
        let mut first = Vec::new();
        StreamType::Control.put(&mut first);
        first.extend_from_slice(bytes);
        control.write_all(&first).await.must("written");
        control
    }

    /// Says more on the control stream.
    pub async fn say(&mut self, bytes: &[u8]) {
        let control = self.control.as_mut().must("a control stream");
        control.write_all(bytes).await.must("written");
    }

    /// A stream of this type that goes on with a STAMP and these bytes.
    pub async fn open(&self, kind: StreamType, bytes: impl AsRef<[u8]>) -> RawStream {
        let mut first = Vec::new();
        kind.put(&mut first);
        first.extend(self.now());
        first.extend_from_slice(bytes.as_ref());
        self.open_raw(&first).await
    }

    /// A lane that goes on with these bytes.
    pub async fn lane(&self, bytes: impl AsRef<[u8]>) -> RawStream {
        self.open(StreamType::Lane, bytes).await
    }

    /// A stream of exactly these bytes.
    pub async fn open_raw(&self, bytes: &[u8]) -> RawStream {
        let opened = soon("a stream", self.connection.open_bi()).await.must("a stream");
        let mut stream = RawStream::opened(opened);
        stream.write(bytes).await;
        stream
    }

    /// A STAMP of this moment.
    pub fn now(&self) -> Vec<u8> {
        frames::stamp(self.now_us())
    }

    /// Microseconds since the connection began: what a STAMP of this moment says.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).must("a short test")
    }

    /// Waits until the server closes the connection: its code and words.
    pub async fn closed(&self) -> (u64, String) {
        closed(&self.connection).await
    }

    /// Fails unless a call on a new lane is answered: the connection is sound.
    #[track_caller]
    pub fn assert_lives(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let why = self.connection.close_reason();
            assert!(why.is_none(), "the connection is closed: {why:?} ({caller})");
            let mut lane = self.lane(frames::echo(1 << 40, "alive")).await;
            let (call, _, body) = lane.answer().await;
            assert_eq!((call, &body[..]), (1 << 40, &frames::body_of("alive")[..]), "{caller}");
            lane.finish();
        }
    }
}

/// The code and the words with which the other side closed.
pub(super) async fn closed(connection: &Connection) -> (u64, String) {
    match soon("the connection is closed", connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => {
            (close.error_code.into_inner(), String::from_utf8_lossy(&close.reason).into_owned())
        }
        other => panic!("a close with a code was expected, not {other}"),
    }
}
