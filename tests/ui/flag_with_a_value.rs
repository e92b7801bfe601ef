//! A value for a key that takes none.

#[sinew::service]
pub trait Inventory {
    #[rpc(trust_layout = true)]
    async fn count(&self) -> u64;
}

fn main() {}
