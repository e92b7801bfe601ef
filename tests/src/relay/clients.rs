//! The clients of a relay, each with an upstream port of its own, as a NAT keeps them.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::UdpSocket, task::JoinHandle, time::Instant};

/// Clients that a relay knows at a time. One more takes the place of the one that was idle for longest.
pub const CLIENTS_MAX: usize = 1_024;

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One client: where its packets go on from, and who reads what comes back there.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) upstream: Arc<UdpSocket>,
    pub(super) _reader: Task,
    pub(super) used: Instant,
}

/// The clients by their addresses.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<SocketAddr, Client>);

impl Clients {
    /// The port of a client that is known.
    pub(super) fn find(&mut self, address: SocketAddr) -> Option<Arc<UdpSocket>> {
        let client = self.0.get_mut(&address)?;
        client.used = Instant::now();
        Some(Arc::clone(&client.upstream))
    }

    /// A new client, or a known one with a new port.
    pub(super) fn insert(&mut self, address: SocketAddr, client: Client) {
        if self.0.len() >= CLIENTS_MAX && !self.0.contains_key(&address) {
            let idle = self.0.iter().min_by_key(|(_, client)| client.used).map(|(idle, _)| *idle);
            idle.and_then(|idle| self.0.remove(&idle));
        }
        self.0.insert(address, client);
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.keys().copied().collect()
    }

    pub(super) fn upstreams(&self) -> Vec<SocketAddr> {
        self.0.values().filter_map(|client| client.upstream.local_addr().ok()).collect()
    }
}

/// A socket from which `target` is reached: on loopback, if that is where it is.
pub(super) fn bind_towards(target: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let ip: IpAddr = match (target.is_ipv4(), target.ip().is_loopback()) {
        (true, true) => Ipv4Addr::LOCALHOST.into(),
        (true, false) => Ipv4Addr::UNSPECIFIED.into(),
        (false, true) => Ipv6Addr::LOCALHOST.into(),
        (false, false) => Ipv6Addr::UNSPECIFIED.into(),
    };
    bind(SocketAddr::new(ip, 0))
}

/// A socket at this address.
pub(super) fn bind(address: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(Arc::new(UdpSocket::from_std(socket)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Must as _, wait::ms};

    #[tokio::test(start_paused = true)]
    async fn of_too_many_clients_the_one_that_was_idle_for_longest_goes() {
        let upstream = bind_towards(([127, 0, 0, 1], 1).into()).must("a socket");
        let client = || Client {
            upstream: Arc::clone(&upstream),
            _reader: Task::spawn(async {}),
            used: Instant::now(),
        };
        let address = |port: usize| SocketAddr::from(([127, 0, 0, 1], port as u16));
        let mut clients = Clients::default();
        for port in 1..=CLIENTS_MAX {
            tokio::time::advance(ms(1)).await;
            clients.insert(address(port), client());
        }
        tokio::time::advance(ms(1)).await;
        clients.find(address(1)).must("the first");
        clients.insert(address(2_000), client());
        assert_eq!(clients.addresses().len(), CLIENTS_MAX);
        assert!(clients.find(address(2)).is_none(), "idle for longest");
        assert!(clients.find(address(1)).is_some() && clients.find(address(3)).is_some());
        clients.insert(address(3), client());
        assert_eq!(clients.addresses().len(), CLIENTS_MAX, "a known one takes nobody's place");
    }
}
