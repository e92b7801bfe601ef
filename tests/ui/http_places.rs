//! Arguments that have no place in their request, or two.

use sinew::Streaming;

#[sinew::service]
pub trait Users {
    #[http(get = "/users/{user_id}")]
    async fn misspelt(&self, user_di: u64) -> u64;
    #[http(get = "/users")]
    async fn nowhere(&self, page_size: u64) -> u64;
    #[http(get = "/users/{id}", query = ["id"])]
    async fn twice(&self, id: u64) -> u64;
    #[http(get = "/users", body = "filter")]
    async fn body_of_a_get(&self, filter: String) -> u64;
    #[http(post = "/users", body = "user")]
    async fn beside_the_body(&self, user: String, dry: bool) -> u64;
    #[http(post = "/users", body = "user", form = "user")]
    async fn two_bodies(&self, user: String) -> u64;
    #[http(post = "/users", bytes = "user")]
    async fn no_bytes(&self, user: String) -> u64;
    #[http(post = "/users", body = "first")]
    async fn stream_and_body(&self, first: String, users: Streaming<String>) -> u64;
    #[http(get = "/users")]
    async fn stream_of_a_get(&self, users: Streaming<String>) -> u64;
    #[http(post = "/users", query = ["users"])]
    async fn stream_in_the_query(&self, users: Streaming<String>) -> u64;
    #[http(get = "/users", query = "page")]
    async fn no_list(&self, page: u64) -> u64;
    #[http(get = "/users", header = ["x-page"])]
    async fn no_pairs(&self, page: u64) -> u64;
    #[http(get = "/users", header("X-Page" = "page"))]
    async fn upper_case(&self, page: u64) -> u64;
    #[http(get = "/users", header("content-length" = "page"))]
    async fn framing(&self, page: u64) -> u64;
    #[http(get = "/users", header("x-page" = "page", "x-page" = "size"))]
    async fn one_header_twice(&self, page: u64, size: u64) -> u64;
}

fn main() {}
