//! The probe's server as a program: it says where it listens, and serves until it is told to stop or its starter is
//! gone.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use sinew::Mesh;
use sinew_tests::{child::LISTENING, probe::Counting, scene::ANYWHERE};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "probe: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::var("PROBE_ADDRESS").unwrap_or_else(|_| ANYWHERE.to_owned());
    let probe = match std::env::var_os("PROBE_JOURNAL") {
        Some(path) => {
            let journal = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            let delay = std::env::var("PROBE_DELAY_MS")?.parse()?;
            Counting::with_journal(journal, Duration::from_millis(delay))
        }
        None => Counting::new(),
    };
    let mut server = Mesh::from_env().await?.server().serve(probe.server());
    if let Ok(grace) = std::env::var("PROBE_GRACE_MS") {
        server = server.drain_grace(Duration::from_millis(grace.parse()?));
    }
    let server = server.bind(address).await?;
    writeln!(std::io::stdout(), "{LISTENING}{}", server.local_addr())?;
    server
        .run_until(async {
            tokio::select! {
                () = sinew::shutdown_signal() => {}
                () = starter_is_gone() => {}
            }
        })
        .await;
    Ok(())
}

/// Ready when standard input ends: nobody is left who would stop this process.
async fn starter_is_gone() {
    let (gone, wait) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    let _ = wait.await;
}
