//! A QUIC client that says what no honest one says: it finishes a handshake, then sends whatever frames it is given.
//!
//! # Why
//! quinn leaves no gaps, acknowledges what it has received and retires ids one by one. The attacks on a QUIC stack need
//! one that does not. TLS and the keys are rustls's; the packets are some two hundred lines (`packet.rs`, `frames.rs`).
//!
//! # Not here
//! Loss and congestion: over loopback, towards a server that answers. What is lost stays lost, and a test sees it as a
//! time-out. Acknowledgements: an attack sends them itself, or none.

pub(super) mod frames;
mod packet;

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    pki_types::ServerName,
    quic::{ClientConnection, KeyChange, Keys, Version},
};
use tokio::{net::UdpSocket, time::timeout};

use self::{
    frames::Said,
    packet::{FIRST_DATAGRAM, Ids, Opened, Reader, Space, first_suite, open, put_varint, seal},
};
use crate::{Must as _, authority::Authority, raw};

/// Frames' bytes in one packet.
pub(super) const PACKET_ROOM: usize = 1100;
/// Long enough for a handshake on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection.
pub(super) struct RawQuic {
    socket: UdpSocket,
    tls: ClientConnection,
    ids: Ids,
    /// Of each space.
    keys: [Option<Keys>; 3],
    next: [u32; 3],
    largest: [u64; 3],
    said: [u64; 3],
    heard: [Heard; 3],
    /// What TLS wants to have said.
    words: Vec<(Space, Vec<u8>)>,
    /// The space that TLS speaks in now.
    level: Space,
    done: bool,
    /// Streams of two directions that may have been opened in all, since the server raised it.
    pub(super) streams: u64,
    /// Bytes of streams that came.
    pub(super) received: usize,
    /// The code and the words of the server's close.
    pub(super) closed: Option<(u64, String)>,
    /// What the server's stateless resets end with.
    reset: Option<Vec<u8>>,
}

/// A code that RFC 9000 does not have: the server has forgotten the connection, and says so by a stateless reset.
pub(super) const FORGOTTEN: u64 = u64::MAX;

/// What came of the handshake in one space, put in order.
#[derive(Default)]
struct Heard {
    next: u64,
    early: BTreeMap<u64, Vec<u8>>,
}

impl Heard {
    /// What follows without a gap.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Vec<u8> {
        self.early.insert(offset, bytes.to_vec());
        let mut ready = Vec::new();
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.next) {
            let (offset, bytes) = first.remove_entry();
            let known = usize::try_from(self.next - offset).unwrap_or(usize::MAX);
            let news = bytes.get(known..).unwrap_or_default();
            ready.extend_from_slice(news);
            self.next += news.len() as u64;
        }
        ready
    }
}

impl fmt::Debug for RawQuic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawQuic").field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// A client's first packet, made again and again for new connections: the TLS in it is always the same.
pub(super) struct FirstPacket {
    ours: [u8; 8],
    hello: Vec<u8>,
}

impl FirstPacket {
    pub(super) fn new(authority: &Authority) -> Self {
        let (ours, mut hello) = (anything(), Vec::new());
        tls(authority, ours).write_hs(&mut hello);
        Self { ours, hello }
    }

    /// A datagram that begins a connection that nobody has begun yet.
    pub(super) fn make(&self) -> Vec<u8> {
        let ids = Ids { ours: self.ours, theirs: anything().to_vec() };
        let keys = first_suite().keys(&ids.theirs, rustls::Side::Client, Version::V1);
        let frames = frames::crypto(0, &self.hello);
        seal((Space::Initial, &keys.local), &ids, 0, &frames, FIRST_DATAGRAM)
    }
}

/// Whether a datagram of a server is a Retry.
pub(super) fn is_retry(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0xf0 == 0xf0)
}

