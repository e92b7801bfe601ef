//! Which endpoint takes the next attempt: the cheapest of a few, where cost is latency times what waits there.
//!
//! # Why
//! Round robin sends a slow server as much as a quick one. Here each endpoint has a price, its peak-sensitive moving
//! average of latency (Finagle's peak EWMA) times the calls that it has at work, and the cheapest of three random ones
//! wins (of all, up to eight). With two choices and two bad servers of four every sixth pick would have nothing but bad
//! ones to choose from.
//!
//! # What differs from Finagle and Linkerd
//! - An endpoint without a sample costs what its peers do, and the first one replaces that. An average that starts at 30 ms takes 46 s to learn that a server answers in
//!   0.3 ms.
//! - It forgets at the speed of the service: after 20 typical latencies, between 250 ms and 10 s.
//! - A failure costs like a latency of 5 s until the next answer: a server that fails at once would be the quickest.
//! - A server's own count of its calls at work replaces ours while it is fresh: others call it too.
//!
//! # Not here
//! Which endpoints may be asked at all: the breakers and the plan.

use std::time::{Duration, Instant};

use crate::{
    limits::{
        FORGET_AFTER_MAX, FORGET_AFTER_MIN, FORGET_AFTER_TYPICAL, PICK_ALL_UP_TO, PICK_CHOICES,
    },
    rng::{Rng, below},
};

/// Latencies that differ by a smaller factor are alike ...
const ALIKE: f64 = 1.5;
/// ... and those that differ by fewer microseconds: it is what a busy machine adds by chance.
const ALIKE_US: f64 = 250.0;

/// The moving average of one endpoint's latency: up at once, down slowly.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakEwma {
    /// Microseconds at `stamp`; zero as long as there is no sample.
    cost_us: f64,
    /// A plain average, which peaks and penalties do not move: the service's own speed.
    typical_us: f64,
    stamp: Option<Instant>,
    /// What a failure costs, in microseconds, and since when; an answer ends it.
    penalty: Option<(f64, Instant)>,
}

impl PeakEwma {
    /// Without a sample.
    pub const fn new() -> Self {
        Self { cost_us: 0.0, typical_us: 0.0, stamp: None, penalty: None }
    }

    /// An answer took this long.
    pub fn observe(&mut self, took: Duration, now: Instant) {
        let took = micros(took);
        self.penalty = None;
        self.typical_us =
            if self.typical_us == 0.0 { took } else { self.typical_us * 0.9 + took * 0.1 };
        let Some(decayed) = self.latency_us(now) else {
            // The first sample replaces the seed.
            self.cost_us = took;
            self.stamp = Some(now);
            return;
        };
        let weight = self.weight(now);
        self.cost_us =
            if took > decayed { took } else { self.cost_us * weight + took * (1.0 - weight) };
        self.stamp = Some(now);
    }

    /// So many answers took this long in the mean, none of them more than is known, the last of them then.
    ///
    /// What lies between them is short beside what it takes to forget, so that the mean stands for all of them.
    pub fn observe_many(&mut self, mean: Duration, answers: u64, at: Instant) {
        let before = self.typical_us;
        self.observe(mean, self.stamp.map_or(at, |known| known.max(at)));
        if before > 0.0 {
            let weight = 0.9_f64.powi(i32::try_from(answers).unwrap_or(i32::MAX));
            self.typical_us = before * weight + micros(mean) * (1.0 - weight);
        }
    }

    /// No answer came for this long: it takes more than that.
    pub fn at_least(&mut self, took: Duration, now: Instant) {
        let decayed = self.latency_us(now).unwrap_or(0.0);
        self.cost_us = decayed.max(micros(took));
        self.stamp = Some(now);
    }

    /// It failed: until it answers it costs at least this much, and less and less, slowly.
    pub fn penalise(&mut self, cost: Duration, now: Instant) {
        let decayed = self.penalty_us(now).unwrap_or(0.0);
        self.penalty = Some((decayed.max(micros(cost)), now));
    }

    /// Microseconds that stand for it in a comparison; `None` without a sample.
    pub fn cost_us(&self, now: Instant) -> Option<f64> {
        match (self.latency_us(now), self.penalty_us(now)) {
            (Some(latency), Some(penalty)) => Some(latency.max(penalty)),
            (one, other) => one.or(other),
        }
    }

    /// What a failure adds, decayed.
    pub fn penalty_us(&self, now: Instant) -> Option<f64> {
        let (cost, since) = self.penalty?;
        let age = now.saturating_duration_since(since).as_secs_f64();
        Some(cost * (-age / FORGET_AFTER_MAX.as_secs_f64()).exp())
    }

