//! Who this process is, whom it trusts, and how a handshake proves both: mutual TLS that cannot be
//! switched off.
//!
//! # Why
//! An identity that is optional is missing where it matters. So every connection has one on both
//! sides, and to make that bearable it costs nothing to start: without settings, the processes of
//! one user on one machine share a development authority, which refuses to leave the machine.
//!
//! ```text
//!   files.rs  (PEM, production)  \
//!                                 current.rs --- resolve.rs  which certificate is shown
//!   dev_ca.rs (dev_dir.rs)       /      |   \--- verify.rs   who may talk: chain.rs, der.rs
//!                                       |
//!                                    Identity     explain.rs  why a handshake failed, for people
//!   development.rs  the development CA, for people
//! ```
//!
//! # Invariants
//! 1. TLS 1.3 only, both certificates always, no resumption, no tickets, no early data.
//! 2. The cryptography is named in every configuration; no default of the process is asked for.
//! 3. Only a verified chain makes a [`SpiffeId`] of a peer.
//!
//! # Not here
//! QUIC, addresses of peers, rules per method.

mod chain;
mod current;
mod der;
mod dev_ca;
mod dev_dir;
mod development;
mod error;
mod explain;
mod files;
mod resolve;
mod verify;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, ServerConfig, client::Resumption, crypto::CryptoProvider,
    server::NoServerSessionStorage, version::TLS13,
};
use rustls_pki_types::CertificateDer;
use sinew_core::{
    limits,
    spiffe::{SpiffeId, TrustDomain},
};

pub use development::{DevelopmentAuthority, DevelopmentCa, DevelopmentLeaf, DevelopmentStanding};
pub use error::IdentityError;
pub(crate) use explain::{HandshakeFailure, RefusedBy};
pub(crate) use verify::Side;

use self::{
    chain::Purpose,
    current::{Current, Source},
    dev_dir::Directory,
    files::{Contents, Places},
    resolve::{ClientCertificate, ServerCertificates},
    verify::{ExpectedServer, OwnClients, RefusalLog},
};

/// What a server's socket needs to prove who it is.
pub(crate) type ServerTls = Arc<ServerConfig>;

/// The protocol that TLS agrees on. A peer that speaks another is refused in the handshake.
pub(crate) const ALPN: &[u8] = b"sinew/1";

/// Who this process is and whom it trusts.
///
/// [`Identity::from_env`] is what clients and servers use when they are given none. Cheap to clone;
/// clones are one identity.
///
/// # Which certificates are accepted
/// A leaf with exactly one URI among its alternative names, a SPIFFE id with a path; `CA=false`;
/// valid now, give or take 20 s; with the extended key usage for its side, if it has any; with a
/// chain to a certificate authority of the bundle. Those of the operating system are never trusted.
/// A bundle may hold several authorities, and each of them may vouch for any id.
///
/// A server lets in any such client of its own trust domain. A client accepts only the server that
/// it expects.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    current: Arc<Current>,
    clients: Mutex<BTreeMap<Vec<SpiffeId>, Arc<ClientConfig>>>,
}

impl Identity {
    /// The identity that the environment names, else the [development](Self::development) one.
    ///
    /// `SINEW_CERT`, `SINEW_KEY` and `SINEW_BUNDLE` are paths of PEM files: the certificate of this
    /// process followed by those between it and its authority, its private key (PKCS#8, PKCS#1 or
    /// SEC1, not encrypted), and the authorities to trust. All three or none are set.
    ///
    /// # Errors
    /// [`PartlySet`](IdentityError::PartlySet) where one or two are set. A variable that is set and
    /// cannot be used is an error that names it; nothing falls back to development.
    pub fn from_env() -> Result<Self, IdentityError> {
        match Places::of_environment(std::env::var_os)? {
            Some(places) => Self::from_places(places),
            None => Self::development(),
        }
    }

    /// An identity of the development authority of this user, for this machine only.
    ///
    /// The authority is in `$XDG_RUNTIME_DIR/sinew`, else in `sinew-<uid>` under the temporary
    /// directory. Whoever comes first makes it; it lasts 24 h and is replaced in time, also under
    /// processes that run. The trust domain is `dev.local`, a service `Inventory` is
    /// `spiffe://dev.local/Inventory`, and a process that calls is `spiffe://dev.local/client/<name
    /// of its program>`. Certificates are issued in memory.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory is not this user's alone, or
    /// cannot be used.
    pub fn development() -> Result<Self, IdentityError> {
        let directory = Directory::open_default()?;
        tracing::info!(
            "identities are of the development authority in `{}`, which serves this machine only; \
             set `SINEW_CERT`, `SINEW_KEY` and `SINEW_BUNDLE` for others",
            directory.path().display()
        );
        Self::from_directory(directory)
    }

