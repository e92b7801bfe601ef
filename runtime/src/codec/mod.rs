//! Values to bytes and back, one codec id per call.
//!
//! # Why
//! Which codec applies belongs to the endpoint that an attempt goes to, so arguments stay values until then, and the
//! codec travels as a number in every head. bincode is one implementation behind this door, and the only file that
//! names it is `bincode.rs`.
//!
//! # Invariants
//! 1. Every decode runs under the guard: nesting, elements and allocation are bounded whatever the bytes say.
//! 2. The whole length is consumed: a value followed by anything is refused.

mod bincode;
mod checked;
mod guard;
#[cfg(feature = "foreign")]
mod json;
mod messagepack;
mod only;
mod spoken;

use std::{any::Any, fmt};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "foreign")]
pub use json::Argument;
#[cfg(feature = "foreign")]
pub(crate) use json::{parts, put};
pub(crate) use spoken::{name, settings};

/// Bytes untouched: `#[rpc(raw)]`.
pub(crate) const RAW: u8 = 0;
/// bincode 2, standard configuration.
pub(crate) const BINCODE: u8 = 1;
/// MessagePack with named fields.
pub(crate) const MESSAGEPACK: u8 = 2;

/// JSON, for transports that speak it: arguments one by one. Never on sinew's own wire.
pub(crate) const JSON: u8 = 3;

/// The same, but a value that is `Bytes` stands for itself.
#[cfg(feature = "foreign")]
pub(crate) const JSON_OR_BYTES: u8 = 4;

/// Why a value could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodecError {
    /// This build does not speak the codec.
    Unknown(u8),
    /// The value cannot be written.
    Encode(String),
    /// The bytes are not such a value.
    Decode(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "codec {id} is not spoken here"),
            Self::Encode(why) => write!(f, "the value cannot be encoded: {why}"),
            Self::Decode(why) => write!(f, "the bytes are not such a value: {why}"),
        }
    }
}

impl std::error::Error for CodecError {}

/// Appends `value` to `out`. On an error `out` is as it was.
pub(crate) fn encode<T: Serialize + 'static>(
    codec: u8,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let result = match codec {
        BINCODE => bincode::encode(value, out),
        MESSAGEPACK => messagepack::encode(value, out),
        #[cfg(feature = "foreign")]
        JSON => json::encode(value, out),
        #[cfg(feature = "foreign")]
        JSON_OR_BYTES => encode_raw(value, out).or_else(|_| json::encode(value, out)),
        RAW => encode_raw(value, out),
        other => Err(CodecError::Unknown(other)),
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// What the endpoint of a call with this key is found by: FNV-1a over the key's bincode, in every build and on every
/// machine the same for the same value. `None` where it has none.
pub(crate) fn key<T: Serialize>(value: &T) -> Option<u64> {
    bincode::hash(value)
}

/// Reads one value that fills `body` exactly.
pub(crate) fn decode<T: DeserializeOwned + 'static>(
    codec: u8,
    body: &Bytes,
) -> Result<T, CodecError> {
    match codec {
        BINCODE => bincode::decode(body),
        MESSAGEPACK => messagepack::decode(body),
        #[cfg(feature = "foreign")]
        JSON => json::decode(body),
        #[cfg(feature = "foreign")]
        JSON_OR_BYTES => decode_raw(body).or_else(|_| json::decode(body)),
        RAW => decode_raw(body),
        other => Err(CodecError::Unknown(other)),
    }
}

/// A value in this codec as JSON, through its type.
#[cfg(feature = "foreign")]
pub(crate) fn json_of<T: Serialize + DeserializeOwned + 'static>(
    codec: u8,
    body: &Bytes,
) -> Result<Vec<u8>, String> {
    let value: T = decode(codec, body).map_err(|why| why.to_string())?;
    let mut out = Vec::new();
    json::encode(&value, &mut out).map_err(|why| why.to_string())?;
    Ok(out)
}

/// Appends `value` in this codec, or, where bincode would corrupt this very value, with named fields. Which one it was.
pub(crate) fn encode_or_named<T: Serialize + 'static>(
    codec: u8,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<u8, CodecError> {
    match encode(codec, value, out) {
        Err(_) if codec == BINCODE => encode(MESSAGEPACK, value, out).map(|()| MESSAGEPACK),
        other => other.map(|()| codec),
    }
}

