//! TLS to etcd: it must be the host of its address, signed by an authority that was named.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What connections over TLS have in common.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Whom to trust, and our own chain and key, all PEM; otherwise what is wrong with them.
    pub(super) fn new(roots: &[u8], own: Option<&(Vec<u8>, Vec<u8>)>) -> Result<Self, String> {
        let mut trusted = RootCertStore::empty();
        for root in certificates(roots, "an authority")? {
            trusted.add(root).map_err(|why| format!("an authority cannot be used: {why}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(trusted);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "our own certificate")?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|why| format!("our own key cannot be read: {why}"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| format!("our own certificate and key: {why}"))?
            }
        };
        // The gateway is there for HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands as a client of this host.
    pub(super) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{host}` cannot be the name in a certificate"))?;
        let stream = self.0.connect(name, tcp).await;
        stream.map_err(|why| format!("the TLS handshake failed: {why}"))
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|why| format!("{what} cannot be read: {why}"))?;
    if all.is_empty() {
        return Err(format!("{what} is missing: there is no certificate in the PEM"));
    }
    Ok(all)
}
