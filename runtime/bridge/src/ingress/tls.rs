//! TLS of a listener, and who its clients are by their certificates.

use std::sync::Arc;

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sinew::SpiffeId;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::IngressError;

/// The certificate of a listener and its key, in PEM.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) chain: Vec<u8>,
    pub(super) key: Secret,
}

/// What is not shown.
#[derive(Clone)]
pub(super) struct Secret(Vec<u8>);

impl From<Vec<u8>> for Secret {
    fn from(secret: Vec<u8>) -> Self {
        Self(secret)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

/// What clients are asked for.
pub(super) struct Client<'a> {
    pub(super) roots: &'a [u8],
    /// They may show none.
    pub(super) may_lack: bool,
}

/// Begins TLS on connections, if it is spoken at all.
#[derive(Clone)]
pub(super) struct Acceptor {
    tls: Option<TlsAcceptor>,
    /// Clients are asked for a certificate.
    asks: bool,
    /// They may show none.
    may_lack: bool,
}

impl Acceptor {
    pub(super) fn none() -> Self {
        Self { tls: None, asks: false, may_lack: false }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn may_lack(&self) -> bool {
        self.may_lack
    }

    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    pub(super) async fn accept(&self, tcp: TcpStream) -> std::io::Result<Accepted> {
        match &self.tls {
            None => Ok(Accepted::Plain(tcp)),
            Some(tls) => tls.accept(tcp).await.map(|tls| Accepted::Tls(Box::new(tls))),
        }
    }
}

/// A connection that has begun.
pub(super) enum Accepted {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Accepted {
    /// Who the client is by its certificate. One that names nobody is as good as none, and is refused where one must be.
    pub(super) fn certified(&self) -> Result<Option<SpiffeId>, String> {
        let Self::Tls(tls) = self else { return Ok(None) };
        match tls.get_ref().1.peer_certificates() {
            None | Some([]) => Ok(None),
            Some(chain) => sinew::foreign::certified(&chain[0]).map(Some),
        }
    }
}

pub(super) fn acceptor(tls: &Tls, clients: Option<Client<'_>>) -> Result<Acceptor, IngressError> {
    let wrong = |problem: String| IngressError::Tls { problem };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&tls.chain).collect();
    let chain = chain.map_err(|why| wrong(format!("the certificates are no PEM: {why}")))?;
    if chain.is_empty() {
        return Err(wrong("there is no certificate in the chain".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&tls.key.0)
        .map_err(|why| wrong(format!("the key is no PEM: {why}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(why.to_string()))?;
    let asks = clients.is_some();
    let may_lack = clients.as_ref().is_some_and(|clients| clients.may_lack);
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(Client { roots, may_lack }) => {
            let mut store = RootCertStore::empty();
            for root in CertificateDer::pem_slice_iter(roots) {
                let root =
                    root.map_err(|why| wrong(format!("the client roots are no PEM: {why}")))?;
                store.add(root).map_err(|why| wrong(format!("a client root: {why}")))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
            let verifier = if may_lack { verifier.allow_unauthenticated() } else { verifier };
            let verifier =
                verifier.build().map_err(|why| wrong(format!("the client roots: {why}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| wrong(format!("the certificate and its key: {why}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor { tls: Some(TlsAcceptor::from(Arc::new(config))), asks, may_lack })
}
