//! Streams of a type without serde's traits.

use sinew::Streaming;

pub struct Level(u64);
pub struct Delivery(u64);

#[sinew::service]
pub trait Inventory {
    async fn watch(&self, deliveries: Streaming<Delivery>) -> Streaming<Level>;
}

fn main() {}
