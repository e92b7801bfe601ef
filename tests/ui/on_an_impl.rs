//! The attribute on an implementation, as some frameworks want it.

#[sinew::service]
pub trait Inventory {
    async fn count(&self) -> u64;
}

struct Warehouse;

#[sinew::service]
impl Inventory for Warehouse {
    async fn count(&self) -> u64 {
        1
    }
}

fn main() {
    let _ = InventoryServer::new(Warehouse);
}
