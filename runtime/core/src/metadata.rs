//! Metadata: what a call or an answer carries beside its message, bounded.
//!
//! # Why
//! Tracing, tenants and flags travel beside the argument. A header block without bounds is the best
//! known way to make a server work for nothing, so the bounds hold where the value is made:
//! whatever exists can be sent, and whatever is read was charged at its decoded size before
//! anything was allocated.
//!
//! # Invariants
//! 1. Keys are `[a-z0-9._-]{1,64}` and unique, so that no two readers pick different values of one
//!    key.
//! 2. At most 64 entries; a value at most 4 KiB; keys and values together at most 8 KiB.
//! 3. Keys that begin with `sinew-` are the protocol's own: refused from users and from the wire.
//! 4. An empty one allocates nothing.

use std::fmt;

use bytes::Bytes;

use crate::{
    limits::{METADATA_ENTRIES_MAX, METADATA_KEY_MAX, METADATA_MAX, METADATA_VALUE_MAX},
    wire::{Malformed, read, varint},
};

const RESERVED: &str = "sinew-";

/// Least bytes of an encoded entry: two lengths and a key of one byte.
const ENTRY_MIN: usize = 3;

/// Why an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The key is not `[a-z0-9._-]{1,64}`.
    #[error("the metadata key `{0}` must be 1 to {max} of `a-z`, `0-9`, `.`, `-`, `_`", max = METADATA_KEY_MAX)]
    Key(String),
    /// The key is the protocol's own.
    #[error("the metadata key `{0}` begins with `sinew-`, which is reserved")]
    Reserved(String),
    /// The value is too long.
    #[error("a metadata value of {0} bytes is above the limit of {max} (METADATA_VALUE_MAX)", max = METADATA_VALUE_MAX)]
    ValueTooLong(usize),
    /// All together are too large.
    #[error("metadata of {0} bytes is above the limit of {max} (METADATA_MAX); send what is large as an argument", max = METADATA_MAX)]
    TooLarge(usize),
    /// There are as many entries as there may be.
    #[error("metadata has {max} entries already, the most there may be (METADATA_ENTRIES_MAX)", max = METADATA_ENTRIES_MAX)]
    TooMany,
}

/// A bounded list of unique keys with values, in the order in which they were set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(Box<str>, Bytes)>,
    /// Bytes of all keys and values.
    size: usize,
}

impl Metadata {
    /// An empty one; allocates nothing.
    #[inline]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), size: 0 }
    }

    /// Sets `key`, in place of an older value if there is one.
    ///
    /// # Errors
    /// Where a bound would be broken; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), MetadataError> {
        let value = value.into();
        check(key, value.len())?;
        let old = self.entries.iter().position(|(have, _)| **have == *key);
        let freed = old.map_or(0, |at| key.len() + self.entries[at].1.len());
        let size = self.size - freed + key.len() + value.len();
        if size > METADATA_MAX {
            return Err(MetadataError::TooLarge(size));
        }
        match old {
            Some(at) => self.entries[at].1 = value,
            None if self.entries.len() == METADATA_ENTRIES_MAX => {
                return Err(MetadataError::TooMany);
            }
            None => self.entries.push((key.into(), value)),
        }
        self.size = size;
        Ok(())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Bytes> {
        self.entries.iter().find(|(have, _)| **have == *key).map(|(_, value)| value)
    }

    /// The value of `key` where it is UTF-8.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Takes `key` out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Bytes> {
        let at = self.entries.iter().position(|(have, _)| **have == *key)?;
        let (key, value) = self.entries.remove(at);
        self.size -= key.len() + value.len();
        Some(value)
    }

    /// Keys and values in the order in which the keys were first set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Bytes)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all keys and values together.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Appends the block of docs/wire.md: how many, then for each the key and the value with their
    /// lengths.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.entries.len() as u64);
        for (key, value) in &self.entries {
            varint::put(out, key.len() as u64);
            out.extend_from_slice(key.as_bytes());
            varint::put(out, value.len() as u64);
            out.extend_from_slice(value);
        }
    }

    /// Reads a block where a flag announces one: it must not be empty then.
    #[inline]
    pub(crate) fn decode_announced(buf: &mut &[u8], announced: bool) -> Result<Self, Malformed> {
        if !announced {
            return Ok(Self::new());
        }
        let found = Self::decode(buf)?;
        if found.is_empty() {
            return Err(Malformed::new("metadata that is announced and empty"));
        }
        Ok(found)
    }

    /// Reads a block off the front of `buf`.
    ///
    /// # Errors
    /// Where a bound or the grammar is broken. Nothing is allocated for a block that is found bad.
    pub fn decode(buf: &mut &[u8]) -> Result<Self, Malformed> {
        let count = read::count(buf, METADATA_ENTRIES_MAX, ENTRY_MIN)?;
        let start = *buf;
        let size = walk(buf, count)?;
        // One copy for all values: a view of the frame would keep the whole receive buffer alive as
        // long as the call.
        let block = Bytes::copy_from_slice(&start[..start.len() - buf.len()]);
        let mut entries: Vec<(Box<str>, Bytes)> = Vec::with_capacity(count);
        let mut rest: &[u8] = &block;
        for _ in 0..count {
            let key = read::text(&mut rest, METADATA_KEY_MAX)?;
            let value = read::bytes(&mut rest, METADATA_VALUE_MAX)?;
            if entries.iter().any(|(have, _)| **have == *key) {
                return Err(Malformed::new("a metadata key comes twice"));
            }
            entries.push((key.into(), block.slice_ref(value)));
        }
        Ok(Self { entries, size })
    }
}

/// Checks `count` entries without keeping any; gives their decoded size.
fn walk(buf: &mut &[u8], count: usize) -> Result<usize, Malformed> {
    let mut size = 0;
    for _ in 0..count {
        let key = read::text(buf, METADATA_KEY_MAX)?;
        let value = read::bytes(buf, METADATA_VALUE_MAX)?;
        if check(key, value.len()).is_err() {
            return Err(Malformed::new("a metadata key that may not be used"));
        }
        size += key.len() + value.len();
        if size > METADATA_MAX {
            return Err(Malformed::new("metadata above 8192 bytes"));
        }
    }
    Ok(size)
}

fn check(key: &str, value_len: usize) -> Result<(), MetadataError> {
    let sound = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if key.is_empty() || key.len() > METADATA_KEY_MAX || !key.bytes().all(sound) {
        return Err(MetadataError::Key(key.chars().take(METADATA_KEY_MAX).collect()));
    }
    if key.starts_with(RESERVED) {
        return Err(MetadataError::Reserved(key.into()));
    }
    if value_len > METADATA_VALUE_MAX {
        return Err(MetadataError::ValueTooLong(value_len));
    }
    Ok(())
}

impl fmt::Debug for Metadata {
    /// Keys and lengths only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(key, value)| (key, value.len()))).finish()
    }
}
