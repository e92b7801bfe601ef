//! A stream with an error of its own.

use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    async fn watch(&self) -> Result<Streaming<u64, String>, String>;
}

fn main() {}
