//! A method with a `where` clause.

#[sinew::service]
pub trait Inventory {
    async fn count(&self) -> u64
    where
        Self: Clone;
}

fn main() {}
