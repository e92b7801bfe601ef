//! A stream that does not say of what.

use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    async fn restock(&self, deliveries: Streaming) -> u64;
}

fn main() {}
