//! Raw methods that do not take and return bytes.

use bytes::Bytes;
use sinew::Streaming;

#[sinew::service]
pub trait Inventory {
    #[rpc(raw)]
    async fn takes_text(&self, body: String) -> Bytes;
    #[rpc(raw)]
    async fn returns_number(&self, body: Bytes) -> Result<u64, String>;
    #[rpc(raw)]
    async fn takes_two(&self, body: Bytes, more: Bytes) -> Bytes;
    #[rpc(raw)]
    async fn streams(&self, body: Bytes) -> Streaming<Bytes>;
}

fn main() {}
