//! What one call costs: in process and over loopback, one at a time and 64 in flight, in one process.
//!
//! For a look while changing the call path; `benches/versus` is what figures are quoted from. Both ends share a runtime
//! here, so a call's time is that of both.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use sinew::{Mesh, Status};

/// The least that a service can do.
#[sinew::service]
pub trait Echo {
    /// Gives it back.
    #[rpc(idempotent)]
    async fn echo(&self, number: u64) -> u64;
}

struct Mirror;

impl Echo for Mirror {
    async fn echo(&self, number: u64) -> u64 {
        number
    }
}

const TIME: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(EchoServer::new(Mirror)).bind("127.0.0.1:0").await?;
    let remote: EchoClient = mesh.client_at(format!("static:{}", server.local_addr()))?;
    for (name, client) in [("in process", EchoClient::local(Mirror)), ("loopback", remote)] {
        for callers in [1, 64] {
            let (calls, took) = run(&client, callers).await?;
            let per_call = took.as_secs_f64() * 1e6 / calls as f64;
            println!(
                "{name:<10}  {callers:>2} in flight  {calls:>8} calls  {per_call:>7.2} us per call"
            );
        }
    }
    Ok(())
}

/// How many calls `callers` made, and in what time.
async fn run(
    client: &EchoClient,
    callers: usize,
) -> Result<(u64, Duration), Box<dyn std::error::Error>> {
    client.echo(0).await?;
    let began = Instant::now();
    let tasks: Vec<_> =
        (0..callers).map(|_| tokio::spawn(call_until(client.clone(), began + TIME))).collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await??;
    }
    Ok((calls, began.elapsed()))
}

async fn call_until(client: EchoClient, end: Instant) -> Result<u64, Status> {
    let mut calls = 0;
    while Instant::now() < end {
        for _ in 0..16 {
            calls += 1;
            client.echo(calls).await?;
        }
    }
    Ok(calls)
}
