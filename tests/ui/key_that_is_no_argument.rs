//! Keys that name no argument.

#[sinew::service]
pub trait Sessions {
    #[rpc(key = "user")]
    async fn open(&self, user_id: u64, page: String) -> u64;
    #[rpc(key = "usr_id")]
    async fn close(&self, user_id: u64) -> u64;
    #[rpc(key = "user_id")]
    async fn count(&self) -> u64;
    #[rpc(key)]
    async fn last(&self, user_id: u64) -> u64;
}

fn main() {}
