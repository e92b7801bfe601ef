//! Arguments: a tuple in the program, a map from names on the wire.
//!
//! # Why
//! What stands in a place cannot be told from what stood there in another build. With names, an argument may be added as
//! an `Option`, left out or moved, as a field of a struct may.

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor},
    ser::{Error as _, Impossible, SerializeTuple},
};

use super::{
    super::{
        CodecError,
        guard::{Budget, Guarded},
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
        .serialize(Named { names, inner: &mut inner })
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

macro_rules! not_a_tuple {
    ($($method:ident($($ty:ty),*))*) => {$(
        fn $method(self, $(_: $ty),*) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom(NOT_A_TUPLE))
        }
    )*};
}

const NOT_A_TUPLE: &str = "arguments are a tuple";

impl<'n, S: Serializer> Serializer for Named<'n, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Fields<'n, S::SerializeMap>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = Impossible<S::Ok, S::Error>;
    type SerializeStruct = Impossible<S::Ok, S::Error>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        self.inner.serialize_map(Some(0))?.end()
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        if len != self.names.len() {
            return Err(S::Error::custom("there is not one name for each argument"));
        }
        Ok(Fields { names: self.names.iter(), inner: self.inner.serialize_map(Some(len))? })
    }

    not_a_tuple! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_f32(f32)
        serialize_f64(f64) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8]) serialize_none()
        serialize_unit_struct(&'static str) serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Err(S::Error::custom(NOT_A_TUPLE))
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
