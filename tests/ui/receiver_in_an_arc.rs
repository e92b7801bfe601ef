//! A method that takes a smart pointer to itself.

#[sinew::service]
pub trait Inventory {
    async fn count(self: std::sync::Arc<Self>) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count(self: std::sync::Arc<Self>) -> u64 {
        1
    }
}

fn main() {}
