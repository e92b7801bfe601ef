//! An implementation that differs from the trait.

#[sinew::service]
pub trait Inventory {
    async fn stock(&self, sku: String) -> u64;
    async fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn stock(&self, sku: u64) -> u64 {
        sku
    }
}

fn main() {}
