//! Lengths of time as users write them: `500ms`.

use crate::messages::{self, Message};

const UNITS: &[(&str, u64)] =
    &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)];

/// A call that has less time left is not sent.
const SHORTEST_US: u64 = 1_000;
/// No call gets more: five minutes.
const LONGEST_US: u64 = 300_000_000;

/// Reads a timeout, in microseconds. Nanoseconds are rounded up.
pub(super) fn timeout_us(written: &str) -> Result<u64, Message> {
    let digits = written.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &written[digits.len()..];
    let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(messages::bad_time(written));
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(messages::bad_time(written));
    }
    // Too many digits for the type are too many for the limit as well.
    let number: u64 = digits.parse().unwrap_or(u64::MAX);
    match number.saturating_mul(*unit_ns).div_ceil(1_000) {
        ..SHORTEST_US => Err(messages::TIME_TOO_SHORT),
        us @ SHORTEST_US..=LONGEST_US => Ok(us),
        _ => Err(messages::TIME_TOO_LONG),
    }
}

#[cfg(test)]
mod tests {
    use super::{messages, timeout_us};

    #[test]
    fn a_number_and_a_unit_are_a_time() {
        for (written, us) in [
            ("1ms", 1_000),
            ("500ms", 500_000),
            ("1500us", 1_500),
            ("1000001ns", 1_001),
            ("2s", 2_000_000),
            ("5m", 300_000_000),
            ("0001s", 1_000_000),
        ] {
            assert_eq!(timeout_us(written), Ok(us), "{written}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for written in ["", "5", "ms", "1.5s", "-1s", "1 s", "1S", "1h", "1e3ms", "١s", "5mm"] {
            assert_eq!(timeout_us(written), Err(messages::bad_time(written)), "{written}");
        }
    }

    #[test]
    fn what_no_call_can_have_is_refused() {
        for written in ["0s", "0ns", "999us", "998999ns"] {
            assert_eq!(timeout_us(written), Err(messages::TIME_TOO_SHORT), "{written}");
        }
        for written in ["6m", "301s", "300000001us", "99999999999999999999999s"] {
            assert_eq!(timeout_us(written), Err(messages::TIME_TOO_LONG), "{written}");
        }
    }
}
