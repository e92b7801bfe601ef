//! QUIC: the link trait over quinn, on one UDP socket per endpoint.
//!
//! # Why
//! This folder is the only one that names quinn, so that its next version, or a driver of our own,
//! changes nothing elsewhere.
//!
//! ```text
//!   mod         QuicEndpoint: connect, accept          admission   who may begin a handshake
//!   link        a connection   } the link trait        config      every setting, by kind of path
//!   stream      its streams    }                       socket      the UDP socket, bounded batches
//!   error       why there is no link, or no more       reset       keys that survive a restart
//!   hint        whether the host says that nobody listens
//!   network     whose sockets: the system's, or a simulation's
//! ```
//!
//! # Invariants
//! 1. A link exists only after the handshake is complete on this side and the peer's certificate
//!    was verified; neither 0-RTT nor 0.5-RTT data is ever read or written.
//! 2. A handshake ends after [`limits::HANDSHAKE_MAX`], here; quinn itself has no such limit.
//!
//! # Which runtime
//! The socket is driven on the runtime on which the endpoint was made, each connection on the one
//! on which `connect` or `handshake` was awaited, and in the tracing span that was current there:
//! call them from a task that belongs to the connection, not from within a call.
//!
//! # Not here
//! Identities, limits for each of them, reconnecting, pings, frames.

mod admission;
mod config;
mod error;
mod hint;
mod link;
mod network;
mod reset;
mod socket;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use quinn::{Connecting, Endpoint, Incoming, ServerConfig, TokioRuntime, TransportConfig};
use sinew_core::limits;
use tokio::time::Instant;

#[cfg(feature = "fuzzing")]
pub use self::network::Simulated;
use self::{
    admission::{Admission, Ticket, Verdict},
    config::{ByPath, Path},
    link::QuicLink,
};
pub(crate) use self::{error::ConnectError, link::Identify, network::Network};
use crate::transport::link::Link;

/// One UDP socket and the connections over it. Cheap to clone; the socket lives until the last
/// clone and the last connection are gone.
#[derive(Clone, Debug)]
pub(crate) struct QuicEndpoint {
    endpoint: Endpoint,
    /// The settings of connections that we open.
    transports: ByPath<Arc<TransportConfig>>,
    /// Present where connections are accepted.
    server: Option<Arc<Server>>,
    network: Network,
}

/// What an endpoint needs to accept connections.
#[derive(Debug)]
struct Server {
    configs: ByPath<Arc<ServerConfig>>,
    admission: Admission,
    refusing: AtomicBool,
}

impl QuicEndpoint {
    /// An endpoint for connections to peers like `peer`: of its address family, and bound to
    /// loopback when the peer is on loopback, so that a local service is never reachable from
    /// outside.
    ///
    /// # Errors
    /// Those of binding a socket.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn client(peer: SocketAddr, network: &Network) -> io::Result<Self> {
        let peer = peer.ip().to_canonical();
        let local: IpAddr = match peer {
            peer if peer.is_loopback() => peer,
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::bind((local, 0).into(), None, None, network)
    }

