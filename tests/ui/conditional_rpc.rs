//! `#[rpc]` under a condition.

#[sinew::service]
pub trait Inventory {
    #[cfg_attr(unix, rpc(idempotent))]
    async fn count(&self) -> u64;
}

fn main() {}
