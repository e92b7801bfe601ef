//! Whoever may not talk is refused in the handshake, on both sides, with the reason.

use rustls::{AlertDescription, CertificateError, Error, HandshakeKind, ProtocolVersion};

use super::{super::peer_identity, *};

/// The text of a refusal by our own verifier.
#[track_caller]
fn reason(outcome: &Result<(), Error>) -> String {
    match outcome {
        Err(Error::InvalidCertificate(CertificateError::Other(why))) => why.to_string(),
        other => panic!("refused by the verifier was expected, not {other:?}"),
    }
}

/// A server that stands for the shop, and a client of it that shows `leaf`.
fn with_client(ca: &Ca, leaf: Option<&Issued>) -> Outcome {
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let client = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let mut client = (*client).clone();
    client.client_auth_cert_resolver = Arc::new(Shows(leaf.map(|leaf| leaf.key.clone())));
    handshake(Arc::new(client), server, &id(SHOP))
}

/// A client of the shop, and a server that shows `leaf`.
fn with_server(ca: &Ca, leaf: &Issued) -> Outcome {
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let client = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let mut server = (*server).clone();
    server.cert_resolver = Arc::new(Shows(Some(leaf.key.clone())));
    handshake(client, Arc::new(server), &id(SHOP))
}

/// `make` gives a certificate for the id; it is refused from a client and from a server.
#[track_caller]
fn refused_both_ways(ca: &Ca, make: impl Fn(&str) -> Issued, fragments: &[&str]) {
    let outcome = with_client(ca, Some(&make(WEB)));
    assert_says(&reason(&outcome.server), fragments);
    let alert = Error::AlertReceived(AlertDescription::CertificateUnknown);
    assert_eq!(outcome.client, Err(alert.clone()), "what the client hears");
    let outcome = with_server(ca, &make(SHOP));
    assert_says(&reason(&outcome.client), fragments);
    assert_eq!(outcome.server, Err(alert), "what the server hears");
}

#[test]
fn both_sides_know_each_other_after_a_handshake() {
    let ca = Ca::new("ca");
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let client = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let outcome = handshake(client, server, &id(SHOP));
    outcome.assert_done();
    let (client, server) = &outcome.connections;
    let peer = |chain: Option<&[_]>| peer_identity(chain.expect("a chain")).expect("an id");
    assert_eq!(peer(client.peer_certificates()), id(SHOP));
    assert_eq!(peer(server.peer_certificates()), id(WEB));
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(client.alpn_protocol(), Some(b"sinew/1".as_slice()));
    assert_eq!(client.tls13_tickets_received(), 0);
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let outcome = with_client(&Ca::new("ca"), None);
    assert_eq!(outcome.server, Err(Error::NoCertificatesPresented));
    let alert = AlertDescription::CertificateRequired;
    assert_eq!(outcome.client, Err(Error::AlertReceived(alert)));
}

#[test]
fn a_self_signed_certificate_is_refused() {
    refused_both_ways(
        &Ca::new("ca"),
        |id| Leaf::of(id).self_signed(),
        &["issued by `leaf`", "trusted: `ca`", "give both sides the same bundle", "SINEW_BUNDLE"],
    );
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let other = Ca::new("other ca");
    refused_both_ways(
        &Ca::new("ca"),
        |id| other.issue(&Leaf::of(id)),
        &["spiffe://prod.example/", "`other ca`", "trusted: `ca`", "SINEW_BUNDLE"],
    );
}

#[test]
fn a_certificate_of_another_authority_of_the_same_name_is_refused() {
    let other = Ca::new("ca");
    refused_both_ways(
        &Ca::new("ca"),
        |id| other.issue(&Leaf::of(id)),
        &["issued by `ca`, which is not trusted", "SINEW_BUNDLE"],
    );
}

#[test]
fn a_certificate_of_any_authority_of_the_bundle_is_accepted() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let both = format!("{}{}", old.pem, new.pem);
    let identity = |ca: &Ca, id| {
        let leaf = ca.issue(&Leaf::of(id));
        Identity::from_pem(leaf.pem.as_bytes(), leaf.key_pem.as_bytes(), both.as_bytes())
            .expect("an identity")
    };
    let server = identity(&old, SHOP).server_config(&["Shop"]).expect("a server");
    let client = identity(&new, WEB).client_config(&id(SHOP)).expect("a client");
    handshake(client, server, &id(SHOP)).assert_done();
}

#[test]
fn an_expired_certificate_is_refused() {
    let ca = Ca::new("ca");
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::of(id).valid(-3600, -40)),
        &["spiffe://prod.example/", "expired at 2", "UTC", "renew it"],
    );
}

#[test]
fn a_certificate_that_has_not_begun_is_refused() {
    let ca = Ca::new("ca");
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::of(id).valid(60, 3600)),
        &["spiffe://prod.example/", "valid from 2", "set the clocks"],
    );
}

