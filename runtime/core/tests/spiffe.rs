//! SPIFFE ids: exactly the grammar, nothing beside it.

use proptest::prelude::*;
use sinew_core::spiffe::{SpiffeError, SpiffeId, TrustDomain, is_service_name};

#[test]
fn sound_ids_are_read_and_shown_as_they_are() {
    for (id, domain, path) in [
        ("spiffe://prod.example/shop.Inventory", "prod.example", "/shop.Inventory"),
        ("spiffe://a/b", "a", "/b"),
        ("spiffe://a-b_c.0/X/y-z/_.1/...", "a-b_c.0", "/X/y-z/_.1/..."),
    ] {
        let read: SpiffeId = id.parse().unwrap();
        assert_eq!((read.trust_domain_str(), read.path()), (domain, path));
        assert_eq!(read.to_string(), id);
        assert_eq!(read.trust_domain(), TrustDomain::new(domain).unwrap());
        assert!(read.is_in(&TrustDomain::new(domain).unwrap()));
    }
}

#[test]
fn everything_else_is_refused_with_its_rule() {
    let long_domain = format!("spiffe://{}/a", "d".repeat(256));
    let long = format!("spiffe://d/{}", "a".repeat(2048));
    for (id, why) in [
        ("", SpiffeError::Scheme),
        ("http://a/b", SpiffeError::Scheme),
        ("SPIFFE://a/b", SpiffeError::Scheme),
        (" spiffe://a/b", SpiffeError::Scheme),
        ("spiffe:///b", SpiffeError::TrustDomain),
        ("spiffe://A/b", SpiffeError::TrustDomain),
        ("spiffe://a:443/b", SpiffeError::TrustDomain),
        ("spiffe://u@a/b", SpiffeError::TrustDomain),
        ("spiffe://%61/b", SpiffeError::TrustDomain),
        ("spiffe://ä/b", SpiffeError::TrustDomain),
        (&long_domain, SpiffeError::TrustDomain),
        ("spiffe://a", SpiffeError::NoPath),
        ("spiffe://a/", SpiffeError::Path),
        ("spiffe://a/b/", SpiffeError::Path),
        ("spiffe://a//b", SpiffeError::Path),
        ("spiffe://a/.", SpiffeError::Path),
        ("spiffe://a/../b", SpiffeError::Path),
        ("spiffe://a/b?c", SpiffeError::Path),
        ("spiffe://a/b#c", SpiffeError::Path),
        ("spiffe://a/b%2f", SpiffeError::Path),
        ("spiffe://a/b c", SpiffeError::Path),
        ("spiffe://a/b\0", SpiffeError::Path),
        (&long, SpiffeError::TooLong),
    ] {
        assert_eq!(SpiffeId::new(id), Err(why), "{id:?}");
    }
}

#[test]
fn trust_domains_are_compared_whole() {
    let id = SpiffeId::new("spiffe://prod.example/a").unwrap();
    for other in ["prod.example.org", "example", "prod", "prod.exampl"] {
        assert!(!id.is_in(&TrustDomain::new(other).unwrap()), "{other}");
    }
}

#[test]
fn a_service_answers_under_its_own_name() {
    let domain = TrustDomain::new("dev.local").unwrap();
    let id = SpiffeId::for_service(&domain, "shop.Inventory").unwrap();
    assert_eq!(id.as_str(), "spiffe://dev.local/shop.Inventory");
    assert_eq!(SpiffeId::new(id.as_str()), Ok(id));
    for name in ["", ".", "..", "a/b", "ä", "a b"] {
        assert_eq!(SpiffeId::for_service(&domain, name), Err(SpiffeError::ServiceName), "{name:?}");
    }
}

#[test]
fn server_name_is_a_dns_name_made_of_the_digest() {
    let id = SpiffeId::new("spiffe://dev.local/shop.Inventory").unwrap();
    let name = id.server_name();
    let (label, rest) = name.split_once('.').unwrap();
    assert_eq!((label.len(), rest), (32, "sinew"));
    let digest = sinew_core::sha256::digest(id.as_str().as_bytes());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(label, hex);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_and_what_is_read_is_unchanged(text in "\\PC{0,40}") {
        if let Ok(id) = SpiffeId::new(&text) {
            prop_assert_eq!(id.as_str(), text);
        }
    }

    #[test]
    fn what_the_grammar_makes_is_read(
        domain in "[a-z0-9._-]{1,20}",
        segments in proptest::collection::vec("[A-Za-z0-9_-]{1,9}", 1..4),
    ) {
        let text = format!("spiffe://{domain}/{}", segments.join("/"));
        let id = SpiffeId::new(&text).unwrap();
        prop_assert_eq!(id.as_str(), text);
        prop_assert!(is_service_name(&segments[0]));
    }
}
