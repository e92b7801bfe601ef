//! Whether made-up values survive each codec.
//!
//! # Why
//! What is read tells nothing of what is written, and serde lets the two differ. A value is written, read and written
//! again: where the two writings differ, or the reading fails, the codec must not carry the type.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::codec::{self, BINCODE, CodecError, MESSAGEPACK};

/// What the values so far have shown.
#[derive(Debug)]
pub(super) struct Trial {
    names: Option<&'static [&'static str]>,
    /// Why bincode must not carry the type.
    pub(super) bincode: Option<String>,
    /// Why MessagePack must not.
    pub(super) named: Option<String>,
}

impl Trial {
    /// For a type, or for a tuple of arguments with these names.
    pub(super) fn new(names: Option<&'static [&'static str]>) -> Self {
        Self { names, bincode: None, named: None }
    }

    pub(super) fn run<T: Serialize + DeserializeOwned + 'static>(&mut self, value: &T) {
        let names = self.names;
        let write = |codec, value: &T| {
            let mut out = Vec::new();
            match names {
                Some(names) => codec::encode_arguments(codec, names, value, &mut out),
                None => codec::encode(codec, value, &mut out),
            }
            .map(|()| Bytes::from(out))
        };
        let read = |codec, bytes: &Bytes| match names {
            Some(names) => codec::decode_arguments::<T>(codec, names, bytes),
            None => codec::decode::<T>(codec, bytes),
        };
        let plain = write(BINCODE, value);
        let again = plain.clone().and_then(|bytes| write(BINCODE, &read(BINCODE, &bytes)?));
        judge(&mut self.bincode, &plain, &again);

        let named = write(MESSAGEPACK, value);
        let back = named.clone().and_then(|bytes| read(MESSAGEPACK, &bytes));
        let again = back.as_ref().map_err(Clone::clone).and_then(|back| write(MESSAGEPACK, back));
        judge(&mut self.named, &named, &again);
        // Where bincode is sound, it sees what MessagePack has no form for.
        if self.bincode.is_none()
            && let Ok(back) = back
        {
            judge(&mut self.named, &plain, &write(BINCODE, &back));
        }
    }
}

/// Keeps the first failure.
fn judge(
    failure: &mut Option<String>,
    first: &Result<Bytes, CodecError>,
    again: &Result<Bytes, CodecError>,
) {
    if failure.is_some() {
        return;
    }
    *failure = match (first, again) {
        (Err(error), _) | (Ok(_), Err(error)) => Some(error.to_string()),
        (Ok(first), Ok(again)) if first != again => Some("another value comes back".to_owned()),
        (Ok(_), Ok(_)) => None,
    };
}
