//! Endpoints as text, for operators and for the next start: TOML.
//!
//! ```toml
//! [[endpoint]]
//! address  = "10.0.0.1:7000"
//! service  = "shop.Inventory"   # where a file lists several services; without it, it is of any
//! id       = "inventory-1"      # the address, if there is none
//! protocol = "sinew"            # "http" or "https" for what sinew-bridge speaks; or in the address, as a scheme
//! weight   = 2.0
//! zone     = "eu-1"
//! labels   = { version = "2" }
//! identity = "spiffe://prod.example/shop.Inventory"
//! ```
//!
//! # Invariants
//! 1. A file is used whole or not at all: a line that is not understood may be the one that matters.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use sinew_core::{limits, spiffe::SpiffeId};
use toml::Spanned;

use super::entry::{About, Entry, SINEW, check_id, located};
use crate::transport::schemes::scheme;

/// What a file says of one service.
#[derive(Debug, PartialEq)]
pub(super) struct Endpoints {
    pub(super) entries: Vec<Entry>,
    /// There are to be none, if there are none.
    pub(super) withdrawn: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The list is empty on purpose.
    #[serde(default)]
    withdrawn: bool,
    #[serde(default)]
    endpoint: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    address: String,
    service: Option<String>,
    id: Option<String>,
    protocol: Option<String>,
    weight: Option<f64>,
    zone: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    identity: Option<String>,
}

/// Reads what is listed of a service; otherwise the line, and what is wrong with it.
pub(super) fn read(text: &str, service: &str) -> Result<Endpoints, String> {
    let line =
        |at: usize| text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let document: Document = toml::from_str(text).map_err(|why| match why.span() {
        Some(span) => format!("line {}: {}", line(span.start), why.message()),
        None => why.message().to_owned(),
    })?;
    let mut entries = Vec::new();
    for row in document.endpoint {
        let at = line(row.span().start);
        let row = row.into_inner();
        let is_of = row.service.as_deref().is_none_or(|of| of == service);
        let entry = row.entry().map_err(|problem| format!("line {at}: {problem}"))?;
        if is_of {
            entries.push(entry);
        }
        if entries.len() > limits::ENDPOINTS_MAX {
            let most = limits::ENDPOINTS_MAX;
            return Err(format!("line {at}: more than {most} endpoints (ENDPOINTS_MAX)"));
        }
    }
    Ok(Endpoints { entries, withdrawn: document.withdrawn })
}

impl Row {
    fn entry(self) -> Result<Entry, String> {
        let address = located(&self.address, self.protocol.as_deref())?;
        let about = About {
            weight: self.weight.unwrap_or(1.0),
            zone: self.zone,
            labels: self.labels,
            identity: self
                .identity
                .map(|id| SpiffeId::new(&id).map_err(|why| format!("`{id}`: {why}")))
                .transpose()?,
        };
        about.check()?;
        let id = self.id.unwrap_or_else(|| address.clone());
        check_id(&id)?;
        Ok(Entry { id, address, about })
    }
}

/// Writes what [`read`] reads. Everything in an entry was checked to need no escaping.
pub(super) fn write(entries: &[Entry]) -> String {
    let mut text = String::new();
    for Entry { id, address, about } in entries {
        let About { weight, zone, labels, identity } = about;
        let protocol = scheme(address).unwrap_or(SINEW);
        let _ = writeln!(text, "[[endpoint]]\nid = \"{id}\"\naddress = \"{address}\"");
        let _ = writeln!(text, "protocol = \"{protocol}\"\nweight = {weight:?}");
        if let Some(zone) = zone {
            let _ = writeln!(text, "zone = \"{zone}\"");
        }
        if let Some(identity) = identity {
            let _ = writeln!(text, "identity = \"{identity}\"");
        }
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("\"{key}\" = \"{value}\"")).collect();
        let _ = writeln!(text, "labels = {{ {} }}", labels.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
[[endpoint]]
address  = "10.0.0.1:7000"
service  = "shop.Inventory"
id       = "inventory-1"
protocol = "sinew"
weight   = 2
zone     = "eu-1"
labels   = { version = "2", "a/b" = "two words" }
identity = "spiffe://prod.example/shop.Inventory"

[[endpoint]]
address = "[::1]:7001"

[[endpoint]]
address  = "10.0.0.3:8080"
protocol = "http"

[[endpoint]]
address = "10.0.0.2:7000"
service = "shop.Pricing"
"#;

    #[test]
    fn what_is_listed_of_a_service_is_read_and_written() {
        let read_one = read(WHOLE, "shop.Inventory").unwrap();
        let [one, two, legacy] = &*read_one.entries else { panic!("{read_one:?}") };
        assert_eq!(
            (&*one.id, &*one.address, one.about.weight),
            ("inventory-1", "10.0.0.1:7000", 2.0)
        );
        assert_eq!(one.about.labels["a/b"], "two words");
        assert_eq!((one.about.zone.as_deref(), &two.about), (Some("eu-1"), &About::default()));
        assert_eq!(two.id, "[::1]:7001");
        assert_eq!(legacy.address, "http://10.0.0.3:8080");
        let again = read(&write(&read_one.entries), "whatever").unwrap();
        assert_eq!(again, read_one);
    }

    #[test]
    fn what_cannot_be_read_says_the_line_and_the_problem() {
        for (from, to, line, problem) in [
            ("weight   = 2", "weight = 0", 2, "WEIGHT_MIN"),
            ("weight   = 2", "weight = \"2\"", 7, "invalid type"),
            ("address = \"[::1]:7001\"", "adress = \"[::1]:7001\"", 13, "unknown field `adress`"),
            ("address = \"[::1]:7001\"", "", 12, "missing field `address`"),
            ("10.0.0.2:7000", "10.0.0.2", 19, "`10.0.0.2` is not `host:port`"),
            ("\"sinew\"", "\"Q\"", 2, "`scheme://host:port`"),
            ("\"eu-1\"", "\"eu 1\"", 2, "ZONE_MAX"),
            ("inventory-1", "inventory 1", 2, "the id"),
            ("spiffe://", "spiff://", 2, "`spiffe://`"),
            ("labels   = {", "labels   = ", 9, ""),
        ] {
            let text = WHOLE.replace(from, to);
            assert_ne!(text, WHOLE, "{from}");
            let why = read(&text, "shop.Inventory").unwrap_err();
            assert!(why.starts_with(&format!("line {line}: ")) && why.contains(problem), "{why}");
        }
        let many = "[[endpoint]]\naddress = \"a:1\"\n".repeat(1025);
        assert!(read(&many, "a").unwrap_err().contains("line 2049: more than 1024 endpoints"));
        assert!(read("\u{0}\u{1}", "a").is_err());
    }

    #[test]
    fn a_list_is_empty_on_purpose_only_if_it_says_so() {
        for (text, withdrawn) in [("", false), ("withdrawn = true", true), ("# soon", false)] {
            assert_eq!(read(text, "a"), Ok(Endpoints { entries: Vec::new(), withdrawn }));
        }
    }
}
