//! A `Deserializer` around any other that bounds what hostile bytes can cost.
//!
//! # Why
//! Nine bytes can claim 2^33 unit values and burn eight seconds; a hundred kilobytes can nest deep enough to overflow a
//! stack, which aborts the process; one-byte elements can each become a kilobyte in memory. No codec bounds all three,
//! so one adapter does it for every codec.
//!
//! # Invariants
//! 1. A level of nesting, an element and its size in memory are charged *before* the value is read.
//! 2. What the bytes claim about a length is never trusted as a capacity beyond the length of the message.
//!
//! # Not here
//! The length of a message: the frame's.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use sinew_core::limits;

/// What is left to spend on one message.
pub(super) struct Budget {
    elements: Cell<usize>,
    memory: Cell<usize>,
    message: usize,
}

impl Budget {
    /// The budget of a message of `len` bytes.
    pub(super) fn for_message(len: usize) -> Self {
        Self {
            elements: Cell::new(len.saturating_add(limits::DECODE_ELEMENTS_BASE)),
            memory: Cell::new(
                len.saturating_mul(limits::DECODE_MEMORY_FACTOR)
                    .saturating_add(limits::DECODE_MEMORY_BASE),
            ),
            message: len,
        }
    }

    /// Charges one element that takes `size` bytes in memory.
    #[inline]
    fn element<E: Error>(&self, size: usize) -> Result<(), E> {
        match (self.elements.get().checked_sub(1), self.memory.get().checked_sub(size)) {
            (Some(elements), Some(memory)) => {
                self.elements.set(elements);
                self.memory.set(memory);
                Ok(())
            }
            (None, _) => Err(E::custom(format_args!(
                "more elements than the {} bytes of the message allow (DECODE_ELEMENTS_BASE)",
                self.message
            ))),
            (_, None) => Err(E::custom(format_args!(
                "its elements would take more memory than {} times the message (DECODE_MEMORY_FACTOR)",
                limits::DECODE_MEMORY_FACTOR
            ))),
        }
    }

    fn hint(&self, claimed: Option<usize>) -> Option<usize> {
        claimed.map(|claimed| claimed.min(self.message))
    }
}

/// A deserializer, visitor, access or seed under a budget.
pub(super) struct Guarded<'b, T> {
    inner: T,
    budget: &'b Budget,
    /// How much deeper it may nest.
    depth: usize,
    /// Of a tuple or struct: its elements lie inside of it, and were charged with it.
    inline: bool,
}

impl<'b, T> Guarded<'b, T> {
    pub(super) fn new(inner: T, budget: &'b Budget) -> Self {
        Self { inner, budget, depth: limits::DECODE_DEPTH_UNITS, inline: false }
    }

    #[inline]
    fn wrap<U>(&self, inner: U) -> Guarded<'b, U> {
        Guarded { inner, budget: self.budget, depth: self.depth, inline: false }
    }

    #[inline]
    fn wrap_inline<U>(&self, inner: U) -> Guarded<'b, U> {
        Guarded { inner, budget: self.budget, depth: self.depth, inline: true }
    }

    /// Goes a level deeper. The depth is passed on by value: nothing is to be given back on the way out.
    #[inline]
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        match self.depth.checked_sub(1) {
            Some(left) => {
                self.depth = left;
                Ok(())
            }
            None => Err(too_deep()),
        }
    }
}

#[cold]
fn too_deep<E: Error>() -> E {
    E::custom(format_args!(
        "nested deeper than {} levels (DECODE_DEPTH_LEVELS)",
        limits::DECODE_DEPTH_LEVELS
    ))
}

