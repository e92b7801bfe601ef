//! A trait with type parameters.

#[sinew::service]
pub trait Inventory<K: Send> {
    async fn stock(&self, key: K) -> u64;
}

struct Warehouse;

impl Inventory<u8> for Warehouse {
    async fn stock(&self, key: u8) -> u64 {
        u64::from(key)
    }
}

fn serve() {
    let _ = InventoryServer::new(Warehouse);
    let _ = InventoryClient::local(Warehouse);
}

fn main() {}
