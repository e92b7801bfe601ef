//! A borrowed result.

#[sinew::service]
pub trait Inventory {
    async fn name(&self) -> Result<&str, String>;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn name(&self) -> Result<&str, String> {
        Ok("warehouse")
    }
}

async fn call(inventory: &InventoryClient) -> bool {
    inventory.name().await.is_ok()
}

fn main() {}
