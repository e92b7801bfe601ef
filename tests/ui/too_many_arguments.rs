//! More arguments than fit into a request.

#[sinew::service]
pub trait Inventory {
    async fn many(
        &self,
        a1: u8,
        a2: u8,
        a3: u8,
        a4: u8,
        a5: u8,
        a6: u8,
        a7: u8,
        a8: u8,
        a9: u8,
        a10: u8,
        a11: u8,
        a12: u8,
        a13: u8,
        a14: u8,
    );
}

async fn call(inventory: InventoryClient) -> Result<(), sinew::Status> {
    inventory.many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14).await
}

fn main() {}
