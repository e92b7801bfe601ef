//! Criticalities that do not exist.

#[sinew::service]
pub trait Inventory {
    #[rpc(criticality = "Sheddable-Plus")]
    async fn spelling(&self) -> u64;
    #[rpc(criticality = "high")]
    async fn other(&self) -> u64;
}

fn main() {}
