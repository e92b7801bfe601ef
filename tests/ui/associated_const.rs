//! An associated constant.

#[sinew::service]
pub trait Inventory {
    const LIMIT: u64;

    async fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    const LIMIT: u64 = 7;

    async fn count(&self) -> u64 {
        Self::LIMIT
    }
}

fn main() {}
