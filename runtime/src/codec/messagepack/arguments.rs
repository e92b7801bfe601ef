//! Arguments: a tuple in the program, a map from names on the wire.
//!
//! # Why
//! What stands in a place cannot be told from what stood there in another build. With names, an argument may be added as
//! an `Option`, left out or moved, as a field of a struct may.

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor},
    ser::{Error as _, SerializeTuple},
};

use super::{
    super::{
        CodecError,
        guard::{Budget, Guarded},
        only::{Accept, Only},
    },
    error::ReadError,
    token::{Reader, Token},
};

pub(in crate::codec) fn encode<A: Serialize>(
    names: &[&str],
    arguments: &A,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut inner = rmp_serde::Serializer::new(out).with_struct_map();
    arguments
        .serialize(Only(Named { names, inner: &mut inner }))
        .map_err(|error| CodecError::Encode(error.to_string()))
}

pub(in crate::codec) fn decode<A: DeserializeOwned>(
    names: &[&str],
    body: &Bytes,
) -> Result<A, CodecError> {
    let budget = Budget::for_message(body.len());
    let values = scan(names, body).map_err(|error| CodecError::Decode(error.to_string()))?;
    A::deserialize(Guarded::new(Arguments { names, values }, &budget))
        .map_err(|error| CodecError::Decode(error.to_string()))
}

/// Where the value of each argument is, if it was sent. Unknown names are passed over.
fn scan<'de>(names: &[&str], body: &'de [u8]) -> Result<Vec<Option<&'de [u8]>>, ReadError> {
    let mut reader = Reader::new(body);
    let parts = match reader.token()? {
        Token::Map(parts) => parts,
        _ => return Err(ReadError::new("the arguments do not come as a map from their names")),
    };
    let mut values = vec![None; names.len()];
    for _ in 0..parts {
        let Token::Text(name) = reader.token()? else {
            return Err(ReadError::new("an argument does not come with its name"));
        };
        let begin = reader.rest();
        reader.skip()?;
        let Some(at) = names.iter().position(|known| *known == name) else { continue };
        let value = &begin[..begin.len() - reader.rest().len()];
        if values[at].replace(value).is_some() {
            return Err(ReadError::new(format_args!("argument `{name}` comes twice")));
        }
    }
    reader.end()?;
    Ok(values)
}

struct Arguments<'de, 'n> {
    names: &'n [&'n str],
    values: Vec<Option<&'de [u8]>>,
}

impl<'de> Deserializer<'de> for Arguments<'de, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::new("arguments are a tuple"))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_seq(Values { names: self.names.iter(), values: self.values.into_iter() })
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct
        newtype_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

struct Values<'de, 'n> {
    names: std::slice::Iter<'n, &'n str>,
    values: std::vec::IntoIter<Option<&'de [u8]>>,
}

impl<'de> SeqAccess<'de> for Values<'de, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let (Some(name), Some(value)) = (self.names.next(), self.values.next()) else {
            return Ok(None);
        };
        let mut reader = match value {
            Some(value) => Reader::new(value),
            None => Reader::missing(),
        };
        seed.deserialize(&mut reader).map(Some).map_err(|error| error.in_field(name))
    }
}

/// Writes a tuple as a map.
struct Named<'n, S> {
    names: &'n [&'n str],
    inner: S,
}

/// The fields of that map.
struct Fields<'n, M> {
    names: std::slice::Iter<'n, &'n str>,
    inner: M,
}

impl<'n, S: Serializer> Accept for Named<'n, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type Tuple = Fields<'n, S::SerializeMap>;
    const EXPECTED: &'static str = "arguments are a tuple";

    fn tuple(self, len: usize) -> Result<Self::Tuple, S::Error> {
        if len != self.names.len() {
            return Err(S::Error::custom("there is not one name for each argument"));
        }
        Ok(Fields { names: self.names.iter(), inner: self.inner.serialize_map(Some(len))? })
    }
}

impl<M: serde::ser::SerializeMap> SerializeTuple for Fields<'_, M> {
    type Ok = M::Ok;
    type Error = M::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), M::Error> {
        let name = self.names.next().copied().unwrap_or_default();
        self.inner.serialize_entry(name, value)
    }

    fn end(self) -> Result<M::Ok, M::Error> {
        self.inner.end()
    }
}
