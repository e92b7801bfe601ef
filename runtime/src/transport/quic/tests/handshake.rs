//! Who becomes a link, who does not, and what each side is told.

use std::net::UdpSocket;

use super::*;
use crate::transport::quic::admission::Verdict;

#[tokio::test]
async fn both_sides_know_whom_they_talk_to() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    assert_eq!(client.peer().identity.as_str(), SERVER);
    assert_eq!(client.peer().address, Some(pair.at));
    assert_eq!(server.peer().identity.as_str(), CLIENT);
    assert_eq!(server.peer().address, Some(pair.client.local_addr().unwrap()));
}

#[tokio::test]
async fn client_endpoint_stays_on_loopback_for_a_peer_on_loopback() {
    let pair = Pair::new();
    assert!(pair.client.local_addr().unwrap().ip().is_loopback());
    let far = QuicEndpoint::client(([192, 0, 2, 1], 7000).into(), &Network::System).unwrap();
    assert!(far.local_addr().unwrap().ip().is_unspecified());
}

#[tokio::test]
async fn peer_is_reached_over_ipv6() {
    let Ok(server) = QuicEndpoint::server(
        "[::1]:0".parse().unwrap(),
        Arc::new(server_tls(None)),
        None,
        &Network::System,
    ) else {
        return; // no IPv6 on this host: nothing to hold
    };
    let at = server.local_addr().unwrap();
    let client = QuicEndpoint::client(at, &Network::System).unwrap();
    let pair = Pair { server, client, at };
    let (_client, server) = pair.connect().await;
    assert_eq!(server.peer().address, Some(pair.client.local_addr().unwrap()));
}

#[tokio::test]
async fn client_hears_the_words_of_its_own_verifier() {
    let pair = Pair::new();
    let accept = async { pair.accept().await.handshake(identify).await };
    let rejecting = client_tls(Some("`spiffe://a` was expected, `spiffe://b` answered"));
    let (client, server) = tokio::join!(pair.dial(rejecting), accept);
    let words = client.unwrap_err().to_string();
    assert!(words.starts_with("the TLS handshake failed: "), "{words}");
    assert!(words.contains("`spiffe://a` was expected, `spiffe://b` answered"), "{words}");
    let words = server.unwrap_err().to_string();
    assert!(words.contains("the peer ended the handshake"), "{words}");
}

#[tokio::test]
async fn client_hears_why_the_server_rejects_its_certificate() {
    let pair = Pair::with(server_tls(Some("`spiffe://c` is not of this domain")), None);
    let accept = async { pair.accept().await.handshake(identify).await };
    let (client, server) = tokio::join!(pair.dial(client_tls(None)), accept);
    let server = server.unwrap_err();
    assert!(
        matches!(&server, ConnectError::Tls(tls) if tls.text.contains("not of this domain")),
        "{server}"
    );
    // The client's handshake is complete one flight earlier: its link exists, and ends.
    let words = match client {
        Ok(link) => match link.closed().await {
            LinkError::Refused { why, .. } => why,
            other => panic!("{other:?}"),
        },
        Err(why) => why.to_string(),
    };
    assert!(words.contains("`spiffe://c` is not of this domain"), "{words}");
}

#[tokio::test]
async fn nothing_is_accepted_without_a_client_certificate() {
    let pair = Pair::new();
    let mut tls = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Verifier::new(None))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let accept = async { pair.accept().await.handshake(identify).await };
    let (_client, server) = tokio::join!(pair.dial(tls), accept);
    assert!(matches!(server, Err(ConnectError::Tls(_))), "{server:?}");
}

#[tokio::test]
async fn missing_common_protocol_is_told_to_both_sides() {
    let pair = Pair::new();
    let mut tls = client_tls(None);
    tls.alpn_protocols = vec![b"sinew/0".to_vec()];
    let accept = async { pair.accept().await.handshake(identify).await };
    let (client, server) = tokio::join!(pair.dial(tls), accept);
    assert!(matches!(client, Err(ConnectError::Version(_))), "{client:?}");
    assert!(matches!(server, Err(ConnectError::Version(_))), "{server:?}");
}

#[tokio::test]
async fn peer_without_usable_identity_is_closed_with_the_reason() {
    let pair = Pair::new();
    let accept = async { pair.accept().await.handshake(nobody).await };
    let (client, server) = tokio::join!(pair.dial(client_tls(None)), accept);
    assert_eq!(server.unwrap_err(), ConnectError::Identity("this name is not welcome".into()));
    let words = client.unwrap().closed().await.to_string();
    assert!(words.contains("this name is not welcome"), "{words}");
}

#[tokio::test]
async fn new_connections_are_refused_at_once_while_old_ones_go_on() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    pair.server.refuse_new();
    let refused = tokio::select! {
        refused = pair.dial(client_tls(None)) => refused.unwrap_err(),
        _ = pair.accept() => panic!("accepted after all"),
    };
    assert!(matches!(refused, ConnectError::Refused(_)), "{refused}");
    let mut send = client.open_uni().await.unwrap();
    write(&mut send, &b"still here"[..]).await.unwrap();
    send.finish();
    let mut recv = server.accept_uni().await.unwrap();
    assert_eq!(read_to_end(&mut recv).await.unwrap(), b"still here");
}

