//! An endpoint as discovery knows it: where it is, and what it says of itself.
//!
//! # Invariants
//! 1. What it says of itself is bounded, and of characters that can stand in every file and on every line.
//! 2. Who it says it is never lets anybody answer: it only keeps a client from trying where somebody else would.

use std::collections::BTreeMap;

use sinew_core::{
    limits,
    plan::client::Placement,
    policy::{rendezvous, roster::Listed},
    spiffe::SpiffeId,
};

use crate::transport::schemes::scheme;

/// A place where a service may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Tells it from whatever was at the same address before.
    pub(crate) id: String,
    /// `host:port`, or `scheme://host:port` where it speaks something else than sinew.
    pub(crate) address: String,
    pub(crate) about: About,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct About {
    /// Its share among its peers, 1 for all equal.
    pub(crate) weight: f64,
    pub(crate) zone: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Who it is.
    pub(crate) identity: Option<SpiffeId>,
}

impl Listed for Entry {
    fn id(&self) -> &str {
        &self.id
    }

    fn address(&self) -> &str {
        &self.address
    }
}

impl Default for About {
    fn default() -> Self {
        Self { weight: 1.0, zone: None, labels: BTreeMap::new(), identity: None }
    }
}

impl Entry {
    /// An address, and nothing known of it.
    pub(crate) fn at(address: impl Into<String>) -> Self {
        let address = address.into();
        Self { id: address.clone(), address, about: About::default() }
    }

    /// What the plan goes by, for a caller in this zone; labels apart, of which the policy knows what they mean.
    pub(crate) fn placement(&self, zone: Option<&str>) -> Placement {
        let near = match (zone, self.about.zone.as_deref()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let hash = rendezvous::hash(self.address.as_bytes());
        Placement { weight: self.about.weight, near, hash, ..Placement::default() }
    }
}

impl About {
    /// What breaks a bound.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_weight(self.weight)?;
        if let Some(zone) = &self.zone {
            check_zone(zone)?;
        }
        if self.labels.len() > limits::LABELS_MAX {
            let most = limits::LABELS_MAX;
            return Err(format!("{} labels, where {most} may be (LABELS_MAX)", self.labels.len()));
        }
        self.labels.iter().try_for_each(|(key, value)| check_label(key, value))
    }
}

/// Our own protocol, as files and announcements name it.
pub(super) const SINEW: &str = "sinew";

/// The address of an endpoint that says which protocol it speaks; otherwise what is wrong with it.
pub(super) fn located(address: &str, protocol: Option<&str>) -> Result<String, String> {
    check_address(address)?;
    match (protocol, scheme(address)) {
        (None, _) | (Some(SINEW), None) => Ok(address.to_owned()),
        (Some(protocol), Some(scheme)) if protocol == scheme => Ok(address.to_owned()),
        (Some(protocol), Some(_)) => {
            Err(format!("`{address}` has another scheme than its protocol, `{protocol}`"))
        }
        (Some(protocol), None) => {
            let address = format!("{protocol}://{address}");
            check_address(&address).map(|()| address)
        }
    }
}

fn check_weight(weight: f64) -> Result<(), String> {
    let (least, most) = (limits::WEIGHT_MIN, limits::WEIGHT_MAX);
    if weight >= least && weight <= f64::from(most) {
        return Ok(());
    }
    Err(format!("the weight {weight} is not from {least} (WEIGHT_MIN) to {most} (WEIGHT_MAX)"))
}

/// What is wrong with the name of a zone.
pub(crate) fn check_zone(zone: &str) -> Result<(), String> {
    if is_word(zone, limits::ZONE_MAX) {
        return Ok(());
    }
    let most = limits::ZONE_MAX;
    Err(format!("the zone `{zone}` is not 1 to {most} (ZONE_MAX) of `a-z A-Z 0-9 . - _ / :`"))
}

fn check_label(key: &str, value: &str) -> Result<(), String> {
    if !is_word(key, limits::LABEL_KEY_MAX) {
        let most = limits::LABEL_KEY_MAX;
        return Err(format!(
            "the label `{key}` is not 1 to {most} (LABEL_KEY_MAX) of `a-z A-Z 0-9 . - _ / :`"
        ));
    }
    // What ends a line or a string in a file is left out.
    let sound = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    if value.len() <= limits::LABEL_VALUE_MAX && value.chars().all(sound) {
        return Ok(());
    }
    let most = limits::LABEL_VALUE_MAX;
    Err(format!(
        "the value of the label `{key}` is not up to {most} (LABEL_VALUE_MAX) printable ASCII characters without `\"` \
         and `\\`"
    ))
}

