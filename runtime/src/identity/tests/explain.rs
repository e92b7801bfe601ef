//! A failed handshake is told in a sentence that says what to do.

use super::{
    super::{HandshakeFailure, RefusedBy},
    *,
};

fn told(by: RefusedBy, code: u64, text: &str) -> String {
    let failure = HandshakeFailure { by, code, text };
    failure.explain("server", Some(&id(WEB)))
}

#[test]
fn our_own_refusal_is_told_as_it_is() {
    let text = "the cryptographic handshake failed: error 46: invalid peer certificate: \
                Other(OtherError(expected `a` but the server is `b` (c)))";
    assert_eq!(told(RefusedBy::Us, 0x12e, text), "expected `a` but the server is `b` (c)");
    let text = "invalid peer certificate: BadSignature";
    assert_says(
        &told(RefusedBy::Us, 0x133, text),
        &["with the server failed here", "BadSignature"],
    );
}

#[test]
fn the_refusal_of_a_peer_is_told_with_what_was_shown_to_it() {
    let text = "invalid peer certificate: Other(OtherError(client `x` is not one of ours))";
    let whole = told(RefusedBy::Peer, 0x12e, text);
    assert_eq!(
        whole,
        format!(
            "the server refused our certificate `{WEB}` and says: client `x` is not one of ours"
        )
    );
    // A close that was cut.
    let cut = "invalid peer certificate: Other(OtherError(client `x` is no";
    assert_says(&told(RefusedBy::Peer, 0x12e, cut), &["says: client `x` is no"]);
}

#[test]
fn an_alert_alone_says_what_to_do() {
    for (alert, fragment) in [
        (42, "malformed"),
        (43, "extended key usage"),
        (44, "issue another"),
        (45, "renew it"),
        (46, "its log says why"),
        (48, "SINEW_BUNDLE"),
        (49, "trust domain"),
        (51, "signature"),
    ] {
        let text = told(RefusedBy::Peer, 0x100 + alert, "");
        assert_says(&text, &["the server ended the handshake", fragment, WEB]);
    }
    for (alert, fragment) in [
        (116, "requires a certificate"),
        (120, "sinew/1"),
        (112, "check the address"),
        (40, "cipher"),
        (99, "TLS alert 99"),
    ] {
        assert_says(&told(RefusedBy::Peer, 0x100 + alert, ""), &[fragment]);
    }
}

#[test]
fn an_identity_that_the_caller_does_not_know_is_left_out() {
    let failure = HandshakeFailure { by: RefusedBy::Peer, code: 0x130, text: "" };
    let text = failure.explain("peer", None);
    assert_says(&text, &["the peer ended", "than that of our certificate: give"]);
}

#[test]
fn the_text_of_a_peer_is_bounded_and_made_printable() {
    let long = format!("Other(OtherError(\u{1b}[2J\n{}", "x".repeat(5000));
    let text = told(RefusedBy::Peer, 0x12e, &long);
    assert!(text.len() < 800, "{}", text.len());
    assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{text:?}");
}
