//! The servers of `benches/ingress`: one JSON, served by sinew's ingress and by axum.
//!
//! `ingress sinew|axum`: prints where it listens, and serves until standard input ends.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::{future::Future, io::Read as _, net::SocketAddr};

use axum::{
    Json, Router,
    extract::Path,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};

/// What both serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    id: u32,
    name: String,
    tags: Vec<String>,
    price_cents: u64,
    in_stock: bool,
}

fn item(id: u32) -> Item {
    Item {
        id,
        name: "a lamp".to_owned(),
        tags: vec!["light".to_owned(), "brass".to_owned()],
        price_cents: 12_900,
        in_stock: true,
    }
}

#[sinew::service(name = "shop.Shop")]
trait Shop {
    #[http(get = "/items/{id}")]
    async fn item(&self, id: u32) -> Item;

    #[http(post = "/items", body = "item")]
    async fn add(&self, item: Item) -> Item;
}

struct Here;

impl Shop for Here {
    async fn item(&self, id: u32) -> Item {
        item(id)
    }

    async fn add(&self, item: Item) -> Item {
        item
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Says where, and waits until nobody is there any more.
async fn until_alone(address: SocketAddr) {
    println!("{address}");
    let alone = tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    let _ = alone.await;
}

async fn sinew_serves() -> Result<(), Failure> {
    let mesh = sinew::Mesh::builder().without_local_discovery().build().await?;
    let server = mesh.server().serve(ShopServer::new(Here)).bind("127.0.0.1:0").await?;
    let http = sinew_bridge::ingress(&server).bind("127.0.0.1:0").await?;
    until_alone(http.local_addr()).await;
    Ok(())
}

async fn axum_serves() -> Result<(), Failure> {
    async fn of(Path(id): Path<u32>) -> Json<Item> {
        Json(item(id))
    }
    async fn add(Json(item): Json<Item>) -> Json<Item> {
        Json(item)
    }
    let router = Router::new().route("/items/{id}", get(of)).route("/items", post(add));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(IntoFuture::into_future(axum::serve(listener, router)));
    until_alone(address).await;
    serving.abort();
    Ok(())
}

fn run(serves: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build()?.block_on(serves)
}

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("sinew") => run(sinew_serves()),
        Some("axum") => run(axum_serves()),
        _ => Err("usage: ingress sinew|axum".into()),
    }
}
