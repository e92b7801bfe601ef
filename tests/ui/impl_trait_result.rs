//! A result that is `impl Trait`.

#[sinew::service]
pub trait Inventory {
    async fn all(&self) -> Result<impl Iterator<Item = u8>, String>;
}

struct Warehouse;

impl Inventory for Warehouse {
    async fn all(&self) -> Result<impl Iterator<Item = u8>, String> {
        Ok(std::iter::once(1))
    }
}

fn main() {}
