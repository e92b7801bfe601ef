//! Bindings to HTTP whose request is none.

#[sinew::service]
pub trait Users {
    #[http]
    async fn bare(&self) -> u64;
    #[http()]
    async fn empty(&self) -> u64;
    #[http(query = ["id"])]
    async fn no_verb(&self, id: u64) -> u64;
    #[http(get = "/a", post = "/b")]
    async fn two_verbs(&self) -> u64;
    #[http(get = "/a")]
    #[http(get = "/b")]
    async fn two_bindings(&self) -> u64;
    #[http(fetch = "/a")]
    async fn unknown_verb(&self) -> u64;
    #[http(get = "users/{id}")]
    async fn relative(&self, id: u64) -> u64;
    #[http(get = "/users?id={id}")]
    async fn with_query(&self, id: u64) -> u64;
    #[http(get = "/users/{id")]
    async fn open_brace(&self, id: u64) -> u64;
    #[http(get = "/users/{a}{b}")]
    async fn side_by_side(&self, a: u64, b: u64) -> u64;
    #[http(get = "/users/../admin")]
    async fn upwards(&self) -> u64;
}

fn main() {}
