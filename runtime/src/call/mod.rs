//! What belongs to a single call, on either side of it.

pub(crate) mod context;
pub(crate) mod failure;
pub mod http;
pub(crate) mod method;
pub(crate) mod options;
pub(crate) mod pace;
pub(crate) mod record;
pub(crate) mod streaming;
pub(crate) mod task;
pub(crate) mod types;
