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
//! - Twenty in a row that were taken end it: the window would go on to hold back for most of its ten seconds, when the
//!   service has long been able to do everything again.

use std::time::{Duration, Instant};

use crate::{
    limits::{THROTTLE_DROP_MAX, THROTTLE_ENDS, THROTTLE_FROM, THROTTLE_K},
    rng::{Rng, unit_f64},
    window::Window,
};

const REQUESTS: usize = 0;
const ACCEPTED: usize = 1;

/// How much is held back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// A client sends at most so many times what the service takes.
    pub k: f64,
    /// The largest share that is dropped.
    pub drop_max: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { k: THROTTLE_K, drop_max: THROTTLE_DROP_MAX }
    }
}

/// What one client knows of one service's refusals.
#[derive(Clone, Debug)]
pub struct Throttle {
    terms: Terms,
    window: Window<2>,
    last_through: Instant,
    /// Attempts in a row that were taken.
    taken: u32,
}

impl Throttle {
    /// Without a refusal.
    pub const fn new(terms: Terms, now: Instant) -> Self {
        Self { terms, window: Window::new(now), last_through: now, taken: 0 }
    }

    /// Other terms from here on; what was counted stays.
    pub const fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
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
        self.taken = if accepted { self.taken + 1 } else { 0 };
        if self.taken >= THROTTLE_ENDS {
            self.window.clear(now);
            self.taken = 0;
        }
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
        ((requests - self.terms.k * accepted) / (requests + 1.0)).clamp(0.0, self.terms.drop_max)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{rng::SplitMix, tests::start};

    /// Drops whatever has a share.
    struct Unlucky;
    impl Rng for Unlucky {
        fn next_u64(&mut self) -> u64 {
            0
        }
    }

    /// Drops nothing that has a chance.
    struct Lucky;
    impl Rng for Lucky {
        fn next_u64(&mut self) -> u64 {
            u64::MAX
        }
    }

    /// `demand` requests a second at a service that takes `capacity` of them, for a minute: how many a second were sent
    /// in the second half.
    fn sent(demand: u32, capacity: u32) -> u32 {
        let t0 = start();
        let mut throttle = Throttle::new(Terms::default(), t0);
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
        let mut throttle = Throttle::new(Terms::default(), t0);
        for _ in 0..1000 {
            throttle.settle(false, t0);
        }
        assert_eq!(throttle.drop_share(t0), THROTTLE_DROP_MAX);
        assert!(!throttle.admit(t0 + Duration::from_millis(900), &mut Unlucky));
        assert!(throttle.admit(t0 + Duration::from_millis(1000), &mut Unlucky));
        assert!(!throttle.admit(t0 + Duration::from_millis(1900), &mut Unlucky));
    }

    #[test]
    fn it_is_over_when_so_many_in_a_row_were_taken() {
        let t0 = start();
        let mut throttle = Throttle::new(Terms::default(), t0);
        (0..1000).for_each(|_| throttle.settle(false, t0));
        (1..THROTTLE_ENDS).for_each(|_| throttle.settle(true, t0));
        assert!(throttle.drop_share(t0) > 0.8);
        throttle.settle(true, t0);
        assert_eq!(throttle.drop_share(t0), 0.0);
    }

    #[test]
    fn it_is_over_ten_seconds_after_the_last_refusal() {
        let t0 = start();
        let mut throttle = Throttle::new(Terms::default(), t0);
        for _ in 0..100 {
            throttle.settle(false, t0);
        }
        assert_eq!(throttle.drop_share(t0 + Duration::from_secs(10)), 0.0);
    }

    #[test]
    fn every_state_answers_every_event() {
        let t0 = start();
        let after = |accepted: usize, refused: usize| {
            let mut throttle = Throttle::new(Terms::default(), t0);
            // Evenly mixed.
            let all = accepted + refused;
            let taken = |at: usize| accepted * (at + 1) / all > accepted * at / all;
            (0..all).for_each(|at| throttle.settle(taken(at), t0));
            throttle
        };
        let states = [
            ("new", after(0, 0)),
            ("too few to tell", after(0, THROTTLE_FROM as usize - 2)),
            ("all are taken", after(100, 0)),
            ("half are refused", after(50, 50)),
            ("more than half", after(30, 70)),
            ("all are refused", after(0, 100)),
        ];
        let mut table = String::new();
        for (state, made) in states {
            for event in ["taken", "refused", "unlucky", "lucky", "1 s", "10 s"] {
                let mut throttle = made.clone();
                let mut now = t0;
                let mut goes = None;
                match event {
                    "taken" => throttle.settle(true, t0),
                    "refused" => throttle.settle(false, t0),
                    "unlucky" => goes = Some(throttle.admit(t0, &mut Unlucky)),
                    "lucky" => goes = Some(throttle.admit(t0, &mut Lucky)),
                    "1 s" => {
                        now += Duration::from_secs(1);
                        goes = Some(throttle.admit(now, &mut Unlucky));
                    }
                    _ => {
                        now += Duration::from_secs(10);
                        goes = Some(throttle.admit(now, &mut Unlucky));
                    }
                }
                let share = throttle.drop_share(now);
                let goes = goes.map_or("", |goes| if goes { " goes" } else { " is held back" });
                writeln!(table, "{state:<16} {event:<8} {share:.2}{goes}").unwrap();
            }
        }
        assert_eq!(table, STATES);
    }

    /// The share that is dropped after it.
    const STATES: &str = "\
new              taken    0.00
new              refused  0.00
new              unlucky  0.00 goes
new              lucky    0.00 goes
new              1 s      0.00 goes
new              10 s     0.00 goes
too few to tell  taken    0.00
too few to tell  refused  0.00
too few to tell  unlucky  0.00 goes
too few to tell  lucky    0.00 goes
too few to tell  1 s      0.00 goes
too few to tell  10 s     0.00 goes
all are taken    taken    0.00
all are taken    refused  0.00
all are taken    unlucky  0.00 goes
all are taken    lucky    0.00 goes
all are taken    1 s      0.00 goes
all are taken    10 s     0.00 goes
half are refused taken    0.00
half are refused refused  0.01
half are refused unlucky  0.00 goes
half are refused lucky    0.00 goes
half are refused 1 s      0.00 goes
half are refused 10 s     0.00 goes
more than half   taken    0.38
more than half   refused  0.40
more than half   unlucky  0.40 is held back
more than half   lucky    0.40 goes
more than half   1 s      0.40 goes
more than half   10 s     0.00 goes
all are refused  taken    0.90
all are refused  refused  0.90
all are refused  unlucky  0.90 is held back
all are refused  lucky    0.90 goes
all are refused  1 s      0.90 goes
all are refused  10 s     0.00 goes
";
}