    /// As [`development`](Self::development), with the authority in `directory`: for tests that
    /// must not meet others.
    ///
    /// The directory is made if it is missing; the one above it must exist.
    ///
    /// # Errors
    /// [`Development`](IdentityError::Development) where the directory is not this user's alone, or
    /// cannot be used.
    pub fn development_in(directory: impl AsRef<Path>) -> Result<Self, IdentityError> {
        Self::from_directory(Directory::open(directory.as_ref())?)
    }

    fn from_directory(directory: Directory) -> Result<Self, IdentityError> {
        Ok(Self::new(Current::development(directory, provider())?))
    }

    /// An identity of PEM in memory: certificate chain, private key, and the authorities to trust.
    ///
    /// # Errors
    /// [`Unusable`](IdentityError::Unusable) and [`KeyMismatch`](IdentityError::KeyMismatch).
    pub fn from_pem(cert_chain: &[u8], key: &[u8], bundle: &[u8]) -> Result<Self, IdentityError> {
        let contents = Contents { certificate: cert_chain, key, bundle };
        Self::from_contents(Places::MEMORY, &contents)
    }

    /// An identity of three PEM files, as the variables of [`from_env`](Self::from_env) name them.
    ///
    /// # Errors
    /// [`Unreadable`](IdentityError::Unreadable), [`Unusable`](IdentityError::Unusable) and
    /// [`KeyMismatch`](IdentityError::KeyMismatch), each with the path.
    pub fn from_files(
        cert: impl AsRef<Path>,
        key: impl AsRef<Path>,
        bundle: impl AsRef<Path>,
    ) -> Result<Self, IdentityError> {
        Self::from_places(Places::of_paths(cert.as_ref(), key.as_ref(), bundle.as_ref()))
    }

    fn from_places(places: Places) -> Result<Self, IdentityError> {
        let contents = places.read()?;
        Self::from_contents(places, &contents)
    }

    fn from_contents<T: AsRef<[u8]>>(
        places: Places,
        contents: &Contents<T>,
    ) -> Result<Self, IdentityError> {
        let provider = provider();
        let loaded = places.load(contents, &provider)?;
        Ok(Self::new(Current::of_files(places, contents.stamp(), loaded, provider)))
    }

    fn new(current: Arc<Current>) -> Self {
        Self { inner: Arc::new(Inner { current, clients: Mutex::default() }) }
    }

