//! A forwarder of UDP packets in front of a server, which can swallow them: a network that loses everything both ways,
//! without a word and without root.
//!
//! The server announces the forwarder's address instead of its own ([`sinew::ServerBuilder::advertise`]). Packets stay
//! encrypted from end to end: whoever forwards them cannot read or answer them.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::UdpSocket, task::JoinHandle};

use crate::counters::Tachograph;

/// So many callers at a time; the packets of more are lost.
const CLIENTS_MAX: usize = 64;
/// Who has sent nothing for so long makes room for others. Connections that live are never silent for half of it.
const IDLE: Duration = Duration::from_secs(60);
/// No UDP packet has more bytes.
const PACKET_MAX: usize = 65_535;

#[derive(Debug)]
pub(crate) struct Forwarder {
    front: Arc<UdpSocket>,
    counters: Tachograph,
}

impl Forwarder {
    /// Packets wait here until [`run`](Self::run).
    pub(crate) async fn bind(counters: Tachograph) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        Ok(Self { front, counters })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }

    /// Forwards between callers and `server`, for ever.
    pub(crate) async fn run(self, server: SocketAddr) -> io::Result<()> {
        let mut clients = HashMap::new();
        let mut packet = vec![0; PACKET_MAX];
        loop {
            let (length, from) = self.front.recv_from(&mut packet).await?;
            if !clients.contains_key(&from) {
                clients.retain(|_, client: &mut Client| client.heard.elapsed() < IDLE);
                if clients.len() == CLIENTS_MAX {
                    continue;
                }
                clients.insert(from, self.client(from, server).await?);
            }
            if let Some(client) = clients.get_mut(&from).filter(|_| !self.counters.swallowed()) {
                client.heard = Instant::now();
                // What cannot be sent is lost, as on any network.
                let _ = client.upstream.send(&packet[..length]).await;
            }
        }
    }

    /// A socket of its own for each caller, so that what the server answers finds its way back.
    async fn client(&self, caller: SocketAddr, server: SocketAddr) -> io::Result<Client> {
        let upstream = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        upstream.connect(server).await?;
        let (from, front, counters) =
            (Arc::clone(&upstream), Arc::clone(&self.front), self.counters.clone());
        let back = tokio::spawn(async move {
            let mut packet = vec![0; PACKET_MAX];
            while let Ok(length) = from.recv(&mut packet).await {
                if !counters.swallowed() {
                    let _ = front.send_to(&packet[..length], caller).await;
                }
            }
        });
        Ok(Client { upstream, heard: Instant::now(), back })
    }
}

/// Dropping it ends its way back.
#[derive(Debug)]
struct Client {
    upstream: Arc<UdpSocket>,
    heard: Instant,
    back: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.back.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Counters as _, Mood};

    #[tokio::test]
    async fn packets_go_both_ways_and_while_they_are_swallowed_none() {
        let counters = Tachograph::default();
        let forwarder = Forwarder::bind(counters.clone()).await.unwrap();
        let (front, server) =
            (forwarder.address().unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let forwarding = tokio::spawn(forwarder.run(server.local_addr().unwrap()));
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(front).await.unwrap();
        let mut packet = [0; 16];

        client.send(b"question").await.unwrap();
        let (length, way_back) = server.recv_from(&mut packet).await.unwrap();
        assert_eq!(&packet[..length], b"question");
        server.send_to(b"answer", way_back).await.unwrap();
        let length = client.recv(&mut packet).await.unwrap();
        assert_eq!(&packet[..length], b"answer");

        counters.be(Mood { swallowed: true, ..Mood::default() }).await;
        client.send(b"question").await.unwrap();
        server.send_to(b"answer", way_back).await.unwrap();
        let soon = Duration::from_millis(200);
        let (at_server, mut other) = (server.recv_from(&mut packet), [0; 16]);
        let at_client = client.recv(&mut other);
        let either = async {
            tokio::select! { _ = at_server => {}, _ = at_client => {} }
        };
        assert!(tokio::time::timeout(soon, either).await.is_err(), "something came through");
        forwarding.abort();
    }
}