#[test]
fn clocks_may_differ_by_20_s() {
    let ca = Ca::new("ca");
    for (not_before, not_after) in [(-3600, -10), (15, 3600)] {
        let leaf = |id| ca.issue(&Leaf::of(id).valid(not_before, not_after));
        with_client(&ca, Some(&leaf(WEB))).assert_done();
        with_server(&ca, &leaf(SHOP)).assert_done();
    }
}

#[test]
fn an_expired_authority_vouches_for_nobody() {
    let (old, new) = (Ca::valid("old", -7200, -3600), Ca::new("new"));
    let leaf = new.issue(&Leaf::of(SHOP));
    let bundle = format!("{}{}", old.pem, new.pem);
    let identity =
        Identity::from_pem(leaf.pem.as_bytes(), leaf.key_pem.as_bytes(), bundle.as_bytes());
    let server = identity.expect("an identity").server_config(&["Shop"]).expect("a server");
    let client = new.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let mut client = (*client).clone();
    let shown = old.issue(&Leaf::of(WEB));
    client.client_auth_cert_resolver = Arc::new(Shows(Some(shown.key.clone())));
    let outcome = handshake(Arc::new(client), server, &id(SHOP));
    assert_says(&reason(&outcome.server), &[WEB, "expired at", "renew it"]);
}

#[test]
fn a_certificate_for_the_other_side_only_is_refused() {
    let ca = Ca::new("ca");
    let leaf = ca.issue(&Leaf::of(WEB).only_for(ExtendedKeyUsagePurpose::ServerAuth));
    let outcome = with_client(&ca, Some(&leaf));
    assert_says(&reason(&outcome.server), &[WEB, "not for client authentication", "issue it"]);
    let leaf = ca.issue(&Leaf::of(SHOP).only_for(ExtendedKeyUsagePurpose::ClientAuth));
    let outcome = with_server(&ca, &leaf);
    assert_says(&reason(&outcome.client), &[SHOP, "not for server authentication", "issue it"]);
}

#[test]
fn a_certificate_with_two_uris_is_refused() {
    let ca = Ca::new("ca");
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::with_uris(&[id, "spiffe://prod.example/other"])),
        &["2 URIs", "exactly one"],
    );
}

#[test]
fn a_certificate_without_a_uri_is_refused() {
    let ca = Ca::new("ca");
    let dns = SanType::DnsName("shop.example".try_into().expect("a name"));
    refused_both_ways(
        &ca,
        |_| ca.issue(&Leaf::with_uris(&[]).but(|p| p.subject_alt_names = vec![dns.clone()])),
        &["a peer without a SPIFFE id", "no URI", "spiffe://<trust domain>/<name>"],
    );
}

#[test]
fn a_second_uri_that_cannot_be_read_still_counts() {
    let ca = Ca::new("ca");
    let names = |id: &str| {
        let mut inside = vec![0x86, id.len() as u8];
        inside.extend(id.bytes());
        // Not UTF-8: webpki passes over it in silence.
        inside.extend([0x86, 2, 0xff, 0xfe]);
        let mut names = vec![0x30, inside.len() as u8];
        names.extend(inside);
        names
    };
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::with_raw_names(names(id))),
        &["2 URIs", "exactly one"],
    );
}

#[test]
fn an_id_that_breaks_the_grammar_is_refused() {
    let ca = Ca::new("ca");
    for (uri, why) in [
        ("spiffe://prod.example", "no path"),
        ("spiffe://prod.example/", "none empty"),
        ("spiffe://PROD.example/web", "trust domain"),
        ("https://prod.example/web", "spiffe://"),
        ("spiffe://prod.example/a%2fb", "path segments"),
        ("spiffe://prod.example/../web", "path segments"),
    ] {
        refused_both_ways(
            &ca,
            |_| ca.issue(&Leaf::of(uri)),
            &[uri, "is no SPIFFE id", why, "issue it"],
        );
    }
}

#[test]
fn a_certificate_that_may_sign_others_is_refused() {
    let ca = Ca::new("ca");
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::of(id).but(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
        &["CA=true", "issue a certificate below it"],
    );
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::of(id).but(|p| p.key_usages.push(KeyUsagePurpose::KeyCertSign))),
        &["key usage", "`digitalSignature` alone"],
    );
    refused_both_ways(
        &ca,
        |id| ca.issue(&Leaf::of(id).but(|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement])),
        &["key usage", "issue it with `digitalSignature`"],
    );
}

#[test]
fn a_client_of_another_trust_domain_is_refused() {
    let ca = Ca::new("ca");
    for foreign in ["spiffe://staging.example/web", "spiffe://a.prod.example/web"] {
        let outcome = with_client(&ca, Some(&ca.issue(&Leaf::of(foreign))));
        let text = reason(&outcome.server);
        assert_says(&text, &[foreign, "`prod.example`", "give it a certificate of"]);
    }
}

