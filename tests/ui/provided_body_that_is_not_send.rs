//! A provided body that keeps what is not `Send` across an await.

#[sinew::service]
pub trait Inventory {
    async fn count(&self) -> u64 {
        let count = std::rc::Rc::new(1);
        std::future::ready(()).await;
        *count
    }
}

fn main() {}