impl RawQuic {
    /// Finishes a handshake.
    pub(super) async fn connect(authority: &Authority, server: SocketAddr) -> Result<Self, String> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.must("a socket");
        socket.connect(server).await.must("a route");
        let ids = Ids { ours: anything(), theirs: anything().to_vec() };
        let first = first_suite().keys(&ids.theirs, rustls::Side::Client, Version::V1);
        let mut client = Self {
            socket,
            tls: tls(authority, ids.ours),
            ids,
            keys: [Some(first), None, None],
            next: [0; 3],
            largest: [0; 3],
            said: [0; 3],
            heard: Default::default(),
            words: Vec::new(),
            level: Space::Initial,
            done: false,
            streams: 0,
            received: 0,
            closed: None,
            reset: None,
        };
        client.ask_tls();
        client.say_tls().await?;
        let until = Instant::now() + PATIENCE;
        while !client.done {
            client.hear(until).await?;
            if let Some((code, why)) = &client.closed {
                return Err(format!("closed with {code:#x} in the handshake: {why}"));
            }
            client.say_tls().await?;
        }
        client.reset = client.tls.quic_transport_parameters().and_then(reset_token);
        Ok(client)
    }

    /// Takes from TLS what it has to say, and the keys of the next space.
    fn ask_tls(&mut self) {
        loop {
            let mut words = Vec::new();
            let change = self.tls.write_hs(&mut words);
            for part in words.chunks(PACKET_ROOM - 100) {
                let space = self.level as usize;
                self.words.push((self.level, frames::crypto(self.said[space], part)));
                self.said[space] += part.len() as u64;
            }
            match change {
                Some(KeyChange::Handshake { keys }) => {
                    self.keys[Space::Handshake as usize] = Some(keys);
                    self.level = Space::Handshake;
                }
                Some(KeyChange::OneRtt { keys, .. }) => {
                    self.keys[Space::Data as usize] = Some(keys);
                    self.level = Space::Data;
                }
                None if words.is_empty() => return,
                None => {}
            }
        }
    }

    async fn say_tls(&mut self) -> Result<(), String> {
        for (space, frame) in std::mem::take(&mut self.words) {
            self.send_in(space, &frame).await?;
        }
        Ok(())
    }

    /// Sends a packet of these frames.
    pub(super) async fn send(&mut self, frames: &[u8]) -> Result<(), String> {
        self.send_in(Space::Data, frames).await
    }

    async fn send_in(&mut self, space: Space, frames: &[u8]) -> Result<(), String> {
        let keys = self.keys[space as usize].as_ref().ok_or("no keys yet")?;
        let least = if space == Space::Initial { FIRST_DATAGRAM } else { 0 };
        let number = self.next[space as usize];
        let packet = seal((space, &keys.local), &self.ids, number, frames, least);
        self.next[space as usize] += 1;
        self.socket.send(&packet).await.map_err(|why| why.to_string())?;
        Ok(())
    }

    /// The largest number of a packet that came after the handshake.
    pub(super) fn largest(&self) -> u64 {
        self.largest[Space::Data as usize]
    }

    /// Takes one datagram of the server's.
    pub(super) async fn hear(&mut self, until: Instant) -> Result<(), String> {
        let mut datagram = vec![0; 65_536];
        let left = until.saturating_duration_since(Instant::now());
        let got = timeout(left, self.socket.recv(&mut datagram)).await;
        let len = got.map_err(|_| "the server says nothing")?.map_err(|why| why.to_string())?;
        self.take(&mut datagram[..len])
    }

    /// Takes what has come already.
    pub(super) fn hear_all(&mut self) -> Result<(), String> {
        let mut datagram = vec![0; 65_536];
        while let Ok(len) = self.socket.try_recv(&mut datagram) {
            self.take(&mut datagram[..len])?;
        }
        Ok(())
    }

    /// Waits for the server's close: its code and words.
    pub(super) async fn end(&mut self, within: Duration) -> Result<(u64, String), String> {
        let until = Instant::now() + within;
        loop {
            if let Some(closed) = self.closed.take() {
                return Ok(closed);
            }
            self.hear(until).await.map_err(|why| format!("not closed: {why}"))?;
        }
    }

    /// Waits until the server has closed the connection, or has forgotten it: asks it again and again, for quinn says
    /// nothing as it closes while its window is full (its issue 2785). A question must be longer than its answer, a reset.
    pub(super) async fn over(&mut self, within: Duration) -> Result<(u64, String), String> {
        let until = Instant::now() + within;
        loop {
            self.send(&frames::long_ping()).await?;
            match self.end(Duration::from_millis(50)).await {
                Err(_) if Instant::now() < until => {}
                ended => return ended,
            }
        }
    }

    fn take(&mut self, mut datagram: &mut [u8]) -> Result<(), String> {
        if self.reset.as_ref().is_some_and(|token| datagram.ends_with(token)) {
            self.closed = Some((FORGOTTEN, "a stateless reset".to_owned()));
            return Ok(());
        }
        while let Some((opened, end)) = open(datagram, &self.keys, self.largest) {
            if let Some(packet) = opened {
                self.understand(&packet)?;
            }
            datagram = &mut datagram[end..];
        }
        Ok(())
    }

    fn understand(&mut self, packet: &Opened) -> Result<(), String> {
        let space = packet.space as usize;
        self.largest[space] = self.largest[space].max(packet.number);
        if let Some(from) = packet.from.as_ref().filter(|_| packet.space == Space::Initial) {
            self.ids.theirs.clone_from(from);
        }
        let mut reader = Reader(&packet.frames);
        while let Some(said) = frames::next(&mut reader) {
            match said {
                // After the handshake: tickets.
                Said::Crypto { .. } if packet.space == Space::Data => {}
                Said::Crypto { offset, bytes } => {
                    let words = self.heard[space].take(offset, bytes);
                    self.tls.read_hs(&words).map_err(|why| why.to_string())?;
                    // The next packet of the same datagram may need the keys that this was for.
                    self.ask_tls();
                }
                Said::Stream { len } => self.received += len,
                Said::Streams { most } => self.streams = self.streams.max(most),
                Said::Done => self.done = true,
                Said::Closed { code, why } => self.closed = Some((code, why)),
                Said::Other => {}
            }
        }
        Ok(())
    }
}