#[test]
fn a_server_of_another_identity_is_refused_and_both_ids_are_said() {
    let ca = Ca::new("ca");
    for found in ["spiffe://prod.example/Bank", "spiffe://staging.example/Shop"] {
        let outcome = with_server(&ca, &ca.issue(&Leaf::of(found)));
        let text = reason(&outcome.client);
        assert_says(&text, &[SHOP, found, "correct the address", "builder or policy"]);
    }
}

#[test]
fn any_of_the_expected_servers_may_answer() {
    let ca = Ca::new("ca");
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let bank = id("spiffe://prod.example/Bank");
    let web = ca.identity(WEB);
    let either = web.client_config_any_of(&[bank.clone(), id(SHOP)]).expect("a client");
    handshake(either.clone(), server.clone(), &bank).assert_done();
    let same = web.client_config_any_of(&[id(SHOP), bank.clone(), id(SHOP)]).expect("a client");
    assert!(Arc::ptr_eq(&either, &same), "the configuration is kept");
    let outcome = handshake(web.client_config(&bank).expect("a client"), server, &id(SHOP));
    assert_says(&reason(&outcome.client), &[bank.as_str(), SHOP]);
    let nobody = web.client_config_any_of(&[]).expect_err("nobody");
    assert_says(&nobody.to_string(), &["name at least one"]);
}

#[test]
fn another_protocol_is_refused() {
    let ca = Ca::new("ca");
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let client = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let mut client = (*client).clone();
    client.alpn_protocols = vec![b"h3".to_vec()];
    let outcome = handshake(Arc::new(client), server, &id(SHOP));
    assert_eq!(outcome.server, Err(Error::NoApplicationProtocol));
    let alert = AlertDescription::NoApplicationProtocol;
    assert_eq!(outcome.client, Err(Error::AlertReceived(alert)));
}

#[test]
fn a_stolen_certificate_without_its_key_is_refused() {
    let ca = Ca::new("ca");
    let stolen = ca.issue(&Leaf::of(WEB));
    let own = ca.issue(&Leaf::of("spiffe://prod.example/thief"));
    let pair = CertifiedKey::new(stolen.key.cert.clone(), own.key.key.clone());
    let forged = Issued { key: Arc::new(pair), ..stolen };
    let outcome = with_client(&ca, Some(&forged));
    let bad = Error::InvalidCertificate(CertificateError::BadSignature);
    assert_eq!(outcome.server, Err(bad));
}

#[test]
fn a_chain_with_an_authority_in_between_is_accepted_and_a_long_one_refused() {
    let root = Ca::new("root");
    let mut chain = Vec::new();
    let mut issuer = &root;
    let mut between = Vec::new();
    for depth in 0..9 {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("between {depth}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        from_now(&mut params, -3600, 3600);
        let signed = params.signed_by(&key, &issuer.issuer).expect("an authority");
        chain.insert(0, signed.der().clone());
        between.push(Ca { issuer: Issuer::new(params, key), pem: signed.pem() });
        issuer = between.last().expect("just pushed");
        if depth == 0 || depth == 8 {
            let leaf = issuer.issue(&Leaf::of(WEB));
            let mut whole = vec![leaf.key.cert[0].clone()];
            whole.extend(chain.clone());
            let key = Arc::new(CertifiedKey::new(whole, leaf.key.key.clone()));
            let outcome = with_client(&root, Some(&Issued { key, ..leaf }));
            match depth {
                0 => outcome.assert_done(),
                _ => assert_says(&reason(&outcome.server), &["9 certificates", "at most 8"]),
            }
        }
    }
}

#[test]
fn nothing_is_resumed_and_no_early_data_is_sent() {
    let ca = Ca::new("ca");
    let server = ca.identity(SHOP).server_config(&["Shop"]).expect("a server");
    let client = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    for _ in 0..2 {
        let outcome = handshake(client.clone(), server.clone(), &id(SHOP));
        outcome.assert_done();
        let (client, server) = &outcome.connections;
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
        assert!(!client.is_early_data_accepted());
    }
    assert!(!server.send_half_rtt_data && server.max_early_data_size == 0);
}

#[test]
fn a_warning_about_refused_clients_comes_once_per_second_and_counts_the_rest() {
    let log = super::super::verify::RefusalLog::default();
    let start = std::time::Instant::now();
    let admitted = |ms| log.admit(start + Duration::from_millis(ms));
    assert_eq!(admitted(0), Some(0));
    assert_eq!((admitted(1), admitted(999)), (None, None));
    assert_eq!(admitted(1000), Some(2));
    assert_eq!((admitted(1500), admitted(9000)), (None, Some(1)));
}
