//! An attribute that is not one.

#[sinew::service]
pub trait Inventory {
    #[rpc("500ms")]
    async fn count(&self) -> u64;
    #[rpc = "500ms"]
    async fn stock(&self) -> u64;
}

fn main() {}
