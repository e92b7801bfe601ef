//! A service, its server and a call, with mutual TLS and no configuration.

use sinew::Mesh;

#[sinew::service]
pub trait Greeter {
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
    let mesh = Mesh::from_env().await?;
    let server = mesh
        .server()
        .serve(GreeterServer::new(Polite))
        .bind("127.0.0.1:0")
        .await?;
    let greeter: GreeterClient = mesh.client_at(format!("static:{}", server.local_addr()))?;
    println!("{}", greeter.greet("world".into()).await?);
    Ok(())
}
