//! A name that does not fit into paths and metrics.

#[sinew::service(name = "shop/Inventory")]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
