//! Two streams in one direction.

use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    async fn merge(&self, left: Streaming<u64>, right: Streaming<u64>) -> u64;
}

fn main() {}
