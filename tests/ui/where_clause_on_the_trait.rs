//! Bounds on the trait that are not supertraits.

#[sinew::service]
pub trait Inventory
where
    Self: Clone,
 {
    async fn count(&self) -> u64;
}

fn main() {}
