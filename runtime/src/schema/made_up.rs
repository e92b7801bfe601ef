//! Values that types which validate may accept.
//!
//! One after the other is tried at the place that refused the last one.

/// Texts: numbers, ids, addresses, dates and what else types are parsed from.
const TEXTS: &[&str] = &[
    "1",
    "",
    "a",
    "A",
    "7f1b0f0e-3d5c-4a7e-9f61-0a1b2c3d4e5f",
    "http://host.example/",
    "10.1.2.3",
    "10.1.2.3:4",
    "::1",
    "[::1]:4",
    "2024-02-03",
    "2024-02-03T04:05:06Z",
    "2024-02-03T04:05:06",
    "04:05:06",
    "1.2.3",
    "user@host.example",
    "true",
    "1.5",
    "PT1S",
    "UTC",
    "Europe/Lisbon",
    "#a1b2c3",
    "en",
    "/a/b",
    "EUR",
    "+351210000000",
    "0x1f",
    "cafebabe",
    "10.0.0.0/8",
    "GET",
    "text/plain",
    "a.b.c",
    "01HQZX3V9K8J7M6N5P4R3S2T1W",
    "2024-02-03T04:05:06+00:00[UTC]",
    "Mon",
    "0000000000000000000000000000000000000000000000000000000000000001",
];

const INTEGERS: &[i64] = &[1, 0, 2, 10, 100, 2024, 5000, 65_535, 1_700_000_000, -1];

const LENGTHS: &[usize] = &[16, 0, 1, 4, 32, 8, 12, 6, 20, 24, 64, 33];

static BYTES: [u8; 64] = [b'1'; 64];

/// So many times a place may refuse: each text once.
pub(super) const TRIES_MAX: usize = TEXTS.len() + 1;

pub(super) fn text(at: usize) -> &'static str {
    TEXTS[at % TEXTS.len()]
}

pub(super) fn bytes(at: usize) -> &'static [u8] {
    &BYTES[..LENGTHS[at % LENGTHS.len()]]
}

/// `turn` differs from place to place, so that neighbours have different values.
pub(super) fn integer(at: usize, turn: usize) -> i64 {
    let small = |of: usize| i64::try_from(turn % of).unwrap_or_default();
    match at.checked_sub(1) {
        None => 1 + small(5),
        Some(at) if at < INTEGERS.len() => INTEGERS[at],
        Some(at) => INTEGERS[at % INTEGERS.len()] + small(7),
    }
}
