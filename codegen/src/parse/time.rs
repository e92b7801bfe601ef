//! Lengths of time as users write them: `500ms`, and `p95` for what most calls take.

use std::ops::RangeInclusive;

use crate::{
    messages::{self, Message},
    model::Hedge,
};

const UNITS: &[(&str, u64)] =
    &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)];

/// A call that has less time left is not sent.
const SHORTEST_US: u64 = 1_000;
/// No call gets more: five minutes.
const LONGEST_US: u64 = 300_000_000;

/// Percentiles that a hedge can wait for: below, more calls are slow than may be hedged.
const PERCENTILES: RangeInclusive<u8> = 95..=99;

/// Reads a timeout, in microseconds.
pub(super) fn timeout_us(written: &str) -> Result<u64, Message> {
    match micros(written).ok_or_else(|| messages::bad_time(written))? {
        ..SHORTEST_US => Err(messages::TIME_TOO_SHORT),
        us @ SHORTEST_US..=LONGEST_US => Ok(us),
        _ => Err(messages::TIME_TOO_LONG),
    }
}

/// Reads when a hedge goes out.
pub(super) fn hedge(written: &str) -> Result<Hedge, Message> {
    if let Some(percent) = written.strip_prefix('p').filter(|digits| is_number(digits)) {
        let percent = percent.parse().ok().filter(|percent| PERCENTILES.contains(percent));
        return percent
            .map(Hedge::AfterPercentile)
            .ok_or_else(|| messages::hedge_percentile(written));
    }
    match micros(written).ok_or_else(|| messages::bad_hedge(written))? {
        ..SHORTEST_US => Err(messages::HEDGE_TOO_SOON),
        us => Ok(Hedge::AfterUs(us)),
    }
}

/// Microseconds; nanoseconds are rounded up.
fn micros(written: &str) -> Option<u64> {
    let digits = written.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &written[digits.len()..];
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // Too many digits for the type are too many for the limit as well.
    let number: u64 = is_number(digits).then(|| digits.parse().unwrap_or(u64::MAX))?;
    Some(number.saturating_mul(*unit_ns).div_ceil(1_000))
}

fn is_number(written: &str) -> bool {
    !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Hedge, hedge, messages, timeout_us};

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

    #[test]
    fn a_hedge_is_a_percentile_or_a_time() {
        for (written, expected) in [
            ("p95", Ok(Hedge::AfterPercentile(95))),
            ("p99", Ok(Hedge::AfterPercentile(99))),
            ("20ms", Ok(Hedge::AfterUs(20_000))),
            ("p94", Err(messages::hedge_percentile("p94"))),
            ("p100", Err(messages::hedge_percentile("p100"))),
            ("p999999", Err(messages::hedge_percentile("p999999"))),
            ("999us", Err(messages::HEDGE_TOO_SOON)),
        ] {
            assert_eq!(hedge(written), expected, "{written}");
        }
        for written in ["", "p", "95", "p9.5", "P95", "95%", "max"] {
            assert_eq!(hedge(written), Err(messages::bad_hedge(written)), "{written}");
        }
    }
}
