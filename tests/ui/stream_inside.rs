//! Streams inside other types.

use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    async fn maybe(&self, deliveries: Option<Streaming<u64>>) -> u64;
    async fn several(&self) -> Vec<Streaming<u64>>;
    async fn with_total(&self) -> Result<(u64, Streaming<u64>), String>;
    async fn nested(&self, deliveries: Streaming<Streaming<u64>>) -> u64;
    async fn as_error(&self) -> Result<u64, Streaming<u64>>;
}

fn main() {}