    /// The trust domain that this process belongs to, and whose clients its servers let in.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.inner.current.trust_domain
    }

    /// Who this process is when it calls.
    pub fn id(&self) -> SpiffeId {
        self.inner.current.held().id.clone()
    }

    /// Who this process is where it serves.
    pub(crate) fn of_server(&self, service: &str) -> Option<SpiffeId> {
        match &self.inner.current.source {
            Source::Development(_) => SpiffeId::for_service(self.trust_domain(), service).ok(),
            Source::Files(_) => Some(self.id()),
        }
    }

    /// Whether this is the development authority's: good on this machine only.
    pub fn is_development(&self) -> bool {
        matches!(self.inner.current.source, Source::Development(_))
    }

    /// Whether this identity may be used to bind or call `addr`: one of the development authority
    /// on loopback only.
    ///
    /// # Errors
    /// [`NotLoopback`](IdentityError::NotLoopback), also for `0.0.0.0` and `::`.
    pub fn allows_address(&self, addr: SocketAddr) -> Result<(), IdentityError> {
        if self.is_development() && !addr.ip().to_canonical().is_loopback() {
            return Err(IdentityError::NotLoopback { address: addr });
        }
        Ok(())
    }

    /// Reads files that changed since they were read last; whether there was news.
    ///
    /// Handshakes from then on show and trust what is new. A mesh does this every 500 ms by itself, and closes
    /// connections whose peers are not trusted any more. Reads files, so call it from where blocking is allowed.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files); what was in use before stays in use.
    pub fn reload(&self) -> Result<bool, IdentityError> {
        self.inner.current.reload()
    }

    /// The directory of this user on this machine, checked to be his alone; `None` where it cannot be used.
    pub(crate) fn runtime_directory(&self) -> Option<PathBuf> {
        match &self.inner.current.source {
            Source::Development(directory) => Some(directory.path().to_owned()),
            Source::Files(_) => match Directory::open_default() {
                Ok(directory) => Some(directory.path().to_owned()),
                Err(why) => {
                    tracing::warn!(
                        "servers and clients on this machine will not find each other, and no endpoints are kept for \
                         the next start: {why}"
                    );
                    None
                }
            },
        }
    }

    /// Whether it comes from files, which may be renewed.
    pub(crate) fn has_files(&self) -> bool {
        self.inner.current.has_files()
    }

    /// How often what is shown and trusted has changed.
    pub(crate) fn generation(&self) -> u64 {
        self.inner.current.generation()
    }

    /// Whether a peer that was verified when it connected would be again.
    pub(crate) fn verify_again(
        &self,
        certificates: &[Vec<u8>],
        side: Side,
    ) -> Result<(), IdentityError> {
        verify::again(&self.inner.current, certificates, side)
    }

    /// What resets of a server with this identity are made from; the same after a restart with the same key.
    pub(crate) fn reset_secret(&self) -> [u8; 32] {
        self.inner.current.held().reset_secret
    }

    /// The TLS side of a server of these services. One configuration serves for as long as the
    /// process runs.
    pub(crate) fn server_config(
        &self,
        services: &[&str],
    ) -> Result<Arc<ServerConfig>, IdentityError> {
        let current = &self.inner.current;
        let ids = services
            .iter()
            .map(|service| {
                SpiffeId::for_service(self.trust_domain(), service).map_err(|why| {
                    IdentityError::ServiceName { service: (*service).to_owned(), why }
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        current.check_purpose(Purpose::Server)?;
        let held = current.held();
        for id in &ids {
            held.server_key(id, &current.provider)?;
            if !self.is_development() && *id != held.id {
                tracing::info!(
                    "clients that name nobody expect `{id}` here, and this process is `{}`: \
                     name it in their builder or policy",
                    held.id
                );
            }
        }
        let verifier = OwnClients { current: current.clone(), refusals: RefusalLog::default() };
        let mut config = ServerConfig::builder_with_provider(current.provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(|why| IdentityError::Tls { why: why.to_string() })?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(ServerCertificates::new(current.clone(), &ids)));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        // Nothing is said to a client before it has proved who it is.
        config.send_half_rtt_data = false;
        Ok(Arc::new(config))
    }

    /// The TLS side of a client of the server that is `expected`.
    pub(crate) fn client_config(
        &self,
        expected: &SpiffeId,
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        self.client_config_any_of(std::slice::from_ref(expected))
    }

    /// The TLS side of a client of a server that is one of `expected`. The same ids give the same
    /// configuration.
    pub(crate) fn client_config_any_of(
        &self,
        expected: &[SpiffeId],
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        expected.dedup();
        if expected.is_empty() {
            return Err(IdentityError::NobodyExpected);
        }
        let mut clients = current::lock(&self.inner.clients);
        if let Some(config) = clients.get(&expected) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.new_client_config(expected.clone())?);
        if clients.len() >= limits::IDENTITY_CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(expected, config.clone());
        Ok(config)
    }

    fn new_client_config(&self, expected: Vec<SpiffeId>) -> Result<ClientConfig, IdentityError> {
        let current = &self.inner.current;
        current.check_purpose(Purpose::Client)?;
        let mut config = ClientConfig::builder_with_provider(current.provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(|why| IdentityError::Tls { why: why.to_string() })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ExpectedServer {
                current: current.clone(),
                expected,
            }))
            .with_client_cert_resolver(Arc::new(ClientCertificate { current: current.clone() }));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("current", &self.inner.current).finish_non_exhaustive()
    }
}

/// Who a peer is, from the chain that the handshake verified.
pub(crate) fn peer_identity(chain: &[CertificateDer<'_>]) -> Result<SpiffeId, IdentityError> {
    let bad = |why| IdentityError::BadPeer { peer: "a peer".to_owned(), why };
    let leaf = chain.first().ok_or_else(|| bad("it shows no certificate".to_owned()))?;
    chain::read_leaf(leaf).map_err(bad)
}

/// The cryptography of every handshake.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
