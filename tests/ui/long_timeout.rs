//! A timeout above the limit of all calls.

#[sinew::service]
pub trait Inventory {
    #[rpc(timeout = "1000s")]
    async fn count(&self) -> u64;
}

fn main() {}
