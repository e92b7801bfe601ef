//! An argument that is `impl Trait`.

#[sinew::service]
pub trait Inventory {
    async fn stock(&self, key: impl Into<String> + Send) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn stock(&self, key: impl Into<String> + Send) -> u64 {
        key.into().len() as u64
    }
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.stock("a").await
}

fn main() {}
