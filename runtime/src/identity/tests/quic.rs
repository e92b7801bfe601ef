//! Over QUIC the reason of a refusal reaches the people on both sides.

use std::net::{Ipv4Addr, SocketAddr};

use quinn::{
    ConnectionError, Endpoint,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use super::{
    super::{HandshakeFailure, RefusedBy, peer_identity},
    *,
};

fn endpoint(identity: &Identity) -> Endpoint {
    let tls = identity.server_config(&["Shop"]).expect("a server");
    let quic = QuicServerConfig::try_from(tls).expect("TLS 1.3");
    let config = quinn::ServerConfig::with_crypto(Arc::new(quic));
    Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a socket")
}

fn failure(error: &ConnectionError) -> (RefusedBy, u64, String) {
    match error {
        ConnectionError::TransportError(why) => {
            (RefusedBy::Us, why.code.into(), why.reason.clone())
        }
        ConnectionError::ConnectionClosed(why) => {
            let text = String::from_utf8_lossy(&why.reason).into_owned();
            (RefusedBy::Peer, why.error_code.into(), text)
        }
        other => panic!("a failed handshake was expected, not {other:?}"),
    }
}

/// What both sides tell after a handshake, each in one sentence; who the peers are if it worked.
async fn meet(client: &Identity, server: &Identity, expected: &SpiffeId) -> (String, String) {
    let listening = endpoint(server);
    let address = listening.local_addr().expect("an address");
    let calling = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a socket");
    let tls = client.client_config(expected).expect("a client");
    let quic = QuicClientConfig::try_from(tls).expect("TLS 1.3");
    let config = quinn::ClientConfig::new(Arc::new(quic));
    let name = expected.server_name();
    let connect = async {
        let connection = calling.connect_with(config, address, &name).expect("a try").await?;
        // The server decides after the client believes itself connected.
        let greeting = connection.accept_uni().await;
        greeting.map(|_| connection)
    };
    let accept = async {
        let connection = listening.accept().await.expect("a client").await?;
        let mut greeting = connection.open_uni().await?;
        let sent = greeting.write_all(b"hello").await;
        assert!(sent.is_ok(), "a greeting: {sent:?}");
        Ok::<_, ConnectionError>((connection, greeting))
    };
    let (called, accepted) = tokio::join!(connect, accept);
    let who = |connection: &quinn::Connection| {
        let chain = connection.peer_identity().expect("a peer").downcast::<Vec<_>>();
        peer_identity(&chain.expect("certificates")).expect("an id").to_string()
    };
    let told = |error: ConnectionError, peer: &str, ours: &SpiffeId| {
        let (by, code, text) = failure(&error);
        let text = text.as_str();
        HandshakeFailure { by, code, text }.explain(peer, Some(ours))
    };
    let of_client = |error| told(error, "server", &client.id());
    let of_server = |error| told(error, "client", &server.id());
    (
        called.map_or_else(of_client, |connection| who(&connection)),
        accepted.map_or_else(of_server, |(connection, _)| who(&connection)),
    )
}

#[tokio::test]
async fn both_sides_know_each_other_over_quic() {
    let ca = Ca::new("ca");
    let (web, shop) = (ca.identity(WEB), ca.identity(SHOP));
    let (client, server) = meet(&web, &shop, &id(SHOP)).await;
    assert_eq!((client.as_str(), server.as_str()), (SHOP, WEB));
}

#[tokio::test]
async fn a_refused_client_hears_the_words_of_the_server() {
    let ca = Ca::new("ca");
    let stranger = "spiffe://staging.example/web";
    let (client, server) = meet(&ca.identity(stranger), &ca.identity(SHOP), &id(SHOP)).await;
    let why = "is not of the trust domain `prod.example`";
    assert_says(&server, &[stranger, why]);
    assert_says(&client, &["refused our certificate", "and says", stranger, why]);
}

#[tokio::test]
async fn a_refused_server_hears_whom_the_client_expected() {
    let ca = Ca::new("ca");
    let bank = "spiffe://prod.example/Bank";
    let (client, server) = meet(&ca.identity(WEB), &ca.identity(bank), &id(SHOP)).await;
    let why = format!("expected `{SHOP}` but the server is `{bank}`");
    assert_says(&client, &[&why]);
    assert_says(&server, &["the client refused our certificate", bank, "and says", &why]);
}

#[tokio::test]
async fn another_authority_is_named_on_both_sides() {
    let (one, other) = (Ca::new("one ca"), Ca::new("other ca"));
    let (client, server) = meet(&one.identity(WEB), &other.identity(SHOP), &id(SHOP)).await;
    for text in [client, server] {
        assert_says(&text, &["issued by `other ca`", "trusted: `one ca`", "SINEW_BUNDLE"]);
    }
}
