//! Both sides of docs/wire.md by hand, over quinn: peers that make mistakes on purpose.
//!
//! # Why
//! Our own two ends never say what must not be said. Here a test writes whatever bytes it likes, and sees every frame,
//! reset and close that comes back. Of sinew only the encoders and the parser of `sinew-core` are used.

mod caller;
mod client;
pub mod frames;
mod server;
mod stream;
mod target;
mod tls;

pub use caller::Caller;
pub use client::RawClient;
pub use server::{RawPeer, RawServer};
pub use stream::{Call, RawStream};
pub use target::Target;

use std::net::{Ipv4Addr, SocketAddr};

use crate::authority::Authority;

/// The trust domain of raw peers and of those that they meet.
pub const DOMAIN: &str = "spiffe://test.example";

/// The SPIFFE id of `name` in that domain.
pub fn id(name: &str) -> String {
    format!("{DOMAIN}/{name}")
}

/// TLS of a client, for a QUIC that is not quinn.
pub(crate) fn client_tls(authority: &Authority) -> rustls::ClientConfig {
    tls::client_tls(authority, &id("raw"))
}

/// Whatever address the way to a server asks for.
fn anywhere() -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, 0).into()
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