pub(super) fn is_word(text: &str, most: usize) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || ".-_/:".contains(c);
    (1..=most).contains(&text.len()) && text.chars().all(sound)
}

/// What is wrong with an address: it must be `host:port`, or begin with a scheme. What a scheme makes of the rest is for
/// its transport to say.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    if let Some((scheme, rest)) = address.split_once("://") {
        let sound = |c: char| ('!'..='~').contains(&c) && !"\"\\,".contains(c);
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '+');
        if is_scheme && (1..=255).contains(&rest.len()) && rest.chars().all(sound) {
            return Ok(());
        }
        return Err(format!("`{address}` is not `scheme://host:port`"));
    }
    let port = address.rsplit_once(':').filter(|(host, _)| is_host(host));
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(1..)) => Ok(()),
        _ => Err(format!("`{address}` is not `host:port`")),
    }
}

fn is_host(host: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-:[]%".contains(c);
    (1..=255).contains(&host.len()) && host.chars().all(sound)
}

/// What is wrong with the id of an endpoint: it stands in files.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    let sound = |c: char| ('!'..='~').contains(&c) && c != '"' && c != '\\';
    if (1..=255).contains(&id.len()) && id.chars().all(sound) {
        return Ok(());
    }
    Err(format!("the id `{id}` is not 1 to 255 printable ASCII characters without `\"` and `\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_bound_says_which() {
        let of = |set: &dyn Fn(&mut About)| {
            let mut about = About::default();
            set(&mut about);
            about.check().unwrap_err()
        };
        let labels = |count: usize| (0..count).map(|n| (n.to_string(), String::new())).collect();
        for (problem, limit) in [
            (of(&|about| about.weight = 0.0), "WEIGHT_MIN"),
            (of(&|about| about.weight = f64::NAN), "WEIGHT_MIN"),
            (of(&|about| about.weight = 1000.1), "WEIGHT_MAX"),
            (of(&|about| about.weight = -1.0), "WEIGHT_MIN"),
            (of(&|about| about.zone = Some(String::new())), "ZONE_MAX"),
            (of(&|about| about.zone = Some("z".repeat(65))), "ZONE_MAX"),
            (of(&|about| about.zone = Some("a b".into())), "ZONE_MAX"),
            (of(&|about| about.labels = labels(33)), "LABELS_MAX"),
            (of(&|about| _ = about.labels.insert("a b".into(), String::new())), "LABEL_KEY_MAX"),
            (of(&|about| _ = about.labels.insert("a".into(), "x\ny".into())), "LABEL_VALUE_MAX"),
            (of(&|about| _ = about.labels.insert("a".into(), "x".repeat(129))), "LABEL_VALUE_MAX"),
        ] {
            assert!(problem.contains(limit), "{problem}");
        }
        let most = About { labels: labels(32), weight: 1000.0, ..About::default() };
        assert_eq!(most.check(), Ok(()));
    }

    #[test]
    fn an_endpoint_is_near_where_both_are_in_one_zone_or_one_is_in_none() {
        let mut entry = Entry::at("127.0.0.1:1");
        assert!(entry.placement(None).near && entry.placement(Some("a")).near);
        entry.about.zone = Some("b".to_owned());
        assert!(entry.placement(None).near && entry.placement(Some("b")).near);
        assert!(!entry.placement(Some("a")).near);
    }

    #[test]
    fn the_hash_of_an_address_is_the_same_in_every_client() {
        assert_eq!(Entry::at("127.0.0.1:1").placement(None).hash, HASH);
        assert_ne!(Entry::at("127.0.0.1:2").placement(None).hash, HASH);
    }

    const HASH: u64 = 0xe02b_ca18_6cfd_a867;

    #[test]
    fn an_address_may_say_its_protocol_once_or_twice_but_not_two() {
        let http = Ok("http://a:1".to_owned());
        assert_eq!(located("a:1", Some("http")), http);
        assert_eq!(located("http://a:1", Some("http")), http);
        assert_eq!(located("http://a:1", None), http);
        assert_eq!(located("a:1", Some("sinew")), Ok("a:1".to_owned()));
        for (address, protocol, word) in [
            ("http://a:1", Some("https"), "another scheme"),
            ("http://a:1", Some("sinew"), "another scheme"),
            ("a:1", Some("Gopher!"), "`scheme://host:port`"),
            ("a", Some("http"), "`host:port`"),
            ("http://", None, "`scheme://host:port`"),
            ("http://a b", None, "`scheme://host:port`"),
            ("http://a\"", None, "`scheme://host:port`"),
            ("HTTP://a", None, "`scheme://host:port`"),
        ] {
            let problem = located(address, protocol).unwrap_err();
            assert!(problem.contains(word), "{address}: {problem}");
        }
    }
}
