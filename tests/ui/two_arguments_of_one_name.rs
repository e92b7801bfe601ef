//! Two arguments of one name.

#[sinew::service]
pub trait Inventory {
    async fn between(&self, key: u32, key: u32) -> u32;
}

fn main() {}
