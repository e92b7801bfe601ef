//! Timeouts that are no times.

#[sinew::service]
pub trait Inventory {
    #[rpc(timeout = "500")]
    async fn no_unit(&self) -> u64;
    #[rpc(timeout = "1.5s")]
    async fn fraction(&self) -> u64;
    #[rpc(timeout = "1h")]
    async fn other_unit(&self) -> u64;
    #[rpc(timeout = "soon")]
    async fn word(&self) -> u64;
}

fn main() {}
