//! A visibility on a method.

#[sinew::service]
pub trait Inventory {
    pub async fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count(&self) -> u64 {
        1
    }
}

fn main() {}
