//! A timeout in which no call can be made.

#[sinew::service]
pub trait Inventory {
    #[rpc(timeout = "0ms")]
    async fn count(&self) -> u64;
}

fn main() {}
