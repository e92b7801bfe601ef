//! Passing another call's failure on from inside a handler.

use std::fmt::Debug;

use sinew_core::codes::Code;

use super::{CallError, Status};

/// Turns the failure of a call that a handler made into the status that the handler answers with.
///
/// ```
/// # use sinew::{CallError, Relay as _, Status};
/// # fn price() -> Result<u32, CallError<String>> { Err(CallError::App("sold out".into())) }
/// fn quote() -> Result<u32, Status> {
///     let price = price().relay()?; // any `CallError<E>` becomes a relayed `Status`
///     Ok(price * 2)
/// }
/// assert!(quote().is_err());
/// ```
///
/// The relayed status keeps the code, the endpoint and the ledger; it says that *this* handler ran; and it asks the
/// caller not to repeat what was already repeated below, or what ran out of time.
pub trait Relay<T> {
    /// The value, or the relayed status.
    ///
    /// # Errors
    /// Whatever the call failed with; the service's own error `E` becomes [`Code::Unknown`] with its `Debug` text, for
    /// an error that this method's caller should understand deserves an arm of a `match` here.
    fn relay(self) -> Result<T, Status>;
}

impl<T, E: Debug> Relay<T> for Result<T, CallError<E>> {
    fn relay(self) -> Result<T, Status> {
        self.map_err(|error| match error {
            CallError::App(error) => {
                Status::new(Code::Unknown, format!("an inner call answered {error:?}")).relayed()
            }
            CallError::Status(status) => status.relayed(),
        })
    }
}

impl<T> Relay<T> for Result<T, Status> {
    fn relay(self) -> Result<T, Status> {
        self.map_err(Status::relayed)
    }
}
