//! A value for a key that takes none.

#[sinew::service]
pub trait Inventory {
    #[rpc(idempotent = true)]
    async fn count(&self) -> u64;
}

fn main() {}
