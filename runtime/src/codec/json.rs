//! JSON, for transports that speak it: what others than sinew understand.
//!
//! # Layout
//! A value is its JSON. Arguments are not one message, because each has a place of its own in somebody else's protocol:
//! they stand one after the other, each behind what it is and how long it is.
//! ```text
//!   0: JSON, 1: bytes untouched, 1 byte | length, 4 bytes, little endian | content
//! ```
//! This crosses no wire: a transport takes it apart.

use bytes::Bytes;
use serde::{
    Serialize,
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor,
        value::BorrowedBytesDeserializer,
    },
    ser::{Error as _, Impossible, SerializeTuple},
};
use serde_json::Error;

use super::{
    CodecError,
    guard::{Budget, Guarded},
    only::{Accept, Only},
};

const JSON: u8 = 0;
const BYTES: u8 = 1;
/// What an argument is, and its length.
const HEAD: usize = 5;

pub(super) fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    serde_json::to_writer(out, value).map_err(|error| CodecError::Encode(error.to_string()))
}

pub(super) fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, CodecError> {
    let budget = Budget::for_message(body.len());
    value(body, &budget, std::marker::PhantomData)
        .map_err(|error| CodecError::Decode(error.to_string()))
}

fn value<'de, S: DeserializeSeed<'de>>(
    json: &'de [u8],
    budget: &Budget,
    seed: S,
) -> Result<S::Value, Error> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let value = seed.deserialize(Guarded::new(&mut json, budget))?;
    json.end().map(|()| value)
}

pub(super) fn encode_arguments<A: Serialize>(
    arguments: &A,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let written = arguments.serialize(Only(Parts(out)));
    written.map_err(|error| CodecError::Encode(error.to_string()))
}

pub(super) fn decode_arguments<A: DeserializeOwned>(body: &Bytes) -> Result<A, CodecError> {
    let budget = Budget::for_message(body.len());
    A::deserialize(Arguments { parts: parts(body), budget: &budget })
        .map_err(|error| CodecError::Decode(error.to_string()))
}

/// One argument, written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument<'a> {
    /// In JSON.
    Json(&'a [u8]),
    /// Bytes, untouched: the argument is a `Bytes`.
    Bytes(&'a [u8]),
}

/// The arguments in what [`encode_arguments`] wrote, up to one that is cut off.
pub(crate) fn parts(mut body: &[u8]) -> impl Iterator<Item = Argument<'_>> {
    std::iter::from_fn(move || {
        let (&[what, a, b, c, d], rest) = body.split_first_chunk::<HEAD>()?;
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let (content, rest) = rest.split_at_checked(len)?;
        body = rest;
        Some(if what == BYTES { Argument::Bytes(content) } else { Argument::Json(content) })
    })
}

/// Appends one argument to what [`decode_arguments`] reads.
pub(crate) fn put(argument: Argument<'_>, out: &mut Vec<u8>) {
    let (what, content) = match argument {
        Argument::Json(json) => (JSON, json),
        Argument::Bytes(bytes) => (BYTES, bytes),
    };
    // Arguments are bounded far below what the length can say; more would be cut off, and refused when it is read.
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.push(what);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(content);
}

/// Writes arguments behind one another.
struct Parts<'o>(&'o mut Vec<u8>);

impl<'o> Accept for Parts<'o> {
    type Ok = ();
    type Error = Error;
    type Tuple = Self;
    const EXPECTED: &'static str = "arguments are a tuple";

    fn tuple(self, _: usize) -> Result<Self, Error> {
        Ok(self)
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let is_bytes = typeid::of::<T>() == typeid::of::<Bytes>();
        let start = self.0.len();
        self.0.extend_from_slice(&[if is_bytes { BYTES } else { JSON }, 0, 0, 0, 0]);
        if is_bytes {
            value.serialize(Only(Untouched(self.0)))?;
        } else {
            value.serialize(&mut serde_json::Serializer::new(&mut *self.0))?;
        }
        let len = u32::try_from(self.0.len() - start - HEAD).map_err(Error::custom)?;
        self.0[start + 1..start + HEAD].copy_from_slice(&len.to_le_bytes());
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// Writes bytes as they are.
struct Untouched<'o>(&'o mut Vec<u8>);

impl Accept for Untouched<'_> {
    type Ok = ();
    type Error = Error;
    type Tuple = Impossible<(), Error>;
    const EXPECTED: &'static str = "these are not bytes";

    fn bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads arguments one by one.
struct Arguments<'b, P> {
    parts: P,
    budget: &'b Budget,
}

impl<'de, P: Iterator<Item = Argument<'de>>> Deserializer<'de> for Arguments<'_, P> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, P: Iterator<Item = Argument<'de>>> SeqAccess<'de> for Arguments<'_, P> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        match self.parts.next() {
            None => Ok(None),
            Some(Argument::Json(json)) => value(json, self.budget, seed).map(Some),
            Some(Argument::Bytes(bytes)) => {
                seed.deserialize(BorrowedBytesDeserializer::new(bytes)).map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<A: Serialize>(arguments: &A) -> Vec<u8> {
        let mut out = Vec::new();
        encode_arguments(arguments, &mut out).unwrap();
        out
    }

    #[test]
    fn each_argument_stands_alone_and_bytes_are_untouched() {
        let arguments = (7_u8, "a\"b".to_owned(), Bytes::from_static(b"\x00\xff"), Some([1, 2]));
        let out = written(&arguments);
        let expected = [
            Argument::Json(b"7"),
            Argument::Json(br#""a\"b""#),
            Argument::Bytes(b"\x00\xff"),
            Argument::Json(b"[1,2]"),
        ];
        assert_eq!(parts(&out).collect::<Vec<_>>(), expected);
        let read: (u8, String, Bytes, Option<[i32; 2]>) = decode_arguments(&out.into()).unwrap();
        assert_eq!(read, arguments);
    }

    #[test]
    fn a_method_without_arguments_has_none() {
        let out = written(&());
        assert_eq!(parts(&out).count(), 0);
        assert_eq!(decode_arguments::<()>(&out.into()), Ok(()));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let out = written(&(1, 2));
        for cut in 0..out.len() {
            assert!(parts(&out[..cut]).count() < 2, "{cut}");
            let cut = Bytes::copy_from_slice(&out[..cut]);
            assert!(decode_arguments::<(u8, u8)>(&cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn a_value_is_read_under_the_guard_and_to_its_end() {
        let read = |text: &str| decode::<Vec<Option<u8>>>(&Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(read(" [1, null] "), Ok(vec![Some(1), None]));
        for (text, word) in [("[1] 2", "trailing"), ("[1", "EOF"), ("[256]", "256"), ("", "EOF")] {
            let problem = read(text).unwrap_err().to_string();
            assert!(problem.contains(word), "{text}: {problem}");
        }
        #[derive(Debug, serde::Deserialize)]
        struct Nested(#[expect(dead_code, reason = "only nested")] Vec<Nested>);
        let deep = "[".repeat(100) + &"]".repeat(100);
        let problem = decode::<Nested>(&deep.into()).unwrap_err().to_string();
        assert!(problem.contains("DECODE_DEPTH_LEVELS"), "{problem}");
    }
}