    /// A failure's cost and its time, for whoever decays it himself.
    pub const fn penalty(&self) -> Option<(f64, Instant)> {
        self.penalty
    }

    /// Microseconds that an answer is expected to take; `None` without a sample.
    fn latency_us(&self, now: Instant) -> Option<f64> {
        self.stamp?;
        // What has been forgotten whole is what is typical, not nothing: nobody answers in no time.
        Some((self.cost_us * self.weight(now)).max(self.typical_us.min(self.cost_us)))
    }

    /// The service's own speed, in microseconds; `None` without a sample of an answer.
    pub fn typical_us(&self) -> Option<f64> {
        (self.typical_us > 0.0).then_some(self.typical_us)
    }

    /// After how long a peak has lost all but 1/e of its weight, in seconds, where this is typical.
    pub fn forget_after_s(typical_us: f64) -> f64 {
        let typical_s = typical_us / 1e6;
        (typical_s * f64::from(FORGET_AFTER_TYPICAL))
            .clamp(FORGET_AFTER_MIN.as_secs_f64(), FORGET_AFTER_MAX.as_secs_f64())
    }

    /// Microseconds when it was heard last, for whoever decays them himself.
    pub fn peak_us(&self) -> f64 {
        self.cost_us
    }

    fn weight(&self, now: Instant) -> f64 {
        let Some(stamp) = self.stamp else { return 0.0 };
        let age = now.saturating_duration_since(stamp).as_secs_f64();
        (-age / Self::forget_after_s(self.typical_us)).exp()
    }
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).max(1.0)
}

/// What is known of one endpoint at the moment of a pick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Microseconds of its moving average; `None` without a sample.
    pub latency_us: Option<f64>,
    /// Calls at work there, as far as is known.
    pub at_work: u32,
    /// Our own among them.
    pub ours: u32,
    /// Its share beside others, 1 for all equal; slow start included.
    pub weight: f64,
}

impl Price {
    /// The price; `seed_us` stands in for a latency that nobody has measured. An endpoint without a sample gets one call
    /// at a time: what it takes is not known yet.
    pub fn score(&self, seed_us: f64) -> f64 {
        let latency = match self.latency_us {
            Some(latency) => latency,
            None if self.ours > 0 => return f64::INFINITY,
            None => seed_us,
        };
        latency * f64::from(self.at_work.saturating_add(1)) / self.weight.max(1e-9)
    }
}

impl Price {
    /// Whether it costs about what the other does, weights apart: as many calls at work, and a latency that differs by
    /// less than chance does. Then the weights alone decide: who calls once in a while would always call the same one.
    /// One without a sample is like any other, for one call.
    pub fn is_like(&self, other: &Self) -> bool {
        let (one, two) = match (self.latency_us, other.latency_us) {
            (Some(one), Some(two)) => (one, two),
            (None, None) => return true,
            (None, Some(_)) => return self.at_work == other.at_work && self.ours == 0,
            (Some(_), None) => return self.at_work == other.at_work && other.ours == 0,
        };
        let (less, more) = if one < two { (one, two) } else { (two, one) };
        self.at_work == other.at_work && (more - less <= ALIKE_US || more <= less * ALIKE)
    }
}

/// How many of `n` a pick looks at.
pub const fn choices(n: usize) -> usize {
    if n <= PICK_ALL_UP_TO { n } else { PICK_CHOICES }
}

