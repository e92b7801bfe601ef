//! An associated type.

#[sinew::service]
pub trait Inventory {
    type Key;

    async fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    type Key = u8;

    async fn count(&self) -> u64 {
        1
    }
}

fn main() {}
