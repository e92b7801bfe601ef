//! A server by hand.

use std::net::SocketAddr;

use quinn::{Connection, Endpoint, RecvStream, SendStream};
use sinew_core::{
    limits,
    wire::{AnswerHead, CallKind, ConnectionFrame, Frame, Parser, RequestHead, StreamType},
};
use tokio::time::Instant;

use super::{Call, RawStream, client::closed, frames, loopback, tls};
use crate::{
    Must as _,
    authority::{Authority, Issued},
    wait::soon,
};

/// A socket that clients of ours connect to.
#[derive(Debug)]
pub struct RawServer {
    endpoint: Endpoint,
}

impl RawServer {
    /// One that proves to be `id`.
    pub fn new(authority: &Authority, id: &str) -> Self {
        Self::showing(authority, authority.issue(id))
    }

    /// One that shows this certificate.
    pub fn showing(authority: &Authority, issued: Issued) -> Self {
        let config = tls::server(authority, issued);
        Self { endpoint: Endpoint::server(config, loopback()).must("a socket") }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().must("an address")
    }

    /// The next connection, with a control stream as it should be.
    pub async fn accept(&self) -> RawPeer {
        let peer = self.accept_silently().await;
        let mut hello = peer.now();
        hello.extend(frames::settings());
        let control = peer.control(&hello).await;
        RawPeer { control: Some(control), ..peer }
    }

    /// The next connection; nothing is said on it.
    pub async fn accept_silently(&self) -> RawPeer {
        let incoming = soon("a client", self.endpoint.accept()).await.must("an open socket");
        let connecting = incoming.accept().must("a first packet that can be read");
        let connection = soon("a handshake", connecting).await.must("a connection");
        RawPeer { connection, control: None, theirs: None, began: Instant::now() }
    }

    /// Waits for a connection that the client ends in its handshake.
    pub async fn refused(&self) {
        let incoming = soon("a client", self.endpoint.accept()).await.must("an open socket");
        let connecting = incoming.accept().must("a first packet that can be read");
        let refused = soon("an end of the handshake", connecting).await;
        assert!(refused.is_err(), "the client was content");
    }

    /// Turns the next connection away before its handshake.
    pub async fn refuse(&self) {
        soon("a client", self.endpoint.accept()).await.must("an open socket").refuse();
    }
}

/// A connection from a client of ours.
#[derive(Debug)]
pub struct RawPeer {
    /// The connection.
    pub connection: Connection,
    control: Option<SendStream>,
    theirs: Option<(RecvStream, Parser)>,
    began: Instant,
}

impl RawPeer {
    /// Reads the client's control stream until it has said this.
    pub async fn heard(&mut self, wanted: &ConnectionFrame) {
        if self.theirs.is_none() {
            let recv = soon("a control stream", self.connection.accept_uni()).await;
            let parser = Parser::with_stream_type(limits::CONTROL_FRAME_MAX);
            self.theirs = Some((recv.must("a stream"), parser));
        }
        let (recv, parser) = self.theirs.as_mut().must("a stream");
        loop {
            match parser.next().must("sound framing") {
                Some(Frame::Connection(frame)) if frame == *wanted => return,
                Some(_) => {}
                None => {
                    let chunk = soon(&format!("{wanted:?}"), recv.read_chunk(4096, true)).await;
                    parser.feed(chunk.must("a stream").must("more of it").bytes);
                }
            }
        }
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

    /// The next stream that the client opens, which must be of this type.
    pub async fn stream(&self, kind: StreamType) -> RawStream {
        let accepted = soon("a stream", self.connection.accept_bi()).await.must("a stream");
        let mut stream = RawStream::accepted(accepted);
        assert_eq!(stream.stream_type().await, kind);
        stream
    }

    /// The lane that the client opens next.
    pub async fn lane(&self) -> RawStream {
        self.stream(StreamType::Lane).await
    }

    /// A stream for an answer that goes on with a STAMP and these bytes.
    pub async fn answer_stream(&self, bytes: &[u8]) -> RawStream {
        let opened = soon("a stream", self.connection.open_bi()).await.must("a stream");
        let mut stream = RawStream::opened(opened);
        let mut first = Vec::new();
        StreamType::Answer.put(&mut first);
        first.extend(self.now());
        first.extend_from_slice(bytes);
        stream.write(first).await;
        stream
    }

    /// A STAMP of this moment.
    pub fn now(&self) -> Vec<u8> {
        frames::stamp(u64::try_from(self.began.elapsed().as_micros()).must("a short test"))
    }

    /// Waits until the client closes the connection: its code and words.
    pub async fn closed(&self) -> (u64, String) {
        closed(&self.connection).await
    }
}

impl RawStream {
    /// The next REQUEST on this stream: its frame and head, and its body in place of the rest.
    pub async fn request(&mut self) -> (Call, RequestHead) {
        let mut call = self.call().await;
        assert_eq!(call.kind, CallKind::Request, "{call:?}");
        let (head, body) = RequestHead::decode(call.rest).must("a sound REQUEST");
        call.rest = body;
        (call, head)
    }

    /// Answers a call with the body that it came with: an echo.
    pub async fn echo(&mut self, call: &Call) {
        self.write(frames::answer(call.call, &frames::ok(), &call.rest)).await;
    }

    /// Answers a call with this head and no body.
    pub async fn reply(&mut self, call: &Call, head: &AnswerHead) {
        self.write(frames::answer(call.call, head, &[])).await;
    }
}
