//! Mistakes of many kinds, all of which are reported, and nothing else.

use sinew::Streaming;

#[sinew::service(nmae = "shop.Inventory")]
pub trait Inventory {
    async fn borrowed(&self, key: &str) -> u64;
    fn not_async(&self) -> u64;
    #[rpc(idempotant, timeout = "soon")]
    async fn attributes(&self) -> u64;
    async fn both(&mut self, _: u8, keys: Vec<Streaming<u8>>) -> Result<(), String>;
    async fn sound(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn borrowed(&self, key: &str) -> u64 {
        key.len() as u64
    }
    fn not_async(&self) -> u64 {
        1
    }
    async fn attributes(&self) -> u64 {
        1
    }
    async fn both(&mut self, _: u8, _keys: Vec<Streaming<u8>>) -> Result<(), String> {
        Ok(())
    }
    async fn sound(&self) -> u64 {
        1
    }
}

async fn call(inventory: InventoryClient) -> Result<u64, sinew::Status> {
    let _ = InventoryServer::new(Warehouse);
    let key = String::from("a");
    inventory.borrowed(&key).await?;
    inventory.not_async().await?;
    inventory.attributes().await?;
    inventory.both(1, Vec::new()).await.ok();
    inventory.sound().await
}

fn main() {}
