//! A method that is not async.

#[sinew::service]
pub trait Inventory {
    fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    fn count(&self) -> u64 {
        1
    }
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.count().await
}

fn main() {}
