//! Testing code that calls and serves, without a network and without a mocking library.
//!
//! A client is one concrete type, wherever its service is. `Client::local` makes it of any
//! implementation of the trait, in this process, through the same pipeline and the same encoding;
//! so a mock is one more `impl`, and what the tests exercise is what runs in production.
//!
//! The tests are at the end: `cargo test -p sinew-examples --bin 05_test_your_service`.
#![expect(clippy::print_stdout, reason = "a demo prints")]

use std::{
    collections::HashMap,
    error::Error,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use sinew::{CallError, Relay as _};

/// Keeps things.
#[sinew::service]
pub trait Inventory {
    /// Takes so many off the shelf; what is left.
    async fn take(&self, item: String, count: u32) -> Result<u32, StockError>;
}

/// Why nothing is taken.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockError {
    /// There are only so many.
    Only(u32),
}

/// Sells things that the inventory keeps.
#[sinew::service(name = "corner.Shop")]
pub trait Shop {
    /// Says what became of an order.
    async fn order(&self, item: String, count: u32) -> Result<String, sinew::Status>;
}

/// The real inventory.
struct Shelf(Mutex<HashMap<String, u32>>);

impl Inventory for Shelf {
    async fn take(&self, item: String, count: u32) -> Result<u32, StockError> {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = stock.entry(item).or_default();
        *there = there.checked_sub(count).ok_or(StockError::Only(*there))?;
        Ok(*there)
    }
}

/// The service under test. It cannot tell what its client is connected to.
struct Counter {
    inventory: InventoryClient,
}

impl Shop for Counter {
    async fn order(&self, item: String, count: u32) -> Result<String, sinew::Status> {
        match self.inventory.take(item.clone(), count).await {
            Err(CallError::App(StockError::Only(there))) => {
                Ok(format!("sorry, there are only {there} of {item}"))
            }
            other => Ok(format!("sold {count} of {item}, {} left", other.relay()?)),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let shelf = Shelf(Mutex::new(HashMap::from([("pears".to_owned(), 5)])));
    // In production: `mesh.client()`. Everything else stays as it is.
    let inventory = InventoryClient::local(shelf);
    let shop = ShopClient::local(Counter { inventory });
    println!("{}", shop.order("pears".to_owned(), 3).await?);
    println!("{}", shop.order("pears".to_owned(), 3).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        time::Duration,
    };

    use sinew::{CallOptions, Code, Status};

    use super::*;

    /// A mock: an inventory that says what the test wants, and counts who asks.
    struct Always {
        says: fn() -> Result<u32, StockError>,
        asked: Arc<AtomicU32>,
    }

    impl Inventory for Always {
        async fn take(&self, _item: String, _count: u32) -> Result<u32, StockError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            (self.says)()
        }
    }

    /// One that never answers.
    struct Asleep;

    impl Inventory for Asleep {
        async fn take(&self, _item: String, _count: u32) -> Result<u32, StockError> {
            std::future::pending().await
        }
    }

    fn shop(inventory: impl Inventory) -> ShopClient {
        ShopClient::local(Counter { inventory: InventoryClient::local(inventory) })
    }

    #[tokio::test]
    async fn an_order_is_sold_when_all_is_there() {
        let asked = Arc::new(AtomicU32::new(0));
        let shop = shop(Always { says: || Ok(7), asked: Arc::clone(&asked) });
        let said = shop.order("pears".to_owned(), 1).await.unwrap();
        assert_eq!(said, "sold 1 of pears, 7 left");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_order_is_refused_when_too_little_is_there() {
        let shop = shop(Always { says: || Err(StockError::Only(2)), asked: Arc::default() });
        let said = shop.order("pears".to_owned(), 9).await.unwrap();
        assert_eq!(said, "sorry, there are only 2 of pears");
    }

    #[tokio::test]
    async fn an_order_ends_in_time_when_the_inventory_hangs() {
        let hurry = CallOptions::new().timeout(Duration::from_millis(50));
        let answer = shop(Asleep).with(hurry).order("pears".to_owned(), 1).await;
        assert_eq!(answer.as_ref().map_err(Status::code), Err(Code::DeadlineExceeded));
    }

    #[tokio::test]
    async fn nothing_is_taken_when_too_little_is_there() {
        let shelf = Shelf(Mutex::new(HashMap::from([("pears".to_owned(), 5)])));
        let inventory = InventoryClient::local(shelf);
        let too_many = inventory.take("pears".to_owned(), 6).await;
        assert!(matches!(too_many, Err(CallError::App(StockError::Only(5)))), "{too_many:?}");
        assert_eq!(inventory.take("pears".to_owned(), 5).await.unwrap(), 0);
    }
}
