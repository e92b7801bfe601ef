//! Slow start: the share of traffic that something new gets, growing with its age.

use std::time::Duration;

use crate::limits::{SLOW_START, SLOW_START_FLOOR};

/// The share of an endpoint that has been in use for this long: 10 % at first, all of it after 10 s.
pub fn slow_start(age: Duration) -> f64 {
    slow_start_over(age, SLOW_START)
}

/// The same over another time.
pub fn slow_start_over(age: Duration, window: Duration) -> f64 {
    (age.as_secs_f64() / window.as_secs_f64()).clamp(SLOW_START_FLOOR, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_from_a_tenth_to_the_whole() {
        let minute = Duration::from_secs(60);
        for (seconds, share) in
            [(0, 0.1), (6, 0.1), (10, 1.0 / 6.0), (30, 0.5), (60, 1.0), (90, 1.0)]
        {
            let found = slow_start_over(Duration::from_secs(seconds), minute);
            assert!((found - share).abs() < 1e-9, "{seconds} s: {found}");
        }
    }

    #[test]
    fn an_endpoint_has_its_whole_share_after_ten_seconds() {
        for (millis, share) in
            [(0, 0.1), (1_000, 0.1), (2_500, 0.25), (5_000, 0.5), (10_000, 1.0), (60_000, 1.0)]
        {
            let found = slow_start(Duration::from_millis(millis));
            assert!((found - share).abs() < 1e-9, "{millis} ms: {found}");
        }
    }
}
