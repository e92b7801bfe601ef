//! Whom we trust, and whether a certificate leads there: the one place where a chain becomes a
//! verified id.
//!
//! # Why
//! Client, server and the loading of our own files must agree on what a good certificate is, so all
//! three ask here.
//!
//! # Invariants
//! 1. Only the authorities of the bundle are trusted, never those of the system.
//! 2. A [`SpiffeId`] comes out only of a leaf with exactly one URI name, of strict grammar, that
//!    may not sign others.
//! 3. An authority that is over vouches for nobody, although webpki would not look at its dates.
//!
//! # Not here
//! Which verified id may talk to whom (`verify.rs`), and the signature over the handshake (rustls).

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sinew_core::{limits, spiffe::SpiffeId};
use webpki::{EndEntityCert, KeyUsage};

use super::{
    der::{self, Facts},
    error::IdentityError,
};

/// How a peer is called whose certificate names nobody, or several.
const NAMELESS: &str = "a peer without a SPIFFE id";

/// What a certificate is to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Server,
    Client,
}

impl Purpose {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Server => "server authentication",
            Self::Client => "client authentication",
        }
    }

    fn key_usage(self) -> KeyUsage {
        match self {
            Self::Server => KeyUsage::server_auth(),
            Self::Client => KeyUsage::client_auth(),
        }
    }

    /// Whether a certificate with these facts allows it; one without an extended key usage allows
    /// everything.
    pub(super) fn is_allowed_by(self, facts: &Facts<'_>) -> bool {
        facts.purposes.is_none_or(|purposes| match self {
            Self::Server => purposes.server,
            Self::Client => purposes.client,
        })
    }
}

/// One authority of a bundle.
#[derive(Clone, Debug)]
struct Authority {
    der: CertificateDer<'static>,
    name: String,
    public_key: Vec<u8>,
    not_after: u64,
}

/// The authorities that we trust.
#[derive(Clone, Debug)]
pub(super) struct Bundle {
    authorities: Vec<Authority>,
    anchors: Vec<TrustAnchor<'static>>,
    /// What a message about an unknown authority ends with.
    advice: &'static str,
}

impl Bundle {
    /// Takes certificates of authorities; says which one is none, and why.
    pub(super) fn new(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
        advice: &'static str,
    ) -> Result<Self, String> {
        let mut bundle = Self { authorities: Vec::new(), anchors: Vec::new(), advice };
        for (at, der) in certificates.into_iter().enumerate() {
            bundle.add(der).map_err(|why| format!("certificate {} in it {why}", at + 1))?;
        }
        if bundle.anchors.is_empty() {
            return Err(
                "there is no certificate in it: put in those of the certificate authorities \
                 that are to be trusted"
                    .to_owned(),
            );
        }
        Ok(bundle)
    }

    fn add(&mut self, der: CertificateDer<'static>) -> Result<(), String> {
        if self.contains(&der) {
            return Ok(());
        }
        let facts = Facts::read(&der).map_err(|why| format!("is damaged: {why}"))?;
        if !facts.is_authority {
            return Err(format!(
                "(`{}`) is none of a certificate authority (CA=true): put in the certificate of \
                 the authority that issued it",
                facts.subject
            ));
        }
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|why| format!("(`{}`) cannot be trusted: {why}", facts.subject))?
            .to_owned();
        self.authorities.push(Authority {
            public_key: anchor.subject_public_key_info.as_ref().to_vec(),
            name: facts.subject,
            not_after: facts.not_after,
            der,
        });
        self.anchors.push(anchor);
        Ok(())
    }

    /// Whether this very certificate is trusted.
    pub(super) fn contains(&self, der: &CertificateDer<'_>) -> bool {
        self.authorities.iter().any(|authority| authority.der == *der)
    }

    /// The certificates that are still valid at `now`.
    pub(super) fn alive(&self, now: UnixTime) -> impl Iterator<Item = &CertificateDer<'static>> {
        let alive = move |authority: &&Authority| !is_over(authority.not_after, now);
        self.authorities.iter().filter(alive).map(|authority| &authority.der)
    }

    /// The names of the authorities that are over at `now`.
    pub(super) fn expired(&self, now: UnixTime) -> impl Iterator<Item = &str> {
        let over = move |authority: &&Authority| is_over(authority.not_after, now);
        self.authorities.iter().filter(over).map(|authority| authority.name.as_str())
    }

    fn names(&self) -> String {
        const SHOWN: usize = 3;
        let mut names: Vec<&str> = self.authorities.iter().map(|a| a.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let more = names.len().saturating_sub(SHOWN);
        names.truncate(SHOWN);
        let mut text = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    }

    /// Verifies a chain of a peer and reads who it is.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        purpose: Purpose,
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<SpiffeId, IdentityError> {
        let bad = |why: String| IdentityError::BadPeer { peer: claimed(leaf), why };
        let facts = Facts::read(leaf).map_err(|why| bad(why.to_string()))?;
        if intermediates.len() > limits::INTERMEDIATES_MAX {
            return Err(bad(format!(
                "{} certificates stand between it and its authority, and at most \
                 {} may (INTERMEDIATES_MAX): issue it closer to the authority",
                intermediates.len(),
                limits::INTERMEDIATES_MAX
            )));
        }
        let certificate = EndEntityCert::try_from(leaf).map_err(|why| bad(malformed(why)))?;
        let attempt = |now| {
            let usage = purpose.key_usage();
            let alive = |path: &webpki::VerifiedPath<'_>| self.check_anchor(path.anchor(), now);
            certificate
                .verify_for_usage(
                    algorithms,
                    &self.anchors,
                    intermediates,
                    now,
                    usage,
                    None,
                    Some(&alive),
                )
                .map(drop)
        };
        // The clock of the issuer or of the peer may be ahead of ours or behind it.
        let mut outcome = attempt(now);
        if let Err(webpki::Error::CertExpired { .. }) = outcome {
            outcome = attempt(shifted(now, false));
        } else if let Err(webpki::Error::CertNotValidYet { .. }) = outcome {
            outcome = attempt(shifted(now, true));
        }
        outcome.map_err(|why| self.refusal(why, claimed(leaf), &facts, purpose))?;
        identity_of(&certificate, &facts).map_err(bad)
    }

    fn check_anchor(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let key = anchor.subject_public_key_info.as_ref();
        // A renewed authority has the same key and later dates: the latest counts.
        let of_key = self.authorities.iter().filter(|authority| authority.public_key == key);
        match of_key.map(|authority| authority.not_after).max() {
            Some(not_after) if is_over(not_after, now) => Err(webpki::Error::CertExpired {
                time: now,
                not_after: UnixTime::since_unix_epoch(Duration::from_secs(not_after)),
            }),
            _ => Ok(()),
        }
    }

    fn refusal(
        &self,
        why: webpki::Error,
        peer: String,
        facts: &Facts<'_>,
        purpose: Purpose,
    ) -> IdentityError {
        use webpki::Error;
        match why {
            // A signature by another key than that of the trusted name: another authority of the
            // same name.
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
                IdentityError::UnknownAuthority {
                    peer,
                    issuer: facts.issuer.clone(),
                    trusted: self.names(),
                    advice: self.advice,
                }
            }
            Error::CertExpired { not_after, .. } => {
                IdentityError::Expired { peer, at: der::date(not_after.as_secs()) }
            }
            Error::CertNotValidYet { not_before, .. } => {
                IdentityError::NotYetValid { peer, at: der::date(not_before.as_secs()) }
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                IdentityError::WrongPurpose { peer, needed: purpose.name() }
            }
            Error::CaUsedAsEndEntity => IdentityError::BadPeer { peer, why: AUTHORITY.to_owned() },
            other => IdentityError::BadPeer { peer, why: malformed(other) },
        }
    }
}

