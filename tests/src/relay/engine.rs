//! The sockets of a relay and the tasks that serve them.
//!
//! # How it is built
//! Readers (one at the front, one for each client) let a lane decide and put what is to arrive into the timers; one task
//! sends what is due. Each packet keeps the socket and the address that were right when it came.
//!
//! # Invariants
//! Readers of clients hold the engine weakly: with the relay's two tasks the engine goes, and with it all others.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    clients::{Client, Clients, Task, bind_towards},
    conditions::{Conditions, Direction, Way},
    counts::{Counts, Traffic},
    lane::Lane,
    timers::Timers,
};

/// Packets that a relay holds at a time. More are dropped and counted as overflowed.
pub const HELD_MAX: usize = 65_536;

/// Bytes that a relay holds at a time: 64 MiB. More are dropped and counted as overflowed.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// No datagram is longer.
const DATAGRAM_MAX: usize = 65_536;

/// Separates the chances of the two directions.
const OTHER_WAY: u64 = 0x5bd1_e995_a0c7_3d21;

/// A packet on its way.
#[derive(Debug)]
struct Held {
    way: Way,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    packet: Box<[u8]>,
}

#[derive(Debug)]
struct State {
    target: SocketAddr,
    to_server: Lane,
    to_client: Lane,
    clients: Clients,
    timers: Timers<Held>,
}

impl State {
    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::ToServer => &mut self.to_server,
            Way::ToClient => &mut self.to_client,
        }
    }
}

/// What the handle and the tasks share.
#[derive(Debug)]
pub(super) struct Engine {
    front: Arc<UdpSocket>,
    began: Instant,
    runtime: Handle,
    /// Something is due earlier than what the sender waits for.
    sooner: Notify,
    state: Mutex<State>,
}

impl Engine {
    pub(super) fn new(
        front: Arc<UdpSocket>,
        target: SocketAddr,
        conditions: Conditions,
        seed: u64,
    ) -> Self {
        let state = State {
            target,
            to_server: Lane::new(conditions, seed),
            to_client: Lane::new(conditions, seed ^ OTHER_WAY),
            clients: Clients::default(),
            timers: Timers::new(HELD_MAX, HELD_BYTES_MAX),
        };
        Self {
            front,
            began: Instant::now(),
            runtime: Handle::current(),
            sooner: Notify::new(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, direction: Direction, to: impl Fn(Conditions) -> Conditions) {
        let mut state = self.state();
        for way in direction.ways() {
            let lane = state.lane(*way);
            lane.set(to(lane.conditions()));
        }
    }

    pub(super) fn rebind(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state();
        for address in state.clients.addresses() {
            let client = self.open(address, state.target)?;
            state.clients.insert(address, client);
        }
        Ok(())
    }

    pub(super) fn retarget(&self, target: SocketAddr) {
        self.state().target = target;
    }

    pub(super) fn upstreams(&self) -> Vec<SocketAddr> {
        self.state().clients.upstreams()
    }

    pub(super) fn counts(&self) -> Traffic {
        let state = self.state();
        Traffic { to_server: state.to_server.counts(), to_client: state.to_client.counts() }
    }

    /// A port for a client, and a task that reads what comes back there.
    fn open(self: &Arc<Self>, address: SocketAddr, target: SocketAddr) -> io::Result<Client> {
        let _inside = self.runtime.enter();
        let upstream = bind_towards(target)?;
        let reader = Task::spawn(read_back(Arc::downgrade(self), Arc::clone(&upstream), address));
        Ok(Client { upstream, _reader: reader, used: Instant::now() })
    }

    /// Reads what clients send.
    pub(super) async fn read_front(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            let (packet, client) = receive(&self.front, &mut buffer).await;
            self.forward(client, packet);
        }
    }

    fn forward(self: &Arc<Self>, client: SocketAddr, packet: &[u8]) {
        let mut state = self.state();
        let to = state.target;
        let known = state.clients.find(client);
        let upstream = known.map_or_else(
            || {
                let new = self.open(client, to)?;
                let upstream = Arc::clone(&new.upstream);
                state.clients.insert(client, new);
                Ok::<_, io::Error>(upstream)
            },
            Ok,
        );
        match upstream {
            Ok(from) => self.take(&mut state, Way::ToServer, (from, to), packet),
            Err(_) => {
                let Counts { received, unsent, .. } = &mut state.to_server.counts;
                *received += 1;
                *unsent += 1;
            }
        }
    }

    fn back(&self, server: SocketAddr, client: SocketAddr, packet: &[u8]) {
        let mut state = self.state();
        // Nobody else is let in: not a server of earlier, and no stranger.
        if server == state.target && state.clients.find(client).is_some() {
            let front = Arc::clone(&self.front);
            self.take(&mut state, Way::ToClient, (front, client), packet);
        }
    }

    /// Decides about a packet, and holds what is to arrive of it.
    fn take(
        &self,
        state: &mut State,
        way: Way,
        (from, to): (Arc<UdpSocket>, SocketAddr),
        packet: &[u8],
    ) {
        let first = state.timers.first();
        for delivery in state.lane(way).decide(self.began.elapsed(), packet.len()) {
            let mut packet: Box<[u8]> = packet.into();
            delivery.damage(&mut packet);
            let weight = packet.len();
            let held = Held { way, from: Arc::clone(&from), to, packet };
            if !state.timers.push(delivery.at, weight, held) {
                state.lane(way).counts.overflowed += 1;
            }
        }
        if state.timers.first() != first {
            self.sooner.notify_one();
        }
    }

    /// Sends what is due, when it is due.
    pub(super) async fn send(self: Arc<Self>) {
        loop {
            match self.due() {
                Ok(held) => self.pass(held).await,
                Err(Some(next)) => {
                    tokio::select! {
                        () = self.sooner.notified() => {}
                        () = sleep_until(self.began + next) => {}
                    }
                }
                Err(None) => self.sooner.notified().await,
            }
        }
    }

    /// The first packet, or when it is due.
    fn due(&self) -> Result<Held, Option<Duration>> {
        let mut state = self.state();
        let now = self.began.elapsed();
        state.timers.pop(now).ok_or_else(|| state.timers.first())
    }

    async fn pass(&self, Held { way, from, to, packet }: Held) {
        let sent = from.send_to(&packet, to).await;
        let mut state = self.state();
        let Counts { delivered, unsent, .. } = &mut state.lane(way).counts;
        *(if sent.is_ok() { delivered } else { unsent }) += 1;
    }
}

/// Reads what the server sends to one client.
async fn read_back(engine: Weak<Engine>, upstream: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        let (packet, server) = receive(&upstream, &mut buffer).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.back(server, client, packet);
    }
}

async fn receive<'a>(socket: &UdpSocket, buffer: &'a mut [u8]) -> (&'a [u8], SocketAddr) {
    loop {
        match socket.recv_from(buffer).await {
            Ok((len, from)) => return (&buffer[..len], from),
            // Some systems report here that an earlier packet found nobody. An error that stays must not spin.
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}
