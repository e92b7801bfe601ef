//! Certificate, key and bundle of a production identity, read from PEM.
//!
//! # Why
//! Files are the one interface that every issuer of certificates can write, and wrong files are the
//! most common reason why TLS does not start. Each problem names the file, and the variable that
//! named the file.
//!
//! # Invariants
//! 1. The three come together or not at all.
//! 2. A key is kept only with the certificate that it belongs to.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, UnixTime,
    pem::{Error as PemError, PemObject},
};
use sinew_core::{limits, sha256, spiffe::SpiffeId};

use super::{
    chain::{self, Bundle, Purpose},
    der::{self, Facts},
    error::IdentityError,
};

/// Path of the certificate, followed by those between it and its authority.
pub(super) const CERT: &str = "SINEW_CERT";
/// Path of its private key.
pub(super) const KEY: &str = "SINEW_KEY";
/// Path of the authorities that are trusted.
pub(super) const BUNDLE: &str = "SINEW_BUNDLE";

const ADVICE: &str = "give both sides the same bundle (`SINEW_BUNDLE`)";

/// Where one of the three comes from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Memory,
    File { path: PathBuf, variable: Option<&'static str> },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("given in memory"),
            Self::File { path, variable: None } => write!(f, "in `{}`", path.display()),
            Self::File { path, variable: Some(variable) } => {
                write!(f, "in `{}` (from `{variable}`)", path.display())
            }
        }
    }
}

/// Where all three come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) certificate: Place,
    pub(super) key: Place,
    pub(super) bundle: Place,
}

/// The contents of the three, before anything is made of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents<T> {
    pub(super) certificate: T,
    pub(super) key: T,
    pub(super) bundle: T,
}

/// Tells whether the contents are others than before. Dates of files do not: they can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([[u8; 32]; 3]);

impl<T: AsRef<[u8]>> Contents<T> {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key, &self.bundle].map(|it| sha256::digest(it.as_ref())))
    }
}

impl Places {
    pub(super) const MEMORY: Self =
        Self { certificate: Place::Memory, key: Place::Memory, bundle: Place::Memory };

    pub(super) fn of_paths(certificate: &Path, key: &Path, bundle: &Path) -> Self {
        let file = |path: &Path| Place::File { path: path.to_owned(), variable: None };
        Self { certificate: file(certificate), key: file(key), bundle: file(bundle) }
    }

    /// From the three variables; `None` where none is set.
    pub(super) fn of_environment(
        variable: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Option<Self>, IdentityError> {
        let names = [CERT, KEY, BUNDLE];
        let values = names.map(variable);
        let [Some(certificate), Some(key), Some(bundle)] = &values else {
            let listed = |wanted: bool| {
                let named =
                    names.iter().zip(&values).filter(|(_, value)| value.is_some() == wanted);
                let named: Vec<_> = named.map(|(name, _)| format!("`{name}`")).collect();
                let verb = if named.len() == 1 { "is" } else { "are" };
                (named.join(" and "), verb)
            };
            let ((set, verb), (missing, missing_verb)) = (listed(true), listed(false));
            return match set.is_empty() {
                true => Ok(None),
                false => Err(IdentityError::PartlySet {
                    set: format!("{set} {verb}"),
                    missing: format!("{missing} {missing_verb}"),
                }),
            };
        };
        let file = |value: &OsString, name| Place::File {
            path: PathBuf::from(value),
            variable: Some(name),
        };
        Ok(Some(Self {
            certificate: file(certificate, CERT),
            key: file(key, KEY),
            bundle: file(bundle, BUNDLE),
        }))
    }

    /// Reads the three files.
    pub(super) fn read(&self) -> Result<Contents<Vec<u8>>, IdentityError> {
        Ok(Contents {
            certificate: read("certificate", &self.certificate)?,
            key: read("private key", &self.key)?,
            bundle: read("bundle", &self.bundle)?,
        })
    }

    /// Makes an identity of the contents of the three.
    pub(super) fn load<T: AsRef<[u8]>>(
        &self,
        contents: &Contents<T>,
        provider: &CryptoProvider,
    ) -> Result<Loaded, IdentityError> {
        let now = UnixTime::now();
        let bundle = self.bundle(contents.bundle.as_ref(), now)?;
        let (chain, id) = self.chain(contents.certificate.as_ref(), now)?;
        let key = PrivateKeyDer::from_pem_slice(contents.key.as_ref())
            .map_err(|why| unusable("private key", &self.key, pem_fault(why, KEY_WANTED)))?;
        let reset_secret = super::current::reset_secret(key.secret_der());
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|why| match why {
            rustls::Error::InconsistentKeys(_) => IdentityError::KeyMismatch {
                certificate: self.certificate.to_string(),
                key: self.key.to_string(),
            },
            other => unusable(
                "private key",
                &self.key,
                format!("{other}; use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits and more"),
            ),
        })?;
        let loaded = Loaded { key: Arc::new(key), id, bundle, reset_secret };
        self.warn_if_untrusted(&loaded, now, provider);
        Ok(loaded)
    }

