//! A method with a type parameter.

#[sinew::service]
pub trait Inventory {
    async fn stock<K: Send>(&self, key: K) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn stock<K: Send>(&self, _key: K) -> u64 {
        1
    }
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.stock("a").await
}

fn main() {}
