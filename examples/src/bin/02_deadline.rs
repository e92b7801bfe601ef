//! One deadline for a whole tree of calls, which nobody passes along.
//!
//! ```text
//!   main ──> front ──> middle ──> back      three servers, each the client of the next
//! ```
//!
//! `main` sets a limit on its call. Every hop below sees what is left of it, gives up when it is
//! over, and tells its caller where the time went.
#![expect(clippy::print_stdout, reason = "a demo prints")]

use std::{error::Error, time::Duration};

use sinew::{CallOptions, Context, Mesh, Relay as _, Server, Status};

/// A stop on the way of a call.
#[sinew::service]
pub trait Station {
    /// Goes on to the end of the line, where the work is done. Returns what each stop has to say.
    ///
    /// There is no deadline among the arguments, and no context to hand over.
    async fn visit(&self, work: Duration) -> Result<Vec<String>, Status>;
}

struct Stop {
    name: &'static str,
    next: Option<StationClient>,
}

impl Station for Stop {
    async fn visit(&self, work: Duration) -> Result<Vec<String>, Status> {
        let mut said = vec![format!("{:<7}{} left", self.name, left())];
        match &self.next {
            // This call inherits the deadline of the one that is being served, less about 1 ms
            // that is kept for the answer. `relay` passes a failure on as the failure of a call
            // below, with its ledger.
            Some(next) => said.extend(next.visit(work).await.relay()?),
            None => {
                // When the deadline passes, this future is dropped here, at its `await`.
                tokio::time::sleep(work).await;
                said.extend(tasks_beside_the_call().await);
            }
        }
        Ok(said)
    }
}

/// A handler that spawns: `sinew::spawn` makes the task a part of the call, `tokio::spawn` does not.
async fn tasks_beside_the_call() -> Vec<String> {
    let part_of_it = sinew::spawn(async { left() }).await;
    let on_its_own = tokio::spawn(async { left() }).await;
    let part_of_it = part_of_it.ok().flatten().unwrap_or_else(|| "cut short".to_owned());
    let on_its_own = on_its_own.unwrap_or_else(|error| error.to_string());
    vec![
        format!("  a task of sinew::spawn: {part_of_it} left"),
        format!("  a task of tokio::spawn: {on_its_own} left"),
    ]
}

/// What is left of the deadline of the call that is being served.
fn left() -> String {
    match Context::current().and_then(|context| context.remaining()) {
        Some(left) => format!("{:.1} ms", left.as_secs_f64() * 1e3),
        None => "nobody knows what is".to_owned(),
    }
}

async fn serve(
    mesh: &Mesh,
    name: &'static str,
    next: Option<&Server>,
) -> Result<Server, Box<dyn Error>> {
    let next = next.map(|server| client_of(mesh, server)).transpose()?;
    let server = mesh.server().serve(StationServer::new(Stop { name, next }));
    let server = server.bind("127.0.0.1:0").await?;
    println!("{name} is at {}", server.local_addr());
    Ok(server)
}

fn client_of(mesh: &Mesh, server: &Server) -> Result<StationClient, Box<dyn Error>> {
    Ok(mesh.client_at(format!("static:{}", server.local_addr()))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::from_env().await?;
    let back = serve(&mesh, "back", None).await?;
    let middle = serve(&mesh, "middle", Some(&back)).await?;
    let front = serve(&mesh, "front", Some(&middle)).await?;
    let line = client_of(&mesh, &front)?;

    // This process serves, and these calls belong to none that it serves: `root` says so.
    sinew::root(async move {
        println!("\nA call with 1 s, for work that takes 20 ms:");
        let one_second = CallOptions::new().timeout(Duration::from_secs(1));
        for said in line.with(one_second).visit(Duration::from_millis(20)).await? {
            println!("  {said}");
        }

        println!("\nA call with 200 ms, for work that takes 5 s:");
        let too_short = CallOptions::new().timeout(Duration::from_millis(200));
        let Err(status) = line.with(too_short).visit(Duration::from_secs(5)).await else {
            return Err("5 s of work were done within 200 ms".into());
        };
        println!("  {status}\n\nWhere the time went:");
        if let Some(ledger) = status.ledger() {
            println!("{ledger}");
        }
        Ok(())
    })
    .await
}
