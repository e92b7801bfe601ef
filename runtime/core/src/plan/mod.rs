//! Plans: the only places where policies meet. One for each side of a call.

pub mod client;
pub mod server;
