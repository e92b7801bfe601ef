//! Certificates as production has them: an authority of a test, and the identities that it issues.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sinew::Identity;

use crate::Must as _;

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate and its key.
pub struct Issued {
    /// The certificate.
    pub pem: String,
    /// Its key.
    pub key_pem: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issued")
    }
}

impl Authority {
    /// One of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().must("a key");
        let mut params = params(name, 3600);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).must("an authority");
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate: what a bundle is made of.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A certificate for this SPIFFE id.
    pub fn issue(&self, id: &str) -> Issued {
        self.issue_until(id, 3600)
    }

    /// A certificate for this SPIFFE id that ends in so many seconds, or has ended.
    pub fn issue_until(&self, id: &str, seconds: i64) -> Issued {
        let key = KeyPair::generate().must("a key");
        let mut params = params("leaf", seconds);
        params.subject_alt_names = vec![SanType::URI(id.try_into().must("an ASCII URI"))];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.signed_by(&key, &self.issuer).must("a certificate");
        Issued {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }

    /// The identity of this SPIFFE id, trusting this authority.
    pub fn identity(&self, id: &str) -> Identity {
        let issued = self.issue(id);
        Identity::from_pem(issued.pem.as_bytes(), issued.key_pem.as_bytes(), self.pem.as_bytes())
            .must("an identity")
    }
}

fn params(name: &str, until: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).must("a clock past 1970");
    let now = i64::try_from(now.as_secs()).must("a clock before the end of time");
    let at = |offset: i64| {
        let seconds = u64::try_from(now + offset).must("a time past 1970");
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(until.min(0) - 3600);
    params.not_after = at(until);
    params
}
