//! Something that is no path to a crate.

#[sinew::service(crate = "my rpc")]
pub trait Inventory {
    async fn count(&self) -> u64;
}

fn main() {}
