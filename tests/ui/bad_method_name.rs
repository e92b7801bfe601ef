//! Names of methods that do not fit into paths and metrics.

#[sinew::service]
pub trait Inventory {
    #[rpc(name = "")]
    async fn empty(&self) -> u64;
    #[rpc(name = "2nd")]
    async fn digit(&self) -> u64;
}

fn main() {}
