//! Whether a host says that nobody listens at a port: one byte from a connected socket, and its answer.
//!
//! # Why
//! A process that was killed is gone at once, and its host knows: it answers with ICMP. quinn does not tell of that, for
//! anyone on the way can forge it (RFC 9000, section 21.1.1). As a hint it is worth a second: calls that may be repeated
//! go elsewhere, and the connection lives on for the rest.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use sinew_core::limits;
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

use super::network::Network;

/// How long the answer may take; who does not answer in that time has not refused.
const PATIENCE: Duration = Duration::from_millis(50);

/// Resolves once a host says that nobody listens, which is asked some time after a handshake began; never otherwise.
///
/// A server that has gone is known by QUIC only by its silence, and calls that wait for the connection would wait as
/// long.
pub(super) async fn refused(peer: SocketAddr, network: &Network) {
    sleep(limits::CONNECT_HINT).await;
    if !network.is_refused(peer).await {
        std::future::pending().await
    }
}

pub(super) async fn is_refused(peer: SocketAddr) -> bool {
    match timeout(PATIENCE, ask(peer)).await {
        Ok(Err(error)) => error.kind() == io::ErrorKind::ConnectionRefused,
        Ok(Ok(())) | Err(_) => false,
    }
}

async fn ask(peer: SocketAddr) -> io::Result<()> {
    let local: IpAddr = match peer.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(peer).await?;
    // Too short for a packet: a server that lives drops it unread.
    socket.send(&[0]).await?;
    socket.recv(&mut [0; 1]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handshake_with_a_port_that_is_closed_ends_early_and_with_one_that_is_silent_does_not()
     {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = silent.local_addr().unwrap();
        let waited = timeout(limits::CONNECT_HINT * 4, refused(peer, &Network::System)).await;
        assert!(waited.is_err(), "a listener that says nothing");
        drop(silent);
        timeout(Duration::from_secs(5), refused(peer, &Network::System)).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_without_a_listener_refuses_and_one_with_a_listener_does_not() {
        let listener = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        assert!(!is_refused(peer).await);
        drop(listener);
        assert!(is_refused(peer).await);
    }
}
