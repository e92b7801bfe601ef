//! Keys that need text and have something else.

#[sinew::service]
pub trait Inventory {
    #[rpc(timeout = 500)]
    async fn number(&self) -> u64;
    #[rpc(name)]
    async fn nothing(&self) -> u64;
    #[rpc(criticality(sheddable))]
    async fn list(&self) -> u64;
}

fn main() {}
