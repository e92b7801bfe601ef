//! `Self` as a value that is sent.

#[sinew::service]
pub trait Inventory: Sized {
    async fn merge(&self, other: Option<Self>) -> u64;
}

fn main() {}
