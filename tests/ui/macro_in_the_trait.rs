//! A macro call among the methods.

macro_rules! methods {
    () => {
        async fn stock(&self) -> u64;
    };
}

#[sinew::service]
pub trait Inventory {
    methods!();

    async fn count(&self) -> u64;
}

fn main() {}
