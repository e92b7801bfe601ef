//! Streams and the end of connections, as the link trait promises them.

use sinew_core::limits;

use super::*;

/// A bidirectional stream over a new connection, on which the client has sent `first`.
struct Stream {
    client: (Box<dyn LinkSend>, Box<dyn LinkRecv>),
    server: (Box<dyn LinkSend>, Box<dyn LinkRecv>),
    links: (Arc<dyn Link>, Arc<dyn Link>),
}

async fn stream(first: &'static [u8]) -> Stream {
    let links = Pair::new().connect().await;
    let mut client = links.0.open_bi().await.unwrap();
    write(&mut client.0, first).await.unwrap();
    let server = links.1.accept_bi().await.unwrap();
    Stream { client, server, links }
}

#[tokio::test]
async fn bytes_go_both_ways_and_end_where_they_were_finished() {
    let mut s = stream(b"question").await;
    s.client.0.finish();
    assert_eq!(read_to_end(&mut s.server.1).await.unwrap(), b"question");
    write(&mut s.server.0, &b"answer"[..]).await.unwrap();
    s.server.0.finish();
    assert_eq!(read_to_end(&mut s.client.1).await.unwrap(), b"answer");
    assert_eq!(chunk(&mut s.client.1).await, Ok(None), "the end stays the end");
}

#[tokio::test]
async fn unidirectional_stream_arrives_from_either_side() {
    let (client, server) = Pair::new().connect().await;
    for (from, to) in [(&client, &server), (&server, &client)] {
        let mut send = from.open_uni().await.unwrap();
        write(&mut send, &b"hello"[..]).await.unwrap();
        send.finish();
        let mut recv = to.accept_uni().await.unwrap();
        assert_eq!(read_to_end(&mut recv).await.unwrap(), b"hello");
    }
}

#[tokio::test]
async fn many_small_writes_arrive_in_order() {
    let mut s = stream(b"-").await;
    let lines: Vec<String> = (0..2_000).map(|i| format!("line {i};")).collect();
    for line in &lines {
        write(&mut s.client.0, line.clone()).await.unwrap();
    }
    s.client.0.finish();
    let read = read_to_end(&mut s.server.1).await.unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), format!("-{}", lines.concat()));
}

#[tokio::test]
async fn empty_write_is_taken_at_once() {
    let mut s = stream(b"x").await;
    let mut nothing = Bytes::new();
    poll_fn(|cx| s.client.0.poll_write(cx, &mut nothing)).await.unwrap();
}

#[tokio::test]
async fn reset_code_is_seen_by_the_reader_and_stays() {
    let mut s = stream(b"x").await;
    assert_eq!(chunk(&mut s.server.1).await.unwrap().unwrap(), "x");
    s.client.0.reset(0x2a);
    for _ in 0..3 {
        assert_eq!(chunk(&mut s.server.1).await, Err(LinkError::StreamReset(0x2a)));
    }
}

#[tokio::test]
async fn stop_code_is_seen_by_the_writer() {
    let mut s = stream(b"x").await;
    s.server.1.stop(0x17);
    assert_eq!(stopped(&mut s.client.0).await, Ok(Some(0x17)));
    let written = write(&mut s.client.0, &b"more"[..]).await;
    assert_eq!(written, Err(LinkError::StreamReset(0x17)));
    assert_eq!(chunk(&mut s.server.1).await, Ok(None), "a stopped half reads nothing more");
}

#[tokio::test]
async fn codes_above_62_bits_are_cut_to_what_quic_carries() {
    let mut s = stream(b"x").await;
    assert!(chunk(&mut s.server.1).await.is_ok());
    s.client.0.reset(u64::MAX);
    assert_eq!(chunk(&mut s.server.1).await, Err(LinkError::StreamReset((1 << 62) - 1)));
}

#[tokio::test]
async fn sending_half_dropped_unfinished_is_reset_with_zero() {
    let Stream { client, mut server, links: _links } = stream(b"half a frame").await;
    assert!(chunk(&mut server.1).await.is_ok());
    drop(client.0);
    assert_eq!(chunk(&mut server.1).await, Err(LinkError::StreamReset(0)));
}

#[tokio::test]
async fn sending_half_dropped_after_finish_still_delivers_everything() {
    let Stream { mut client, mut server, links: _links } = stream(b"whole").await;
    client.0.finish();
    drop(client.0);
    assert_eq!(read_to_end(&mut server.1).await.unwrap(), b"whole");
}

#[tokio::test]
async fn receiving_half_dropped_before_the_end_stops_with_zero() {
    let Stream { mut client, server, links: _links } = stream(b"x").await;
    assert!(waits(stopped(&mut client.0)).await);
    drop(server.1);
    assert_eq!(stopped(&mut client.0).await, Ok(Some(0)));
}

#[tokio::test]
async fn stopped_is_none_once_everything_was_taken_after_a_finish() {
    let mut s = stream(b"x").await;
    assert!(waits(stopped(&mut s.client.0)).await);
    s.client.0.finish();
    assert_eq!(read_to_end(&mut s.server.1).await.unwrap(), b"x");
    assert_eq!(stopped(&mut s.client.0).await, Ok(None));
    assert_eq!(stopped(&mut s.client.0).await, Ok(None), "and can be asked again");
}