/// Scalars and strings: nothing nests, nothing multiplies.
macro_rules! forward_plain {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

/// What may nest: one level for as long as it is being read.
macro_rules! forward_nested {
    ($wrap:ident: $($method:ident($($arg:ident: $ty:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(mut self, $($arg: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.enter()?;
            let visitor = self.$wrap(visitor);
            self.inner.$method($($arg,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    forward_plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_bytes deserialize_unit deserialize_identifier
    }

    // Borrowed from the message and copied by its visitor: a length that lies finds no bytes, where an owned buffer
    // would be allocated for it first.
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(visitor)
    }

    forward_nested! {
        wrap: deserialize_any() deserialize_ignored_any() deserialize_option() deserialize_seq()
        deserialize_map()
        deserialize_newtype_struct(name: &'static str)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
    forward_nested! {
        wrap_inline: deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit_plain {
    ($($method:ident: $ty:ty)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    visit_plain! {
        visit_bool: bool visit_i8: i8 visit_i16: i16 visit_i32: i32 visit_i64: i64
        visit_i128: i128 visit_u8: u8 visit_u16: u16 visit_u32: u32 visit_u64: u64
        visit_u128: u128 visit_f32: f32 visit_f64: f64 visit_char: char visit_str: &str
        visit_borrowed_str: &'de str visit_string: String visit_bytes: &[u8]
        visit_borrowed_bytes: &'de [u8] visit_byte_buf: Vec<u8>
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.wrap(inner);
        self.inner.visit_some(inner)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.wrap(inner);
        self.inner.visit_newtype_struct(inner)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = if self.inline { self.wrap_inline(access) } else { self.wrap(access) };
        self.inner.visit_seq(access)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_map(access)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let inner = self.wrap(inner);
        self.inner.deserialize(inner)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        if !self.inline {
            self.budget.element(size_of::<T::Value>())?;
        }
        let seed = self.wrap(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.budget.hint(self.inner.size_hint())
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.budget.element(size_of::<K::Value>())?;
        let seed = self.wrap(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.budget.element(size_of::<T::Value>())?;
        let seed = self.wrap(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.budget.hint(self.inner.size_hint())
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'b, A> {
    type Error = A::Error;
    type Variant = Guarded<'b, A::Variant>;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), A::Error> {
        let (budget, depth) = (self.budget, self.depth);
        let seed = self.wrap(seed);
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Guarded { inner: variant, budget, depth, inline: false }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, A::Error> {
        self.enter()?;
        let seed = self.wrap(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.enter()?;
        let visitor = self.wrap_inline(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.enter()?;
        let visitor = self.wrap_inline(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde::{Deserialize, Serialize};

    use crate::codec::{BINCODE, decode, encode};

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Chain {
        End,
        Link(Box<Chain>),
    }

    /// A varint of bincode's standard configuration that claims `n`.
    fn claim(n: u64) -> Vec<u8> {
        let mut bytes = vec![253];
        bytes.extend(n.to_le_bytes());
        bytes
    }

    fn refusal<T: serde::de::DeserializeOwned + std::fmt::Debug + 'static>(
        bytes: Vec<u8>,
    ) -> String {
        decode::<T>(BINCODE, &Bytes::from(bytes)).unwrap_err().to_string()
    }

    #[test]
    fn values_without_bytes_cannot_be_claimed_by_the_billion() {
        assert!(refusal::<Vec<()>>(claim(1 << 33)).contains("more elements"));
    }

    #[test]
    fn nesting_ends_in_an_error_and_not_in_a_stack_overflow() {
        let mut deep = vec![1; 100_000];
        deep.push(0);
        assert!(refusal::<Chain>(deep).contains("64 levels"));
        let mut fine = vec![1; 60];
        fine.push(0);
        assert!(decode::<Chain>(BINCODE, &Bytes::from(fine)).is_ok());
    }

    #[test]
    fn elements_that_are_fat_in_memory_are_charged_by_their_size() {
        let mut nones = claim(1 << 20);
        nones.resize(nones.len() + (1 << 20), 0);
        assert!(refusal::<Vec<Option<[u64; 16]>>>(nones).contains("memory"));
    }

    #[test]
    fn a_length_that_is_not_there_is_refused() {
        for bytes in [claim(1 << 60), claim(1 << 31)] {
            refusal::<Vec<u64>>(bytes.clone());
            refusal::<String>(bytes.clone());
            refusal::<std::collections::BTreeMap<u64, u64>>(bytes);
        }
    }

    #[test]
    fn an_honest_value_passes_whole() {
        let value =
            (vec![Some("a".to_owned()), None], [1_u64; 4], Chain::Link(Box::new(Chain::End)));
        let mut out = Vec::new();
        encode(BINCODE, &value, &mut out).unwrap();
        let back: (Vec<Option<String>>, [u64; 4], Chain) =
            decode(BINCODE, &Bytes::from(out)).unwrap();
        assert_eq!(back, value);
    }
}
