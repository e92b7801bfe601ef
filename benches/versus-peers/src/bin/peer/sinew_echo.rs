//! sinew, by its defaults: mutual TLS with the development certificates, deadlines, metadata, the ledger.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use sinew::{Identity, Mesh, Status, Streaming};
use versus_peers::authority::Authority;

use crate::{
    Failure,
    args::{Args, Work},
    load::{self, flow, fresh},
    serving,
};

/// Whom a client expects to be answered by.
const SERVICE: &str = "Echo";

#[sinew::service]
trait Echo {
    #[rpc(idempotent)]
    async fn echo(&self, payload: Bytes) -> Bytes;
}

#[sinew::service]
trait Flow {
    async fn down(&self, item: Bytes) -> Streaming<Bytes>;
    async fn up(&self, items: Streaming<Bytes>) -> Result<u64, Status>;
}

struct Mirror;

impl Echo for Mirror {
    async fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }
}

impl Flow for Mirror {
    async fn down(&self, item: Bytes) -> Streaming<Bytes> {
        Streaming::new(stream::repeat(item))
    }

    async fn up(&self, mut items: Streaming<Bytes>) -> Result<u64, Status> {
        let mut count = 0;
        while let Some(item) = items.next().await {
            item?;
            count += 1;
        }
        Ok(count)
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let authority = brings_authority(args).then(Authority::fresh).transpose()?;
    let mesh = match &authority {
        Some(authority) => of_authority(authority, SERVICE).await?,
        None => Mesh::from_env().await?,
    };
    let server = mesh.server();
    let server = match args.work {
        Work::Down | Work::Up => server.serve(FlowServer::new(Mirror)),
        Work::Echo | Work::Cold | Work::Idle => server.serve(EchoServer::new(Mirror)),
    };
    let server = server.bind(args.bind()).await?;
    let certificate = authority.map(|authority| authority.for_the_client());
    serving::announce(server.local_addr(), certificate.as_deref())?;
    server.run_until(std::future::pending()).await;
    Ok(())
}

/// Whether the development authority does not do: it is for loopback, and every process of a user is one identity, of
/// which a server takes half of its connections.
fn brings_authority(args: &Args) -> bool {
    args.is_afar() || args.work == Work::Idle
}

/// A mesh with a certificate of its own.
async fn of_authority(authority: &Authority, who: &str) -> Result<Mesh, Failure> {
    let leaf = authority.leaf(who)?;
    let (certificate, key) = (leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes());
    let identity = Identity::from_pem(certificate, key, authority.certificate_pem.as_bytes())?;
    Ok(Mesh::builder().identity(identity).without_local_discovery().build().await?)
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let target = format!("static:{}", args.addr()?);
    let authority = brings_authority(args).then(|| Authority::of_server(args.cert.as_deref()));
    let authority = authority.transpose()?;
    let mesh = match &authority {
        Some(authority) => of_authority(authority, "caller").await?,
        None => Mesh::from_env().await?,
    };
    match (args.work, authority) {
        (Work::Echo, _) => {
            // Each client has a connection of its own.
            let clients = (0..args.connections).map(|_| {
                let client: EchoClient = mesh.client_at(&target)?;
                Ok(move |payload| {
                    let call = client.echo(payload);
                    async move { Ok(call.await?) }
                })
            });
            load::run(args, clients.collect::<Result<_, Failure>>()?).await
        }
        (Work::Idle, Some(authority)) => fresh::held(args, Newcomers { authority, target }).await,
        (Work::Cold | Work::Idle, _) => fresh::one_after_another(args, Cold { mesh, target }).await,
        (Work::Down, _) => {
            let client: FlowClient = mesh.client_at(&target)?;
            flow::down(args, move |item| async move {
                let items = client.down(item).await?;
                // The connection ends with its client.
                Ok(items.map(move |item| (&client, item).1.map_err(Failure::from)))
            })
            .await
        }
        (Work::Up, _) => {
            let client: FlowClient = mesh.client_at(&target)?;
            flow::up(args, move |items| async move { Ok(client.up(Streaming::iter(items)).await?) })
                .await
        }
    }
}

/// One program that connects again and again.
struct Cold {
    mesh: Mesh,
    target: String,
}

impl fresh::Fresh for Cold {
    type Ready = EchoClient;
    type Open = EchoClient;

    async fn prepare(&self) -> Result<EchoClient, Failure> {
        Ok(self.mesh.client_at(&self.target)?)
    }

    async fn connect(
        &self,
        client: EchoClient,
        payload: Bytes,
    ) -> Result<(Bytes, EchoClient), Failure> {
        Ok((client.echo(payload).await?, client))
    }
}

/// Many programs, each of which somebody else runs.
struct Newcomers {
    authority: Authority,
    target: String,
}

impl fresh::Fresh for Newcomers {
    type Ready = Mesh;
    type Open = EchoClient;

    async fn prepare(&self) -> Result<Mesh, Failure> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        of_authority(&self.authority, &format!("caller/{number}")).await
    }

    async fn connect(&self, mesh: Mesh, payload: Bytes) -> Result<(Bytes, EchoClient), Failure> {
        let client: EchoClient = mesh.client_at(&self.target)?;
        Ok((client.echo(payload).await?, client))
    }
}
