//! QUIC's variable-length integers (RFC 9000 section 16), in their shortest form only.
//!
//! # Why
//! Two bits of the first byte say the length, so a reader never loops. QUIC allows longer forms
//! than needed; we do not, so that equal values are equal bytes and padding cannot be smuggled past
//! a limit.
//!
//! ```text
//!   00xxxxxx                    below 64
//!   01xxxxxx +1 byte            below 16,384
//!   10xxxxxx +3 bytes           below 2^30
//!   11xxxxxx +7 bytes           below 2^62
//! ```

use super::Malformed;

/// The largest value: 2^62 - 1.
pub const MAX: u64 = (1 << 62) - 1;

const SHORT: Malformed = Malformed::new("an integer that is cut off");
const LONG_FORM: Malformed = Malformed::new("an integer not in its shortest form");

/// Bytes that `v` takes: 1, 2, 4 or 8.
#[inline]
pub const fn len(v: u64) -> usize {
    if v < 1 << 6 {
        1
    } else if v < 1 << 14 {
        2
    } else if v < 1 << 30 {
        4
    } else {
        8
    }
}

/// Appends `v`. A value above [`MAX`] is written as [`MAX`]: there is no other way to say "very
/// large".
#[inline]
pub fn put(out: &mut Vec<u8>, v: u64) {
    if v < 1 << 6 {
        out.push(v as u8);
    } else if v < 1 << 14 {
        out.extend_from_slice(&(v as u16 | 1 << 14).to_be_bytes());
    } else if v < 1 << 30 {
        out.extend_from_slice(&(v as u32 | 2 << 30).to_be_bytes());
    } else {
        out.extend_from_slice(&(v.min(MAX) | 3 << 62).to_be_bytes());
    }
}

/// Takes a value off the front of `buf`.
///
/// # Errors
/// Where it is cut off or not in its shortest form; `buf` is then at an unspecified place.
#[inline]
pub fn get(buf: &mut &[u8]) -> Result<u64, Malformed> {
    let Some(&first) = buf.first() else {
        return Err(SHORT);
    };
    let (value, rest) = match first >> 6 {
        0 => (u64::from(first), &buf[1..]),
        1 => {
            let (bytes, rest) = buf.split_first_chunk::<2>().ok_or(SHORT)?;
            (u64::from(u16::from_be_bytes(*bytes) & 0x3fff), rest)
        }
        2 => {
            let (bytes, rest) = buf.split_first_chunk::<4>().ok_or(SHORT)?;
            (u64::from(u32::from_be_bytes(*bytes) & 0x3fff_ffff), rest)
        }
        _ => {
            let (bytes, rest) = buf.split_first_chunk::<8>().ok_or(SHORT)?;
            (u64::from_be_bytes(*bytes) & MAX, rest)
        }
    };
    if len(value) != buf.len() - rest.len() {
        return Err(LONG_FORM);
    }
    *buf = rest;
    Ok(value)
}

/// Bytes that the integer with this first byte takes.
#[inline]
pub(crate) const fn len_from_first(first: u8) -> usize {
    1 << (first >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(v: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, v);
        out
    }

    /// The examples of RFC 9000, appendix A.1.
    #[test]
    fn values_are_written_as_the_rfc_shows() {
        assert_eq!(
            bytes(151_288_809_941_952_652),
            [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]
        );
        assert_eq!(bytes(494_878_333), [0x9d, 0x7f, 0x3e, 0x7d]);
        assert_eq!(bytes(15_293), [0x7b, 0xbd]);
        assert_eq!(bytes(37), [0x25]);
    }

    #[test]
    fn values_around_each_border_survive() {
        for border in [0, 1 << 6, 1 << 14, 1 << 30, MAX] {
            for v in [border - u64::from(border > 0), border, (border + 1).min(MAX)] {
                let written = bytes(v);
                assert_eq!(written.len(), len(v));
                assert_eq!(len_from_first(written[0]), len(v));
                let mut rest = &written[..];
                assert_eq!(get(&mut rest), Ok(v));
                assert!(rest.is_empty());
            }
        }
        assert_eq!(bytes(u64::MAX), bytes(MAX));
    }

    #[test]
    fn longer_forms_than_needed_are_refused() {
        for long in [&[0x40, 0x25][..], &[0x80, 0, 0, 0x25], &[0xc0, 0, 0, 0, 0, 0, 0, 0x25]] {
            assert_eq!(get(&mut &long[..]), Err(LONG_FORM));
        }
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let written = bytes(MAX);
        for cut in 0..written.len() {
            assert_eq!(get(&mut &written[..cut]), Err(SHORT), "cut at {cut}");
        }
    }
}
