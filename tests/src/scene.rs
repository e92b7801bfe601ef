//! One test's world: an authority of its own, servers on ports of their own, clients of them.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use sinew::{Health, Identity, Mesh, MeshBuilder, Server, ServerBuilder, ServiceClient};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{Must as _, scratch::Scratch, wait::soon};

/// Where a server may listen: a port that the system picks.
pub const ANYWHERE: &str = "127.0.0.1:0";

/// The world of one test. Everything in it belongs to one development authority.
#[derive(Debug)]
pub struct Scene {
    scratch: Scratch,
    identity: Identity,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// An empty one.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let identity =
            Identity::development_in(scratch.join("sinew")).must("a development authority");
        Self { scratch, identity }
    }

    /// What `XDG_RUNTIME_DIR` must be for another process to share the authority.
    pub fn runtime_dir(&self) -> PathBuf {
        self.scratch.path().to_owned()
    }

    /// A mesh: one more process, as far as connections are concerned.
    pub async fn mesh(&self) -> Mesh {
        self.mesh_with(|builder| builder).await
    }

    /// A mesh with something set.
    pub async fn mesh_with(&self, set: impl FnOnce(MeshBuilder) -> MeshBuilder) -> Mesh {
        mesh_of(self.identity.clone(), set).await
    }

    /// A server of what `add` adds, listening.
    pub async fn serve(&self, add: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Running {
        self.serve_at(ANYWHERE, add).await
    }

    /// A server at an address.
    pub async fn serve_at(
        &self,
        address: &str,
        add: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Running {
        let mesh = self.mesh().await;
        Running::new(add(mesh.server()).bind(address.to_owned()).await.must("a server"))
    }

    /// A client with connections of its own to one server.
    pub async fn client<C: ServiceClient>(&self, server: &Running) -> C {
        self.client_at(&[server.address()]).await
    }

    /// A client with connections of its own to servers at these addresses.
    pub async fn client_at<C: ServiceClient>(&self, servers: &[SocketAddr]) -> C {
        client_at(&self.mesh().await, servers)
    }
}

/// A mesh of an identity, with something set.
pub async fn mesh_of(identity: Identity, set: impl FnOnce(MeshBuilder) -> MeshBuilder) -> Mesh {
    // A development authority has a directory of its own; the others would meet in the user's.
    let builder = match identity.is_development() {
        true => Mesh::builder(),
        false => Mesh::builder().without_local_discovery(),
    };
    set(builder.identity(identity)).build().await.must("a mesh")
}

/// A client of this mesh with these endpoints.
pub fn client_at<C: ServiceClient>(mesh: &Mesh, servers: &[SocketAddr]) -> C {
    let addresses: Vec<String> = servers.iter().map(SocketAddr::to_string).collect();
    mesh.client_at(format!("static:{}", addresses.join(","))).must("a client")
}

/// A server at work. Dropping it ends it at once, without a goodbye to calls in flight.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    health: Health,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Runs a server that listens.
    pub fn new(server: Server) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, health) = (server.local_addr(), server.health());
        let task = tokio::spawn(server.run_until(async move {
            // An error is a dropped handle: the task is aborted then.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { address, health, stop: Some(stop), task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says of its health.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Asks it to stop, and does not wait for that.
    pub fn begin_drain(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has drained; how long that took.
    pub async fn drained(mut self) -> Duration {
        self.begin_drain();
        let began = std::time::Instant::now();
        soon("the server drains", &mut self.task).await.must("the server's task");
        began.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
