//! TLS of raw peers: they show a sound certificate and take whatever the other side shows.

use std::{sync::Arc, time::Duration};

use quinn::{
    IdleTimeout, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use sinew_core::wire::ALPN;

use crate::{
    Must as _,
    authority::{Authority, Issued},
};

/// Takes every server.
#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A client that shows a certificate for `id`.
pub(super) fn client(authority: &Authority, id: &str) -> quinn::ClientConfig {
    let tls = client_tls(authority, id);
    let mut config =
        quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).must("TLS for QUIC")));
    config.transport_config(Arc::new(transport()));
    config
}

/// The same, and what is sent to it on a stream may be this many bytes until it has read them.
pub(super) fn stingy_client(authority: &Authority, id: &str, window: u32) -> quinn::ClientConfig {
    let mut config = client(authority, id);
    let mut transport = transport();
    transport.stream_receive_window(VarInt::from_u32(window));
    config.transport_config(Arc::new(transport));
    config
}

/// Its TLS.
pub(super) fn client_tls(authority: &Authority, id: &str) -> rustls::ClientConfig {
    let issued = authority.issue(id);
    let mut tls = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&TLS13])
        .must("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(ring::default_provider())))
        .with_client_auth_cert(vec![issued.der], issued.key)
        .must("a certificate");
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls
}

/// A server that shows this certificate and takes every client of the authority.
pub(super) fn server(authority: &Authority, issued: Issued) -> quinn::ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).must("an authority");
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .must("a verifier");
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .must("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![issued.der], issued.key)
        .must("a certificate");
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let tls = QuicServerConfig::try_from(tls).must("TLS for QUIC");
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport()));
    config
}

/// Nothing ends for want of traffic while a test thinks.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(60_000))))
        .keep_alive_interval(Some(Duration::from_secs(1)));
    transport
}
