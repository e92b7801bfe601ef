//! A bad network in this process: a UDP relay that delays, loses, repeats, reorders, damages and throttles packets.
//!
//! # Why
//! What a service does on a bad network is only known on one, and a kernel's needs root. A seed makes this one's chances
//! repeat: packet number n of a direction has the same fate in every run.
//!
//! ```text
//!   client --> front --> [ lane to server ] --\             /--> upstream socket of the client --> target
//!                                              timers, task
//!   client <-- front <-- [ lane to client ] --/             \--- upstream socket of the client <-- target
//!
//!   conditions   what is done to packets       lane      what becomes of each, decided without sockets and clock
//!   clients      their ports, as in a NAT      timers    what is to be sent later
//!   engine       the tasks and the sockets     options   the same as words of a command line (src/bin/relay.rs)
//! ```
//!
//! # Invariants
//! 1. Every packet that is received has one fate, and is counted under it.
//! 2. Clients, packets and bytes that are held have bounds.
//! 3. Whatever waits, waits in one queue that one task serves.

mod chance;
mod clients;
mod conditions;
mod counts;
mod engine;
mod lane;
pub mod options;
mod timers;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

pub use self::{
    chance::Seeded,
    clients::CLIENTS_MAX,
    conditions::{Burst, Conditions, DELAY_MAX, Direction, QUEUE, REORDER_BY},
    counts::{Counts, Traffic},
    engine::{HELD_BYTES_MAX, HELD_MAX},
    lane::{Delivery, Lane},
};
use self::{clients::Task, engine::Engine};

/// A relay at work. Dropping it ends it, with what it holds.
#[derive(Debug)]
pub struct Relay {
    engine: Arc<Engine>,
    address: SocketAddr,
    _tasks: [Task; 2],
}

impl Relay {
    /// A relay to `target` at a loopback port that the system picks, with the same conditions both ways.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(target: SocketAddr, conditions: Conditions, seed: u64) -> io::Result<Self> {
        let ip: IpAddr = match target {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        Self::start_at(SocketAddr::new(ip, 0), target, conditions, seed).await
    }

    /// A relay at an address.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start_at(
        address: SocketAddr,
        target: SocketAddr,
        conditions: Conditions,
        seed: u64,
    ) -> io::Result<Self> {
        let front = clients::bind(address)?;
        let address = front.local_addr()?;
        let engine = Arc::new(Engine::new(front, target, conditions, seed));
        let tasks = [
            Task::spawn(Arc::clone(&engine).read_front()),
            Task::spawn(Arc::clone(&engine).send()),
        ];
        Ok(Self { engine, address, _tasks: tasks })
    }

    /// Where clients send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What holds from the next packet on. What was received before keeps its fate.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.engine.change(direction, |_| conditions);
    }

    /// Begins or ends a blackhole, and leaves the other conditions.
    pub fn blackhole(&self, direction: Direction, blackhole: bool) {
        self.engine.change(direction, |conditions| conditions.blackhole(blackhole));
    }

    /// Gives every client a new upstream port, as a NAT does after a time-out. What was received before still leaves from
    /// the old port, and what comes back there is not let in.
    ///
    /// # Errors
    /// There is no port; some clients may have new ones.
    pub fn rebind(&self) -> io::Result<()> {
        self.engine.rebind()
    }

    /// Sends what is received from now on to another server, of the same address family. What the old one still says is
    /// not let in.
    pub fn retarget(&self, target: SocketAddr) {
        self.engine.retarget(target);
    }

    /// The addresses that the server sees, one for each client, in no order.
    pub fn upstreams(&self) -> Vec<SocketAddr> {
        self.engine.upstreams()
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Traffic {
        self.engine.counts()
    }
}

#[cfg(test)]
mod tests;
