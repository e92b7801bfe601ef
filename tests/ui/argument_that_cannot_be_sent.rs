//! An argument type without serde's traits.

pub struct Sku(String);

#[sinew::service]
pub trait Inventory {
    async fn stock(&self, sku: Sku) -> u64;
}

fn main() {}