    /// An endpoint that accepts connections at `bind`.
    ///
    /// With a `reset_secret` a peer notices within a round trip that the server at this address was
    /// restarted. The secret belongs to one host and must stay the same from start to start;
    /// without one, peers wait for the idle time.
    ///
    /// # Errors
    /// Those of binding a socket; `InvalidInput` where `tls` accepts early data, names no
    /// application protocol or has no cipher suite for QUIC.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn server(
        bind: SocketAddr,
        tls: Arc<rustls::ServerConfig>,
        reset_secret: Option<&[u8; 32]>,
        network: &Network,
    ) -> io::Result<Self> {
        let server = Server {
            configs: config::server(tls)?,
            admission: Admission::new(),
            refusing: AtomicBool::new(false),
        };
        Self::bind(bind, Some(server), reset_secret, network)
    }

    fn bind(
        address: SocketAddr,
        server: Option<Server>,
        reset_secret: Option<&[u8; 32]>,
        network: &Network,
    ) -> io::Result<Self> {
        let socket = network.bind(address)?;
        let mut settings = config::endpoint(reset_secret, socket.local_addr()?)?;
        if let Some(seed) = network.seed() {
            settings.rng_seed(Some(seed));
        }
        let config = server.as_ref().map(|server| ServerConfig::clone(&server.configs.routed));
        let runtime = Arc::new(TokioRuntime);
        Ok(Self {
            endpoint: Endpoint::new_with_abstract_socket(settings, config, socket, runtime)?,
            transports: ByPath::each(|path| Arc::new(config::transport(path))),
            server: server.map(Arc::new),
            network: network.clone(),
        })
    }

    /// Connects to `peer`, which must prove with `server_name` (SNI) in mind whatever `tls`
    /// demands.
    ///
    /// A server that rejects *our* certificate says so after the handshake is complete here: the
    /// link then exists and ends at once, with the server's words.
    ///
    /// # Errors
    /// See [`ConnectError`]. A peer that does not answer takes [`limits::HANDSHAKE_MAX`].
    ///
    /// # Cancel safety
    /// Dropping the future abandons the attempt and tells the peer.
    pub(crate) async fn connect(
        &self,
        peer: SocketAddr,
        server_name: &str,
        tls: Arc<rustls::ClientConfig>,
        identify: Identify,
    ) -> Result<Arc<dyn Link>, ConnectError> {
        let transport = Arc::clone(self.transports.get(Path::to(peer)));
        let config = config::client(tls, transport).map_err(ConnectError::Unusable)?;
        let connecting = self
            .endpoint
            .connect_with(config, peer, server_name)
            .map_err(|why| ConnectError::Unusable(why.to_string()))?;
        tokio::select! {
            biased;
            link = complete(connecting, identify, &self.network) => link,
            () = hint::refused(peer, &self.network) => Err(ConnectError::NobodyListens),
        }
    }

    /// The next connection that may begin its handshake, or `None` after [`close`](Self::close).
    ///
    /// Keep calling it, also after [`refuse_new`](Self::refuse_new): whoever is turned away is told
    /// so from in here. It never ends on an endpoint without a server side.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn accept(&self) -> Option<Accepting> {
        loop {
            let incoming = self.endpoint.accept().await?;
            if let Some(server) = &self.server
                && let Some(accepting) =
                    server.judge(incoming, (self.endpoint.open_connections(), &self.network))
            {
                return Some(accepting);
            }
        }
    }

    /// Where the socket is bound.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Connections that there are, those that are being made included.
    pub(crate) fn open_connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// From now on refuses every new connection; those that exist go on.
    pub(crate) fn refuse_new(&self) {
        if let Some(server) = &self.server {
            server.refusing.store(true, Ordering::Relaxed);
        }
    }

    /// Closes all connections and accepts no more. [`wait_idle`](Self::wait_idle) lets the words
    /// arrive.
    pub(crate) fn close(&self, code: u32, reason: &str) {
        let reason = &reason.as_bytes()[..reason.len().min(limits::CLOSE_REASON_MAX)];
        self.endpoint.close(code.into(), reason);
    }

    /// Resolves when no connection is left, and all peers were told.
    pub(crate) async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

impl Server {
    /// Answers a first packet, unless it may begin a handshake.
    fn judge(
        self: &Arc<Self>,
        incoming: Incoming,
        (connections, network): (usize, &Network),
    ) -> Option<Accepting> {
        let remote = incoming.remote_address();
        let proven = incoming.remote_address_validated();
        if self.refusing.load(Ordering::Relaxed) {
            incoming.refuse();
            return None;
        }
        match self.admission.judge(remote.ip(), proven, connections, Instant::now().into_std()) {
            Verdict::Admit(ticket) => {
                let (server, network) = (Arc::clone(self), network.clone());
                return Some(Accepting { incoming, server, ticket, network });
            }
            Verdict::Retry => {
                if let Err(unable) = incoming.retry() {
                    unable.into_incoming().refuse();
                }
            }
            Verdict::Refuse(why) => {
                tracing::debug!(%remote, why, "connection refused");
                incoming.refuse();
            }
        }
        None
    }
}

/// A connection that may begin its handshake. Dropping it refuses the peer.
#[derive(Debug)]
pub(crate) struct Accepting {
    incoming: Incoming,
    server: Arc<Server>,
    ticket: Ticket,
    network: Network,
}

impl Accepting {
    /// The peer's address; anybody could have written it, until the handshake is complete.
    pub(crate) fn remote(&self) -> SocketAddr {
        let remote = self.incoming.remote_address();
        (remote.ip().to_canonical(), remote.port()).into()
    }

    /// Completes the handshake, the verification of the client's certificate included.
    ///
    /// # Errors
    /// See [`ConnectError`]; after [`limits::HANDSHAKE_MAX`] it is given up.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn handshake(self, identify: Identify) -> Result<Arc<dyn Link>, ConnectError> {
        let Self { incoming, server, ticket: _ticket, network } = self;
        let path = Path::between(incoming.local_ip(), incoming.remote_address().ip());
        let config = Arc::clone(server.configs.get(path));
        let connecting = incoming
            .accept_with(config)
            .map_err(|why| ConnectError::from_quinn(why, limits::HANDSHAKE_MAX))?;
        complete(connecting, identify, &network).await
    }
}

/// Waits for the end of a handshake, whichever side began it.
async fn complete(
    connecting: Connecting,
    identify: Identify,
    network: &Network,
) -> Result<Arc<dyn Link>, ConnectError> {
    let limit = limits::HANDSHAKE_MAX;
    let connection = match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(why)) => return Err(ConnectError::from_quinn(why, limit)),
        Err(_) => return Err(ConnectError::TimedOut(limit)),
    };
    QuicLink::establish(connection, identify, network.clone())
}
