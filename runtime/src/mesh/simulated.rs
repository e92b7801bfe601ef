//! A mesh of a simulation: on a network that is not the system's, told by a test where its servers are.

use super::{Mesh, MeshBuilder};
use crate::{
    client::Channel,
    discovery::{Source, Sources},
    transport::quic::Network,
};

impl MeshBuilder {
    /// On this network.
    pub(crate) fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }
}

impl Mesh {
    /// A channel to what this source lists; none to a service that nobody can prove to be.
    pub(crate) fn listed_by(&self, service: &str, source: Box<dyn Source>) -> Option<Channel> {
        let expected = self.expected(service)?;
        Some(
            self.discovered(
                (service, None),
                Sources { all: vec![source], expected, last_good: None },
            ),
        )
    }
}
