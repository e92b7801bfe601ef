//! Where packets go: to the system's network, or to one that a simulation has made.
//!
//! # Why
//! Everything above a socket is to be run as it is, by the thousand, in virtual time and under one seed. So the socket is
//! the seam: whoever binds one says of which network, and nothing above knows.
//!
//! # Invariants
//! 1. Without the feature `fuzzing` there is the system's network and nothing else.

use std::{io, net::SocketAddr, sync::Arc};

use quinn::AsyncUdpSocket;

use super::{hint, socket};

/// The network of a mesh. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) enum Network {
    /// That of the system.
    #[default]
    System,
    /// One of our own tests.
    #[cfg(feature = "fuzzing")]
    Simulated(Arc<dyn Simulated>),
}

/// A network that is not the system's: what one process sees of it.
#[cfg(feature = "fuzzing")]
pub trait Simulated: std::fmt::Debug + Send + Sync {
    /// Binds a socket. Port 0 stands for one that is free.
    ///
    /// # Errors
    /// Those of binding a socket.
    fn bind(&self, address: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>>;

    /// Whether the host at this address can be reached, and says that nobody listens there.
    fn nobody_listens(&self, peer: SocketAddr) -> bool;

    /// What quinn's own chance begins with, for the next endpoint.
    fn seed(&self) -> [u8; 32];
}

impl Network {
    pub(super) fn bind(&self, address: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        match self {
            Self::System => socket::bind(address),
            #[cfg(feature = "fuzzing")]
            Self::Simulated(network) => network.bind(address),
        }
    }

    /// Whether the host of `peer` says that nobody listens there.
    pub(super) async fn is_refused(&self, peer: SocketAddr) -> bool {
        match self {
            Self::System => hint::is_refused(peer).await,
            #[cfg(feature = "fuzzing")]
            Self::Simulated(network) => network.nobody_listens(peer),
        }
    }

    /// What quinn's own chance begins with; the system's, unless it is said here.
    pub(super) fn seed(&self) -> Option<[u8; 32]> {
        match self {
            Self::System => None,
            #[cfg(feature = "fuzzing")]
            Self::Simulated(network) => Some(network.seed()),
        }
    }
}
