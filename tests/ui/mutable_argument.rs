//! A mutable argument of a method without a body.

#[sinew::service]
pub trait Inventory {
    async fn count(&self, mut limit: u32) -> u32;
}

fn main() {}
