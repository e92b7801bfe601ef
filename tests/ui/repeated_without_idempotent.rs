//! Asking to repeat what may not run twice, or is read as it comes.

use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    #[rpc(hedge = "p95")]
    async fn reserve(&self, qty: u32) -> u64;
    #[rpc(timeout = "500ms", hedge = "20ms")]
    async fn release(&self, qty: u32) -> u64;
    #[rpc(retry = "3")]
    async fn count(&self) -> u64;
    #[rpc(idempotent, hedge = "p95")]
    async fn watch(&self) -> Streaming<u64>;
    #[rpc(idempotent, hedge = "p95")]
    async fn restock(&self, deliveries: Streaming<u64>) -> u64;
}

fn main() {}
