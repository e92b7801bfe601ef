//! The few fields of a certificate that webpki does not hand out, read strictly from its DER.
//!
//! # Why
//! webpki verifies chains but skips a URI name that it cannot read, so that a certificate with one
//! good and one broken name would count as having one. It also ignores key usage and does not tell
//! dates. A full X.509 parser would double what we compile for six fields.
//!
//! # Invariants
//! 1. Lengths are definite and minimal, and nothing is left over: what another parser could read
//!    differently is an error.
//! 2. An extension that we read occurs at most once.
//! 3. The bytes come from a peer: nothing is allocated for a length that was only claimed.
//!
//! # Not here
//! Signatures and chains (webpki's, in `chain.rs`), and what the fields must say.

use std::fmt;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `uniformResourceIdentifier [6]` of a `GeneralName`.
const URI: u8 = 0x86;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// What is wrong with the encoding of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadDer(&'static str);

impl fmt::Display for BadDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its encoding is broken: {}", self.0)
    }
}

/// What a certificate says about itself. Nothing of it is verified.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// Every URI among the alternative names, as the bytes that stand there.
    pub(super) uris: Vec<&'a [u8]>,
    /// The common name of the issuer, made printable.
    pub(super) issuer: String,
    /// The common name of the subject, made printable.
    pub(super) subject: String,
    /// First second of validity, since 1970.
    pub(super) not_before: u64,
    /// Last second of validity, since 1970.
    pub(super) not_after: u64,
    /// `CA=true`: it may sign certificates.
    pub(super) is_authority: bool,
    /// The first eight bits of the key usage, where there is one.
    pub(super) key_usage: Option<u8>,
    /// The extended key usage, where there is one.
    pub(super) purposes: Option<Purposes>,
}

/// What the extended key usage of a certificate allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Purposes {
    pub(super) server: bool,
    pub(super) client: bool,
}

impl<'a> Facts<'a> {
    /// Key usage bit 0: the key may sign a handshake.
    pub(super) const DIGITAL_SIGNATURE: u8 = 0x80;
    /// Key usage bits 5 and 6: the key may sign certificates or revocation lists.
    pub(super) const SIGNS_CERTIFICATES: u8 = 0x06;

    /// Reads a whole certificate.
    pub(super) fn read(certificate: &'a [u8]) -> Result<Self, BadDer> {
        let mut outer = Reader(certificate);
        let mut certificate = outer.constructed(SEQUENCE, "not a certificate")?;
        outer.finish("bytes follow the certificate")?;
        let mut body = certificate.constructed(SEQUENCE, "no certificate body")?;

        body.optional(0xa0)?;
        body.expect(INTEGER, "no serial number")?;
        body.expect(SEQUENCE, "no signature algorithm")?;
        let issuer = common_name(body.expect(SEQUENCE, "no issuer")?)?;
        let mut validity = body.constructed(SEQUENCE, "no validity")?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.finish("bytes follow the validity")?;
        let subject = common_name(body.expect(SEQUENCE, "no subject")?)?;
        body.expect(SEQUENCE, "no public key")?;
        body.optional(0x81)?;
        body.optional(0x82)?;

        let mut facts = Self { issuer, subject, not_before, not_after, ..Self::default() };
        if let Some(extensions) = body.optional(0xa3)? {
            let mut tagged = Reader(extensions);
            facts.extensions(tagged.constructed(SEQUENCE, "no list of extensions")?)?;
            tagged.finish("bytes follow the extensions")?;
        }
        body.finish("bytes follow the extensions")?;
        Ok(facts)
    }

    fn extensions(&mut self, mut list: Reader<'a>) -> Result<(), BadDer> {
        let mut seen = [false; 4];
        while !list.0.is_empty() {
            let mut extension = list.constructed(SEQUENCE, "an extension is no sequence")?;
            let id = extension.expect(OID, "an extension has no id")?;
            extension.optional(BOOLEAN)?;
            let value = extension.expect(OCTET_STRING, "an extension has no value")?;
            extension.finish("bytes follow an extension")?;
            let slot = match id {
                ALTERNATIVE_NAMES => {
                    self.uris = uris(value)?;
                    0
                }
                KEY_USAGE => {
                    self.key_usage = Some(key_usage(value)?);
                    1
                }
                BASIC_CONSTRAINTS => {
                    self.is_authority = is_authority(value)?;
                    2
                }
                EXTENDED_KEY_USAGE => {
                    self.purposes = Some(purposes(value)?);
                    3
                }
                _ => continue,
            };
            if std::mem::replace(&mut seen[slot], true) {
                return Err(BadDer("an extension occurs twice"));
            }
        }
        Ok(())
    }
}

fn uris(value: &[u8]) -> Result<Vec<&[u8]>, BadDer> {
    let mut value = Reader(value);
    let mut names = value.constructed(SEQUENCE, "the alternative names are no sequence")?;
    value.finish("bytes follow the alternative names")?;
    let mut uris = Vec::new();
    while !names.0.is_empty() {
        match names.any()? {
            (URI, uri) => uris.push(uri),
            // Every other kind of name is context-specific as well (tags 0 to 8 of RFC 5280).
            (tag, _) if tag & 0xc0 == 0x80 && tag & 0x1f <= 8 && tag & 0x1f != URI & 0x1f => {}
            _ => return Err(BadDer("an alternative name is of no known kind")),
        }
    }
    Ok(uris)
}

fn key_usage(value: &[u8]) -> Result<u8, BadDer> {
    let mut value = Reader(value);
    let bits = value.expect(BIT_STRING, "the key usage is no bit string")?;
    value.finish("bytes follow the key usage")?;
    match bits {
        [0..=7] => Ok(0),
        [0..=7, first, ..] => Ok(*first),
        _ => Err(BadDer("the key usage is no bit string")),
    }
}

