//! A const method.

#[sinew::service]
pub trait Inventory {
    const async fn count(&self) -> u64;
}

fn main() {}
