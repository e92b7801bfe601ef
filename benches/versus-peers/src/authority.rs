//! A certificate authority for one run, where both sides of a connection must show a certificate.
//!
//! sinew always shows one on both sides. Its development authority does that on loopback alone, and for one identity
//! per process, so cells over another network, or of many clients, bring this one. tonic has it where it is to do
//! what sinew does.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::{
    Failure,
    tls::{NAME, from_hex, to_hex},
};

const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";

/// Signs leaves for whoever has it.
pub struct Authority {
    /// What both sides trust.
    pub certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that an [`Authority`] signed, and its key.
pub struct Leaf {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key.
    pub key_pem: String,
}

impl Authority {
    /// # Errors
    /// No randomness.
    pub fn fresh() -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let certificate_pem = params()?.self_signed(&key)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params()?, key) })
    }

    /// The whole of it as the `ready` line carries it: the client signs its own leaves.
    pub fn for_the_client(&self) -> String {
        to_hex(&(self.certificate_pem.clone() + &self.issuer.key().serialize_pem()))
    }

    /// Out of the command line.
    ///
    /// # Errors
    /// None was given, or it is not what [`for_the_client`](Self::for_the_client) wrote.
    pub fn of_server(hex: Option<&str>) -> Result<Self, Failure> {
        let both = from_hex(hex.ok_or("no `--cert`")?)?;
        let at = both.find(KEY_BEGINS).ok_or("no key of the authority in `--cert`")?;
        let (certificate, key) = both.split_at(at);
        let issuer = Issuer::new(params()?, KeyPair::from_pem(key)?);
        Ok(Self { certificate_pem: certificate.to_owned(), issuer })
    }

    /// For `spiffe://versus.local/WHO`, which is also [`NAME`]: good for either side.
    ///
    /// # Errors
    /// `who` is no path.
    pub fn leaf(&self, who: &str) -> Result<Leaf, Failure> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
        let id = format!("spiffe://versus.local/{who}");
        params.subject_alt_names.push(SanType::URI(id.as_str().try_into()?));
        let certificate_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Leaf { certificate_pem, key_pem: key.serialize_pem() })
    }
}

/// The same at every call: whoever has the key signs in the authority's name.
fn params() -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "versus");
    Ok(params)
}
