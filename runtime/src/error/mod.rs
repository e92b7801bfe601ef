//! Why a call gave no value: the service's own answer, or the mesh saying why there is none.
//!
//! # Why
//! A caller has to know two things that most RPC errors blur: was this an *answer* (out of stock) or a *fault* (nobody
//! could be asked), and may the server have acted. [`CallError`] separates the first, [`Status::ran`] tells the second.

mod account;
mod decision;
mod explanation;
mod relay;
mod status;

use std::fmt;

pub use account::{Account, Pick};
pub use decision::{Decision, Happening};
pub use explanation::Explanation;
pub use relay::Relay;
pub(crate) use status::millis;
pub use status::{Fault, Status};

use sinew_core::codes::Ran;

/// What a typed call returns in place of a value.
///
/// It is at most one word larger than `E`: a [`Status`] is one pointer.
#[derive(Debug, Clone)]
pub enum CallError<E> {
    /// The service's own answer, in the type that its trait names. To the mesh this is a success.
    App(E),
    /// No answer from the service: the mesh says why.
    Status(Status),
}

impl<E> CallError<E> {
    /// The fault, if this is one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::App(_) => None,
            Self::Status(status) => Some(status),
        }
    }

    /// The service's own error, if this is one.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App(error) => Some(error),
            Self::Status(_) => None,
        }
    }

    /// Whether the handler ran: an answer of the service proves that it did.
    pub fn ran(&self) -> Ran {
        match self {
            Self::App(_) => Ran::Yes,
            Self::Status(status) => status.ran(),
        }
    }
}

impl<E> From<Status> for CallError<E> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => error.fmt(f),
            Self::Status(status) => status.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::App(error) => error.source(),
            Self::Status(status) => std::error::Error::source(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_pointer_and_a_call_error_at_most_one_word_more_than_its_error() {
        let word = size_of::<usize>();
        assert_eq!(size_of::<Status>(), word);
        assert!(size_of::<CallError<u64>>() <= size_of::<u64>() + word);
        assert!(size_of::<CallError<[u64; 4]>>() <= size_of::<[u64; 4]>() + word);
        assert!(size_of::<CallError<std::convert::Infallible>>() <= word);
    }
}