/// Calls `look` with distinct indices below `n`: all of them in turn from a random one where there are as many
/// `choices`, else so many random ones, [`PICK_ALL_UP_TO`] at most.
pub fn sample(n: usize, choices: usize, rng: &mut impl Rng, mut look: impl FnMut(usize)) {
    if n == 0 {
        return;
    }
    let first = below(rng, n as u64) as usize;
    let choices = choices.clamp(1, PICK_ALL_UP_TO);
    if n <= choices {
        // From a random one on: where prices are equal the first one wins.
        (0..n).for_each(|step| look((first + step) % n));
        return;
    }
    let mut seen = [first; PICK_ALL_UP_TO];
    look(first);
    for at in 1..choices {
        // Uniform among those not seen: skip over each seen one that is not larger, smallest first.
        let known = &mut seen[..at];
        known.sort_unstable();
        let mut pick = below(rng, (n - at) as u64) as usize;
        for known in known.iter() {
            pick += usize::from(pick >= *known);
        }
        seen[at] = pick;
        look(pick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rng::SplitMix, tests::start};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_sample_replaces_the_seed_and_a_peak_is_taken_at_once() {
        let t0 = start();
        let mut ewma = PeakEwma::new();
        assert_eq!(ewma.cost_us(t0), None);
        ewma.observe(MS, t0);
        assert_eq!(ewma.cost_us(t0), Some(1000.0));
        ewma.observe(9 * MS, t0 + MS);
        assert_eq!(ewma.cost_us(t0 + MS), Some(9000.0));
    }

    #[test]
    fn a_peak_is_forgotten_down_to_what_is_typical() {
        let t0 = start();
        let mut ewma = PeakEwma::new();
        ewma.observe(MS, t0);
        ewma.at_least(Duration::from_secs(5), t0);
        assert_eq!(ewma.typical_us(), Some(1000.0), "one that was given up is not its speed");
        let later = ewma.cost_us(t0 + FORGET_AFTER_MIN).unwrap();
        assert!((1_800_000.0..1_900_000.0).contains(&later), "{later}");
        assert_eq!(ewma.cost_us(t0 + Duration::from_secs(60)), Some(1000.0));
    }

    #[test]
    fn a_failure_is_remembered_until_an_answer_comes() {
        let t0 = start();
        let mut ewma = PeakEwma::new();
        ewma.observe(MS, t0);
        ewma.penalise(Duration::from_secs(5), t0);
        let after = ewma.cost_us(t0 + FORGET_AFTER_MAX).unwrap();
        assert!((1_800_000.0..1_900_000.0).contains(&after), "{after}");
        ewma.observe(MS, t0 + FORGET_AFTER_MAX);
        assert_eq!(ewma.cost_us(t0 + FORGET_AFTER_MAX), Some(1000.0));
        // Without an answer ever, it is dear, and not free.
        let mut never = PeakEwma::new();
        never.penalise(Duration::from_secs(5), t0);
        assert!(never.cost_us(t0 + Duration::from_secs(60)).unwrap() > 10_000.0);
    }

    #[test]
    fn a_penalty_never_lowers_a_cost() {
        let t0 = start();
        let mut ewma = PeakEwma::new();
        ewma.observe(Duration::from_secs(8), t0);
        ewma.at_least(MS, t0);
        assert_eq!(ewma.cost_us(t0), Some(8e6));
    }

    #[test]
    fn one_call_at_a_time_finds_out_what_an_unknown_endpoint_takes() {
        let mut price = Price { latency_us: None, at_work: 0, ours: 0, weight: 1.0 };
        assert_eq!(price.score(700.0), 700.0);
        price.ours = 1;
        assert_eq!(price.score(700.0), f64::INFINITY);
    }

    #[test]
    fn what_differs_by_chance_is_alike() {
        let price = |latency: f64, at_work| Price {
            latency_us: Some(latency),
            at_work,
            ours: 0,
            weight: 1.0,
        };
        assert!(price(100.0, 0).is_like(&price(340.0, 0)));
        assert!(price(10_000.0, 2).is_like(&price(14_000.0, 2)));
        assert!(!price(10_000.0, 2).is_like(&price(16_000.0, 2)));
        assert!(!price(100.0, 0).is_like(&price(100.0, 1)));
        let unknown = Price { latency_us: None, ..price(0.0, 0) };
        assert!(unknown.is_like(&unknown) && unknown.is_like(&price(100.0, 0)));
        assert!(!unknown.is_like(&price(100.0, 1)) && !price(100.0, 1).is_like(&unknown));
        let asked = Price { at_work: 1, ours: 1, ..unknown };
        assert!(!asked.is_like(&price(100.0, 1)) && !price(100.0, 1).is_like(&asked));
    }

    #[test]
    fn half_the_weight_is_twice_the_price() {
        let price = Price { latency_us: Some(100.0), at_work: 3, ours: 1, weight: 0.5 };
        assert_eq!(price.score(1.0), 800.0);
    }

    #[test]
    fn what_is_looked_at_is_distinct_and_even() {
        let mut rng = SplitMix::new(7);
        for n in [1, 2, 8, 9, 20, 1000] {
            let mut hits = vec![0_u32; n];
            let rounds = 3000;
            for _ in 0..rounds {
                let mut seen = Vec::new();
                sample(n, choices(n), &mut rng, |at| seen.push(at));
                assert_eq!(seen.len(), choices(n).min(n));
                seen.iter().for_each(|at| hits[*at] += 1);
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen.len(), choices(n).min(n), "distinct");
            }
            let expected = f64::from(rounds) * choices(n) as f64 / n as f64;
            if n <= 20 {
                let even = |hits: &u32| (f64::from(*hits) / expected - 1.0).abs() < 0.2;
                assert!(hits.iter().all(even), "{n}: {hits:?}");
            }
        }
    }
}