#[tokio::test]
async fn accepting_dropped_refuses_the_peer() {
    let pair = Pair::new();
    let (refused, ()) = tokio::join!(pair.dial(client_tls(None)), async {
        drop(pair.accept().await);
    });
    assert!(matches!(refused, Err(ConnectError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn peer_proves_its_address_while_64_handshakes_are_open() {
    let pair = Pair::new();
    let admission = &pair.server.server.as_ref().unwrap().admission;
    let now = std::time::Instant::now();
    let open: Vec<_> = (0..64).map(|_| admission.judge(pair.at.ip(), false, 0, now)).collect();
    assert!(open.iter().all(|verdict| matches!(verdict, Verdict::Admit(_))));
    let accept = async {
        let accepting = pair.accept().await;
        assert!(accepting.incoming.remote_address_validated());
        accepting.handshake(identify).await
    };
    let (client, server) = tokio::join!(pair.dial(client_tls(None)), accept);
    assert!(client.is_ok() && server.is_ok(), "{client:?} {server:?}");
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_answers_times_out() {
    let silent = UdpSocket::bind(loopback()).unwrap();
    let at = silent.local_addr().unwrap();
    let client = QuicEndpoint::client(at, &Network::System).unwrap();
    let tls = Arc::new(client_tls(None));
    let error = client.connect(at, "x.sinew", tls, identify).await.unwrap_err();
    assert_eq!(error, ConnectError::TimedOut(Duration::from_secs(5)));
}

#[tokio::test]
async fn handshake_that_stalls_is_given_up_and_its_ticket_returned() {
    let pair = Pair::new();
    // A client's first packet, delivered by somebody who stays silent ever after.
    let silent = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    let at = silent.local_addr().unwrap();
    let client = QuicEndpoint::client(at, &Network::System).unwrap();
    let mut packet = [0; 2048];
    let dial = client.connect(at, "x.sinew", Arc::new(client_tls(None)), identify);
    let len = tokio::select! {
        len = silent.recv(&mut packet) => len.unwrap(),
        _ = dial => panic!("connected to nobody"),
    };
    silent.send_to(&packet[..len], pair.at).await.unwrap();
    let accepting = pair.accept().await;
    tokio::time::pause();
    let error = accepting.handshake(identify).await.unwrap_err();
    assert_eq!(error, ConnectError::TimedOut(Duration::from_secs(5)));
    tokio::time::resume();
    pair.connect().await;
}

#[test]
fn restart_is_noticed_at_once_when_the_reset_secret_is_kept() {
    const SECRET: [u8; 32] = [7; 32];
    let start = |at: SocketAddr| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let tls = Arc::new(server_tls(None));
        let server = runtime
            .block_on(async { QuicEndpoint::server(at, tls, Some(&SECRET), &Network::System) });
        (runtime, server.unwrap())
    };
    let (first, server) = start(loopback());
    let at = server.local_addr().unwrap();
    let accepted = first.spawn(async move {
        let accepting = server.accept().await.unwrap();
        accepting.handshake(identify).await.map(|link| (link, server))
    });
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        let client = QuicEndpoint::client(at, &Network::System).unwrap();
        let link =
            client.connect(at, "x.sinew", Arc::new(client_tls(None)), identify).await.unwrap();
        let kept = accepted.await.unwrap().unwrap();
        let restart = move || {
            // Ends like a killed process: when the link is dropped nobody is left to tell the peer.
            first.shutdown_timeout(Duration::from_secs(5));
            drop(kept);
            start(at)
        };
        let (second, _server) = tokio::task::spawn_blocking(restart).await.unwrap();
        // Whatever is sent is answered by the reset; an MTU probe may have been that already.
        if let Ok(mut send) = link.open_uni().await {
            let _ = write(&mut send, vec![1; 1000]).await;
        }
        let lost = tokio::time::timeout(Duration::from_secs(5), link.closed()).await;
        let words = lost.expect("the reset was not believed").to_string();
        assert!(words.contains("restarted"), "{words}");
        second.shutdown_background();
    });
}

#[tokio::test]
async fn tls_that_takes_early_data_or_names_no_protocol_is_refused() {
    let mut early = server_tls(None);
    early.max_early_data_size = u32::MAX;
    let mut nameless = server_tls(None);
    nameless.alpn_protocols.clear();
    for tls in [early, nameless] {
        let error =
            QuicEndpoint::server(loopback(), Arc::new(tls), None, &Network::System).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    let mut nameless = client_tls(None);
    nameless.alpn_protocols.clear();
    let error = Pair::new().dial(nameless).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unusable(_)), "{error}");
}
