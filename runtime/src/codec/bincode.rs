//! bincode 2.0.1 in its standard configuration: the only file that names it.
//!
//! # Why pinned
//! 2.0.1 is the last working release (3.0.0 is an empty tombstone) and its format is specified, so it can be replaced
//! without a change on the wire. Its own limit counts decoded sizes and does not see collections of values that take no
//! bytes, nor nesting; the guard does.

use bincode::error::{DecodeError, EncodeError};
use bytes::Bytes;
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer},
};
use sinew_core::policy::rendezvous::Fnv;

use super::{
    CodecError,
    checked::Checked,
    guard::{Budget, Guarded},
};

/// No limit of its own: it counts what values take decoded, so that it would refuse sound messages. The frame bounds
/// the bytes, the guard what they may cost.
const CONFIG: bincode::config::Configuration = bincode::config::standard();

struct Appender<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    bincode::serde::encode_into_writer(Checked::new(value), Appender(out), CONFIG).map_err(
        |error| match error {
            EncodeError::OtherString(words) => CodecError::Encode(words),
            error => CodecError::Encode(error.to_string()),
        },
    )
}

struct Hasher<'a>(&'a mut Fnv);

impl bincode::enc::write::Writer for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.add(bytes);
        Ok(())
    }
}

/// The hash of the bytes that [`encode`] would write, which are made for nothing else and kept nowhere.
pub(super) fn hash<T: Serialize>(value: &T) -> Option<u64> {
    let mut fnv = Fnv::new();
    bincode::serde::encode_into_writer(value, Hasher(&mut fnv), CONFIG).ok()?;
    Some(fnv.end())
}

pub(super) fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, CodecError> {
    let budget = Budget::for_message(body.len());
    let (value, used) = bincode::serde::seed_decode_from_slice(
        Seed { budget: &budget, of: std::marker::PhantomData },
        body,
        CONFIG,
    )
    .map_err(|error| CodecError::Decode(words(error)))?;
    match body.len() - used {
        0 => Ok(value),
        1 => Err(CodecError::Decode("1 byte follows the value".into())),
        more => Err(CodecError::Decode(format!("{more} bytes follow the value"))),
    }
}

/// What a type says for itself is said in its words.
fn words(error: DecodeError) -> String {
    match error {
        DecodeError::OtherString(words) => words,
        error => error.to_string(),
    }
}

struct Seed<'b, T> {
    budget: &'b Budget,
    of: std::marker::PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Guarded::new(deserializer, self.budget))
    }
}
