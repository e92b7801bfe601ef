//! A method with an ABI.

#[sinew::service]
pub trait Inventory {
    async extern "C" fn count(&self) -> u64;
}

fn main() {}