    fn bundle(&self, pem: &[u8], now: UnixTime) -> Result<Bundle, IdentityError> {
        let certificates = certificates("bundle", &self.bundle, pem)?;
        let bundle = Bundle::new(certificates, ADVICE)
            .map_err(|why| unusable("bundle", &self.bundle, why))?;
        if bundle.alive(now).next().is_none() {
            let why = "every authority in it is expired: put in the current ones".to_owned();
            return Err(unusable("bundle", &self.bundle, why));
        }
        for name in bundle.expired(now) {
            tracing::warn!(
                "the authority `{name}` in the bundle {} is expired and vouches for nobody: \
                 take it out",
                self.bundle
            );
        }
        Ok(bundle)
    }

    fn chain(
        &self,
        pem: &[u8],
        now: UnixTime,
    ) -> Result<(Vec<CertificateDer<'static>>, SpiffeId), IdentityError> {
        let fault = |why| unusable("certificate", &self.certificate, why);
        let chain = certificates("certificate", &self.certificate, pem)?;
        let leaf = chain.first().ok_or_else(|| fault(CERTIFICATE_WANTED.to_owned()))?;
        let id = chain::read_leaf(leaf)
            .map_err(|why| fault(format!("{why} (the certificate of this process comes first)")))?;
        let facts = Facts::read(leaf).map_err(|why| fault(why.to_string()))?;
        let (now, skew) = (now.as_secs(), limits::CLOCK_SKEW.as_secs());
        if now > facts.not_after.saturating_add(skew) {
            return Err(fault(format!("it expired at {}: renew it", der::date(facts.not_after))));
        }
        if now.saturating_add(skew) < facts.not_before {
            return Err(fault(format!(
                "it is valid from {} only: set the clock of this machine, or of the issuer",
                der::date(facts.not_before)
            )));
        }
        Ok((chain, id))
    }

    /// Most peers trust what we trust; who has two sides with two bundles knows that.
    fn warn_if_untrusted(&self, loaded: &Loaded, now: UnixTime, provider: &CryptoProvider) {
        let Some((leaf, rest)) = loaded.key.cert.split_first() else {
            return;
        };
        let algorithms = provider.signature_verification_algorithms.all;
        let verify = |purpose| loaded.bundle.verify(leaf, rest, purpose, now, algorithms);
        // A certificate for one of the two purposes is whole.
        if let (Err(why), Err(_)) = (verify(Purpose::Client), verify(Purpose::Server)) {
            tracing::warn!(
                "peers that trust the same bundle {} will refuse the certificate {}: {why}",
                self.bundle,
                self.certificate
            );
        }
    }
}

/// What the three files hold.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) id: SpiffeId,
    pub(super) bundle: Bundle,
    pub(super) reset_secret: [u8; 32],
}

const CERTIFICATE_WANTED: &str = "there is no `-----BEGIN CERTIFICATE-----` in it: give PEM";
const KEY_WANTED: &str =
    "there is no unencrypted private key in it: give PEM with `-----BEGIN PRIVATE KEY-----`";

fn unusable(what: &'static str, place: &Place, why: String) -> IdentityError {
    IdentityError::Unusable { what, place: place.to_string(), why }
}

/// Never quotes the file: a broken line of a key is still most of a key.
fn pem_fault(why: PemError, nothing: &str) -> String {
    let fault = match why {
        PemError::NoItemsFound => return nothing.to_owned(),
        PemError::MissingSectionEnd { .. } => "a section has no `-----END` line",
        PemError::IllegalSectionStart { .. } => "a `-----BEGIN` line is broken",
        PemError::Base64Decode(_) => "a section is not base64",
        _ => "a section cannot be read",
    };
    format!("{fault}: write it anew")
}

fn certificates(
    what: &'static str,
    place: &Place,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|why| unusable(what, place, pem_fault(why, CERTIFICATE_WANTED)))?;
    if all.is_empty() {
        return Err(unusable(what, place, CERTIFICATE_WANTED.to_owned()));
    }
    Ok(all)
}

fn read(what: &'static str, place: &Place) -> Result<Vec<u8>, IdentityError> {
    let unreadable =
        |why: String| IdentityError::Unreadable { what, place: place.to_string(), why };
    let Place::File { path, .. } = place else {
        return Ok(Vec::new());
    };
    if path.as_os_str().is_empty() {
        return Err(unreadable("the path is empty; unset the variable or name a file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::IDENTITY_FILE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|why| unreadable(why.to_string()))?;
    if bytes.len() as u64 > limits::IDENTITY_FILE_MAX {
        return Err(unreadable("it is larger than 1 MiB (IDENTITY_FILE_MAX)".to_owned()));
    }
    Ok(bytes)
}
