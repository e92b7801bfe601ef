//! A service, its server and a call, with mutual TLS and no configuration.
#![expect(clippy::print_stdout, reason = "a demo prints")]

use sinew::Mesh;

/// Greets people.
#[sinew::service]
pub trait Greeter {
    /// A greeting for `name`.
    async fn greet(&self, name: String) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, name: String) -> String {
        format!("Good day, {name}!")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With nothing configured, a certificate authority for development is made, for this user and
    // this machine alone.
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(GreeterServer::new(Polite)).bind("127.0.0.1:0").await?;
    let greeter: GreeterClient = mesh.client_at(format!("static:{}", server.local_addr()))?;
    println!("{}", greeter.greet("world".into()).await?);
    Ok(())
}
