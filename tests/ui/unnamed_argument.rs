//! An argument without a name.

#[sinew::service]
pub trait Inventory {
    async fn count(&self, _: u32) -> u32;
}

fn main() {}
