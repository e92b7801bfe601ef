//! An unsafe trait.

#[sinew::service]
pub unsafe trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
