//! A method that takes `self`.

#[sinew::service]
pub trait Inventory {
    async fn count(self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count(self) -> u64 {
        1
    }
}

fn main() {}
