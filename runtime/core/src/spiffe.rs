//! SPIFFE ids, read strictly: who a certificate says it is.
//!
//! # Why
//! Two readers that disagree about one identity are a hole, so there is one grammar, nothing is
//! normalised and nothing is forgiven: no case folding, no percent-encoding, no empty, `.` or `..`
//! segments, no trailing slash. Equality is equality of the text.
//!
//! # Invariants
//! 1. Every value holds a valid id: `spiffe://` trust domain, then at least one path segment.
//! 2. Trust domains are compared whole, never by prefix or suffix.
//!
//! # Not here
//! Certificates and who may talk to whom: the identity part of the shell.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    limits::{SERVICE_NAME_MAX, SPIFFE_ID_MAX, TRUST_DOMAIN_MAX},
    sha256,
};

const SCHEME: &str = "spiffe://";

/// Why a text is no SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeError {
    /// It does not begin with `spiffe://`.
    #[error("does not begin with `spiffe://`")]
    Scheme,
    /// The trust domain is empty, too long or has a character that none may have.
    #[error("the trust domain must be 1 to 255 of `a-z`, `0-9`, `.`, `-`, `_`")]
    TrustDomain,
    /// There is no path: that names a trust domain, not a workload.
    #[error("has no path, so it names a trust domain and no workload")]
    NoPath,
    /// A segment is empty, `.` or `..`, or has a character that none may have.
    #[error("path segments must be of `a-z`, `A-Z`, `0-9`, `.`, `-`, `_`, none empty, `.` or `..`")]
    Path,
    /// The whole is too long.
    #[error("is longer than 2048 bytes")]
    TooLong,
    /// The name of a service cannot stand in a path.
    #[error(
        "a service name must be 1 to 256 of `a-z`, `A-Z`, `0-9`, `.`, `-`, `_`, and not `.` or `..`"
    )]
    ServiceName,
}

/// A trust domain, e.g. `prod.example`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// Reads a bare trust domain, without scheme.
    ///
    /// # Errors
    /// [`SpiffeError::TrustDomain`].
    pub fn new(name: &str) -> Result<Self, SpiffeError> {
        check_trust_domain(name)?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of one workload, e.g. `spiffe://prod.example/shop.Inventory`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    whole: Arc<str>,
    /// Where the path begins, with its slash.
    path_at: usize,
}

impl SpiffeId {
    /// Reads an id.
    ///
    /// # Errors
    /// Where any rule of the grammar is broken; the value says which.
    pub fn new(id: &str) -> Result<Self, SpiffeError> {
        if id.len() > SPIFFE_ID_MAX {
            return Err(SpiffeError::TooLong);
        }
        let rest = id.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        check_trust_domain(domain)?;
        let path = path.ok_or(SpiffeError::NoPath)?;
        if !path.split('/').all(is_segment) {
            return Err(SpiffeError::Path);
        }
        Ok(Self { whole: id.into(), path_at: SCHEME.len() + domain.len() })
    }

    /// The id that answers for `service` where nothing else names one:
    /// `spiffe://<domain>/<service>`.
    ///
    /// # Errors
    /// [`SpiffeError::ServiceName`] where the name cannot be one path segment.
    pub fn for_service(domain: &TrustDomain, service: &str) -> Result<Self, SpiffeError> {
        if !is_service_name(service) {
            return Err(SpiffeError::ServiceName);
        }
        Ok(Self {
            whole: format!("{SCHEME}{domain}/{service}").into(),
            path_at: SCHEME.len() + domain.as_str().len(),
        })
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The trust domain's name.
    pub fn trust_domain_str(&self) -> &str {
        self.whole.get(SCHEME.len()..self.path_at).unwrap_or_default()
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(self.trust_domain_str().into())
    }

    /// Whether it belongs to `domain`.
    pub fn is_in(&self, domain: &TrustDomain) -> bool {
        self.trust_domain_str() == domain.as_str()
    }

    /// The path with its leading slash.
    pub fn path(&self) -> &str {
        self.whole.get(self.path_at..).unwrap_or_default()
    }

    /// The TLS server name under which a client asks for this identity: the first 16 bytes of
    /// SHA-256 of the id in hex, then `.sinew`. Ids may hold what a DNS name may not, so the id
    /// itself cannot be sent.
    pub fn server_name(&self) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = sha256::digest(self.whole.as_bytes());
        let mut name = String::with_capacity(38);
        for byte in &digest[..16] {
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 15)]));
        }
        name.push_str(".sinew");
        name
    }
}

/// Whether `name` may name a service: 1 to 256 of `a-z A-Z 0-9 . - _`, and neither `.` nor `..`.
///
/// The same string stands in discovery, policy, metrics, identities and on the wire, so it takes
/// what all of them can.
pub fn is_service_name(name: &str) -> bool {
    name.len() <= SERVICE_NAME_MAX && is_segment(name)
}

fn check_trust_domain(name: &str) -> Result<(), SpiffeError> {
    let fits = (1..=TRUST_DOMAIN_MAX).contains(&name.len());
    let sound = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if fits && name.bytes().all(sound) { Ok(()) } else { Err(SpiffeError::TrustDomain) }
}

fn is_segment(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !matches!(text, "" | "." | "..") && text.bytes().all(sound)
}

macro_rules! as_text {
    ($name:ident) => {
        impl FromStr for $name {
            type Err = SpiffeError;

            fn from_str(text: &str) -> Result<Self, SpiffeError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    };
}

as_text!(TrustDomain);
as_text!(SpiffeId);