const AUTHORITY: &str = "it is that of an authority (CA=true), which may sign others but not \
                         speak for itself: issue a certificate below it";

fn malformed(why: webpki::Error) -> String {
    format!("its chain cannot be verified ({why}): issue it anew")
}

fn is_over(not_after: u64, now: UnixTime) -> bool {
    now.as_secs() > not_after
}

fn shifted(now: UnixTime, ahead: bool) -> UnixTime {
    let now = Duration::from_secs(now.as_secs());
    UnixTime::since_unix_epoch(if ahead {
        now.saturating_add(limits::CLOCK_SKEW)
    } else {
        now.saturating_sub(limits::CLOCK_SKEW)
    })
}

/// Reads the one id of a leaf and holds it to the rules for leaves. What it says is as good as the
/// chain above it.
pub(super) fn read_leaf(leaf: &CertificateDer<'_>) -> Result<SpiffeId, String> {
    let facts = Facts::read(leaf).map_err(|why| why.to_string())?;
    let certificate = EndEntityCert::try_from(leaf).map_err(malformed)?;
    identity_of(&certificate, &facts)
}

fn identity_of(certificate: &EndEntityCert<'_>, facts: &Facts<'_>) -> Result<SpiffeId, String> {
    if facts.is_authority {
        return Err(AUTHORITY.to_owned());
    }
    if let Some(usage) = facts.key_usage {
        if usage & Facts::SIGNS_CERTIFICATES != 0 {
            return Err(
                "its key usage lets it sign certificates: issue it with `digitalSignature` alone"
                    .to_owned(),
            );
        }
        if usage & Facts::DIGITAL_SIGNATURE == 0 {
            return Err(
                "its key usage does not let it sign a handshake: issue it with `digitalSignature`"
                    .to_owned(),
            );
        }
    }
    let uri = match facts.uris.as_slice() {
        [uri] => *uri,
        [] => {
            return Err("it has no URI among its alternative names: issue it with exactly one, \
                 `spiffe://<trust domain>/<name>`"
                .to_owned());
        }
        many => {
            return Err(format!(
                "it has {} URIs among its alternative names: issue it with exactly one",
                many.len()
            ));
        }
    };
    let why = |why: &dyn std::fmt::Display| {
        format!("`{}` is no SPIFFE id: {why}; issue it with one", der::printable(uri))
    };
    let text = std::str::from_utf8(uri).map_err(|_| why(&"it is not text"))?;
    // Two readers of the same bytes have to agree before they count.
    if !certificate.valid_uri_names().eq([text]) {
        return Err("its alternative names can be read in two ways: issue it anew".to_owned());
    }
    SpiffeId::new(text).map_err(|error| why(&error))
}

/// How to call the holder of a certificate in a message, before anything of it is verified.
fn claimed(leaf: &CertificateDer<'_>) -> String {
    match Facts::read(leaf).ok().as_ref().map(|facts| facts.uris.as_slice()) {
        Some([uri]) => format!("`{}`", der::printable(uri)),
        _ => NAMELESS.to_owned(),
    }
}
