//! An attribute on an argument.

#[sinew::service]
pub trait Inventory {
    async fn count(&self, #[cfg(unix)] limit: u32) -> u32;
}

fn main() {}
