//! Pauses between attempts to connect: 100 ms, growing by 1.6 to 5 s, with 60 % of chance.
//!
//! # Why
//! An endpoint that went away is usually back soon, so the first pause is short; one that stays
//! away must not be hammered by a thousand clients in step, so pauses grow and chance spreads them.
//! They all lost it in the same moment: with gRPC's 20 % of chance, two thirds of 500 clients return to a server that
//! was away for a second within the same 100 ms, and with 60 % a quarter.

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
        // No pause is longer than the longest, whatever chance adds.
        let most = RECONNECT_MAX.as_secs_f64() / (1.0 + RECONNECT_JITTER);
        self.next_s = (pause * RECONNECT_FACTOR).min(most);
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
    use crate::rng::SplitMix;

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
        assert_eq!(steady[..6], [100, 160, 256, 409, 655, 1048]);
        assert_eq!(steady[12..], [3_125, 3_125]);
    }

    #[test]
    fn chance_moves_a_pause_by_three_fifths_and_none_is_longer_than_the_longest() {
        assert_eq!(pauses(0, 1), [40]);
        assert!((159..=160).contains(&pauses(u64::MAX, 1)[0]));
        assert!((4_999..=5_000).contains(&pauses(u64::MAX, 30)[29]));
    }

    /// When each of 500 clients is back, in milliseconds, of a server that was away for so long. An attempt in vain takes
    /// 55 ms: then the host says that nobody listens.
    fn returns(away_ms: u64, seed: u64) -> Vec<u64> {
        let mut rng = SplitMix::new(seed);
        let back = |_| {
            let mut backoff = Backoff::new();
            let mut at = unit_f64(&mut rng) * 20.0;
            while at < away_ms as f64 {
                at += 55.0 + backoff.next(&mut rng).as_secs_f64() * 1e3;
            }
            at as u64
        };
        (0..500).map(back).collect()
    }

    #[test]
    fn clients_of_a_server_that_restarted_do_not_return_together() {
        for seed in 0..5 {
            for away in (800..8000).step_by(50) {
                let returns = returns(away, seed);
                let in_bucket = |bucket| returns.iter().filter(|at| **at / 100 == bucket).count();
                let most = (0..200).map(in_bucket).max().unwrap_or(0);
                // A quarter, and what chance adds to it.
                assert!(most <= 135, "{most} of 500 within 100 ms, after {away} ms, seed {seed}");
                assert!(returns.iter().all(|at| *at <= away + 5100), "after {away} ms");
            }
        }
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
