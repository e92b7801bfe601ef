//! A key of `#[service]` that does not exist.

#[sinew::service(versions = 1)]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
