//! `#[rpc]` on the trait instead of its methods.

#[sinew::service]
#[rpc(idempotent)]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
