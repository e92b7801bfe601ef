//! An implementation that only one thread may use.

#[sinew::service]
pub trait Inventory {
    async fn count(&self) -> u64;
}

struct Warehouse(std::cell::Cell<u64>);

impl Inventory for Warehouse {
    async fn count(&self) -> u64 {
        self.0.get()
    }
}

fn main() {}
