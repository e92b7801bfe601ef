//! MessagePack with named fields: what two builds that differ can both read.
//!
//! # Why
//! Structs are maps from names, variants are names, arguments are a map from their names. So a field may be added, moved
//! or left out, and serde's own rules say what that means to the other side.
//!
//! # Why writing is rmp-serde's and reading is ours
//! Readers are lenient, and between two builds leniency is how one value is taken for another: rmp-serde reads a struct
//! from an array by position, a variant from a number, and any array of one for an enum. [`read`] takes nothing but what
//! [`write`] produces, and says where in the value it stopped.

mod arguments;
mod error;
mod read;
mod token;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CodecError,
    guard::{Budget, Guarded},
};
use token::Reader;

pub(super) use arguments::{decode as decode_arguments, encode as encode_arguments};

pub(super) fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    value
        .serialize(&mut rmp_serde::Serializer::new(out).with_struct_map())
        .map_err(|error| CodecError::Encode(error.to_string()))
}

pub(super) fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, CodecError> {
    let budget = Budget::for_message(body.len());
    let mut reader = Reader::new(body);
    let value = T::deserialize(Guarded::new(&mut reader, &budget));
    value
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| CodecError::Decode(error.to_string()))
}

#[cfg(test)]
mod tests;
