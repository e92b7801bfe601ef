//! Our client, pointed at a server by hand.

use sinew::{Status, Streaming};

use super::{RawPeer, RawServer, RawStream, id};
use crate::{
    Must as _,
    authority::Authority,
    probe::{PROBE, ProbeClient},
    scene::{client_at, mesh_of},
};

/// The server by hand, and a client of ours that calls it.
#[derive(Debug)]
pub struct Caller {
    /// Whoever has a certificate of it is let in.
    pub authority: Authority,
    /// The server by hand, which proves to be the probe.
    pub server: RawServer,
    /// Our client.
    pub client: ProbeClient,
}

impl Caller {
    /// A server that nobody has called yet.
    pub async fn new() -> Self {
        let authority = Authority::new("test authority");
        let server = RawServer::new(&authority, &id(PROBE));
        let mesh = mesh_of(authority.identity(&id("web")), |builder| builder).await;
        let client = client_at(&mesh, &[server.address()]);
        Self { authority, server, client }
    }

    /// Our client has made a call that was answered: the connection and its lane.
    pub async fn connected(&self) -> (RawPeer, RawStream) {
        let call = tokio::spawn(self.client.echo("hello".into()));
        let peer = self.server.accept().await;
        let mut lane = peer.lane().await;
        let (request, _) = lane.request().await;
        lane.echo(&request).await;
        assert_eq!(call.await.must("a task").must("an answer"), "hello");
        (peer, lane)
    }

    /// Begins an echo in a task.
    pub fn echo(&self, text: &str) -> tokio::task::JoinHandle<Result<String, Status>> {
        tokio::spawn(self.client.echo(text.into()))
    }

    /// Begins a stream of numbers in a task.
    pub fn numbers(&self) -> tokio::task::JoinHandle<Result<Streaming<u64>, Status>> {
        tokio::spawn(self.client.numbers(0, 10))
    }
}
