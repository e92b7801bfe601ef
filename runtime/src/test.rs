//! For the unit tests of a service.
//!
//! ```
//! # use sinew::service;
//! #[service]
//! pub trait Inventory {
//!     async fn reserve(&self, sku: String, count: u32) -> u64;
//! }
//!
//! // In a unit test:
//! sinew::test::wire_safe::<InventoryClient>().unwrap();
//! ```

#[cfg(feature = "json")]
mod checked_in;

use std::fmt;

#[cfg(feature = "json")]
pub use self::checked_in::{Outdated, checked_in};
use crate::{call::types::Types, mesh::ServiceClient};

/// Checks that every method of a service rides bincode where its two ends were built from the same types.
///
/// A method that does not still works, as MessagePack with named fields: two to three times the bytes and the time of
/// encoding. What is in the way is mostly one field that is easy to change.
///
/// # Errors
/// [`NotWireSafe`] names each method, type and field that is in the way, and why.
pub fn wire_safe<C: ServiceClient>() -> Result<(), NotWireSafe> {
    let reasons: Vec<String> = C::types().into_iter().flat_map(reasons).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(NotWireSafe { service: C::SERVICE, reasons })
}

fn reasons(types: &Types) -> impl Iterator<Item = String> {
    let path = types.method().path();
    types.obstacles().iter().map(move |obstacle| format!("`{path}`, {obstacle}"))
}

/// What keeps methods of a service from bincode.
#[derive(Clone, PartialEq, Eq)]
pub struct NotWireSafe {
    service: &'static str,
    reasons: Vec<String>,
}

impl NotWireSafe {
    /// One sentence for each type that is in the way: method, part, type, field, cause.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl fmt::Display for NotWireSafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not every method of `{}` can be sent as bincode:", self.service)?;
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
    }
}

/// As [`Display`](fmt::Display): it is read in the output of a failed test.
impl fmt::Debug for NotWireSafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NotWireSafe {}
