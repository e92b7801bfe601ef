//! Two methods of one name.

#[sinew::service]
pub trait Inventory {
    async fn stock(&self) -> u64;
    async fn stock(&self, sku: String) -> u64;
}

fn main() {}
