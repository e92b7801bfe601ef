//! A call with the wrong type, and one that is not awaited.

#[sinew::service]
pub trait Inventory {
    async fn stock(&self, sku: String) -> u64;
}

async fn call(inventory: InventoryClient) {
    inventory.stock(7).await.ok();
    let _: u64 = inventory.stock(String::new());
}

fn main() {}
