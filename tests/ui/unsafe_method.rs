//! An unsafe method.

#[sinew::service]
pub trait Inventory {
    async unsafe fn count(&self) -> u64;
}

struct Warehouse;

impl Inventory for Warehouse {
    async unsafe fn count(&self) -> u64 {
        1
    }
}

fn main() {}
