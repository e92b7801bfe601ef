//! Methods named like what every client has.

#[sinew::service]
pub trait Inventory {
    async fn with(&self) -> u64;
    async fn local(&self) -> u64;
    async fn clone(&self) -> u64;
    async fn from_channel(&self) -> u64;
    async fn new(&self) -> u64;
}

fn main() {}
