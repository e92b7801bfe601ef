//! Where a legacy service is: `http://host:port/base`.
//!
//! # Invariants
//! 1. Only what configuration or discovery names is ever connected to: nothing that an argument or an answer says changes
//!    the host, the port or the scheme.

use std::fmt;

use http::{HeaderValue, Uri, uri::Authority};

/// An address, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    /// As requests name it.
    pub(crate) host_header: HeaderValue,
    /// For requests that are absolute, as those of HTTP/2.
    pub(crate) authority: Authority,
    /// What stands in front of each path: empty, or from a `/` on and without one at its end.
    pub(crate) base: String,
}

impl Address {
    /// Reads an address; otherwise what is wrong with it, and what to write instead.
    pub(crate) fn parse(address: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!("`{address}` {what}; write `http://host:port` or `https://host/base`")
        };
        let uri: Uri = address.parse().map_err(|why| wrong(&format!("is no address ({why})")))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("begins with neither `http://` nor `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(wrong(
                "has a user in it, which would stand in logs: send credentials as metadata",
            ));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let port = match (authority.port(), is_tls) {
            (Some(port), _) if port.as_u16() == 0 => return Err(wrong("has port 0")),
            (Some(port), _) => port.as_u16(),
            (None, _) if authority.host().len() < authority.as_str().len() => {
                return Err(wrong("has no port that there is"));
            }
            (None, false) => 80,
            (None, true) => 443,
        };
        if uri.query().is_some() || address.contains('#') {
            return Err(wrong("has more than a path: bindings say the query"));
        }
        let base = uri.path().trim_end_matches('/').to_owned();
        if base.split('/').any(|segment| matches!(segment, "." | "..")) || base.contains("//") {
            return Err(wrong("has a path that servers would change"));
        }
        let host_header = HeaderValue::from_str(authority.as_str());
        let host_header = host_header.map_err(|_| wrong("has a host that no header can carry"))?;
        Ok(Self { host, port, is_tls, host_header, authority, base })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (address, host, port, is_tls, base) in [
            ("http://legacy.internal:8080", "legacy.internal", 8080, false, ""),
            ("https://legacy.internal", "legacy.internal", 443, true, ""),
            ("http://legacy/", "legacy", 80, false, ""),
            ("http://[::1]:81/api/v1/", "::1", 81, false, "/api/v1"),
        ] {
            let read = Address::parse(address).unwrap();
            assert_eq!(
                (&*read.host, read.port, read.is_tls, &*read.base),
                (host, port, is_tls, base)
            );
        }
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for (address, word) in [
            ("legacy:8080", "neither `http://`"),
            ("ftp://legacy", "neither `http://`"),
            ("http://", "`http://host:port`"),
            ("http://:80", "no host"),
            ("http://legacy:", "no port"),
            ("http://legacy:x", "`http://host:port`"),
            ("http://legacy:0", "port 0"),
            ("http://legacy:99999", "`http://host:port`"),
            ("http://me:secret@legacy", "a user"),
            ("http://legacy/a?b=c", "more than a path"),
            ("http://legacy/a#b", "more than a path"),
            ("http://legacy/a/../b", "would change"),
            ("http://legacy/a//b", "would change"),
        ] {
            let problem = Address::parse(address).unwrap_err();
            assert!(problem.contains(word), "{address}: {problem}");
        }
    }
}
