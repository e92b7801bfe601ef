//! sinew, by its defaults: mutual TLS with the development certificates, deadlines, metadata, the ledger.

use bytes::Bytes;
use sinew::Mesh;

use crate::{Failure, args::Args, load, serving};

#[sinew::service]
trait Echo {
    #[rpc(idempotent)]
    async fn echo(&self, payload: Bytes) -> Bytes;
}

struct Mirror;

impl Echo for Mirror {
    async fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(_: &Args) -> Result<(), Failure> {
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(EchoServer::new(Mirror)).bind("127.0.0.1:0").await?;
    serving::announce(server.local_addr(), None)?;
    server.run_until(std::future::pending()).await;
    Ok(())
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let mesh = Mesh::from_env().await?;
    let client: EchoClient = mesh.client_at(format!("static:{}", args.addr()?))?;
    load::run(args, move |payload| {
        let call = client.echo(payload);
        async move { Ok(call.await?) }
    })
    .await
}
