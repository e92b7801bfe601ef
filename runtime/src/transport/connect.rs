//! Connectors: how a session to one endpoint comes about, over the network or in process.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use sinew_core::{
    codes::{Code, Reason},
    limits,
    spiffe::SpiffeId,
};

use super::{
    BoxFuture, Connector, Serve, Session,
    frames::{self, ClientSession, Counted, Drain},
    links::Links,
    memory,
    quic::{ConnectError, Network, QuicEndpoint},
};
use crate::{
    error::Status,
    identity::{self, Identity, IdentityError, Side},
};

/// The sockets that a mesh calls from: one for this host, one for elsewhere, made when first needed.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    made: Mutex<Vec<(Reach, QuicEndpoint)>>,
    network: Network,
}

/// Which addresses a socket reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    loopback: bool,
    ipv6: bool,
}

impl Sockets {
    /// Of this network.
    pub(crate) fn of(network: Network) -> Self {
        Self { made: Mutex::default(), network }
    }

    fn towards(&self, peer: SocketAddr) -> std::io::Result<QuicEndpoint> {
        let reach = Reach { loopback: peer.ip().is_loopback(), ipv6: peer.is_ipv6() };
        let mut sockets = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, socket)) = sockets.iter().find(|(known, _)| *known == reach) {
            return Ok(socket.clone());
        }
        let socket = QuicEndpoint::client(peer, &self.network)?;
        sockets.push((reach, socket.clone()));
        Ok(socket)
    }

    /// Whether there is room for another connection beside those that there are, to whatever service.
    fn room(&self) -> Result<(), Status> {
        let sockets = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let open: usize = sockets.iter().map(|(_, socket)| socket.open_connections()).sum();
        let most = limits::CLIENT_CONNECTIONS_MAX;
        if open < most {
            return Ok(());
        }
        Err(not_sent(
            Reason::HandshakeFailed,
            format!(
                "this mesh has {open} connections to servers already, where {most} may be (CLIENT_CONNECTIONS_MAX); let \
                 clients use fewer endpoints of a service (`Policy::aperture`)"
            ),
        ))
    }
}

/// Connects over QUIC to `host:port`, and accepts whoever proves to be `expected` there.
#[derive(Debug)]
pub(crate) struct QuicConnector {
    pub(crate) target: String,
    pub(crate) expected: SpiffeId,
    pub(crate) identity: Identity,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) links: Arc<Links>,
}

impl Connector for QuicConnector {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        Box::pin(async move {
            let peer = self.resolve().await?;
            self.identity.allows_address(peer).map_err(not_ours)?;
            let known = self.identity.generation();
            let tls = self.identity.client_config(&self.expected).map_err(not_ours)?;
            self.sockets.room()?;
            let socket = self.sockets.towards(peer).map_err(unusable)?;
            let name = self.expected.server_name();
            let link = socket
                .connect(peer, &name, tls, |chain| {
                    identity::peer_identity(chain).map_err(|error| error.to_string())
                })
                .await;
            let link = link.map_err(|error| self.refused(&error))?;
            self.links.add(&link, Side::Server, (&self.identity, known));
            // A server that does not accept us says so when our side of the handshake is already complete.
            let session =
                ClientSession::open(link).await.map_err(|error| frames::lost(&error, false))?;
            Ok(session as Arc<dyn Session>)
        })
    }
}

impl QuicConnector {
    async fn resolve(&self) -> Result<SocketAddr, Status> {
        if let Ok(address) = self.target.parse() {
            return Ok(address);
        }
        let mut addresses = tokio::net::lookup_host(&self.target).await.map_err(|error| {
            not_sent(Reason::NoEndpoints, format!("cannot resolve `{}`: {error}", self.target))
        })?;
        addresses.next().ok_or_else(|| {
            not_sent(Reason::NoEndpoints, format!("`{}` has no address", self.target))
        })
    }

    fn refused(&self, error: &ConnectError) -> Status {
        let reason = match error {
            ConnectError::Tls(_) | ConnectError::Identity(_) => Reason::WrongIdentity,
            _ => Reason::HandshakeFailed,
        };
        not_sent(reason, error.to_string())
    }
}

fn not_sent(reason: Reason, message: String) -> Status {
    Status::not_sent(Code::Unavailable, reason, message)
}

/// Something that waiting does not mend.
fn not_ours(error: IdentityError) -> Status {
    not_sent(Reason::WrongIdentity, error.to_string())
}

fn unusable(error: impl fmt::Display) -> Status {
    not_sent(Reason::HandshakeFailed, error.to_string())
}

/// Connects to a server in this process, through the same frames.
#[derive(Debug)]
pub(crate) struct LocalConnector {
    pub(crate) serve: Arc<dyn Serve>,
    pub(crate) client: SpiffeId,
    pub(crate) server: SpiffeId,
}

impl Connector for LocalConnector {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        Box::pin(async move {
            let (ours, theirs) = memory::pair(self.client.clone(), self.server.clone());
            let drain = Arc::new(Drain::new());
            tokio::spawn(frames::serve(theirs, Arc::clone(&self.serve), Counted::new(&drain)));
            let session = ClientSession::open(ours).await.map_err(unusable)?;
            Ok(session as Arc<dyn Session>)
        })
    }
}
