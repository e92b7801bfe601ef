//! Something else on a server's machine: four times slower for a tenth of a second, every half of one, by chance.

use std::time::Duration;

use sinew_core::rng::{SplitMix, unit_f64};

use super::world::exponential;

/// How long it lasts ...
const LASTS: Duration = Duration::from_millis(100);
/// ... and how long there is none, on average.
const CALM: Duration = Duration::from_millis(400);
/// Meanwhile calls take so many times as long.
const SLOWER: u32 = 4;

/// When a server is disturbed.
#[derive(Debug, Clone)]
pub(super) struct Disturbed(Vec<Duration>);

impl Disturbed {
    /// What such a server gets done, as a share of what it would without.
    pub(super) const SPEED: f64 = 0.8 + 0.2 / SLOWER as f64;

    /// By chance, until then.
    pub(super) fn new(until: Duration, rng: &mut SplitMix) -> Self {
        let mut turns = Vec::new();
        let mut at = Duration::ZERO;
        // It may have begun before.
        if unit_f64(rng) < 0.2 {
            turns.push(at);
            at += exponential(LASTS, rng);
            turns.push(at);
        }
        while at < until {
            at += exponential(CALM, rng);
            turns.push(at);
            at += exponential(LASTS, rng);
            turns.push(at);
        }
        Self(turns)
    }

    /// How many times as long a call takes that begins then.
    pub(super) fn slower(&self, now: Duration) -> u32 {
        let disturbed = self.0.partition_point(|turn| *turn <= now) % 2 == 1;
        if disturbed { SLOWER } else { 1 }
    }
}
