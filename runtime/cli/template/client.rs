//! Asks for a greeting.

use std::{error::Error, process::ExitCode};

use sinew::{CallError, Mesh};

use new_service::GreeterClient;

#[tokio::main]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or("world".to_owned());
    if let Err(why) = run(name).await {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn run(name: String) -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::from_env().await?;
    // Servers on this machine are found by name. Where others are, GREETER says: `static:`, `file:`,
    // and `dns:` with the feature `dns` of the crate `sinew`.
    let greeter: GreeterClient = match std::env::var("GREETER") {
        Ok(target) => mesh.client_at(target)?,
        Err(_) => mesh.client(),
    };
    match greeter.greet(name).await {
        Ok(greeting) => println!("{} (number {})", greeting.text, greeting.number),
        // What the service answers, and what the mesh says where nobody answers, are two things.
        Err(CallError::App(error)) => println!("there is no greeting: {error:?}"),
        Err(CallError::Status(status)) => return Err(status.into()),
    }
    Ok(())
}
