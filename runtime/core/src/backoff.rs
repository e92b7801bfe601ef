//! Pauses between attempts to connect: 50 ms, growing by 1.6 to 5 s, with 20 % of chance.
//!
//! # Why
//! An endpoint that went away is usually back soon, so the first pause is short; one that stays
//! away must not be hammered by a thousand clients in step, so pauses grow and chance spreads them.

use std::time::Duration;

use crate::{
    limits::{RECONNECT_FACTOR, RECONNECT_FIRST, RECONNECT_JITTER, RECONNECT_MAX},
    rng::{Rng, unit_f64},
};

/// The state of reconnecting to one endpoint.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// The next pause before chance is added, in seconds.
    next_s: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Starts at the first pause.
    pub const fn new() -> Self {
        Self { next_s: RECONNECT_FIRST.as_millis() as f64 / 1e3 }
    }

    /// The pause before the next attempt; the one after it will be longer.
    pub fn next(&mut self, rng: &mut (impl Rng + ?Sized)) -> Duration {
        let pause = self.next_s;
        self.next_s = (pause * RECONNECT_FACTOR).min(RECONNECT_MAX.as_secs_f64());
        let spread = 1.0 + RECONNECT_JITTER * (2.0 * unit_f64(rng) - 1.0);
        Duration::from_secs_f64(pause * spread)
    }

    /// Starts over: a connection came up.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);
    impl Rng for Fixed {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    fn pauses(seed: u64, count: usize) -> Vec<u128> {
        let mut backoff = Backoff::new();
        (0..count).map(|_| backoff.next(&mut Fixed(seed)).as_millis()).collect()
    }

    #[test]
    fn pauses_grow_to_the_longest_and_stay() {
        // Half of the range: no jitter.
        let steady = pauses(1 << 63, 14);
        assert_eq!(steady[..6], [50, 80, 128, 204, 327, 524]);
        assert_eq!(steady[12..], [5_000, 5_000]);
    }

    #[test]
    fn chance_moves_a_pause_by_a_fifth_at_most() {
        assert_eq!(pauses(0, 1), [40]);
        assert!((59..=60).contains(&pauses(u64::MAX, 1)[0]));
        assert!(pauses(u64::MAX, 30)[29] <= 6_000);
    }

    #[test]
    fn reset_starts_over() {
        let mut backoff = Backoff::new();
        let mut rng = Fixed(1 << 63);
        for _ in 0..9 {
            backoff.next(&mut rng);
        }
        backoff.reset();
        assert_eq!(backoff.next(&mut rng), RECONNECT_FIRST);
    }
}
