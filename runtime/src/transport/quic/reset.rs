//! Keys that survive a restart, so that a restarted server is noticed in one round trip.
//!
//! # Why
//! A process that is killed and started again on its address knows none of its old connections. It
//! may answer their packets with a stateless reset, which a peer believes only if it ends in the
//! token that the *old* process announced. quinn draws the key of those tokens at random for each
//! process, and drops unknown connection ids by a second random key before it would even answer;
//! the peers then wait for the idle timeout.
//!
//! # Invariants
//! 1. The same secret at the same address gives the same tokens, in every process.
//! 2. Another address gives other tokens: otherwise whoever sends a connection id of one server to
//!    another with the same secret would be told how to reset that connection.
//!
//! # Not here
//! Where the secret comes from. Without one, quinn's random keys stay.

use std::{net::SocketAddr, sync::Arc};

use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig,
    crypto::{CryptoError, HmacKey},
};
use rustls::crypto::{
    CryptoProvider,
    hmac::Tag,
    ring,
    tls13::{Hkdf, OkmBlock},
};

/// Bytes of a connection id of ours: as many as quinn's own.
const ID_LEN: usize = 8;

/// The configuration of an endpoint at `address` whose resets stay valid as long as `secret` does.
///
/// `None` when the cryptography at hand has no SHA-256 suite.
pub(super) fn stable_endpoint(secret: &[u8; 32], address: SocketAddr) -> Option<EndpointConfig> {
    let provider = Arc::new(ring::default_provider());
    let hkdf = sha256(&provider)?;
    let label = format!("sinew stateless reset {address}");
    let key = hkdf.hmac_sign(&OkmBlock::new(secret), label.as_bytes());
    let mut config =
        EndpointConfig::new(Arc::new(ResetKey { hkdf, key: OkmBlock::new(key.as_ref()) }));
    config.cid_generator(move || Box::new(RandomIds { provider: Arc::clone(&provider) }));
    Some(config)
}

/// HMAC with SHA-256, out of the TLS suite that QUIC cannot do without.
fn sha256(provider: &CryptoProvider) -> Option<&'static dyn Hkdf> {
    let suite = provider
        .cipher_suites
        .iter()
        .find(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256)?;
    suite.tls13().map(|suite| suite.hkdf_provider)
}

/// Signs connection ids; the signature is the reset token.
struct ResetKey {
    hkdf: &'static dyn Hkdf,
    key: OkmBlock,
}

impl ResetKey {
    fn tag(&self, data: &[u8]) -> Tag {
        self.hkdf.hmac_sign(&self.key, data)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        for (to, from) in signature_out.iter_mut().zip(self.tag(data).as_ref()) {
            *to = *from;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let tag = self.tag(data);
        let tag = tag.as_ref();
        // Every byte is looked at, so that the time taken tells nothing.
        let differs = tag.iter().zip(signature).fold(0, |sum, (a, b)| sum | (a ^ b));
        if tag.len() == signature.len() && differs == 0 { Ok(()) } else { Err(CryptoError) }
    }
}

/// Random connection ids, of which every value may be one of an earlier process.
///
/// quinn's generator marks its ids with a key of the process. A stable mark would turn away stray
/// packets a little earlier, but it cannot be had through quinn's interface and anyone who has seen
/// one id can forge it; resets are limited to one per 20 ms in any case.
struct RandomIds {
    provider: Arc<CryptoProvider>,
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_LEN];
        if self.provider.secure_random.fill(&mut id).is_err() {
            fastrand::fill(&mut id);
        }
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_LEN
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: u8, port: u16) -> [u8; 32] {
        let provider = ring::default_provider();
        let hkdf = sha256(&provider).unwrap();
        let label = format!("sinew stateless reset 127.0.0.1:{port}");
        let key = hkdf.hmac_sign(&OkmBlock::new(&[secret; 32]), label.as_bytes());
        let key = ResetKey { hkdf, key: OkmBlock::new(key.as_ref()) };
        let mut signature = [0; 32];
        key.sign(b"12345678", &mut signature);
        assert!(key.verify(b"12345678", &signature).is_ok());
        assert!(key.verify(b"12345679", &signature).is_err());
        assert!(key.verify(b"12345678", &signature[..31]).is_err());
        signature
    }

    #[test]
    fn tokens_are_the_same_for_the_same_secret_and_address_only() {
        assert_eq!(token(1, 7000), token(1, 7000));
        assert_ne!(token(1, 7000), token(2, 7000));
        assert_ne!(token(1, 7000), token(1, 7001));
    }

    #[test]
    fn connection_ids_do_not_repeat() {
        let mut ids = RandomIds { provider: Arc::new(ring::default_provider()) };
        assert_ne!(*ids.generate_cid(), *ids.generate_cid());
    }
}
