//! What our own tests reach and no user can: the codecs, the far end of a connection, and whose network and chance it is.
//!
//! # Why
//! Hostile bytes come in at two places, a codec and a link, and strange ones from files. All are private, and fuzzed through the public API most of
//! a second would go into handshakes. Behind the feature `fuzzing`, which nothing but our own tests turns on; no promise
//! of stability is made for it.
//!
//! The simulation of the whole has its network, its discovery, its chance and its mistakes from here; everything between
//! is what production runs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Reason},
    spiffe::SpiffeId,
};

pub use crate::{
    discovery::Script,
    planted::{Planted, plant},
    transport::quic::Simulated,
};

use crate::{
    client::{Channel, ClientCore, Target},
    codec,
    error::Status,
    interceptor::Interceptors,
    mesh::{Mesh, MeshBuilder, ServiceClient},
    server::{ServerCore, Service, stack},
    transport::{
        BoxFuture, Connector, Session,
        frames::{self, ClientSession, Counted, Drain},
        link::{Link, LinkRecv, LinkSend},
        memory,
        quic::Network,
    },
};

/// Reads a value as a message of this codec.
///
/// # Errors
/// The codec's words.
pub fn decode<T: DeserializeOwned + 'static>(codec: u8, message: &[u8]) -> Result<T, String> {
    codec::decode(codec, &Bytes::copy_from_slice(message)).map_err(|error| error.to_string())
}

/// Writes a value as a message of this codec.
///
/// # Errors
/// The codec's words.
pub fn encode<T: Serialize + 'static>(codec: u8, value: &T) -> Result<Vec<u8>, String> {
    let mut message = Vec::new();
    codec::encode(codec, value, &mut message).map_err(|error| error.to_string())?;
    Ok(message)
}

/// Reads what a file of the machine says of endpoints.
///
/// # Panics
/// Where what was understood is written as something else.
pub fn discovery(text: &str) {
    crate::discovery::read_any(text);
}

/// The sockets of this mesh are of this network, and not of the system's.
pub fn on(builder: MeshBuilder, network: Arc<dyn Simulated>) -> MeshBuilder {
    builder.network(Network::Simulated(network))
}

/// A client whose endpoints are what the script says; none of a service that nobody can prove to be.
pub fn scripted<C: ServiceClient>(mesh: &Mesh) -> Option<(C, Script)> {
    let (script, source) = Script::new();
    let channel = mesh.listed_by(C::SERVICE, Box::new(source))?;
    Some((C::from_channel(channel), script))
}

/// From now on the chance of this thread follows from this seed.
pub fn seed(seed: u64) {
    fastrand::seed(seed);
}

/// A server without a socket.
#[derive(Debug)]
pub struct Server {
    core: Arc<ServerCore>,
    drain: Arc<Drain>,
}

impl Server {
    /// A server of one service.
    pub fn new(service: Service) -> Option<Self> {
        let core = stack::in_process(service).ok()?;
        Some(Self { core, drain: Arc::new(Drain::new()) })
    }

    /// A new connection to it: the client's end.
    pub fn connect(&self) -> Option<End> {
        let (ours, theirs) = pair()?;
        let serve = Arc::clone(&self.core);
        tokio::spawn(frames::serve(theirs, serve, Counted::new(&self.drain)));
        Some(End(ours))
    }

    /// Calls whose handlers are not gone.
    pub fn in_flight(&self) -> usize {
        self.drain.in_flight()
    }

    /// Connections that did not end.
    pub fn connections(&self) -> usize {
        self.drain.connections()
    }
}

/// A client of a service of this name whose server is played by hand: its channel, and the server's end of each
/// connection that it makes.
pub fn client(service: &str) -> (Channel, Ends) {
    let ends = Ends::default();
    let target = Target {
        name: "by hand".to_owned(),
        connector: Box::new(ends.clone()),
        age: sinew_core::limits::CONNECTION_AGE,
    };
    let seen = crate::metrics::Service::alone(service);
    (Channel::new(ClientCore::new(seen, vec![target], Interceptors::default())), ends)
}

/// The server's ends of a client's connections, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Ends(Arc<Mutex<Vec<End>>>);

impl Ends {
    /// Those made since this was last called.
    pub fn take(&self) -> Vec<End> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Connector for Ends {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        let refused =
            |why: String| Status::not_sent(Code::Unavailable, Reason::HandshakeFailed, why);
        Box::pin(async move {
            let (ours, theirs) = pair().ok_or_else(|| refused("no connection".to_owned()))?;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(End(theirs));
            let session = ClientSession::open(ours).await;
            Ok(session.map_err(|error| refused(error.to_string()))? as Arc<dyn Session>)
        })
    }
}

fn pair() -> Option<(Arc<dyn Link>, Arc<dyn Link>)> {
    let id = |path: &str| SpiffeId::new(&format!("spiffe://fuzzing.local/{path}")).ok();
    Some(memory::pair(id("client")?, id("server")?))
}

/// One end of a connection, played by hand. Nothing here waits: what cannot be done now is not done.
#[derive(Debug)]
pub struct End(Arc<dyn Link>);

impl End {
    /// Opens a stream, if there is credit for one.
    pub fn open(&self, both_ways: bool) -> Option<Stream> {
        if both_ways {
            let (send, recv) = now(self.0.open_bi())?.ok()?;
            return Some(Stream { send: Some(send), recv: Some(recv) });
        }
        let send = now(self.0.open_uni())?.ok()?;
        Some(Stream { send: Some(send), recv: None })
    }

    /// The next stream of the peer, if there is one.
    pub fn accept(&self) -> Option<Stream> {
        if let Some(Ok((send, recv))) = now(self.0.accept_bi()) {
            return Some(Stream { send: Some(send), recv: Some(recv) });
        }
        let recv = now(self.0.accept_uni())?.ok()?;
        Some(Stream { send: None, recv: Some(recv) })
    }

    /// Closes the connection.
    pub fn close(&self, code: u32) {
        self.0.close(code, "by hand");
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        now(self.0.closed()).is_some()
    }
}

/// A stream of which this side has one half or both.
#[derive(Debug)]
pub struct Stream {
    send: Option<Box<dyn LinkSend>>,
    recv: Option<Box<dyn LinkRecv>>,
}

impl Stream {
    /// Writes as much as flow control takes now.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut rest = Bytes::copy_from_slice(bytes);
        let Some(send) = &mut self.send else { return };
        while !rest.is_empty() {
            match send.poll_write(&mut Context::from_waker(Waker::noop()), &mut rest) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    /// Ends the sending half.
    pub fn finish(&mut self) {
        if let Some(send) = &mut self.send {
            send.finish();
        }
    }

    /// Resets the sending half.
    pub fn reset(&mut self, code: u64) {
        if let Some(send) = &mut self.send {
            send.reset(code);
        }
    }

    /// Stops the receiving half.
    pub fn stop(&mut self, code: u64) {
        if let Some(recv) = &mut self.recv {
            recv.stop(code);
        }
    }

    /// Bytes that have come, if any.
    pub fn read(&mut self) -> Option<Bytes> {
        let recv = self.recv.as_mut()?;
        match recv.poll_chunk(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(chunk)) => chunk,
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }
}

/// What a future gives when it is polled once.
fn now<T>(mut future: BoxFuture<'_, T>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
