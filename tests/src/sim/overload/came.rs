//! What came of too much load, second by second.

use std::collections::BTreeMap;

use sinew_core::codes::Criticality;

/// One second of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Second {
    /// Calls that began.
    pub offered: u32,
    /// Of those, that were answered in time.
    pub good: u32,
    /// Attempts that were sent.
    pub sent: u32,
    /// Calls that a worker ended in it.
    pub worked: u32,
    /// Of those, that nobody waited for.
    pub wasted: u32,
    /// How many may be at work, at its end.
    pub limit: u32,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// Second by second.
    pub seconds: Vec<Second>,
    /// Calls that began, and those that were answered, by class.
    pub classes: BTreeMap<u8, (u32, u32)>,
    /// Refusals, and the longest that one took, in milliseconds.
    pub refused: u32,
    /// What nine and ninety of a hundred refusals took at most, in milliseconds.
    pub refused_p99_ms: f64,
}

impl Came {
    fn sum(&self, from: usize, to: usize, of: impl Fn(&Second) -> u32) -> f64 {
        self.seconds[from..to.min(self.seconds.len())]
            .iter()
            .map(|second| f64::from(of(second)))
            .sum()
    }

    /// The share of the calls that began in these seconds that was answered.
    pub fn goodput(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |s| s.good) / self.sum(from, to, |s| s.offered).max(1.0)
    }

    /// Answered calls per second.
    pub fn good_per_second(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |s| s.good) / (to - from) as f64
    }

    /// Attempts per second.
    pub fn sent_per_second(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |s| s.sent) / (to - from) as f64
    }

    /// The share of the work that was for nothing.
    pub fn wasted(&self, from: usize, to: usize) -> f64 {
        self.sum(from, to, |s| s.wasted) / self.sum(from, to, |s| s.worked).max(1.0)
    }

    /// Calls that a worker ended.
    pub fn worked(&self) -> f64 {
        self.sum(0, self.seconds.len(), |s| s.worked)
    }

    /// Seconds after this one until this share is answered, and stays so; the rest of the time where it never is.
    pub fn back_after(&self, second: usize, share: f64) -> f64 {
        let bad = self.seconds[second..]
            .iter()
            .rposition(|s| f64::from(s.good) < f64::from(s.offered) * share);
        bad.map_or(0.0, |last| last as f64 + 1.0)
    }

    /// The share of a class that was answered.
    pub fn of_class(&self, class: Criticality) -> f64 {
        let (all, good) = self.classes.get(&(class as u8)).copied().unwrap_or_default();
        f64::from(good) / f64::from(all.max(1))
    }
}
