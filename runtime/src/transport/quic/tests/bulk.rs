//! Bulk over loopback: the traps of large datagrams stay avoided.

use quinn::{ConnectionStats, TransportConfig};

use super::*;
use crate::transport::quic::{
    config::{self, Path},
    link::QuicLink,
};

const TOTAL: usize = 64 << 20;
const ITEM: usize = 64 << 10;

/// Sends [`TOTAL`] bytes from the client to the server over one stream and returns what the
/// client's connection counted.
async fn transfer(transport: TransportConfig) -> ConnectionStats {
    let pair = Pair::new();
    let config = config::client(Arc::new(client_tls(None)), Arc::new(transport)).unwrap();
    let dial =
        async { pair.client.endpoint.connect_with(config, pair.at, "x.sinew").unwrap().await };
    let accept = async { pair.accept().await.handshake(identify).await };
    let (connection, server) = tokio::join!(dial, accept);
    let (connection, server) = (connection.unwrap(), server.unwrap());
    let client = QuicLink::establish(connection.clone(), identify, Network::System).unwrap();

    let writer = async {
        let mut send = client.open_uni().await.unwrap();
        let item = Bytes::from(vec![9; ITEM]);
        for _ in 0..TOTAL / ITEM {
            write(&mut send, item.clone()).await.unwrap();
        }
        send.finish();
        stopped(&mut send).await.unwrap();
    };
    let reader = async {
        let mut recv = server.accept_uni().await.unwrap();
        let mut read = 0;
        while let Some(data) = chunk(&mut recv).await.unwrap() {
            read += data.len();
        }
        read
    };
    let ((), read) = tokio::join!(writer, reader);
    assert_eq!(read, TOTAL);
    connection.stats()
}

/// The kernel may drop what its buffer does not hold, so a little loss is no fault; a collapse is.
fn assert_little_was_lost(stats: &ConnectionStats) {
    let path = &stats.path;
    assert!(path.lost_packets < path.sent_packets / 10, "{path:?}");
    assert_eq!(path.black_holes_detected, 0, "{path:?}");
}

#[tokio::test]
async fn large_datagrams_are_used_on_loopback_and_nothing_collapses() {
    let stats = transfer(config::transport(Path::Local)).await;
    assert_little_was_lost(&stats);
    assert!(stats.path.current_mtu > 16_000, "{:?}", stats.path);
    // Ten times fewer packets than Ethernet's size would need.
    assert!(stats.path.sent_packets < (TOTAL / 14_520) as u64, "{:?}", stats.path);
}

#[tokio::test]
async fn batches_that_quinn_builds_too_large_arrive_whole() {
    let mut transport = config::transport(Path::Local);
    transport.enable_segmentation_offload(true);
    let stats = transfer(transport).await;
    assert_little_was_lost(&stats);
    assert!(stats.path.current_mtu > 16_000, "{:?}", stats.path);
}

#[tokio::test]
async fn settings_of_other_paths_carry_bulk_as_well() {
    let stats = transfer(config::transport(Path::Routed)).await;
    assert_little_was_lost(&stats);
    assert!((1_200..=1_452).contains(&stats.path.current_mtu), "{:?}", stats.path);
}

/// Probes for a large MTU have cost the first calls of a connection 20 ms.
#[tokio::test]
async fn first_packets_of_a_connection_are_not_held_up_by_mtu_probes() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    write(&mut send, vec![3; 60_000]).await.unwrap();
    send.finish();
    let mut recv = server.accept_uni().await.unwrap();
    let first = chunk(&mut recv).await.unwrap().unwrap();
    assert!(first.len() > 16_000, "{} bytes in the first datagram", first.len());
}
