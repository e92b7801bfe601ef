//! The development CA for people and tools: which authorities there are, certificates of them as files, a new one in
//! their stead.
//!
//! # Why
//! Processes find the development CA by themselves, and nobody sees it. Whoever tries out certificates in files
//! (`SINEW_CERT` and friends) before there is a CA of production, or wants a new one, asks for it here.
//!
//! # Invariants
//! 1. What is shown is what processes go by: the files are read by the same rules.
//! 2. Nothing is taken away: what an authority has issued stays good for as long as it lasts.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime, pem::PemObject as _};
use sinew_core::spiffe::SpiffeId;

use super::{
    chain::Purpose,
    der::{self, Facts},
    dev_ca::{self, Authority, TRUST_DOMAIN},
    dev_dir::Directory,
    error::IdentityError,
};

/// The development CA of this user: what processes without certificates of their own take theirs from.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew::{DevelopmentCa, SpiffeId};
///
/// let issued = DevelopmentCa::open()?.issue(&SpiffeId::new("spiffe://dev.local/shop.Inventory")?)?;
/// std::fs::write("cert.pem", issued.certificate)?; // and the key, for `SINEW_CERT` and friends
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DevelopmentCa {
    directory: Directory,
}

/// One of its authorities: a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DevelopmentAuthority {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, made from its key; empty where there is no certificate that can be read.
    pub name: String,
    /// When it begins.
    pub not_before: SystemTime,
    /// When it, and all that it issued, is over.
    pub not_after: SystemTime,
    /// Whether its private key is there.
    pub has_key: bool,
    /// What it is good for.
    pub standing: DevelopmentStanding,
}

/// What an authority of the development CA is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DevelopmentStanding {
    /// Certificates are issued from it.
    Issues,
    /// What it issued is trusted; new certificates come from another.
    Trusted,
    /// It is over.
    Over,
    /// It cannot be used.
    Unusable {
        /// Why.
        why: String,
    },
}

/// A certificate of the development CA, as the three files of an [`Identity`](crate::Identity).
///
/// With these files nothing keeps a process on its machine: whoever has the key may be that identity towards everybody
/// who trusts this CA.
#[derive(Clone)]
#[non_exhaustive]
pub struct DevelopmentLeaf {
    /// The certificate, PEM: `SINEW_CERT`.
    pub certificate: String,
    /// Its private key, PEM: `SINEW_KEY`. For its owner alone.
    pub key: String,
    /// Every authority of this CA that is valid now, PEM: `SINEW_BUNDLE`.
    pub bundle: String,
    /// When it is over: with its authority.
    pub not_after: SystemTime,
}

impl DevelopmentCa {
    /// The trust domain of everything that it issues.
    pub const TRUST_DOMAIN: &str = TRUST_DOMAIN;

    /// That of this user: in `$XDG_RUNTIME_DIR/sinew`, else in `sinew-<uid>` under the temporary directory.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory is not this user's alone, or cannot be used.
    pub fn open() -> Result<Self, IdentityError> {
        Ok(Self { directory: Directory::open_default()? })
    }

    /// That of a directory, as [`Identity::development_in`](crate::Identity::development_in) has it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in(directory: impl AsRef<Path>) -> Result<Self, IdentityError> {
        Ok(Self { directory: Directory::open(directory.as_ref())? })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its authorities, the newest first. Makes none.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory cannot be listed.
    pub fn authorities(&self) -> Result<Vec<DevelopmentAuthority>, IdentityError> {
        let now = UnixTime::now().as_secs();
        let numbers = self.directory.numbers()?;
        let newest = numbers.last().copied();
        let mut all = Vec::new();
        for number in numbers.into_iter().rev() {
            let path = self.directory.file(number);
            match self.directory.read(number) {
                Ok(Some(pem)) => {
                    all.push(DevelopmentAuthority::read(path, &pem, (now, newest == Some(number))));
                }
                // Taken away meanwhile.
                Ok(None) => {}
                Err(why) => all.push(DevelopmentAuthority::unusable(path, why)),
            }
        }
        Ok(all)
    }

    /// Every authority that is valid now, as PEM: `SINEW_BUNDLE`. Where there is none, one is made.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory cannot be used.
    pub fn bundle(&self) -> Result<String, IdentityError> {
        Ok(dev_ca::load_or_make(&self.directory)?.iter().map(Authority::pem).collect())
    }

    /// A certificate for an identity of the domain `dev.local`, to call and to be called, with its key and the bundle to
    /// trust. It lasts as long as the authority that it is issued from, 24 h at most; where there is none, one is made.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) for another domain, and where the directory cannot be used.
    pub fn issue(&self, id: &SpiffeId) -> Result<DevelopmentLeaf, IdentityError> {
        if id.trust_domain().as_str() != TRUST_DOMAIN {
            let why = format!("it issues for `{TRUST_DOMAIN}` alone, and `{id}` is not of it");
            return Err(self.directory.fault(why));
        }
        let authorities = dev_ca::load_or_make(&self.directory)?;
        let none = || self.directory.fault("there is no authority".to_owned());
        let newest = authorities.first().ok_or_else(none)?;
        let (certificate, key) = newest.issue_pem(id, &[Purpose::Client, Purpose::Server])?;
        Ok(DevelopmentLeaf {
            certificate,
            key,
            bundle: authorities.iter().map(Authority::pem).collect(),
            not_after: time(newest.not_after()),
        })
    }

    /// Makes a new authority. Processes without certificates of their own issue from it at their next handshake, a second
    /// from now at the latest, and go on trusting the older ones until these are over; what is in files stays as it is.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory cannot be used.
    pub fn rotate(&self) -> Result<(), IdentityError> {
        dev_ca::succeed(&self.directory)
    }
}

impl DevelopmentAuthority {
    fn read(path: PathBuf, pem: &[u8], (now, is_newest): (u64, bool)) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem);
        let facts = certificate.as_ref().ok().and_then(|der| Facts::read(der).ok());
        let (name, begins, ends) = facts.map_or_else(Default::default, |facts| {
            (facts.subject, facts.not_before, facts.not_after)
        });
        let standing = match Authority::from_pem(pem) {
            Err(why) => DevelopmentStanding::Unusable { why },
            Ok(_) if now > ends => DevelopmentStanding::Over,
            Ok(authority) if is_newest && authority.is_fresh(now) => DevelopmentStanding::Issues,
            Ok(_) => DevelopmentStanding::Trusted,
        };
        Self {
            path,
            name,
            not_before: time(begins),
            not_after: time(ends),
            has_key: PrivatePkcs8KeyDer::from_pem_slice(pem).is_ok(),
            standing,
        }
    }

    fn unusable(path: PathBuf, why: String) -> Self {
        let (name, standing) = (String::new(), DevelopmentStanding::Unusable { why });
        Self { path, name, not_before: time(0), not_after: time(0), has_key: false, standing }
    }

    /// Its first and its last second, in UTC, for people.
    pub fn validity(&self) -> (String, String) {
        (date(self.not_before), date(self.not_after))
    }
}

impl DevelopmentLeaf {
    /// Its last second, in UTC, for people.
    pub fn valid_until(&self) -> String {
        date(self.not_after)
    }
}

impl fmt::Debug for DevelopmentLeaf {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentLeaf")
            .field("certificate", &self.certificate)
            .field("bundle", &self.bundle)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    der::date(since.as_secs())
}
