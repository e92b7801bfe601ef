//! A method without `&self`.

#[sinew::service]
pub trait Inventory {
    async fn count() -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count() -> u64 {
        1
    }
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.count().await
}

fn main() {}
