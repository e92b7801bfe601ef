//! An argument that is taken apart in the signature.

#[sinew::service]
pub trait Inventory {
    async fn distance(&self, (x, y): (u32, u32)) -> u32;
}

struct Flat;

impl Inventory for Flat {
    async fn distance(&self, (x, y): (u32, u32)) -> u32 {
        x.abs_diff(y)
    }
}

async fn call(inventory: InventoryClient) -> Result<u32, sinew::Status> {
    inventory.distance((1, 2)).await
}

fn main() {}
