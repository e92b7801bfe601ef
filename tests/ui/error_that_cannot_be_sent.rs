//! An error type without serde's traits.

pub struct StockError;

#[sinew::service]
pub trait Inventory {
    async fn stock(&self) -> Result<u64, StockError>;
}

fn main() {}
