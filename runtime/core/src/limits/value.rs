//! What a limit is set to, as people read it.

use std::{fmt, time::Duration};

/// One number of [`ALL`](super::ALL).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The name of its constant.
    pub name: &'static str,
    /// What it is set to.
    pub value: Value,
}

/// What a limit is set to, in a unit. Shown in the largest unit that leaves a whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Bytes.
    Bytes(u64),
    /// A number of things.
    Count(u64),
    /// A time.
    Time(Duration),
    /// A factor or a share.
    Ratio(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: (u64, &[(u64, &str)]) = match self {
            Self::Ratio(ratio) => return write!(f, "{ratio}"),
            Self::Count(count) => (*count, &[(1, "")]),
            Self::Bytes(bytes) => (*bytes, &[(1 << 20, " MiB"), (1 << 10, " KiB"), (1, " B")]),
            Self::Time(time) => (
                u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                &[
                    (3_600_000_000, " h"),
                    (60_000_000, " min"),
                    (1_000_000, " s"),
                    (1_000, " ms"),
                    (1, " us"),
                ],
            ),
        };
        let (amount, units) = units;
        let whole = |(size, _): &&(u64, &str)| amount >= *size && amount.is_multiple_of(*size);
        match units.iter().find(whole) {
            Some((size, unit)) => write!(f, "{}{unit}", amount / size),
            None => write!(f, "{amount}"),
        }
    }
}
