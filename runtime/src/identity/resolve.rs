//! Which certificate is shown in a handshake, decided at that moment.
//!
//! # Why
//! In development one process stands for several services, each with an identity of its own, and
//! the client says by SNI which one it wants. A name that nobody here has gets the first
//! certificate, not silence: then the client can say whom it expected and whom it found.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sinew_core::spiffe::SpiffeId;

use super::current::Current;

/// A server's certificates by SNI.
#[derive(Debug)]
pub(super) struct ServerCertificates {
    current: Arc<Current>,
    /// Keyed by what a peer sends, so by the standard hash with its random key.
    by_name: HashMap<String, SpiffeId>,
    first: Option<SpiffeId>,
}

impl ServerCertificates {
    pub(super) fn new(current: Arc<Current>, ids: &[SpiffeId]) -> Self {
        let by_name = ids.iter().map(|id| (id.server_name(), id.clone())).collect();
        Self { current, by_name, first: ids.first().cloned() }
    }
}

impl ResolvesServerCert for ServerCertificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let held = self.current.held();
        let wanted = client_hello.server_name().and_then(|name| self.by_name.get(name));
        let Some(id) = wanted.or(self.first.as_ref()) else {
            return Some(held.key.clone());
        };
        match held.server_key(id, &self.current.provider) {
            Ok(key) => Some(key),
            Err(why) => {
                tracing::warn!("a handshake is refused for want of a certificate: {why}");
                None
            }
        }
    }
}

/// The certificate of a process that calls: the one that it has, whatever the server hints at.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    pub(super) current: Arc<Current>,
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.current.held().key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
