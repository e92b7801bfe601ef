//! A result type without serde's traits.

pub struct Level(u64);

#[sinew::service]
pub trait Inventory {
    async fn stock(&self) -> Level;
}

fn main() {}
