//! Packets of RFC 9000, section 17, under the protection of RFC 9001, section 5.

use rustls::quic::{DirectionalKeys, Keys, Suite};

use crate::Must as _;

/// What every packet of ours carries for a number: four bytes.
const NUMBER: usize = 4;
/// The tag at the end of what is encrypted.
const TAG: usize = 16;
/// The smallest datagram that may begin a connection.
pub(super) const FIRST_DATAGRAM: usize = 1200;

/// A space of packet numbers, with keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Initial,
    Handshake,
    Data,
}

/// The ids of a connection.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    pub(super) ours: [u8; 8],
    pub(super) theirs: Vec<u8>,
}

/// A packet that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) space: Space,
    pub(super) number: u64,
    /// The sender's id, in a long header.
    pub(super) from: Option<Vec<u8>>,
    pub(super) frames: Vec<u8>,
}

/// The suite of first packets, whatever is agreed on later.
pub(super) fn first_suite() -> Suite {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.tls13().and_then(|suite| suite.quic_suite()).must("a suite for QUIC")
}

/// A packet of these frames, padded so that it has at least `least` bytes.
pub(super) fn seal(
    (space, keys): (Space, &DirectionalKeys),
    ids: &Ids,
    number: u32,
    frames: &[u8],
    least: usize,
) -> Vec<u8> {
    let mut packet = Vec::new();
    let long = |kind: u8| 0xc0 | kind << 4 | (NUMBER as u8 - 1);
    match space {
        Space::Data => packet.push(0x40 | (NUMBER as u8 - 1)),
        Space::Initial => packet.extend([long(0), 0, 0, 0, 1]),
        Space::Handshake => packet.extend([long(2), 0, 0, 0, 1]),
    }
    if space != Space::Data {
        packet.push(ids.theirs.len() as u8);
    }
    packet.extend(&ids.theirs);
    if space != Space::Data {
        packet.push(ids.ours.len() as u8);
        packet.extend(ids.ours);
    }
    if space == Space::Initial {
        packet.push(0);
    }
    let length = if space == Space::Data { 0 } else { 2 };
    let before = packet.len() + length + NUMBER;
    let body = frames.len().max(least.saturating_sub(before + TAG)).max(NUMBER);
    if space != Space::Data {
        let rest = (NUMBER + body + TAG) as u16;
        packet.extend((0x4000 | rest).to_be_bytes());
    }
    let at = packet.len();
    packet.extend(number.to_be_bytes());
    packet.extend(frames);
    packet.resize(before + body, 0);
    let (header, payload) = packet.split_at_mut(before);
    let tag = keys.packet.encrypt_in_place(number.into(), header, payload).must("sealed");
    packet.extend(tag.as_ref());
    let sample = packet[before..before + keys.header.sample_len()].to_vec();
    let (first, rest) = packet.split_at_mut(1);
    let number = &mut rest[at - 1..at - 1 + NUMBER];
    keys.header.encrypt_in_place(&sample, &mut first[0], number).must("hidden");
    packet
}

/// Opens the packet that `datagram` begins with, if there are keys for it; and where the next one begins.
pub(super) fn open(
    datagram: &mut [u8],
    keys: &[Option<Keys>; 3],
    largest: [u64; 3],
) -> Option<(Option<Opened>, usize)> {
    let mut reader = Reader(datagram);
    let first = reader.byte()?;
    let (space, from, end) = if first & 0x80 == 0 {
        reader.take(8)?;
        (Space::Data, None, datagram.len())
    } else {
        reader.take(4)?;
        let to = reader.byte()?;
        reader.take(to.into())?;
        let from = reader.byte()?;
        let from = reader.take(from.into())?.to_vec();
        let space = match first >> 4 & 3 {
            0 => {
                let token = reader.varint()?;
                reader.take(usize::try_from(token).ok()?)?;
                Space::Initial
            }
            2 => Space::Handshake,
            _ => return None,
        };
        let length = usize::try_from(reader.varint()?).ok()?;
        let end = datagram.len() - reader.0.len() + length;
        (space, Some(from), end)
    };
    let at = datagram.len() - reader.0.len();
    let packet = datagram.get_mut(..end)?;
    let Some(keys) = &keys[space as usize] else { return Some((None, end)) };
    Some((unseal(packet, at, &keys.remote, (space, largest[space as usize]), from), end))
}

fn unseal(
    packet: &mut [u8],
    at: usize,
    keys: &DirectionalKeys,
    (space, largest): (Space, u64),
    from: Option<Vec<u8>>,
) -> Option<Opened> {
    let sample = packet.get(at + NUMBER..at + NUMBER + keys.header.sample_len())?.to_vec();
    let (first, rest) = packet.split_at_mut(1);
    let number = rest.get_mut(at - 1..at - 1 + NUMBER)?;
    keys.header.decrypt_in_place(&sample, &mut first[0], number).ok()?;
    let len = usize::from(first[0] & 3) + 1;
    let short = number[..len].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    // RFC 9000, appendix A.3: the number nearest to the one that is expected.
    let window = 1_u64 << (8 * len);
    let expected = largest + 1;
    let near = expected & !(window - 1) | short;
    let number = if near + window / 2 <= expected {
        near + window
    } else if near > expected + window / 2 && near >= window {
        near - window
    } else {
        near
    };
    let (header, payload) = packet.split_at_mut(at + len);
    let frames = keys.packet.decrypt_in_place(number, header, payload).ok()?.to_vec();
    Some(Opened { space, number, from, frames })
}

/// Bytes that are read from the front.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(count)?;
        self.0 = later;
        Some(now)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = (1 << (first >> 6)) - 1;
        let rest = self.take(more)?;
        Some(rest.iter().fold(u64::from(first & 0x3f), |all, byte| all << 8 | u64::from(*byte)))
    }
}

/// A number as QUIC writes it.
pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x40 => out.push(value as u8),
        0x40..0x4000 => out.extend((0x4000 | value as u16).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend((0x8000_0000 | value as u32).to_be_bytes()),
        _ => out.extend((0xc000_0000_0000_0000 | value).to_be_bytes()),
    }
}