#[tokio::test]
async fn accept_loses_nothing_when_its_future_is_dropped() {
    let (client, server) = Pair::new().connect().await;
    for round in 0..20_u8 {
        assert!(waits(server.accept_bi()).await);
        let (mut send, _recv) = client.open_bi().await.unwrap();
        write(&mut send, vec![round]).await.unwrap();
        // Dropped right when the stream comes in, or just before.
        let _ = tokio::time::timeout(Duration::ZERO, server.accept_uni()).await;
        let (_send, mut recv) = server.accept_bi().await.unwrap();
        assert_eq!(chunk(&mut recv).await.unwrap().unwrap()[..], [round]);
    }
}

#[tokio::test]
async fn code_and_reason_of_a_close_are_seen_everywhere_on_the_other_side() {
    let mut s = stream(b"x").await;
    let (client, server) = &s.links;
    client.close(7, "enough");
    let closed = LinkError::PeerClosed { code: 7, reason: "enough".into() };
    assert_eq!(server.closed().await, closed);
    assert_eq!(server.accept_bi().await.map(drop), Err(closed.clone()));
    assert_eq!(server.open_uni().await.map(drop), Err(closed.clone()));
    assert_eq!(write(&mut s.server.0, &b"y"[..]).await, Err(closed.clone()));
    assert_eq!(chunk(&mut s.server.1).await.map(drop), Ok(()), "what has arrived can be read");
    assert_eq!(chunk(&mut s.server.1).await, Err(closed.clone()));
    assert_eq!(stopped(&mut s.server.0).await, Err(closed));
    assert_eq!(client.closed().await, LinkError::LocallyClosed);
}

#[tokio::test]
async fn first_close_counts_and_its_reason_is_bounded() {
    let (client, server) = Pair::new().connect().await;
    client.close(1, &"long ".repeat(200));
    client.close(2, "again");
    let LinkError::PeerClosed { code: 1, reason } = server.closed().await else {
        panic!("not closed by the first code");
    };
    assert_eq!(reason.len(), limits::CLOSE_REASON_MAX);
    server.close(3, "me too");
    assert!(matches!(server.closed().await, LinkError::PeerClosed { code: 1, .. }));
}

#[tokio::test]
async fn link_dropped_closes_the_connection_although_streams_are_held() {
    let Stream { client: _held, server: _also, links: (client, server) } = stream(b"x").await;
    drop(client);
    let closed = LinkError::PeerClosed { code: 0, reason: String::new() };
    assert_eq!(server.closed().await, closed);
}

#[tokio::test]
async fn endpoint_close_ends_its_links_and_accepting() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    pair.server.close(9, "going home");
    assert!(pair.server.accept().await.is_none());
    assert_eq!(server.closed().await, LinkError::LocallyClosed);
    assert!(matches!(client.closed().await, LinkError::PeerClosed { code: 9, .. }));
    drop((client, server));
    pair.server.wait_idle().await;
}

#[tokio::test]
async fn peer_may_have_16_streams_open_until_it_is_granted_more() {
    let (client, server) = Pair::new().connect().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(client.open_bi().await.unwrap());
    }
    assert!(waits(client.open_bi()).await);
    server.set_max_peer_bi(u32::MAX);
    while open.len() < 256 {
        open.push(client.open_bi().await.unwrap());
    }
    assert!(waits(client.open_bi()).await, "256 is the most, whatever is asked for");
}

#[tokio::test]
async fn peer_may_have_three_unidirectional_streams_open() {
    let (client, _server) = Pair::new().connect().await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.open_uni().await.unwrap());
    }
    assert!(waits(client.open_uni()).await);
}

#[tokio::test]
async fn writer_waits_when_the_reader_holds_a_whole_window_back() {
    let (client, server) = Pair::new().connect().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let mut data = Bytes::from(vec![5; 1 << 20]);
    assert!(waits(write_all(&mut send, &mut data)).await);
    assert_eq!((1 << 20) - data.len(), 256 << 10);
    let (_send, mut recv) = server.accept_bi().await.unwrap();
    let mut read = 0;
    let reader = async {
        while read < 1 << 20 {
            read += chunk(&mut recv).await.unwrap().unwrap().len();
        }
    };
    tokio::join!(write_all(&mut send, &mut data), reader);
    assert_eq!(read, 1 << 20);
}

/// quinn's default is no window of the connection at all: every stream's would count by itself.
#[tokio::test]
async fn writers_together_wait_when_the_reader_holds_the_connections_window_back() {
    let (client, server) = Pair::new().connect().await;
    server.set_max_peer_bi(32);
    let (mut open, mut taken) = (Vec::new(), 0);
    for _ in 0..32 {
        let (mut send, recv) = client.open_bi().await.unwrap();
        let mut data = Bytes::from(vec![5; 256 << 10]);
        // The credit for more streams comes with the first round trip; nobody reads any of them.
        waits(write_all(&mut send, &mut data)).await;
        taken += (256 << 10) - data.len();
        open.push((send, recv));
    }
    assert_eq!(taken, limits::CONNECTION_WINDOW);
}

async fn write_all(send: &mut Box<dyn LinkSend>, data: &mut Bytes) {
    while !data.is_empty() {
        poll_fn(|cx| send.poll_write(cx, data)).await.unwrap();
    }
}

#[tokio::test]
async fn round_trip_time_is_known_once_connected() {
    let (client, server) = Pair::new().connect().await;
    for link in [client, server] {
        let rtt = link.min_rtt().unwrap();
        assert!(rtt > Duration::ZERO && rtt < Duration::from_millis(90), "{rtt:?}");
    }
}
