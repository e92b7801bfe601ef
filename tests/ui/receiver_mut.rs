//! A method that takes `&mut self`.

#[sinew::service]
pub trait Inventory {
    async fn count(&mut self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count(&mut self) -> u64 {
        1
    }
}

fn main() {}
