//! Two methods of one wire name whose conditions are both true.

#[sinew::service]
pub trait Inventory {
    #[cfg(all())]
    async fn stock(&self) -> u64;
    #[cfg(not(any()))]
    #[rpc(name = "stock")]
    async fn stock_of_sku(&self, sku: String) -> u64;
}

fn main() {}
