//! Serves greetings until it is asked to stop.

use std::{error::Error, process::ExitCode};

use sinew::Mesh;

use new_service::{GreeterServer, Polite};

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(why) = run().await {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Who this is: the files of SINEW_CERT, SINEW_KEY and SINEW_BUNDLE, or else the development CA,
    // which serves this machine alone.
    let mesh = Mesh::from_env().await?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let greeter = GreeterServer::new(Polite::default());
    let server = mesh.server().serve(greeter).bind(address).await?;
    println!("greeting at {}", server.local_addr());
    server.run_until(sinew::shutdown_signal()).await;
    Ok(())
}
