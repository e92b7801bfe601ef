//! Takes fields off the front of a slice, each under its bound.
//!
//! # Why
//! Every decoder needs the same dozen steps, and each of them is a place to forget a bound. Here
//! they are once.

use super::{Malformed, varint};

const SHORT: Malformed = Malformed::new("a field that is cut off");
const LENGTH: Malformed = Malformed::new("a field longer than it may be");
const TEXT: Malformed = Malformed::new("a text that is not UTF-8");
const COUNT: Malformed = Malformed::new("a count larger than what follows");

#[inline]
pub(crate) fn array<const N: usize>(buf: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, rest) = buf.split_first_chunk::<N>().ok_or(SHORT)?;
    *buf = rest;
    Ok(*head)
}

#[inline]
pub(crate) fn u8(buf: &mut &[u8]) -> Result<u8, Malformed> {
    let (first, rest) = buf.split_first().ok_or(SHORT)?;
    *buf = rest;
    Ok(*first)
}

#[inline]
pub(crate) fn u16(buf: &mut &[u8]) -> Result<u16, Malformed> {
    array(buf).map(u16::from_be_bytes)
}

#[inline]
pub(crate) fn u64(buf: &mut &[u8]) -> Result<u64, Malformed> {
    array(buf).map(u64::from_be_bytes)
}

/// A varint that must fit 32 bits.
#[inline]
pub(crate) fn varint_u32(buf: &mut &[u8]) -> Result<u32, Malformed> {
    u32::try_from(varint::get(buf)?).map_err(|_| Malformed::new("a number above 32 bits"))
}

/// A length and so many bytes, at most `max`.
#[inline]
pub(crate) fn bytes<'a>(buf: &mut &'a [u8], max: usize) -> Result<&'a [u8], Malformed> {
    let len = varint::get(buf)?;
    if len > max as u64 {
        return Err(LENGTH);
    }
    // At most `max`, so it fits.
    let (head, rest) = buf.split_at_checked(len as usize).ok_or(SHORT)?;
    *buf = rest;
    Ok(head)
}

/// A length and so many bytes of UTF-8, at most `max`.
#[inline]
pub(crate) fn text<'a>(buf: &mut &'a [u8], max: usize) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes(buf, max)?).map_err(|_| TEXT)
}

/// How many elements follow: at most `max`, and no more than the bytes that are there can hold at
/// `least` each.
///
/// So that whatever is allocated for them is in proportion to what has arrived.
#[inline]
pub(crate) fn count(buf: &mut &[u8], max: usize, least: usize) -> Result<usize, Malformed> {
    let count = varint::get(buf)?;
    let fits = (buf.len() / least.max(1)).min(max);
    if count > fits as u64 {
        return Err(COUNT);
    }
    Ok(count as usize)
}

/// Nothing may follow.
#[inline]
pub(crate) fn end(buf: &[u8]) -> Result<(), Malformed> {
    if buf.is_empty() { Ok(()) } else { Err(Malformed::new("bytes behind the last field")) }
}
