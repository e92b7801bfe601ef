//! The development certificate authority: mutual TLS without a file to write, on one machine.
//!
//! # Why
//! TLS that has to be set up first is TLS that is switched off first. Every process of a user finds
//! the same authority in the user's runtime directory, or makes it, and issues its own certificates
//! in memory.
//!
//! ```text
//!   newest file good for an hour?  -- yes -->  issue from it, trust all that are valid
//!             | no (none, damaged, nearly over)
//!             v
//!   publish the next number  ---->  look again (another may have been first)
//! ```
//!
//! # Invariants
//! 1. Only the key of the authority is ever on disk; keys of certificates are where a person asks for them as files.
//! 2. All processes that look issue from the same file: the one with the highest number.
//!
//! # Not here
//! Loopback only: `Identity::allows_address`. Files and their rights: `dev_dir.rs`. For people: `development.rs`.

use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType,
};
use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime, pem::PemObject,
};
use sinew_core::{limits, sha256, spiffe::SpiffeId};

use super::{
    chain::Purpose, current::reset_secret, der::Facts, dev_dir::Directory, error::IdentityError,
};

/// The trust domain of everything that it issues.
pub(super) const TRUST_DOMAIN: &str = "dev.local";

/// What a refusal ends with where this authority is in use.
pub(super) const ADVICE: &str = "start both as the same user with the same `XDG_RUNTIME_DIR`, or \
                                 give both `SINEW_CERT`, `SINEW_KEY` and `SINEW_BUNDLE`";

/// Each round ends with a usable file or with another process having taken the number.
const ROUNDS_MAX: u32 = 64;

/// A certificate authority with its key.
#[derive(Debug)]
pub(super) struct Authority {
    certificate: CertificateDer<'static>,
    /// The same as it stands in its file.
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    reset_secret: [u8; 32],
    not_before: u64,
    not_after: u64,
}

/// The authorities that are valid, the one to issue from first.
pub(super) fn load_or_make(directory: &Directory) -> Result<Vec<Authority>, IdentityError> {
    for _ in 0..ROUNDS_MAX {
        let now = UnixTime::now().as_secs();
        let numbers = directory.numbers()?;
        let newest = numbers.last().copied().unwrap_or(0);
        let (valid, useless) = read_all(directory, &numbers, now);
        if let Some((number, authority)) = valid.first()
            && *number == newest
            && authority.is_fresh(now)
        {
            return Ok(valid.into_iter().map(|(_, authority)| authority).collect());
        }
        publish_after(directory, newest, now)?;
        for number in useless {
            directory.remove(number);
        }
        directory.clean();
    }
    Err(directory.fault("no authority stays in it: remove the directory".to_owned()))
}

/// Makes an authority that goes before all others from now on, unless another process does so at this moment.
pub(super) fn succeed(directory: &Directory) -> Result<(), IdentityError> {
    let newest = directory.numbers()?.last().copied().unwrap_or(0);
    publish_after(directory, newest, UnixTime::now().as_secs())
}

fn publish_after(directory: &Directory, newest: u64, now: u64) -> Result<(), IdentityError> {
    let next = newest.checked_add(1).ok_or_else(|| {
        directory.fault("its numbers are used up: remove the directory".to_owned())
    })?;
    let fault = |why: rcgen::Error| directory.fault(format!("none can be made ({why})"));
    let begins = now.saturating_sub(limits::DEV_CA_BACKDATE.as_secs());
    let ends = now.saturating_add(limits::DEV_CA_VALID.as_secs());
    let made = Authority::make(begins, ends).map_err(fault)?;
    directory.publish(next, made.as_bytes())
}

/// Reads every file: the authorities that are valid, newest first, and the numbers of the others.
fn read_all(directory: &Directory, numbers: &[u64], now: u64) -> (Vec<(u64, Authority)>, Vec<u64>) {
    let (mut valid, mut useless) = (Vec::new(), Vec::new());
    for number in numbers.iter().rev() {
        let read = directory.read(*number);
        match read.and_then(|pem| pem.map(|pem| Authority::from_pem(&pem)).transpose()) {
            Ok(Some(authority)) if now <= authority.not_after => valid.push((*number, authority)),
            Ok(Some(_)) => useless.push(*number),
            Ok(None) => {}
            Err(why) => {
                let path = directory.path().display();
                tracing::warn!("development authority {number} in `{path}` is passed over: {why}");
                useless.push(*number);
            }
        }
    }
    (valid, useless)
}

