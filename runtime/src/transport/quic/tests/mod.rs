//! Two endpoints on loopback with certificates made on the spot, and short words for what the tests
//! do with them.

mod bulk;
mod handshake;
mod streams;

use std::{
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use sinew_core::spiffe::SpiffeId;

use super::{Accepting, ConnectError, Network, QuicEndpoint};
use crate::transport::link::{Link, LinkError, LinkRecv, LinkSend};

const ALPN: &[u8] = b"sinew/1";
const SERVER: &str = "spiffe://test.example/server";
const CLIENT: &str = "spiffe://test.example/client";

/// Takes every certificate, or none, with these words; signatures are verified all the same.
#[derive(Debug)]
struct Verifier {
    provider: CryptoProvider,
    rejects: Option<&'static str>,
}

impl Verifier {
    fn new(rejects: Option<&'static str>) -> Arc<Self> {
        let provider = ring::default_provider();
        Arc::new(Self { provider, rejects })
    }

    fn verdict<T>(&self, accepted: T) -> Result<T, Error> {
        self.rejects.map_or(Ok(accepted), |why| Err(Error::General(why.into())))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verdict(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verdict(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

fn certificate(id: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(id.try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    (vec![certificate.der().clone()], key)
}

fn server_tls(rejects: Option<&'static str>) -> rustls::ServerConfig {
    let (chain, key) = certificate(SERVER);
    let mut tls = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Verifier::new(rejects))
        .with_single_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls
}

fn client_tls(rejects: Option<&'static str>) -> rustls::ClientConfig {
    let (chain, key) = certificate(CLIENT);
    let mut tls = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Verifier::new(rejects))
        .with_client_auth_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls
}

fn identify(chain: &[CertificateDer<'_>]) -> Result<SpiffeId, String> {
    let leaf = chain.first().ok_or("no certificate")?;
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|why| why.to_string())?;
    let id = leaf.valid_uri_names().next().ok_or("no URI")?;
    SpiffeId::new(id).map_err(|why| why.to_string())
}

fn nobody(_: &[CertificateDer<'_>]) -> Result<SpiffeId, String> {
    Err("this name is not welcome".into())
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A server and a client endpoint, with nothing between them yet.
struct Pair {
    server: QuicEndpoint,
    client: QuicEndpoint,
    at: SocketAddr,
}

impl Pair {
    fn new() -> Self {
        Self::with(server_tls(None), None)
    }

    fn with(tls: rustls::ServerConfig, secret: Option<&[u8; 32]>) -> Self {
        let server =
            QuicEndpoint::server(loopback(), Arc::new(tls), secret, &Network::System).unwrap();
        let at = server.local_addr().unwrap();
        let client = QuicEndpoint::client(at, &Network::System).unwrap();
        Self { server, client, at }
    }

    async fn dial(&self, tls: rustls::ClientConfig) -> Result<Arc<dyn Link>, ConnectError> {
        self.client.connect(self.at, "x.sinew", Arc::new(tls), identify).await
    }

    async fn accept(&self) -> Accepting {
        self.server.accept().await.unwrap()
    }

    /// Both ends of a new connection: the client's first.
    async fn connect(&self) -> (Arc<dyn Link>, Arc<dyn Link>) {
        let accept = async { self.accept().await.handshake(identify).await };
        let (client, server) = tokio::join!(self.dial(client_tls(None)), accept);
        (client.unwrap(), server.unwrap())
    }
}

async fn write(send: &mut Box<dyn LinkSend>, data: impl Into<Bytes>) -> Result<(), LinkError> {
    let mut data = data.into();
    while !data.is_empty() {
        poll_fn(|cx| send.poll_write(cx, &mut data)).await?;
    }
    Ok(())
}

async fn chunk(recv: &mut Box<dyn LinkRecv>) -> Result<Option<Bytes>, LinkError> {
    poll_fn(|cx| recv.poll_chunk(cx)).await
}

async fn read_to_end(recv: &mut Box<dyn LinkRecv>) -> Result<Vec<u8>, LinkError> {
    let mut all = Vec::new();
    while let Some(data) = chunk(recv).await? {
        assert!(!data.is_empty(), "chunks are never empty");
        all.extend_from_slice(&data);
    }
    Ok(all)
}

async fn stopped(send: &mut Box<dyn LinkSend>) -> Result<Option<u64>, LinkError> {
    poll_fn(|cx| send.poll_stopped(cx)).await
}

/// Whether `future` is still waiting after a moment.
async fn waits<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future).await.is_err()
}
