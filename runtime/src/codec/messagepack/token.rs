//! MessagePack's tokens: what stands next in the bytes, bounds checked.
//!
//! # Invariants
//! 1. Nothing is read past the end; a count of parts that the bytes left cannot hold is refused at once.
//! 2. Skipping a value does not recurse.

use serde::de::{Error as _, Unexpected};

use super::error::ReadError;

/// What stands next: a scalar whole, or how many parts follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    F32(f32),
    F64(f64),
    Text(&'de str),
    Bytes(&'de [u8]),
    Array(usize),
    Map(usize),
}

impl Token<'_> {
    pub(super) fn unexpected(&self) -> Unexpected<'_> {
        match *self {
            Token::Nil => Unexpected::Unit,
            Token::Bool(value) => Unexpected::Bool(value),
            Token::Unsigned(value) => Unexpected::Unsigned(value),
            Token::Negative(value) => Unexpected::Signed(value),
            Token::F32(value) => Unexpected::Float(value.into()),
            Token::F64(value) => Unexpected::Float(value),
            Token::Text(text) => Unexpected::Str(text),
            Token::Bytes(_) => Unexpected::Other("bytes"),
            Token::Array(_) => Unexpected::Seq,
            Token::Map(_) => Unexpected::Map,
        }
    }

    pub(super) fn not(&self, expected: &str) -> ReadError {
        ReadError::invalid_type(self.unexpected(), &expected)
    }
}

/// Reads one value after the other from a message.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    /// There is nothing: the argument was not sent.
    missing: bool,
    /// The text that was read last: the key of an entry.
    last: &'de str,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes, missing: false, last: "" }
    }

    /// A reader of a value that was not sent: an option is none, anything else is an error.
    pub(super) fn missing() -> Self {
        Self { missing: true, ..Self::new(&[]) }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'de [u8] {
        self.rest
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), ReadError> {
        match self.rest.len() {
            0 => Ok(()),
            1 => Err(ReadError::new("1 byte follows the value")),
            more => Err(ReadError::new(format_args!("{more} bytes follow the value"))),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'de [u8], ReadError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| ReadError::new("the bytes end inside of a value"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// A length of 1, 2 or 4 bytes.
    fn len(&mut self, bytes: u8) -> Result<usize, ReadError> {
        let len = match bytes {
            1 => u32::from(self.array::<1>()?[0]),
            2 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        };
        Ok(len as usize)
    }

    fn text(&mut self, len: usize) -> Result<Token<'de>, ReadError> {
        let text = std::str::from_utf8(self.take(len)?)
            .map_err(|_| ReadError::new("a text is not UTF-8"))?;
        self.last = text;
        Ok(Token::Text(text))
    }

    /// No value takes no bytes: more parts than bytes is a lie.
    fn parts(&self, parts: usize, each: usize) -> Result<usize, ReadError> {
        if parts.saturating_mul(each) > self.rest.len() {
            return Err(ReadError::new("a length that is not there"));
        }
        Ok(parts)
    }

    fn array_of(&self, parts: usize) -> Result<Token<'de>, ReadError> {
        self.parts(parts, 1).map(Token::Array)
    }

    fn map_of(&self, parts: usize) -> Result<Token<'de>, ReadError> {
        self.parts(parts, 2).map(Token::Map)
    }

    fn signed(value: i64) -> Token<'de> {
        u64::try_from(value).map_or(Token::Negative(value), Token::Unsigned)
    }

    /// The next token.
    pub(super) fn token(&mut self) -> Result<Token<'de>, ReadError> {
        if self.missing {
            return Err(ReadError::new("it is missing"));
        }
        let [first] = self.array()?;
        Ok(match first {
            0x00..=0x7f => Token::Unsigned(first.into()),
            0x80..=0x8f => self.map_of((first & 0x0f).into())?,
            0x90..=0x9f => self.array_of((first & 0x0f).into())?,
            0xa0..=0xbf => self.text((first & 0x1f).into())?,
            0xc0 => Token::Nil,
            0xc2 | 0xc3 => Token::Bool(first == 0xc3),
            0xc4..=0xc6 => {
                let len = self.len(1 << (first - 0xc4))?;
                Token::Bytes(self.take(len)?)
            }
            0xca => Token::F32(f32::from_be_bytes(self.array()?)),
            0xcb => Token::F64(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(self.array::<1>()?[0].into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Self::signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Self::signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Self::signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Self::signed(i64::from_be_bytes(self.array()?)),
            0xd9..=0xdb => {
                let len = self.len(1 << (first - 0xd9))?;
                self.text(len)?
            }
            0xdc | 0xdd => {
                let len = self.len(2 << (first - 0xdc))?;
                self.array_of(len)?
            }
            0xde | 0xdf => {
                let len = self.len(2 << (first - 0xde))?;
                self.map_of(len)?
            }
            0xe0..=0xff => Self::signed(i64::from(first) - 256),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => {
                return Err(ReadError::new("an extension type, which is never sent"));
            }
        })
    }

    pub(super) fn peek_nil(&self) -> bool {
        self.missing || self.rest.first() == Some(&0xc0)
    }

    /// Passes over a nil, or over what is missing.
    pub(super) fn pass_nil(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// What `read` gives, and the last text that it read: the key of an entry.
    pub(super) fn remember<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<(T, &'de str), ReadError> {
        self.last = "?";
        let value = read(self)?;
        Ok((value, self.last))
    }

    /// Passes over one value.
    pub(super) fn skip(&mut self) -> Result<(), ReadError> {
        let mut left: usize = 1;
        while left > 0 {
            left -= 1;
            left += match self.token()? {
                Token::Array(parts) => parts,
                Token::Map(parts) => 2 * parts,
                _ => 0,
            };
        }
        Ok(())
    }
}
