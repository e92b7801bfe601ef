//! Two methods of one wire name.

#[sinew::service]
pub trait Inventory {
    async fn stock(&self) -> u64;
    #[rpc(name = "stock")]
    async fn stock_of_sku(&self, sku: String) -> u64;
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.stock_of_sku("a".into()).await
}

fn main() {}
