//! A binding to HTTP, which is for later.

#[sinew::service]
pub trait Inventory {
    #[http(get = "/count")]
    async fn count(&self) -> u64;
}

fn main() {}
