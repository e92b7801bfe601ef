//! Tests of the identity part: every refusal happens in a real handshake, and says what to do.

mod der;
mod dev;
mod explain;
mod files;
mod handshake;
mod quic;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use sinew_core::spiffe::SpiffeId;

use super::{Identity, provider};

/// The server of most tests.
const SHOP: &str = "spiffe://prod.example/Shop";
/// Its client.
const WEB: &str = "spiffe://prod.example/web";

fn id(text: &str) -> SpiffeId {
    SpiffeId::new(text).expect("a test names ids that are sound")
}

/// A moment for rcgen, `seconds` from now.
fn from_now(params: &mut CertificateParams, not_before: i64, not_after: i64) {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs() as i64;
    let at =
        |offset: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs((now + offset) as u64);
    params.not_before = at(not_before);
    params.not_after = at(not_after);
}

/// An authority of a test.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new(name: &str) -> Self {
        Self::valid(name, -3600, 3600)
    }

    fn valid(name: &str, not_before: i64, not_after: i64) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        from_now(&mut params, not_before, not_after);
        let pem = params.self_signed(&key).expect("an authority").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn issue(&self, leaf: &Leaf) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued::new(&certificate, &key)
    }

    /// A whole identity below this authority, trusting it.
    fn identity(&self, id: &str) -> Identity {
        let leaf = self.issue(&Leaf::of(id));
        Identity::from_pem(leaf.pem.as_bytes(), leaf.key_pem.as_bytes(), self.pem.as_bytes())
            .expect("an identity")
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut whole = DistinguishedName::new();
    whole.push(DnType::CommonName, name);
    whole
}

/// A certificate to be issued; good unless a test spoils it.
#[derive(Clone)]
struct Leaf {
    params: CertificateParams,
}

impl Leaf {
    fn of(id: &str) -> Self {
        Self::with_uris(&[id])
    }

    fn with_uris(uris: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("leaf");
        params.subject_alt_names =
            uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("an ASCII URI"))).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        from_now(&mut params, -60, 3600);
        Self { params }
    }

    /// Alternative names as these bytes.
    fn with_raw_names(content: Vec<u8>) -> Self {
        let mut leaf = Self::with_uris(&[]);
        leaf.params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&[2, 5, 29, 17], content));
        leaf
    }

    fn but(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }

    fn valid(self, not_before: i64, not_after: i64) -> Self {
        self.but(|params| from_now(params, not_before, not_after))
    }

    fn only_for(self, purpose: ExtendedKeyUsagePurpose) -> Self {
        self.but(|params| params.extended_key_usages = vec![purpose])
    }

    fn self_signed(&self) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let certificate = self.params.self_signed(&key).expect("a certificate");
        Issued::new(&certificate, &key)
    }
}

/// A certificate with its key.
struct Issued {
    pem: String,
    key_pem: String,
    key: Arc<CertifiedKey>,
}

impl Issued {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified = CertifiedKey::from_der(vec![certificate.der().clone()], der, &provider())
            .expect("a matching key");
        Self { pem: certificate.pem(), key_pem: key.serialize_pem(), key: Arc::new(certified) }
    }

    fn der(&self) -> &[u8] {
        &self.key.cert[0]
    }
}

/// Shows one certificate or none, whatever is asked for.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// How a handshake ended on both sides.
struct Outcome {
    client: Result<(), rustls::Error>,
    server: Result<(), rustls::Error>,
    connections: (ClientConnection, ServerConnection),
}

impl Outcome {
    #[track_caller]
    fn assert_done(&self) {
        assert_eq!((&self.client, &self.server), (&Ok(()), &Ok(())), "the handshake");
        let (client, server) = &self.connections;
        assert!(!client.is_handshaking() && !server.is_handshaking());
    }
}

/// A whole handshake in memory.
fn handshake(client: Arc<ClientConfig>, server: Arc<ServerConfig>, expected: &SpiffeId) -> Outcome {
    let name = ServerName::try_from(expected.server_name()).expect("a name");
    let mut client = ClientConnection::new(client, name).expect("a client");
    let mut server = ServerConnection::new(server).expect("a server");
    let (mut of_client, mut of_server) = (Ok(()), Ok(()));
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() && of_server.is_ok() {
            server.read_tls(&mut wire).expect("memory");
            of_server = server.process_new_packets().map(drop);
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() && of_client.is_ok() {
            client.read_tls(&mut wire).expect("memory");
            of_client = client.process_new_packets().map(drop);
        }
    }
    Outcome { client: of_client, server: of_server, connections: (client, server) }
}

/// A directory of this test alone, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sinew-identity-test-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, contents).expect("a file");
        path
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_says(text: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(text.contains(fragment), "`{fragment}` is missing from: {text}");
    }
}
