//! Hedges that never go out, or for too many calls.

#[sinew::service]
pub trait Inventory {
    #[rpc(idempotent, hedge)]
    async fn no_value(&self) -> u64;
    #[rpc(idempotent, hedge = "p50")]
    async fn half(&self) -> u64;
    #[rpc(idempotent, hedge = "soon")]
    async fn word(&self) -> u64;
    #[rpc(idempotent, hedge = "10us")]
    async fn at_once(&self) -> u64;
    #[rpc(idempotent, timeout = "20ms", hedge = "20ms")]
    async fn too_late(&self) -> u64;
}

fn main() {}
