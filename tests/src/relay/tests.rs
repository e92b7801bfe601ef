//! Tests of a relay between bare sockets: order, ports, targets, and that it ends.

use std::net::SocketAddr;

use tokio::{net::UdpSocket, time::timeout};

use super::{Conditions, Counts, Direction, Relay};
use crate::{
    Must as _,
    wait::{ms, soon, until},
};

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.must("a socket");
    let address = socket.local_addr().must("its address");
    (socket, address)
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_000];
    let (len, from) = soon("a packet", socket.recv_from(&mut buffer)).await.must("a packet");
    (buffer[..len].to_vec(), from)
}

async fn nothing_comes(socket: &UdpSocket) {
    let more = timeout(ms(50), socket.recv_from(&mut [0; 2_000])).await;
    assert!(more.is_err(), "{more:?}");
}

/// A client, a server, and a relay between them.
struct Between {
    client: UdpSocket,
    server: UdpSocket,
    relay: Relay,
}

impl Between {
    async fn new(conditions: Conditions) -> Self {
        let (server, target) = socket().await;
        let relay = Relay::start(target, conditions, 1).await.must("a relay");
        Self { client: socket().await.0, server, relay }
    }

    async fn send(&self, packet: &[u8]) {
        let to = self.relay.address();
        self.client.send_to(packet, to).await.must("a packet goes");
    }

    /// Sends a packet to the server; where the server sees it come from.
    async fn arrives(&self, packet: &[u8]) -> SocketAddr {
        self.send(packet).await;
        let (seen, from) = receive(&self.server).await;
        assert_eq!(seen, packet);
        from
    }
}

#[tokio::test]
async fn packets_go_both_ways_and_each_client_has_its_own_port() {
    let between = Between::new(Conditions::perfect()).await;
    let first = between.arrives(b"one").await;
    assert_eq!(between.arrives(b"again").await, first);
    let (other, _) = socket().await;
    other.send_to(b"two", between.relay.address()).await.must("a packet goes");
    let (_, second) = receive(&between.server).await;
    assert_ne!(first, second);
    for (client, upstream) in [(&other, second), (&between.client, first)] {
        between.server.send_to(b"back", upstream).await.must("a packet goes");
        assert_eq!(receive(client).await, (b"back".to_vec(), between.relay.address()));
    }
    until("all is counted", || between.relay.counts().in_flight() == 0).await;
    let counts = between.relay.counts();
    let passed = |count| Counts { received: count, delivered: count, ..Counts::default() };
    assert_eq!((counts.to_server, counts.to_client), (passed(3), passed(2)));
}

#[tokio::test]
async fn packets_that_are_held_arrive_in_their_order() {
    let between = Between::new(Conditions::perfect().delay(ms(30))).await;
    for at in 0..100 {
        between.send(&[at]).await;
    }
    for at in 0..100 {
        assert_eq!(receive(&between.server).await.0, [at]);
    }
}

#[tokio::test]
async fn an_earlier_packet_is_not_held_up_by_a_later_one() {
    let between = Between::new(Conditions::perfect().delay(ms(600_000))).await;
    between.send(b"late").await;
    until("it is held", || between.relay.counts().in_flight() == 1).await;
    between.relay.set(Direction::ToServer, Conditions::perfect());
    between.arrives(b"at once").await;
    until("one is left", || between.relay.counts().in_flight() == 1).await;
}

#[tokio::test]
async fn a_damaged_packet_differs_in_one_bit_and_a_duplicate_comes_twice() {
    let between = Between::new(Conditions::perfect().corrupt(1.0).duplicate(1.0)).await;
    between.send(&[0; 100]).await;
    for _ in 0..2 {
        let (packet, _) = receive(&between.server).await;
        assert_eq!(packet.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    }
    nothing_comes(&between.server).await;
}

#[tokio::test]
async fn a_rebind_gives_a_new_port_and_closes_the_old_one() {
    let between = Between::new(Conditions::perfect()).await;
    let old = between.arrives(b"one").await;
    between.relay.rebind().must("a new port");
    let new = between.arrives(b"two").await;
    assert_ne!(old, new);
    assert_eq!(between.relay.upstreams(), [new]);
    between.server.send_to(b"lost", old).await.must("a packet goes");
    between.server.send_to(b"back", new).await.must("a packet goes");
    assert_eq!(receive(&between.client).await.0, b"back");
    nothing_comes(&between.client).await;
}

#[tokio::test]
async fn a_relay_with_a_new_target_leaves_the_old_one_alone() {
    let between = Between::new(Conditions::perfect()).await;
    let port = between.arrives(b"one").await;
    let (server, target) = socket().await;
    between.relay.retarget(target);
    between.send(b"two").await;
    assert_eq!(receive(&server).await, (b"two".to_vec(), port));
    nothing_comes(&between.server).await;
    between.server.send_to(b"too late", port).await.must("a packet goes");
    server.send_to(b"back", port).await.must("a packet goes");
    assert_eq!(receive(&between.client).await.0, b"back");
    nothing_comes(&between.client).await;
}

#[tokio::test]
async fn a_blackhole_is_of_one_direction_and_leaves_the_other_conditions() {
    let between = Between::new(Conditions::perfect().duplicate(1.0)).await;
    between.relay.blackhole(Direction::ToServer, true);
    between.send(b"lost").await;
    until("it is lost", || between.relay.counts().to_server.blackholed == 1).await;
    between.relay.blackhole(Direction::ToServer, false);
    let port = between.arrives(b"one").await;
    assert_eq!(receive(&between.server).await.0, b"one", "twice, as before");
    between.relay.blackhole(Direction::ToClient, true);
    between.server.send_to(b"lost", port).await.must("a packet goes");
    until("it is lost", || between.relay.counts().to_client.blackholed == 1).await;
}

#[tokio::test]
async fn a_relay_that_is_dropped_leaves_no_port_open() {
    let between = Between::new(Conditions::perfect()).await;
    let upstream = between.arrives(b"one").await;
    let Between { relay, client, .. } = between;
    let front = relay.address();
    drop((relay, client));
    for address in [front, upstream] {
        until("the port is free", || std::net::UdpSocket::bind(address).is_ok()).await;
    }
}
