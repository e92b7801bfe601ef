//! A client that holds back while servers refuse: most of what would be refused is not sent.
//!
//! # Why
//! A refusal costs a server too. When a service sheds more than half of what a client sends, the client drops the
//! difference itself, by chance: `(requests - K * accepted) / (requests + 1)` with K = 2 (Google's SRE book, chapter 21).
//!
//! # What differs from the book
//! - At most 90 % is dropped, and one request a second always goes: a client that sends nothing never learns that the
//!   service is back.
//! - It counts only while there have been refusals: without any, a call pays nothing for it.

use std::time::{Duration, Instant};

use crate::{
    limits::{THROTTLE_DROP_MAX, THROTTLE_FROM, THROTTLE_K},
    rng::{Rng, unit_f64},
    window::Window,
};

const REQUESTS: usize = 0;
const ACCEPTED: usize = 1;

/// What one client knows of one service's refusals.
#[derive(Clone, Debug)]
pub struct Throttle {
    window: Window<2>,
    last_through: Instant,
}

impl Throttle {
    /// Without a refusal.
    pub const fn new(now: Instant) -> Self {
        Self { window: Window::new(now), last_through: now }
    }

    /// Whether an attempt may go. One that may not counts as a request.
    pub fn admit(&mut self, now: Instant, rng: &mut impl Rng) -> bool {
        let drop = self.drop_share(now);
        let due = now.saturating_duration_since(self.last_through) >= Duration::from_secs(1);
        if drop > 0.0 && !due && unit_f64(rng) < drop {
            self.window.add(REQUESTS, 1, now);
            return false;
        }
        self.last_through = now;
        true
    }

    /// An attempt that went: whether the service took it.
    pub fn settle(&mut self, accepted: bool, now: Instant) {
        self.window.add(REQUESTS, 1, now);
        self.window.add(ACCEPTED, u64::from(accepted), now);
    }

    /// The share of attempts that is dropped now.
    pub fn drop_share(&mut self, now: Instant) -> f64 {
        let [requests, accepted] = self.window.sums(now);
        if requests < THROTTLE_FROM {
            return 0.0;
        }
        let (requests, accepted) = (requests as f64, accepted as f64);
        ((requests - THROTTLE_K * accepted) / (requests + 1.0)).clamp(0.0, THROTTLE_DROP_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rng::SplitMix, tests::start};

    /// `demand` requests a second at a service that takes `capacity` of them, for a minute: how many a second were sent
    /// in the second half.
    fn sent(demand: u32, capacity: u32) -> u32 {
        let t0 = start();
        let mut throttle = Throttle::new(t0);
        let mut rng = SplitMix::new(1);
        let mut sent = 0;
        for second in 0..60 {
            let mut accepted = 0;
            for at in 0..demand {
                let now = t0 + Duration::from_secs(second) + Duration::from_secs(1) * at / demand;
                if throttle.admit(now, &mut rng) {
                    // What the server can take is spread over the second, as what comes is.
                    let taken = accepted * demand < capacity * (at + 1);
                    accepted += u32::from(taken);
                    throttle.settle(taken, now);
                    sent += u32::from(second >= 30);
                }
            }
        }
        sent / 30
    }

    #[test]
    fn a_service_that_takes_everything_is_not_throttled() {
        assert_eq!(sent(500, 500), 500);
    }

    #[test]
    fn twice_what_a_service_takes_is_what_it_gets_at_most() {
        for demand in [600, 900, 2000] {
            let sent = sent(demand, 300);
            assert!((500..=700).contains(&sent), "{demand}: {sent}");
        }
    }

    #[test]
    fn one_request_a_second_goes_through_whatever_happened() {
        let t0 = start();
        let mut throttle = Throttle::new(t0);
        for _ in 0..1000 {
            throttle.settle(false, t0);
        }
        assert_eq!(throttle.drop_share(t0), THROTTLE_DROP_MAX);
        /// Drops whatever has a share.
        struct Unlucky;
        impl Rng for Unlucky {
            fn next_u64(&mut self) -> u64 {
                0
            }
        }
        assert!(!throttle.admit(t0 + Duration::from_millis(900), &mut Unlucky));
        assert!(throttle.admit(t0 + Duration::from_millis(1000), &mut Unlucky));
        assert!(!throttle.admit(t0 + Duration::from_millis(1900), &mut Unlucky));
    }

    #[test]
    fn it_is_over_ten_seconds_after_the_last_refusal() {
        let t0 = start();
        let mut throttle = Throttle::new(t0);
        for _ in 0..100 {
            throttle.settle(false, t0);
        }
        assert_eq!(throttle.drop_share(t0 + Duration::from_secs(10)), 0.0);
    }
}
