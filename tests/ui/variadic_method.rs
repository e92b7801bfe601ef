//! A method with a variable number of arguments.

#[sinew::service]
pub trait Inventory {
    async fn count(&self, keys: ...) -> u64;
}

fn main() {}