impl Authority {
    /// Makes one, as the text of its file: certificate, then key.
    pub(super) fn make(not_before: u64, not_after: u64) -> Result<String, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params_of_authority(&key);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        set_validity(&mut params, not_before, not_after);
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }

    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let damaged = |why: &str| format!("it is damaged ({why})");
        let certificate = CertificateDer::from_pem_slice(pem)
            .map_err(|_| damaged("no certificate"))?
            .into_owned();
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| damaged("no key"))?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| damaged("no key of the expected kind"))?;
        let facts = Facts::read(&certificate).map_err(|why| damaged(&why.to_string()))?;
        let (not_before, not_after) = (facts.not_before, facts.not_after);
        // The name is made from the key, so this also tells that the two belong together.
        if !facts.is_authority || facts.subject != name_of(&key) {
            return Err(damaged("its key is not the one of its certificate"));
        }
        let reset_secret = reset_secret(&key.serialize_der());
        let issuer = Issuer::new(params_of_authority(&key), key);
        let pem = certificate_in(pem).ok_or_else(|| damaged("no certificate"))?;
        Ok(Self { certificate, pem, issuer, reset_secret, not_before, not_after })
    }

    pub(super) fn is_fresh(&self, now: u64) -> bool {
        self.not_before <= now
            && self.not_after.saturating_sub(now) >= limits::DEV_CA_LEFT_MIN.as_secs()
    }

    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its certificate, as PEM.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Its last second, since 1970.
    pub(super) fn not_after(&self) -> u64 {
        self.not_after
    }

    /// What all processes that it serves have in common, and keep over a restart.
    pub(super) fn reset_secret(&self) -> [u8; 32] {
        self.reset_secret
    }

    /// Issues a certificate that lasts as long as the authority.
    pub(super) fn issue(
        &self,
        id: &SpiffeId,
        purposes: &[Purpose],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, IdentityError> {
        let (certificate, key) = self.sign(id, purposes)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(vec![certificate.into()], key, provider)
            .map_err(|why| IdentityError::Tls { why: why.to_string() })
    }

    /// The same as PEM: certificate and key.
    pub(super) fn issue_pem(
        &self,
        id: &SpiffeId,
        purposes: &[Purpose],
    ) -> Result<(String, String), IdentityError> {
        let (certificate, key) = self.sign(id, purposes)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn sign(
        &self,
        id: &SpiffeId,
        purposes: &[Purpose],
    ) -> Result<(Certificate, KeyPair), IdentityError> {
        self.signed(id, purposes).map_err(|why| IdentityError::Tls {
            why: format!("no development certificate for `{id}` can be made ({why})"),
        })
    }

    fn signed(
        &self,
        id: &SpiffeId,
        purposes: &[Purpose],
    ) -> Result<(Certificate, KeyPair), rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("sinew development certificate".to_owned());
        params.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purposes
            .iter()
            .map(|purpose| match purpose {
                Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
                Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
            })
            .collect();
        set_validity(&mut params, self.not_before, self.not_after);
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }
}

/// The text of the certificate in a file of an authority, without its key.
fn certificate_in(pem: &[u8]) -> Option<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = std::str::from_utf8(pem).ok()?;
    let end = text.find(END)? + END.len();
    let start = text[..end].rfind("-----BEGIN CERTIFICATE-----")?;
    Some(format!("{}\n", &text[start..end]))
}

fn params_of_authority(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name_of(key));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A name of its own for each authority, so that messages and chains can tell them apart.
fn name_of(key: &KeyPair) -> String {
    let digest = sha256::digest(key.public_key_raw());
    let tail: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("sinew development authority {tail}")
}

fn common_name(name: String) -> DistinguishedName {
    let mut whole = DistinguishedName::new();
    whole.push(DnType::CommonName, name);
    whole
}

/// Sets both dates. That of rcgen is of a crate that we have no other use for, so its type is not
/// named.
fn set_validity(params: &mut CertificateParams, not_before: u64, not_after: u64) {
    let start = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = start + Duration::from_secs(not_before);
    params.not_after = start + Duration::from_secs(not_after);
}

/// The identity of a process that calls: `spiffe://dev.local/client/<name of its program>`.
pub(super) fn client_id() -> Result<SpiffeId, IdentityError> {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_stem()).unwrap_or_default();
    SpiffeId::new(&format!(
        "spiffe://{TRUST_DOMAIN}/client/{}",
        as_segment(&name.to_string_lossy())
    ))
    .map_err(|why| IdentityError::Tls { why: format!("the name of this program: {why}") })
}

/// At most 64 characters that a SPIFFE path may hold.
pub(super) fn as_segment(name: &str) -> String {
    const LIMIT: usize = 64;
    let sound = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }
    };
    let segment: String = name.chars().take(LIMIT).map(sound).collect();
    match segment.as_str() {
        "" | "." | ".." => "process".to_owned(),
        _ => segment,
    }
}
