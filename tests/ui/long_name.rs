//! A name that is too long.

#[sinew::service(name = "inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.inventory.")]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
