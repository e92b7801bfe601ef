//! How long answers took lately: counts in buckets that grow with the value, and the percentiles read off them.
//!
//! # Why
//! A percentile of a few seconds of traffic needs every sample or a summary. Here a summary: sixteen buckets per power of
//! two, so that what is read is at most 6 % above what was seen, in 3 KiB whatever comes. After HdrHistogram.
//!
//! Two generations: the young one takes samples; when it is [`DIGEST_AGE`] old and has [`DIGEST_SAMPLES`], it becomes
//! the old one, and what that held is forgotten. A busy method knows the last ten to twenty seconds, a quiet one its
//! last hundred calls.
//!
//! # Invariants
//! 1. What is read is never below what was seen: at most the share asked for took longer.

use std::time::{Duration, Instant};

use crate::limits::{DIGEST_AGE, DIGEST_SAMPLES};

/// Buckets per power of two, as a power of two.
const FINE: u32 = 4;
/// The powers of two, of microseconds: up to nine minutes, more than any call may take.
const POWERS: u32 = 29;
const BUCKETS: usize = ((POWERS - FINE + 1) << FINE) as usize;
/// A percentile is read off again after so many samples.
const REFRESH: u32 = 16;

/// The latencies of one method.
#[derive(Debug, Clone)]
pub struct Digest {
    young: Generation,
    old: Generation,
    began: Instant,
    /// The percentile that was read last, what it was, and the samples since.
    read: Option<(u8, Duration)>,
    since: u32,
}

#[derive(Debug, Clone)]
struct Generation {
    counts: [u32; BUCKETS],
    all: u32,
}

impl Generation {
    const EMPTY: Self = Self { counts: [0; BUCKETS], all: 0 };
}

impl Digest {
    /// Without a sample.
    pub const fn new(now: Instant) -> Self {
        Self { young: Generation::EMPTY, old: Generation::EMPTY, began: now, read: None, since: 0 }
    }

    /// Something took this long.
    pub fn add(&mut self, took: Duration, now: Instant) {
        let old = now.saturating_duration_since(self.began) >= DIGEST_AGE;
        if old && self.young.all >= DIGEST_SAMPLES {
            self.old = std::mem::replace(&mut self.young, Generation::EMPTY);
            self.began = now;
            self.read = None;
        }
        let count = &mut self.young.counts[bucket(took)];
        *count = count.saturating_add(1);
        self.young.all = self.young.all.saturating_add(1);
        self.since += 1;
        if self.since >= REFRESH {
            self.read = None;
        }
    }

    /// Samples that count.
    pub const fn samples(&self) -> u32 {
        self.young.all.saturating_add(self.old.all)
    }

    /// What all but this many of a hundred took at most; `None` below [`DIGEST_SAMPLES`].
    pub fn percentile(&mut self, percent: u8) -> Option<Duration> {
        let all = self.samples();
        if all < DIGEST_SAMPLES {
            return None;
        }
        if let Some((known, value)) = self.read
            && known == percent
        {
            return Some(value);
        }
        let above = u64::from(all) * u64::from(100_u8.saturating_sub(percent)) / 100;
        let mut seen = 0;
        let counts = self.young.counts.iter().zip(&self.old.counts).enumerate().rev();
        let at = counts
            .map(|(at, (young, old))| {
                seen += u64::from(*young) + u64::from(*old);
                (at, seen)
            })
            .find(|(_, seen)| *seen > above);
        let value = at.map_or(Duration::ZERO, |(at, _)| upper(at));
        self.read = Some((percent, value));
        self.since = 0;
        Some(value)
    }
}

fn bucket(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min((1 << POWERS) - 1);
    let power = us.max(1 << FINE).ilog2();
    let fine = us >> (power - FINE);
    // Below sixteen microseconds each has its own.
    (u64::from((power - FINE) << FINE) + fine) as usize
}

/// What every sample of this bucket is below.
const fn upper(bucket: usize) -> Duration {
    let power = (bucket >> FINE).saturating_sub(1);
    let fine = bucket - (power << FINE);
    Duration::from_micros((fine as u64 + 1) << power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::{SplitMix, below},
        tests::start,
    };

    #[test]
    fn a_bucket_holds_what_is_below_its_end_and_not_below_that_of_the_one_before() {
        let us = Duration::from_micros(1);
        let mut begin = Duration::ZERO;
        for at in 0..BUCKETS {
            let end = upper(at);
            assert_eq!((bucket(begin), bucket(end - us)), (at, at), "{end:?}");
            assert!(at < 1 << FINE || (end - begin) * 16 <= begin, "{begin:?} to {end:?}");
            begin = end;
        }
        assert!(begin > Duration::from_secs(500));
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_percentile_is_what_was_seen_and_not_below_it() {
        let now = start();
        for seed in 0..50 {
            let mut rng = SplitMix::new(seed);
            let mut digest = Digest::new(now);
            let count = 100 + below(&mut rng, 2000);
            let most = 20 + below(&mut rng, 100_000);
            let mut all: Vec<u64> = (0..count).map(|_| below(&mut rng, most)).collect();
            for us in &all {
                digest.add(Duration::from_micros(*us), now);
            }
            all.sort_unstable();
            for percent in [50, 90, 95, 99] {
                let read = digest.percentile(percent).unwrap();
                let longer = all.iter().filter(|us| Duration::from_micros(**us) > read).count();
                let share = longer as f64 / all.len() as f64;
                assert!(
                    share <= 1.0 - f64::from(percent) / 100.0,
                    "seed {seed}: {percent}: {share}"
                );
                let exact = all[(all.len() - 1) * usize::from(percent) / 100];
                assert!(
                    read.as_micros() as f64 <= exact as f64 * 1.07 + 2.0,
                    "seed {seed}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn too_few_samples_say_nothing() {
        let now = start();
        let mut digest = Digest::new(now);
        for _ in 0..DIGEST_SAMPLES {
            assert_eq!(digest.percentile(95), None);
            digest.add(Duration::from_millis(5), now);
        }
        assert!(digest.percentile(95).is_some());
    }

    #[test]
    fn what_is_older_than_two_generations_is_forgotten_if_enough_is_known_since() {
        let t0 = start();
        let mut digest = Digest::new(t0);
        let (slow, quick) = (Duration::from_secs(1), Duration::from_millis(1));
        for _ in 0..1000 {
            digest.add(slow, t0);
        }
        // Time alone forgets nothing.
        let mut now = t0 + DIGEST_AGE * 100;
        assert!(digest.percentile(50).unwrap() >= slow);
        for _ in 0..2 {
            for _ in 0..DIGEST_SAMPLES {
                digest.add(quick, now);
            }
            now += DIGEST_AGE;
        }
        digest.add(quick, now);
        assert_eq!(digest.samples(), DIGEST_SAMPLES + 1);
        assert!(digest.percentile(95).unwrap() < quick * 2);
    }
}
