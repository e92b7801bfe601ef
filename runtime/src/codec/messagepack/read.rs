//! A strict reader: structs only from maps, variants and fields only by name, numbers only where nothing is lost.
//!
//! # Invariants
//! It allocates nothing but the text of an error. It recurses as the type does: the guard around it bounds that.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
    value::{BorrowedStrDeserializer, SeqDeserializer},
};

use super::{
    error::ReadError,
    token::{Reader, Token},
};

impl<'de> Reader<'de> {
    fn integer<T: TryFrom<u64> + TryFrom<i64>>(&mut self, name: &str) -> Result<T, ReadError> {
        let token = self.token()?;
        let value = match token {
            Token::Unsigned(value) => T::try_from(value).ok(),
            Token::Negative(value) => T::try_from(value).ok(),
            _ => return Err(token.not(name)),
        };
        value.ok_or_else(|| ReadError::invalid_value(token.unexpected(), &name))
    }

    /// 128 bits travel as 16 bytes.
    fn wide(&mut self, name: &str) -> Result<[u8; 16], ReadError> {
        let token = self.token()?;
        match token {
            Token::Bytes(bytes) => bytes.try_into().map_err(|_| token.not(name)),
            _ => Err(token.not(name)),
        }
    }

    fn float(&mut self, name: &str) -> Result<f64, ReadError> {
        let token = self.token()?;
        let value = match token {
            Token::F32(value) => value.into(),
            Token::F64(value) => value,
            Token::Unsigned(value) if value <= EXACT => value as f64,
            Token::Negative(value) if value.unsigned_abs() <= EXACT => value as f64,
            _ => return Err(token.not(name)),
        };
        Ok(value)
    }

    fn sequence<V: Visitor<'de>>(
        &mut self,
        parts: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut items = Items { reader: self, left: parts, at: 0 };
        let value = visitor.visit_seq(&mut items)?;
        match items.left {
            0 => Ok(value),
            left => Err(ReadError::invalid_length(parts, &&*format!("{} items", parts - left))),
        }
    }

    fn entries<V: Visitor<'de>>(
        &mut self,
        parts: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut entries = Entries { reader: self, left: parts, key: "" };
        let value = visitor.visit_map(&mut entries)?;
        match entries.left {
            0 => Ok(value),
            left => Err(ReadError::invalid_length(parts, &&*format!("{} entries", parts - left))),
        }
    }

    /// A struct, and what has the form of one.
    fn fields<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Map(parts) => self.entries(parts, visitor),
            other => Err(other.not("fields by their names")),
        }
    }

    /// An array of just this length.
    fn fixed<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Array(parts) if parts == len => self.sequence(parts, visitor),
            Token::Array(parts) => {
                Err(ReadError::invalid_length(parts, &&*format!("a tuple of {len}")))
            }
            other => Err(other.not(&format!("a tuple of {len}"))),
        }
    }
}

/// Integers up to this many are floating point numbers without loss.
const EXACT: u64 = 1 << 53;

macro_rules! integers {
    ($($method:ident $visit:ident $ty:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            visitor.$visit(self.integer::<$ty>(stringify!($ty))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ReadError;

    integers! {
        deserialize_u8 visit_u8 u8 deserialize_u16 visit_u16 u16 deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64 deserialize_i8 visit_i8 i8 deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32 deserialize_i64 visit_i64 i64
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_u128(u128::from_be_bytes(self.wide("u128")?))
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_i128(i128::from_be_bytes(self.wide("i128")?))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let value = self.float("f32")?;
        let narrow = value as f32;
        if f64::from(narrow) == value || value.is_nan() {
            return visitor.visit_f32(narrow);
        }
        Err(ReadError::invalid_value(Unexpected::Float(value), &"f32 without loss"))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f64(self.float("f64")?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Bool(value) => visitor.visit_bool(value),
            other => Err(other.not("a boolean")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let token = self.token()?;
        let Token::Text(text) = token else { return Err(token.not("a character")) };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => visitor.visit_char(one),
            _ => Err(ReadError::invalid_value(Unexpected::Str(text), &"a character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Text(text) => visitor.visit_borrowed_str(text),
            other => Err(other.not("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            // A `Vec<u8>` that became bytes.
            Token::Array(parts) => self.sequence(parts, visitor),
            other => Err(other.not("bytes")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if !self.peek_nil() {
            return visitor.visit_some(self);
        }
        self.pass_nil();
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            other => Err(other.not("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Nil | Token::Array(0) => visitor.visit_unit(),
            other => Err(other.not(name)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Array(parts) => self.sequence(parts, visitor),
            // Bytes that became a `Vec<u8>`.
            Token::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            other => Err(other.not("a sequence")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.fixed(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.fixed(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Map(parts) => self.entries(parts, visitor),
            other => Err(other.not("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.fields(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let known = |error: ReadError| ReadError::new(format_args!("{error} of `{name}`"));
        match self.token()? {
            Token::Text(variant) => visitor.visit_enum(BareVariant(variant)).map_err(known),
            Token::Map(1) => match self.token()? {
                Token::Text(variant) => visitor.visit_enum(Variant { reader: self, name: variant }),
                other => Err(other.not("a variant by its name")),
            },
            other => Err(other.not("a variant by its name")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Text(name) => visitor.visit_borrowed_str(name),
            other => Err(other.not("a name")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Negative(value) => visitor.visit_i64(value),
            Token::F32(value) => visitor.visit_f32(value),
            Token::F64(value) => visitor.visit_f64(value),
            Token::Text(text) => visitor.visit_borrowed_str(text),
            Token::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Array(parts) => self.sequence(parts, visitor),
            Token::Map(parts) => self.entries(parts, visitor),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The key by which serde_json hands JSON through as it is: what a `serde_json::Value` finds behind it is read by a reader of
/// its own, past every bound. Nothing that is written here has it.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
    at: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let at = self.at;
        self.at += 1;
        seed.deserialize(&mut *self.reader).map(Some).map_err(|error| error.in_item(at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
    key: &'de str,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let (key, text) = self.reader.remember(|reader| seed.deserialize(reader))?;
        if text == RAW_VALUE {
            return Err(ReadError::new(
                "a key by which a library reads its text once more, as JSON",
            ));
        }
        self.key = text;
        Ok(Some(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(&mut *self.reader).map_err(|error| error.in_field(self.key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant with content.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    name: &'de str,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        let value = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Err(ReadError::new(format_args!("variant `{}` comes with content", self.name)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.reader).map_err(|error| error.in_field(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.reader.fixed(len, visitor).map_err(|error| error.in_field(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.reader.fields(visitor).map_err(|error| error.in_field(self.name))
    }
}

/// A variant without content.
struct BareVariant<'de>(&'de str);

impl BareVariant<'_> {
    fn bare(&self) -> ReadError {
        ReadError::new(format_args!("variant `{}` comes without content", self.0))
    }
}

impl<'de> EnumAccess<'de> for BareVariant<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        let value = seed.deserialize(BorrowedStrDeserializer::new(self.0))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for BareVariant<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(self.bare())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(self.bare())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ReadError> {
        Err(self.bare())
    }
}
