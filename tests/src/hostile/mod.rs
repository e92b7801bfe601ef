//! Peers that mean harm, each as one attack with a bound: what they may cost, and what must go on meanwhile.
//!
//! # Why
//! The same attacks run short as tests, and long beside a victim whose calls are timed (`src/bin/hostile.rs`).
//!
//! # Invariants
//! An attack says what it saw: `Ok` where the bound held, `Err` where it did not. It leaves nothing open.
//!
//! # Not here
//! Memory, CPU and the victim: who runs an attack measures those.

mod bodies;
mod handshakes;
pub mod network;
mod packets;
mod rawquic;
mod streams;
mod transport;

use std::{fmt, future::Future, net::SocketAddr, pin::Pin, time::Duration};

use quinn::{Connection, ConnectionError};
use sinew_core::wire::kinds;
use tokio::time::timeout;

use crate::{authority::Authority, raw::RawClient};

/// What an attack aims at.
#[derive(Debug)]
pub struct Ground {
    /// The server lets in who has a certificate of it.
    pub authority: Authority,
    /// The probe's server.
    pub server: SocketAddr,
    /// For how long an attack goes on that has no end of its own.
    pub length: Duration,
}

/// What was seen; `Err` where the bound did not hold.
pub type Verdict = Result<String, String>;

type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// One way to do harm.
pub struct Attack {
    /// Its number, `A1` or `B2`.
    pub id: &'static str,
    /// The bound that it tests, in words.
    pub bound: &'static str,
    /// What the server may hold more than before, in MiB.
    pub mib: u64,
    /// Does it.
    pub run: for<'a> fn(&'a Ground) -> Running<'a>,
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attack").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Every attack that runs.
pub fn attacks() -> impl Iterator<Item = &'static Attack> {
    let quic = packets::ATTACKS.iter().chain(transport::ATTACKS).chain(handshakes::ATTACKS);
    streams::ATTACKS.iter().chain(quic).chain(bodies::ATTACKS)
}

/// What does not run, and why.
pub const NOT_RUN: &[(&str, &str)] = &[
    ("B4", "the probe has no method that takes fat elements; tested with the codec"),
    ("B6", "nothing is ever inflated: there is no compression"),
];

impl Attack {
    /// Whether it needs the addresses of [`network`].
    pub fn needs_network(&self) -> bool {
        handshakes::ATTACKS.iter().any(|attack| attack.id == self.id)
    }
}

impl Ground {
    async fn client(&self) -> RawClient {
        RawClient::connect(&self.authority, self.server).await
    }

    /// Whether somebody new is served.
    async fn others_are_served(&self) -> Result<(), String> {
        let honest = async { self.client().await.assert_lives().await };
        let served = timeout(Duration::from_secs(5), honest).await;
        served.map_err(|_| "nobody new is served".to_owned())
    }
}

/// The connection must be closed for its load, within this time.
async fn closed_for_load(connection: &Connection, within: Duration) -> Verdict {
    match timeout(within, connection.closed()).await {
        Ok(ConnectionError::ApplicationClosed(close))
            if close.error_code.into_inner() == u64::from(kinds::CLOSE_EXCESSIVE_LOAD) =>
        {
            Ok(format!("closed: {}", String::from_utf8_lossy(&close.reason)))
        }
        Ok(other) => Err(format!("closed with {other}")),
        Err(_) => Err("not closed".to_owned()),
    }
}

/// `Ok(saw)` where the bound held.
fn held(held: bool, saw: String) -> Verdict {
    if held { Ok(saw) } else { Err(saw) }
}
