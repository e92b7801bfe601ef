//! Two `#[service]` on one trait.

#[sinew::service]
#[sinew::service(name = "shop.Inventory")]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
