//! What this process shows and whom it trusts right now, replaced as a whole when it is renewed.
//!
//! # Why
//! Certificates last a day and processes longer. Whatever takes part in a handshake asks here at
//! that moment, so a renewal reaches the next handshake without a new endpoint, and never half:
//! certificate, key and bundle are one value.
//!
//! # Invariants
//! 1. A renewal that fails leaves everything as it was.
//! 2. The trust domain and the kind of identity never change while the process runs.
//!
//! # Not here
//! When to look for new files: a mesh does, by `Identity::reload`. Only the development authority, which nobody
//! manages, is looked after here, at most once per second and only while handshakes happen.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rustls::{crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::UnixTime;
use sinew_core::{
    limits, sha256,
    spiffe::{SpiffeId, TrustDomain},
};

use super::{
    chain::{Bundle, Purpose},
    der::Facts,
    dev_ca::{self, Authority},
    dev_dir::Directory,
    error::IdentityError,
    files::{Loaded, Places, Stamp},
};

/// Where the identity comes from.
#[derive(Debug)]
pub(super) enum Source {
    Files(Places),
    Development(Directory),
}

/// The identity of this process, as it is now.
pub(super) struct Current {
    pub(super) source: Source,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) trust_domain: TrustDomain,
    held: RwLock<Arc<Held>>,
    /// How often it has changed.
    generation: AtomicU64,
    /// Held while looking, so that one handshake looks and the others go on with what there is.
    looked: Mutex<Looked>,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    stamp: Option<Stamp>,
}

/// What is shown and trusted between two renewals.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bundle: Bundle,
    /// Who this process is when it calls.
    pub(super) id: SpiffeId,
    /// What it shows when it calls; in production also when it is called.
    pub(super) key: Arc<CertifiedKey>,
    /// What a restarted process has again: see [`reset_secret`].
    pub(super) reset_secret: [u8; 32],
    issued: Option<Issued>,
}

/// Certificates that the development authority issued to this process, one per service.
#[derive(Debug)]
struct Issued {
    authority: Authority,
    services: Mutex<BTreeMap<SpiffeId, Arc<CertifiedKey>>>,
}

/// A secret that is as old as a private key: a process that is started again with the same key has it again.
///
/// From it come the tokens by which a client believes a restarted server that their connection is gone. It is derived, so
/// that there is nothing more to store, and one-way, so that it tells nothing of the key. With a new key clients of a
/// server that was killed wait for the idle time, once.
pub(super) fn reset_secret(key: &[u8]) -> [u8; 32] {
    let mut hash = sha256::Sha256::new();
    hash.update(b"sinew stateless reset secret");
    hash.update(key);
    hash.finish()
}

impl Held {
    fn of_files(loaded: Loaded) -> Self {
        Self {
            bundle: loaded.bundle,
            id: loaded.id,
            key: loaded.key,
            reset_secret: loaded.reset_secret,
            issued: None,
        }
    }

    fn of_authorities(
        authorities: Vec<Authority>,
        older: Option<&Bundle>,
        provider: &CryptoProvider,
    ) -> Result<Self, IdentityError> {
        let now = UnixTime::now();
        let trusted = authorities.iter().map(Authority::certificate);
        // What was trusted stays so until it is over: peers may not have seen the new one yet.
        let trusted = trusted.chain(older.into_iter().flat_map(|older| older.alive(now)));
        let bundle = Bundle::new(trusted.cloned().collect::<Vec<_>>(), dev_ca::ADVICE)
            .map_err(|why| IdentityError::Tls { why })?;
        let none = || IdentityError::Tls { why: "there is no development authority".to_owned() };
        let authority = authorities.into_iter().next().ok_or_else(none)?;
        let id = dev_ca::client_id()?;
        // Both purposes: a server without a service still has to show something.
        let key = authority.issue(&id, &[Purpose::Client, Purpose::Server], provider)?;
        let reset_secret = authority.reset_secret();
        let issued = Some(Issued { authority, services: Mutex::default() });
        Ok(Self { bundle, id, key: Arc::new(key), reset_secret, issued })
    }

