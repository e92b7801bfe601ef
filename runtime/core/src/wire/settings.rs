//! SETTINGS: what one side can do and wants, the first frame of its control stream.
//!
//! # Why
//! Two versions that meet must talk, or say in one sentence why not. Settings are numbered, and
//! unknown ones are passed over; so anything new can be offered to a peer of any age.
//!
//! # Layout
//! ```text
//!   for each, in rising order of ids:  id, varint | length, varint | value
//!   absent: the default of version 1
//! ```

use super::{Malformed, read, varint};
use crate::{
    ids::{Fingerprint, MethodId},
    limits::{
        FINGERPRINTS_MAX, IN_FLIGHT_MAX, MESSAGE_MAX, SERVICE_NAME_MAX, SERVICES_BYTES_MAX,
        SERVICES_MAX, SETTINGS_ENTRIES_MAX, SETTINGS_LIST_MAX, SETTINGS_MAX,
    },
    spiffe::is_service_name,
};

/// Ids of settings.
mod id {
    pub(super) const VERSIONS: u64 = 1;
    pub(super) const CODECS: u64 = 2;
    pub(super) const MAX_MESSAGE: u64 = 3;
    pub(super) const MAX_IN_FLIGHT: u64 = 4;
    pub(super) const FEATURES: u64 = 5;
    pub(super) const SERVICES: u64 = 6;
    pub(super) const FINGERPRINTS: u64 = 7;
}

/// What one side can do and wants. A later one replaces the former wholly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Versions of the protocol that the sender speaks; never empty.
    pub versions: Vec<u64>,
    /// Codecs that the sender reads: 0 raw, 1 bincode, 2 MessagePack.
    pub codecs: Vec<u64>,
    /// Largest message that the sender takes, in bytes.
    pub max_message: u64,
    /// Calls that the sender serves at once on this connection.
    pub max_in_flight: u64,
    /// Bits of what may be used towards the sender beyond version 1; none is defined.
    pub features: u64,
    /// Services that the sender offers or, as a client, wants.
    pub services: Vec<String>,
    /// The types of methods as the sender knows them. A method left out is not disagreed about: its
    /// calls carry the fingerprint.
    pub fingerprints: Vec<(MethodId, Fingerprint)>,
}

impl Default for Settings {
    /// What this version can do, without services.
    fn default() -> Self {
        Self {
            versions: vec![super::kinds::VERSION],
            codecs: vec![0, 1],
            max_message: MESSAGE_MAX as u64,
            max_in_flight: u64::from(IN_FLIGHT_MAX),
            features: 0,
            services: Vec::new(),
            fingerprints: Vec::new(),
        }
    }
}

impl Settings {
    /// Appends the payload of a SETTINGS frame.
    ///
    /// Lists are cut to their bounds; services and fingerprints that do not fit are left out, which
    /// costs nothing but a fingerprint per call.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        put_list(&mut value, &self.versions);
        put_entry(out, id::VERSIONS, &mut value);
        put_list(&mut value, &self.codecs);
        put_entry(out, id::CODECS, &mut value);
        for (id, number) in [
            (id::MAX_MESSAGE, self.max_message),
            (id::MAX_IN_FLIGHT, self.max_in_flight),
            (id::FEATURES, self.features),
        ] {
            varint::put(&mut value, number);
            put_entry(out, id, &mut value);
        }
        for name in self.services.iter().filter(|name| is_service_name(name)).take(SERVICES_MAX) {
            if value.len() + varint::len(name.len() as u64) + name.len() > SERVICES_BYTES_MAX {
                break;
            }
            varint::put(&mut value, name.len() as u64);
            value.extend_from_slice(name.as_bytes());
        }
        put_entry(out, id::SERVICES, &mut value);
        for (method, fingerprint) in self.fingerprints.iter().take(FINGERPRINTS_MAX) {
            value.extend_from_slice(&method.0.to_be_bytes());
            value.extend_from_slice(&fingerprint.0.to_be_bytes());
        }
        put_entry(out, id::FINGERPRINTS, &mut value);
    }

    /// Reads the payload of a SETTINGS frame.
    ///
    /// # Errors
    /// Where a bound is broken, ids do not rise, or a known setting has a value that it cannot
    /// have.
    pub(crate) fn decode(mut buf: &[u8]) -> Result<Self, Malformed> {
        if buf.len() > SETTINGS_MAX {
            return Err(Malformed::new("settings above 65536 bytes"));
        }
        let mut settings = Self::default();
        let (mut last, mut entries) = (None, 0);
        while !buf.is_empty() {
            entries += 1;
            if entries > SETTINGS_ENTRIES_MAX {
                return Err(Malformed::new("more than 64 settings"));
            }
            let id = varint::get(&mut buf)?;
            if last >= Some(id) {
                return Err(Malformed::new("settings whose ids do not rise"));
            }
            last = Some(id);
            settings.take(id, read::bytes(&mut buf, SETTINGS_MAX)?)?;
        }
        Ok(settings)
    }

    fn take(&mut self, id: u64, value: &[u8]) -> Result<(), Malformed> {
        match id {
            id::VERSIONS => self.versions = list(value)?,
            id::CODECS => self.codecs = list(value)?,
            id::MAX_MESSAGE => self.max_message = number(value)?,
            id::MAX_IN_FLIGHT => self.max_in_flight = number(value)?,
            id::FEATURES => self.features = number(value)?,
            id::SERVICES => self.services = services(value)?,
            id::FINGERPRINTS => self.fingerprints = fingerprints(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// Appends one setting and empties `value`; an empty one is left out.
fn put_entry(out: &mut Vec<u8>, id: u64, value: &mut Vec<u8>) {
    if value.is_empty() {
        return;
    }
    varint::put(out, id);
    varint::put(out, value.len() as u64);
    out.append(value);
}

fn put_list(value: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers.iter().take(SETTINGS_LIST_MAX) {
        varint::put(value, *number);
    }
}

fn number(mut value: &[u8]) -> Result<u64, Malformed> {
    let number = varint::get(&mut value)?;
    read::end(value)?;
    Ok(number)
}

fn list(mut value: &[u8]) -> Result<Vec<u64>, Malformed> {
    let mut numbers = Vec::new();
    while !value.is_empty() {
        if numbers.len() == SETTINGS_LIST_MAX {
            return Err(Malformed::new("a setting of more than 32 numbers"));
        }
        numbers.push(varint::get(&mut value)?);
    }
    if numbers.is_empty() {
        return Err(Malformed::new("an empty list of versions or codecs"));
    }
    Ok(numbers)
}

fn services(mut value: &[u8]) -> Result<Vec<String>, Malformed> {
    if value.len() > SERVICES_BYTES_MAX {
        return Err(Malformed::new("service names above 24576 bytes"));
    }
    let mut names = Vec::new();
    while !value.is_empty() {
        if names.len() == SERVICES_MAX {
            return Err(Malformed::new("more than 1024 services"));
        }
        let name = read::text(&mut value, SERVICE_NAME_MAX)?;
        if !is_service_name(name) {
            return Err(Malformed::new("a service name that no service can have"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn fingerprints(mut value: &[u8]) -> Result<Vec<(MethodId, Fingerprint)>, Malformed> {
    if value.len() > FINGERPRINTS_MAX * 16 {
        return Err(Malformed::new("more than 2048 fingerprints"));
    }
    let mut pairs = Vec::with_capacity(value.len() / 16);
    while !value.is_empty() {
        let method = MethodId(read::u64(&mut value)?);
        pairs.push((method, Fingerprint(read::u64(&mut value)?)));
    }
    Ok(pairs)
}
