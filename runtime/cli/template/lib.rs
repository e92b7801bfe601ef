//! Greetings: the service as its callers know it, and what serves it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Greets people.
#[sinew::service(name = "new_service.Greeter")]
pub trait Greeter {
    /// A greeting for somebody. Two do no harm, so a call that failed may be made again.
    #[rpc(idempotent)]
    async fn greet(&self, name: String) -> Result<Greeting, GreetError>;
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The words.
    pub text: String,
    /// Which greeting of this server it is.
    pub number: u64,
}

/// Why nobody is greeted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GreetError {
    /// There is no name.
    Nameless,
}

/// A greeter with manners.
#[derive(Debug, Default)]
pub struct Polite {
    said: AtomicU64,
}

impl Greeter for Polite {
    async fn greet(&self, name: String) -> Result<Greeting, GreetError> {
        if name.is_empty() {
            return Err(GreetError::Nameless);
        }
        let number = self.said.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Greeting {
            text: format!("Good day, {name}!"),
            number,
        })
    }
}
