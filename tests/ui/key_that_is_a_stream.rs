//! A key that is not known when the call is sent.

use sinew::Streaming;

#[sinew::service]
pub trait Sessions {
    #[rpc(key = "events")]
    async fn feed(&self, user_id: u64, events: Streaming<String>) -> u64;
}

fn main() {}