fn tls(authority: &Authority, ours: [u8; 8]) -> ClientConnection {
    let config = Arc::new(raw::client_tls(authority));
    let name = ServerName::try_from("raw.sinew").must("a name");
    ClientConnection::new(config, Version::V1, name, parameters(ours)).must("a client")
}

/// The token of the server's stateless resets, RFC 9000, section 18.2.
fn reset_token(parameters: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(parameters);
    loop {
        let (id, len) = (reader.varint()?, reader.varint()?);
        let value = reader.take(usize::try_from(len).ok()?)?;
        if id == 0x02 {
            return Some(value.to_vec());
        }
    }
}

/// RFC 9000, section 18.2: much credit, small packets.
fn parameters(ours: [u8; 8]) -> Vec<u8> {
    let mut out = Vec::new();
    let numbers = [
        // Idle for so many milliseconds.
        (0x01, 30_000),
        // The largest datagram.
        (0x03, 1_400),
        // Bytes of all streams, and of each kind of stream.
        (0x04, 1 << 30),
        (0x05, 1 << 30),
        (0x06, 1 << 30),
        (0x07, 1 << 30),
        // Streams of two directions, and of one.
        (0x08, 100),
        (0x09, 100),
    ];
    for (id, value) in numbers {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        put_varint(&mut out, id);
        put_varint(&mut out, bytes.len() as u64);
        out.extend(bytes);
    }
    // Who we are.
    out.extend([0x0f, 8]);
    out.extend(ours);
    out
}

/// Eight bytes that no other connection has.
fn anything() -> [u8; 8] {
    RandomState::new().hash_one(0).to_be_bytes()
}
