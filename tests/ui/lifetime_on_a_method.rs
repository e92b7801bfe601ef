//! A method with a lifetime parameter.

#[sinew::service]
pub trait Inventory {
    async fn stock<'a>(&'a self, key: &'a str) -> u64;
}

fn main() {}
