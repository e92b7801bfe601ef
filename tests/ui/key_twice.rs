//! A key that is given twice.

#[sinew::service]
pub trait Inventory {
    #[rpc(idempotent, timeout = "1s")]
    #[rpc(timeout = "2s")]
    async fn count(&self) -> u64;
}

fn main() {}