/// Appends the arguments of a call, which have these names where the codec carries names. On an error `out` is as it was.
pub(crate) fn encode_arguments<A: Serialize + 'static>(
    codec: u8,
    names: &[&str],
    arguments: &A,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let result = match codec {
        MESSAGEPACK => messagepack::encode_arguments(names, arguments, out),
        #[cfg(feature = "foreign")]
        JSON | JSON_OR_BYTES => json::encode_arguments(arguments, out),
        other => return encode(other, arguments, out),
    };
    result.inspect_err(|_| out.truncate(start))
}

/// Reads the arguments of a call, which fill `body` exactly.
pub(crate) fn decode_arguments<A: DeserializeOwned + 'static>(
    codec: u8,
    names: &[&str],
    body: &Bytes,
) -> Result<A, CodecError> {
    match codec {
        MESSAGEPACK => messagepack::decode_arguments(names, body),
        #[cfg(feature = "foreign")]
        JSON | JSON_OR_BYTES => json::decode_arguments(body),
        other => decode(other, body),
    }
}

/// The argument of a raw method is a one-tuple of `Bytes`, its result is `Bytes`.
fn encode_raw<T: 'static>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let value: &dyn Any = value;
    let bytes = (value.downcast_ref::<(Bytes,)>().map(|(bytes,)| bytes))
        .or_else(|| value.downcast_ref::<Bytes>())
        .ok_or_else(|| {
            CodecError::Encode("a raw method carries `Bytes` and nothing else".into())
        })?;
    out.extend_from_slice(bytes);
    Ok(())
}

fn decode_raw<T: 'static>(body: &Bytes) -> Result<T, CodecError> {
    let mut slot: Option<T> = None;
    let any: &mut dyn Any = &mut slot;
    if let Some(one) = any.downcast_mut::<Option<(Bytes,)>>() {
        *one = Some((body.clone(),));
    } else if let Some(plain) = any.downcast_mut::<Option<Bytes>>() {
        *plain = Some(body.clone());
    }
    slot.ok_or_else(|| CodecError::Decode("a raw method carries `Bytes` and nothing else".into()))
}

/// A value whose type is forgotten but which can still be written, by the codec that the endpoint wants.
pub(crate) trait Encode: Send {
    /// Appends the value.
    fn encode(&mut self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError>;
}

/// The arguments of a call and their names.
pub(crate) struct Arguments<A> {
    pub(crate) names: &'static [&'static str],
    pub(crate) value: A,
}

impl<A: Serialize + Send + 'static> Encode for Arguments<A> {
    fn encode(&mut self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        encode_arguments(codec, self.names, &self.value, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_followed_by_anything_is_refused() {
        let mut out = Vec::new();
        encode(BINCODE, &(7_u32, "x".to_owned()), &mut out).unwrap();
        assert_eq!(
            decode::<(u32, String)>(BINCODE, &Bytes::from(out.clone())).unwrap(),
            (7, "x".into())
        );
        out.push(0);
        let error = decode::<(u32, String)>(BINCODE, &Bytes::from(out)).unwrap_err();
        assert!(error.to_string().contains("1 byte"), "{error}");
    }

    /// A change of any of these moves everybody's keys: 1 is `01`, 300 `fb 2c 01`, a text its length and its bytes.
    #[test]
    fn keys_have_the_hashes_that_they_have_always_had() {
        use sinew_core::policy::rendezvous::hash;

        assert_eq!(key(&1_u64), Some(hash(&[1])));
        assert_eq!(key(&300_u64), Some(hash(&[251, 44, 1])));
        assert_eq!(key(&"ada".to_owned()), Some(hash(b"\x03ada")));
        assert_eq!(key(&Bytes::from_static(b"ada")), key(&"ada".to_owned()));
        assert_eq!(key(&(7_u8, Some("x"))), Some(hash(b"\x07\x01\x01x")));
    }

    #[test]
    fn raw_bytes_pass_untouched_and_nothing_else_does() {
        let body = Bytes::from_static(b"as is");
        let mut out = Vec::new();
        encode(RAW, &(body.clone(),), &mut out).unwrap();
        assert_eq!(out, b"as is");
        assert_eq!(decode::<Bytes>(RAW, &body).unwrap(), body);
        assert!(encode(RAW, &7_u8, &mut out).is_err());
        assert!(decode::<u8>(RAW, &body).is_err());
    }

    #[test]
    fn an_unknown_codec_is_named() {
        assert_eq!(decode::<u8>(9, &Bytes::new()), Err(CodecError::Unknown(9)));
    }
}
