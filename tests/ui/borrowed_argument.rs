//! Borrowed arguments.

#[sinew::service]
pub trait Inventory {
    async fn text(&self, key: &str) -> u64;
    async fn slice(&self, keys: &[Vec<u8>]) -> u64;
    async fn path(&self, path: &std::path::Path) -> u64;
    async fn value(&self, key: &mut u64) -> u64;
    async fn object(&self, key: &dyn std::fmt::Debug) -> u64;
    async fn forever(&self, key: Option<&'static str>) -> u64;
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    inventory.text("a").await
}

fn main() {}