fn is_authority(value: &[u8]) -> Result<bool, BadDer> {
    let mut value = Reader(value);
    let mut constraints = value.constructed(SEQUENCE, "the basic constraints are no sequence")?;
    value.finish("bytes follow the basic constraints")?;
    match constraints.optional(BOOLEAN)? {
        None | Some([0x00]) => Ok(false),
        Some([0xff]) => Ok(true),
        Some(_) => Err(BadDer("the basic constraints hold neither true nor false")),
    }
}

fn purposes(value: &[u8]) -> Result<Purposes, BadDer> {
    let mut value = Reader(value);
    let mut list = value.constructed(SEQUENCE, "the extended key usage is no sequence")?;
    value.finish("bytes follow the extended key usage")?;
    let mut purposes = Purposes::default();
    while !list.0.is_empty() {
        match list.expect(OID, "a key purpose is no id")? {
            SERVER_AUTH => purposes.server = true,
            CLIENT_AUTH => purposes.client = true,
            _ => {}
        }
    }
    Ok(purposes)
}

/// The common name in the contents of a `Name`, else the organisation, at most 64 characters and
/// printable.
pub(super) fn common_name(name: &[u8]) -> Result<String, BadDer> {
    let mut found = None;
    let mut name = Reader(name);
    while !name.0.is_empty() {
        let mut set = name.constructed(SET, "a name is no list of sets")?;
        while !set.0.is_empty() {
            let mut pair = set.constructed(SEQUENCE, "a name has no pairs")?;
            let kind = pair.expect(OID, "a part of a name has no kind")?;
            let (_, text) = pair.any()?;
            if kind == COMMON_NAME || (kind == ORGANIZATION && found.is_none()) {
                found = Some(text);
            }
        }
    }
    Ok(found.map_or_else(|| "an issuer without a name".to_owned(), printable))
}

/// Bytes of a peer for a message: at most 128 characters, nothing that moves a cursor or ends a
/// quotation.
pub(super) fn printable(bytes: &[u8]) -> String {
    const LIMIT: usize = 128;
    let mut shown: String = String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_ascii_graphic() && c != '`' || c == ' ' { c } else { '?' })
        .take(LIMIT)
        .collect();
    if bytes.len() > LIMIT {
        shown.push_str("...");
    }
    shown
}

/// A cursor over DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadDer> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(BadDer("it ends too early"))?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, BadDer> {
        let (first, tail) = self.0.split_first().ok_or(BadDer("it ends too early"))?;
        self.0 = tail;
        Ok(*first)
    }

    /// The next element: tag and contents.
    fn any(&mut self) -> Result<(u8, &'a [u8]), BadDer> {
        let tag = self.byte()?;
        if tag & 0x1f == 0x1f {
            return Err(BadDer("a tag is longer than one byte"));
        }
        let length = match self.byte()? {
            short @ 0..=0x7f => usize::from(short),
            0x81 => match self.byte()? {
                long @ 0x80.. => usize::from(long),
                _ => return Err(BadDer("a length is longer than needed")),
            },
            0x82 => match (self.byte()?, self.byte()?) {
                (0, _) => return Err(BadDer("a length is longer than needed")),
                (high, low) => usize::from(u16::from_be_bytes([high, low])),
            },
            // 64 KiB is more than rustls takes from a peer in one certificate message.
            _ => return Err(BadDer("a length is indefinite or above 64 KiB")),
        };
        Ok((tag, self.take(length)?))
    }

    fn expect(&mut self, tag: u8, otherwise: &'static str) -> Result<&'a [u8], BadDer> {
        match self.any()? {
            (found, contents) if found == tag => Ok(contents),
            _ => Err(BadDer(otherwise)),
        }
    }

    fn constructed(&mut self, tag: u8, otherwise: &'static str) -> Result<Self, BadDer> {
        self.expect(tag, otherwise).map(Self)
    }

    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, BadDer> {
        match self.0.first() {
            Some(next) if *next == tag => Ok(Some(self.any()?.1)),
            _ => Ok(None),
        }
    }

    fn finish(&self, otherwise: &'static str) -> Result<(), BadDer> {
        if self.0.is_empty() { Ok(()) } else { Err(BadDer(otherwise)) }
    }

    /// A `Time` of RFC 5280 as seconds since 1970; earlier ones are 0.
    fn time(&mut self) -> Result<u64, BadDer> {
        const BAD: BadDer = BadDer("a date is no date");
        let (tag, text) = self.any()?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2).ok_or(BAD)?;
                let year = number(year)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4).ok_or(BAD)?;
                (number(year)?, rest)
            }
            _ => return Err(BAD),
        };
        let [mo1, mo2, d1, d2, h1, h2, mi1, mi2, s1, s2, b'Z'] = *rest else {
            return Err(BAD);
        };
        let pair = |a, b| number(&[a, b]);
        let (month, day) = (pair(mo1, mo2)?, pair(d1, d2)?);
        let (hour, minute, second) = (pair(h1, h2)?, pair(mi1, mi2)?, pair(s1, s2)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(BAD);
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(BAD);
        }
        let days = days_since_1970(year, month, day);
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
        Ok(u64::try_from(seconds).unwrap_or(0))
    }
}

fn number(digits: &[u8]) -> Result<i64, BadDer> {
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'9' => Ok(sum * 10 + i64::from(digit - b'0')),
        _ => Err(BadDer("a date is no date")),
    })
}

/// Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level
/// date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Seconds since 1970 as `2026-11-22 21:39:47 UTC`, for messages.
pub(super) fn date(seconds: u64) -> String {
    let days = i64::try_from(seconds / 86_400).unwrap_or(i64::MAX / 2) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
