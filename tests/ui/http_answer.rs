//! Answers of HTTP that mean nothing, and verbs that are not what the trait says.

use sinew::Streaming;

#[sinew::service]
pub trait Users {
    #[http(get = "/a", none = 404)]
    async fn never_none(&self) -> u64;
    #[http(get = "/a", value = 99)]
    async fn too_small(&self) -> u64;
    #[http(get = "/a", error = 400..500)]
    async fn half_open(&self) -> u64;
    #[http(get = "/a", error = "4xx")]
    async fn in_words(&self) -> u64;
    #[http(get = "/a", from_header = "location")]
    async fn stream(&self) -> Streaming<u64>;
    #[http(post = "/a")]
    #[rpc(hedge = "p95")]
    async fn hedged_post(&self) -> u64;
    #[http(get = "/a")]
    #[rpc(idempotent = false, hedge = "p95")]
    async fn hedged_and_not_idempotent(&self) -> u64;
    #[http(get = "/a")]
    #[rpc(idempotent = "no")]
    async fn in_quotes(&self) -> u64;
}

fn main() {}
