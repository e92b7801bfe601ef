//! A future written out.

#[sinew::service]
pub trait Inventory {
    fn count(&self) -> impl Future<Output = u64> + Send;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn count(&self) -> u64 {
        1
    }
}

fn main() {}
