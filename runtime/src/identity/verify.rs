//! The two questions of a handshake: is this server the one that may answer, and is this client one
//! of ours?
//!
//! # Why
//! Both sides hand their refusal to rustls with our text inside. The transport puts that text into
//! the close that the peer receives, so the person at either end reads the same sentence, with both
//! ids in it.
//!
//! # Invariants
//! 1. A client passes only with a verified id in our own trust domain, compared whole.
//! 2. A server passes only as one of the expected ids. The name asked for by SNI decides nothing.
//!
//! # Not here
//! Chains and dates (`chain.rs`), what an alert of the peer means (`explain.rs`), rules per method.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, PeerIncompatible,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::verify_tls13_signature,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sinew_core::spiffe::SpiffeId;

use super::{
    chain::Purpose,
    current::{Current, Source, lock},
    error::IdentityError,
};

/// A refusal inside an error of rustls, which prints it by `Debug` only.
struct Refused(IdentityError);

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Refused {}

fn refuse(why: IdentityError) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(Refused(why)))).into()
}

fn verify_chain(
    current: &Current,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    purpose: Purpose,
    now: UnixTime,
) -> Result<SpiffeId, IdentityError> {
    let algorithms = current.provider.signature_verification_algorithms.all;
    let verify = || {
        let held = current.held();
        held.bundle.verify(leaf, intermediates, purpose, now, algorithms)
    };
    match verify() {
        // The peer may have started from a newer authority than we have seen.
        Err(IdentityError::UnknownAuthority { .. })
            if matches!(current.source, Source::Development(_)) && current.reload().is_ok() =>
        {
            verify()
        }
        outcome => outcome,
    }
}

/// Which side of a connection the peer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It calls us.
    Client,
    /// We call it.
    Server,
}

/// Verifies a peer that was verified in a handshake before, by what is trusted now.
pub(super) fn again(
    current: &Current,
    certificates: &[Vec<u8>],
    side: Side,
) -> Result<(), IdentityError> {
    let chain: Vec<_> = certificates.iter().map(|one| CertificateDer::from(&**one)).collect();
    // In process there is none.
    let Some((leaf, intermediates)) = chain.split_first() else { return Ok(()) };
    let purpose = match side {
        Side::Client => Purpose::Client,
        Side::Server => Purpose::Server,
    };
    verify_chain(current, leaf, intermediates, purpose, UnixTime::now()).map(|_| ())
}

/// Verifies servers, for a client.
#[derive(Debug)]
pub(super) struct ExpectedServer {
    pub(super) current: Arc<Current>,
    /// Who may answer; never empty.
    pub(super) expected: Vec<SpiffeId>,
}

impl ExpectedServer {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), IdentityError> {
        let found = verify_chain(&self.current, leaf, intermediates, Purpose::Server, now)?;
        if self.expected.contains(&found) {
            return Ok(());
        }
        Err(IdentityError::WrongIdentity { expected: listed(&self.expected), found })
    }
}

/// Ids for a message.
pub(super) fn listed(ids: &[SpiffeId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ")
}

impl ServerCertVerifier for ExpectedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, intermediates, now).map_err(refuse)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.current.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies clients, for a server.
#[derive(Debug)]
pub(super) struct OwnClients {
    pub(super) current: Arc<Current>,
    pub(super) refusals: RefusalLog,
}

impl OwnClients {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), IdentityError> {
        let peer = verify_chain(&self.current, leaf, intermediates, Purpose::Client, now)?;
        let own = &self.current.trust_domain;
        if peer.is_in(own) {
            return Ok(());
        }
        Err(IdentityError::ForeignTrustDomain { peer, own: own.clone() })
    }
}

impl ClientCertVerifier for OwnClients {
    /// None: our clients show the certificate that they have, and a refusal can then name it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity, intermediates, now).map_err(|why| {
            self.refusals.note(&why);
            refuse(why)
        })?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.current.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Warnings about refused clients: at most one per second, since whoever can reach the port can
/// cause them.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<Refusals>);

#[derive(Debug, Default)]
struct Refusals {
    warned: Option<Instant>,
    suppressed: u64,
}

impl RefusalLog {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// The number of refusals kept quiet since the last warning, where one may be given now.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut refusals = lock(&self.0);
        let quiet = |at: Instant| now.saturating_duration_since(at) < Self::INTERVAL;
        if refusals.warned.is_some_and(quiet) {
            refusals.suppressed += 1;
            return None;
        }
        refusals.warned = Some(now);
        Some(std::mem::take(&mut refusals.suppressed))
    }

    fn note(&self, why: &IdentityError) {
        if let Some(suppressed) = self.admit(Instant::now()) {
            tracing::warn!(suppressed, "a client is refused in the handshake: {why}");
        }
    }
}
