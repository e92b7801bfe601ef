//! Keys of `#[rpc]` that do not exist.

#[sinew::service]
pub trait Inventory {
    #[rpc(idempotant)]
    async fn slip(&self) -> u64;
    #[rpc(deadline = "500ms")]
    async fn synonym(&self) -> u64;
    #[rpc(colour = "red")]
    async fn unknown(&self) -> u64;
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.slip().await
}

fn main() {}