    /// What to show as the server that is `id`.
    pub(super) fn server_key(
        &self,
        id: &SpiffeId,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, IdentityError> {
        let Some(issued) = &self.issued else {
            return Ok(self.key.clone());
        };
        let mut services = lock(&issued.services);
        if let Some(key) = services.get(id) {
            return Ok(key.clone());
        }
        let key = Arc::new(issued.authority.issue(id, &[Purpose::Server], provider)?);
        services.insert(id.clone(), key.clone());
        Ok(key)
    }
}

impl Current {
    /// `stamp` is of the contents that were loaded.
    pub(super) fn of_files(
        places: Places,
        stamp: Stamp,
        loaded: Loaded,
        provider: Arc<CryptoProvider>,
    ) -> Arc<Self> {
        let looked = Looked { at: Instant::now(), stamp: Some(stamp) };
        Arc::new(Self {
            source: Source::Files(places),
            provider,
            trust_domain: loaded.id.trust_domain(),
            held: RwLock::new(Arc::new(Held::of_files(loaded))),
            generation: AtomicU64::new(0),
            looked: Mutex::new(looked),
        })
    }

    pub(super) fn development(
        directory: Directory,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<Self>, IdentityError> {
        let authorities = dev_ca::load_or_make(&directory)?;
        let held = Held::of_authorities(authorities, None, &provider)?;
        Ok(Arc::new(Self {
            source: Source::Development(directory),
            provider,
            trust_domain: held.id.trust_domain(),
            held: RwLock::new(Arc::new(held)),
            generation: AtomicU64::new(0),
            looked: Mutex::new(Looked { at: Instant::now(), stamp: None }),
        }))
    }

    /// What holds at this moment, for one handshake.
    pub(super) fn held(&self) -> Arc<Held> {
        if let Source::Development(directory) = &self.source
            && let Ok(mut looked) = self.looked.try_lock()
            && looked.at.elapsed() >= limits::IDENTITY_LOOK
        {
            looked.at = Instant::now();
            if let Err(why) = self.renew_development(directory) {
                tracing::warn!("the development certificates stay as they are: {why}");
            }
        }
        self.snapshot()
    }

    fn snapshot(&self) -> Arc<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// How often what is shown and trusted has changed.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Reads everything again; whether there was news.
    pub(super) fn reload(&self) -> Result<bool, IdentityError> {
        let mut looked = lock(&self.looked);
        match &self.source {
            Source::Development(directory) => self.renew_development(directory),
            Source::Files(places) => {
                if *places == Places::MEMORY {
                    return Ok(false);
                }
                let contents = places.read()?;
                let stamp = contents.stamp();
                if looked.stamp == Some(stamp) {
                    return Ok(false);
                }
                let loaded = places.load(&contents, &self.provider)?;
                if !loaded.id.is_in(&self.trust_domain) {
                    return Err(IdentityError::Unusable {
                        what: "certificate",
                        place: places.certificate.to_string(),
                        why: format!(
                            "it is of `{}` and this process runs in the trust domain `{}`: \
                             start it anew to move it",
                            loaded.id, self.trust_domain
                        ),
                    });
                }
                self.replace(Held::of_files(loaded));
                looked.stamp = Some(stamp);
                Ok(true)
            }
        }
    }

    fn renew_development(&self, directory: &Directory) -> Result<bool, IdentityError> {
        let held = self.snapshot();
        let authorities = dev_ca::load_or_make(directory)?;
        let newest = authorities.first().map(Authority::certificate);
        let same_issuer =
            held.issued.as_ref().map(|issued| issued.authority.certificate()) == newest;
        if same_issuer && authorities.iter().all(|a| held.bundle.contains(a.certificate())) {
            return Ok(false);
        }
        self.replace(Held::of_authorities(authorities, Some(&held.bundle), &self.provider)?);
        Ok(true)
    }

    pub(super) fn has_files(&self) -> bool {
        matches!(&self.source, Source::Files(places) if *places != Places::MEMORY)
    }

    /// Whether our certificate may be used for `purpose`; in development it always may.
    pub(super) fn check_purpose(&self, purpose: Purpose) -> Result<(), IdentityError> {
        let Source::Files(places) = &self.source else {
            return Ok(());
        };
        let held = self.snapshot();
        let leaf = held.key.cert.first();
        let allowed = leaf
            .and_then(|leaf| Facts::read(leaf).ok())
            .is_some_and(|facts| purpose.is_allowed_by(&facts));
        if allowed {
            return Ok(());
        }
        Err(IdentityError::Unusable {
            what: "certificate",
            place: places.certificate.to_string(),
            why: format!(
                "its extended key usage does not allow {}: issue it with that, or with none",
                purpose.name()
            ),
        })
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current")
            .field("source", &self.source)
            .field("id", &self.snapshot().id)
            .finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
