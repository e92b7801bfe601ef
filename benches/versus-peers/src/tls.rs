//! Ordinary TLS 1.3 for those that run over TCP, and the same cipher for QUIC.
//!
//! Every contestant seals with ring's AES-128-GCM: the suite that QUIC takes, and the fastest here; rustls would
//! otherwise agree on AES-256 over TCP, and the table would compare key lengths. Only the server has a certificate.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::Failure;

/// The name on the certificate.
pub const NAME: &str = "localhost";

/// Makes AES-128-GCM the only suite that this process knows; tonic takes the process's provider.
///
/// # Errors
/// Some other provider was first.
pub fn install_cipher() -> Result<(), Failure> {
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..ring::default_provider()
    };
    provider.install_default().map_err(|_| "a cryptography provider is installed already".into())
}

/// A server's certificate and key, made for one run.
pub struct Identity {
    /// For both sides.
    pub certificate_pem: String,
    /// For the server.
    pub key_pem: String,
}

impl Identity {
    /// Signed by itself, for [`NAME`].
    ///
    /// # Errors
    /// No randomness.
    pub fn fresh() -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
        Ok(Self { certificate_pem: made.cert.pem(), key_pem: made.signing_key.serialize_pem() })
    }

    /// The certificate as the `ready` line carries it.
    pub fn for_the_client(&self) -> String {
        to_hex(&self.certificate_pem)
    }

    /// For a server on tokio-rustls.
    ///
    /// # Errors
    /// rustls does not like what rcgen made.
    pub fn server_config(&self) -> Result<ServerConfig, Failure> {
        let certificate = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())?;
        Ok(ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?)
    }
}

/// What a line can carry of any text.
pub(crate) fn to_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn from_hex(hex: &str) -> Result<String, Failure> {
    let bytes = (0..hex.len())
        .step_by(2)
        .map(|at| {
            let pair = hex.get(at..at + 2).ok_or("`--cert` is cut short")?;
            Ok(u8::from_str_radix(pair, 16)?)
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(String::from_utf8(bytes)?)
}

/// The server's certificate out of the command line, as PEM.
///
/// # Errors
/// None was given, or it is not hexadecimal.
pub fn pem_of_server(hex: Option<&str>) -> Result<String, Failure> {
    from_hex(hex.ok_or("no `--cert`")?)
}

/// Trusts the server's certificate and nothing else.
///
/// # Errors
/// As [`pem_of_server`].
pub fn client_config(hex: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    let certificate = CertificateDer::from_pem_slice(pem_of_server(hex)?.as_bytes())?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
