//! The reader of certificates takes what it should, and nothing that could be read in two ways.

use super::{
    super::der::{Facts, date},
    *,
};

#[test]
fn the_facts_of_a_certificate_are_read() {
    let leaf = Leaf::of(WEB).only_for(ExtendedKeyUsagePurpose::ClientAuth).but(|params| {
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 3, 1);
    });
    let issued = Ca::new("the ca").issue(&leaf);
    let facts = Facts::read(issued.der()).expect("a certificate");
    assert_eq!(facts.uris, [WEB.as_bytes()]);
    assert_eq!((facts.issuer.as_str(), facts.subject.as_str()), ("the ca", "leaf"));
    assert_eq!(date(facts.not_before), "2024-02-29 00:00:00 UTC");
    assert_eq!(date(facts.not_after), "2051-03-01 00:00:00 UTC");
    assert_eq!(facts.key_usage, Some(Facts::DIGITAL_SIGNATURE));
    assert!(!facts.is_authority);
    let purposes = facts.purposes.expect("an extended key usage");
    assert!(purposes.client && !purposes.server);
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (1_795_383_587, "2026-11-22 21:39:47 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
    ] {
        assert_eq!(date(seconds), text);
    }
    let _ = date(u64::MAX);
}

#[test]
fn what_others_put_into_names_is_made_printable() {
    let issued = Ca::new("line\nbreak `quoted` \u{1b}[31mred").issue(&Leaf::of(WEB));
    let facts = Facts::read(issued.der()).expect("a certificate");
    assert_eq!(facts.issuer, "line?break ?quoted? ?[31mred");
    let long = Ca::new(&"x".repeat(500)).issue(&Leaf::of(WEB));
    let facts = Facts::read(long.der()).expect("a certificate");
    assert_eq!(facts.issuer, format!("{}...", "x".repeat(128)));
}

#[test]
fn an_extension_that_occurs_twice_is_refused() {
    let leaf = Leaf::of(WEB).but(|params| {
        let names = [&[0x30, 0x08, 0x86, 0x06], b"spiffe".as_slice()].concat();
        let again = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
        params.custom_extensions.push(again);
    });
    let key = KeyPair::generate().expect("a key");
    let signed = leaf.params.self_signed(&key).expect("a certificate");
    let why = Facts::read(signed.der()).expect_err("twice");
    assert_says(&why.to_string(), &["occurs twice"]);
}

#[test]
fn a_length_that_is_longer_than_needed_is_refused() {
    for bytes in [
        [0x30, 0x81, 0x01, 0x00].as_slice(),
        &[0x30, 0x82, 0x00, 0x81],
        &[0x30, 0x80, 0x00, 0x00],
        &[0x30, 0x84, 0, 0, 0, 1],
        &[0x3f, 0x01, 0x00],
        &[],
    ] {
        assert!(Facts::read(bytes).is_err(), "{bytes:x?}");
    }
}

#[test]
fn no_bytes_of_a_peer_cause_a_panic() {
    let issued = Ca::new("ca").issue(&Leaf::of(WEB).only_for(ExtendedKeyUsagePurpose::ServerAuth));
    let whole = issued.der();
    for end in 0..whole.len() {
        assert!(Facts::read(&whole[..end]).is_err(), "cut at {end}");
    }
    let mut followed = whole.to_vec();
    followed.push(0);
    assert!(Facts::read(&followed).is_err(), "followed by more");
    let mut changed = whole.to_vec();
    for at in 0..whole.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0xff, whole[at] ^ 0x20, whole[at] ^ 1] {
            changed[at] = value;
            let _ = Facts::read(&changed);
        }
        changed[at] = whole[at];
    }
}
