//! What a raw client aims at: the probe behind a server of ours, with an identity that an authority issued.

use sinew::ServerBuilder;

use super::{RawClient, RawStream, id};
use crate::{
    Must as _,
    authority::Authority,
    probe::{Counting, PROBE, Tally},
    scene::{ANYWHERE, Running, mesh_of},
};

/// The probe's server, and the authority that it trusts.
#[derive(Debug)]
pub struct Target {
    /// Whoever has a certificate of it is let in.
    pub authority: Authority,
    /// What counts the handlers.
    pub probe: Counting,
    /// The server.
    pub server: Running,
}

impl Target {
    /// A server that nobody has called yet.
    pub async fn new() -> Self {
        Self::with(|server| server).await
    }

    /// The same, with more said to its server.
    pub async fn with(more: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let authority = Authority::new("test authority");
        let probe = Counting::new();
        let mesh = mesh_of(authority.identity(&id(PROBE)), |builder| builder).await;
        let server = more(mesh.server().serve(probe.server()));
        let server = server.bind(ANYWHERE).await.must("a server");
        Self { authority, probe, server: Running::new(server) }
    }

    /// A client by hand, its control stream open. It stays open as long as the client is kept.
    pub async fn client(&self) -> RawClient {
        RawClient::connect(&self.authority, self.server.address()).await
    }

    /// A client by hand, and a lane of it.
    pub async fn lane(&self) -> (RawClient, RawStream) {
        let client = self.client().await;
        let lane = client.lane([]).await;
        (client, lane)
    }

    /// How many handlers there were.
    pub fn tally(&self) -> Tally {
        self.probe.tally()
    }
}
