//! TLS to a legacy service: who it must be is the host of its address, signed by roots that are trusted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// HTTP/2, where the server speaks it.
const H2: &[u8] = b"h2";
const H1: &[u8] = b"http/1.1";

/// What connections over TLS have in common.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// What a user says of TLS.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsOptions {
    /// PEM of the roots that are trusted in place of the public ones.
    pub(crate) roots: Option<Vec<u8>>,
    /// PEM of our own chain and key.
    pub(crate) own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// Otherwise what is wrong with the certificates.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, String> {
        let roots = match &options.roots {
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(pem, "a root")? {
                    roots.add(root).map_err(|why| format!("a root cannot be used: {why}"))?;
                }
                roots
            }
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(roots);
        let mut config = match &options.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "the client's certificate")?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|why| format!("the client's key cannot be read: {why}"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| format!("the client's certificate and key: {why}"))?
            }
        };
        config.alpn_protocols = vec![H2.to_vec(), H1.to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands as a client of this host; whether HTTP/2 was agreed on.
    pub(super) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{host}` cannot be the name in a certificate"))?;
        let stream = self.0.connect(name, tcp).await.map_err(|why| {
            format!(
                "the TLS handshake with `{host}` failed: {why}; whom to trust is said by `roots`"
            )
        })?;
        let is_two = stream.get_ref().1.alpn_protocol() == Some(H2);
        Ok((stream, is_two))
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
