//! Frames of RFC 9000, section 19: those that attacks are made of, and what is understood of the server's.

use super::packet::{Reader, put_varint};

/// What a frame of the server's means to an attacker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Crypto {
        offset: u64,
        bytes: &'a [u8],
    },
    Stream {
        len: usize,
    },
    /// So many streams of two directions may have been opened in all.
    Streams {
        most: u64,
    },
    Done,
    Closed {
        code: u64,
        why: String,
    },
    Other,
}

/// The next frame; `None` at the end, and where a frame is not understood.
pub(super) fn next<'a>(reader: &mut Reader<'a>) -> Option<Said<'a>> {
    let kind = reader.varint()?;
    let skip = |reader: &mut Reader<'a>, numbers: usize| {
        (0..numbers).try_for_each(|_| reader.varint().map(|_| ()))
    };
    match kind {
        // PADDING, PING, IMMEDIATE_ACK
        0 | 1 | 0x1f => {}
        0x02 | 0x03 => {
            skip(reader, 2)?;
            let ranges = reader.varint()?;
            skip(reader, 1)?;
            for _ in 0..ranges {
                skip(reader, 2)?;
            }
            if kind == 0x03 {
                skip(reader, 3)?;
            }
        }
        0x06 => {
            let offset = reader.varint()?;
            let len = usize::try_from(reader.varint()?).ok()?;
            return Some(Said::Crypto { offset, bytes: reader.take(len)? });
        }
        // NEW_TOKEN
        0x07 => {
            let len = usize::try_from(reader.varint()?).ok()?;
            reader.take(len)?;
        }
        0x08..=0x0f => {
            skip(reader, if kind & 4 == 0 { 1 } else { 2 })?;
            let len = match kind & 2 {
                0 => reader.0.len(),
                _ => usize::try_from(reader.varint()?).ok()?,
            };
            reader.take(len)?;
            return Some(Said::Stream { len });
        }
        // RESET_STREAM, and those of one or two numbers.
        0x04 => skip(reader, 3)?,
        0x05 | 0x11 | 0x15 => skip(reader, 2)?,
        0x12 => return Some(Said::Streams { most: reader.varint()? }),
        0x10 | 0x13 | 0x14 | 0x16 | 0x17 | 0x19 => skip(reader, 1)?,
        // NEW_CONNECTION_ID
        0x18 => {
            skip(reader, 2)?;
            let len = reader.byte()?;
            reader.take(usize::from(len) + 16)?;
        }
        0x1a | 0x1b => {
            reader.take(8)?;
        }
        0x1c | 0x1d => {
            let code = reader.varint()?;
            if kind == 0x1c {
                skip(reader, 1)?;
            }
            let len = usize::try_from(reader.varint()?).ok()?;
            let why = String::from_utf8_lossy(reader.take(len)?).into_owned();
            return Some(Said::Closed { code, why });
        }
        0x1e => return Some(Said::Done),
        _ => return None,
    }
    Some(Said::Other)
}

/// PING, and PADDING after it.
pub(crate) fn long_ping() -> Vec<u8> {
    let mut out = vec![0x01];
    out.resize(200, 0);
    out
}

/// CRYPTO.
pub(super) fn crypto(offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x06];
    put_varint(&mut out, offset);
    put_varint(&mut out, bytes.len() as u64);
    out.extend(bytes);
    out
}

/// STREAM, with an offset and a length.
pub(crate) fn stream(id: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x0e];
    put_varint(&mut out, id);
    put_varint(&mut out, offset);
    put_varint(&mut out, bytes.len() as u64);
    out.extend(bytes);
    out
}

/// ACK of every packet from `first` to `last`.
pub(crate) fn ack(first: u64, last: u64) -> Vec<u8> {
    let mut out = vec![0x02];
    put_varint(&mut out, last);
    put_varint(&mut out, 0);
    put_varint(&mut out, 0);
    put_varint(&mut out, last - first);
    out
}

/// NEW_CONNECTION_ID, which retires all before it.
pub(crate) fn new_connection_id(sequence: u64) -> Vec<u8> {
    let mut out = vec![0x18];
    put_varint(&mut out, sequence);
    put_varint(&mut out, sequence);
    out.push(8);
    out.extend(sequence.to_be_bytes());
    // Its reset token, which nobody uses.
    out.extend([0x5a; 8]);
    out.extend(sequence.to_be_bytes());
    out
}
