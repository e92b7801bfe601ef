//! A `Serializer` that takes one kind of value: arguments, which are a tuple, or bytes.
//!
//! # Why
//! Where each argument goes to a place of its own, what the program hands over is a tuple and can be nothing else; where
//! bytes are to pass untouched, they are bytes. Everything else is one error.

use serde::{
    Serialize, Serializer,
    ser::{Error, Impossible, SerializeTuple},
};

/// What is taken, and what is made of it.
pub(super) trait Accept: Sized {
    /// What comes of it.
    type Ok;
    type Error: Error;
    /// Takes the arguments one by one.
    type Tuple: SerializeTuple<Ok = Self::Ok, Error = Self::Error>;
    /// What is said of anything else.
    const EXPECTED: &'static str;

    /// So many arguments follow.
    fn tuple(self, _len: usize) -> Result<Self::Tuple, Self::Error> {
        Err(Self::Error::custom(Self::EXPECTED))
    }

    /// These bytes.
    fn bytes(self, _bytes: &[u8]) -> Result<Self::Ok, Self::Error> {
        Err(Self::Error::custom(Self::EXPECTED))
    }
}

/// Takes what `A` accepts.
pub(super) struct Only<A>(pub(super) A);

macro_rules! refused {
    ($($method:ident $(<$t:ident>)? ($($ty:ty),*) -> $ok:ty;)*) => {$(
        fn $method $(<$t: Serialize + ?Sized>)? (self, $(_: $ty),*) -> Result<$ok, A::Error> {
            Err(A::Error::custom(A::EXPECTED))
        }
    )*};
}

impl<A: Accept> Serializer for Only<A> {
    type Ok = A::Ok;
    type Error = A::Error;
    type SerializeSeq = Impossible<A::Ok, A::Error>;
    type SerializeTuple = A::Tuple;
    type SerializeTupleStruct = Impossible<A::Ok, A::Error>;
    type SerializeTupleVariant = Impossible<A::Ok, A::Error>;
    type SerializeMap = Impossible<A::Ok, A::Error>;
    type SerializeStruct = Impossible<A::Ok, A::Error>;
    type SerializeStructVariant = Impossible<A::Ok, A::Error>;

    /// A method without arguments.
    fn serialize_unit(self) -> Result<A::Ok, A::Error> {
        self.0.tuple(0)?.end()
    }

    fn serialize_tuple(self, len: usize) -> Result<A::Tuple, A::Error> {
        self.0.tuple(len)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<A::Ok, A::Error> {
        self.0.bytes(bytes)
    }

    refused! {
        serialize_bool(bool) -> A::Ok;
        serialize_i8(i8) -> A::Ok;
        serialize_i16(i16) -> A::Ok;
        serialize_i32(i32) -> A::Ok;
        serialize_i64(i64) -> A::Ok;
        serialize_u8(u8) -> A::Ok;
        serialize_u16(u16) -> A::Ok;
        serialize_u32(u32) -> A::Ok;
        serialize_u64(u64) -> A::Ok;
        serialize_f32(f32) -> A::Ok;
        serialize_f64(f64) -> A::Ok;
        serialize_char(char) -> A::Ok;
        serialize_str(&str) -> A::Ok;
        serialize_none() -> A::Ok;
        serialize_some<T>(&T) -> A::Ok;
        serialize_unit_struct(&'static str) -> A::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> A::Ok;
        serialize_newtype_struct<T>(&'static str, &T) -> A::Ok;
        serialize_newtype_variant<T>(&'static str, u32, &'static str, &T) -> A::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}
