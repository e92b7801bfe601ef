//! When the new side is left alone: too many of its calls fail, or too many of its answers differ.
//!
//! # Invariants
//! 1. Few calls decide nothing, but for those that fail one after the other.
//! 2. It trips once, and stays so until somebody begins anew.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What a [`Migration`](super::Migration) lets the new side do before it takes its calls away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// The largest share of its attempts that may fail, from 0 to 1. Default 0.05.
    pub failures: f64,
    /// The largest share of its answers that may differ, from 0 to 1. Default 0.01.
    pub differences: f64,
    /// How many there must be before either counts. Default 50.
    pub least: u32,
    /// So many attempts that fail one after the other are enough, however few there were: a breaker lets no more through to a
    /// side that is dead. Default 5, as a breaker's.
    pub in_a_row: u32,
    /// How far it looks back. Default 10 s.
    pub window: Duration,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            failures: 0.05,
            differences: 0.01,
            least: 50,
            in_a_row: 5,
            window: Duration::from_secs(10),
        }
    }
}

impl Guard {
    /// Why it cannot be one.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        if !is_share(self.failures) || !is_share(self.differences) {
            return Err("`failures` and `differences` are shares, from 0 to 1");
        }
        if self.least == 0 || self.in_a_row == 0 {
            return Err("`least` and `in_a_row` are 1 or more");
        }
        if self.window < Duration::from_millis(100) {
            return Err("`window` is 100 ms or more");
        }
        Ok(())
    }
}

/// What happened lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) compared: u32,
    pub(super) differences: u32,
}

/// In so many parts a window is kept.
const PARTS: u32 = 10;

/// Counts of a window, part by part.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: VecDeque<(Instant, Counts)>,
    /// How many attempts have failed since one did not.
    in_a_row: u32,
}

impl Window {
    /// Counts something.
    pub(super) fn note(&mut self, guard: &Guard, now: Instant, what: impl FnOnce(&mut Counts)) {
        let part = guard.window / PARTS;
        match self.parts.back_mut() {
            Some((begun, counts)) if now.saturating_duration_since(*begun) < part => what(counts),
            _ => {
                let mut counts = Counts::default();
                what(&mut counts);
                self.parts.push_back((now, counts));
            }
        }
        while self
            .parts
            .front()
            .is_some_and(|(begun, _)| now.saturating_duration_since(*begun) > guard.window)
        {
            self.parts.pop_front();
        }
    }

    fn sum(&self) -> Counts {
        self.parts.iter().fold(Counts::default(), |sum, (_, part)| Counts {
            attempts: sum.attempts + part.attempts,
            failures: sum.failures + part.failures,
            compared: sum.compared + part.compared,
            differences: sum.differences + part.differences,
        })
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// An attempt ended.
    pub(super) fn attempted(&mut self, guard: &Guard, now: Instant, failed: bool) {
        // What failed long ago and what fails now have little to do with each other.
        let goes_on = self
            .parts
            .back()
            .is_some_and(|(begun, _)| now.saturating_duration_since(*begun) <= guard.window);
        let before = if goes_on { self.in_a_row } else { 0 };
        self.in_a_row = if failed { before.saturating_add(1) } else { 0 };
        self.note(guard, now, |counts| {
            counts.attempts += 1;
            counts.failures += u32::from(failed);
        });
    }

    /// Why the new side is to be left alone, if so.
    pub(super) fn verdict(&self, guard: &Guard) -> Option<String> {
        if self.in_a_row >= guard.in_a_row {
            return Some(format!("the last {} attempts at the new side failed", self.in_a_row));
        }
        let sum = self.sum();
        let words = |many: u32, of: u32, what: &str, most: f64| {
            let share = f64::from(many) / f64::from(of.max(1));
            (of >= guard.least && share > most).then(|| {
                format!(
                    "{many} of {of} {what} in the last {} s, of which {:.1} % may be so",
                    guard.window.as_secs_f32(),
                    most * 100.0
                )
            })
        };
        words(sum.failures, sum.attempts, "attempts at the new side failed", guard.failures)
            .or_else(|| {
                words(
                    sum.differences,
                    sum.compared,
                    "answers of the new side differed",
                    guard.differences,
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(window: &mut Window, at: Instant, attempts: u32, failures: u32) {
        window.note(&Guard::default(), at, |counts| {
            counts.attempts += attempts;
            counts.failures += failures;
        });
    }

    #[tokio::test(start_paused = true)]
    async fn few_calls_decide_nothing_and_what_is_long_past_neither() {
        let (guard, mut window) = (Guard::default(), Window::default());
        noted(&mut window, Instant::now(), 49, 24);
        assert_eq!(window.verdict(&guard), None, "too few");
        noted(&mut window, Instant::now(), 1, 0);
        assert!(window.verdict(&guard).is_some_and(|why| why.starts_with("24 of 50 attempts")));
        tokio::time::advance(Duration::from_secs(11)).await;
        noted(&mut window, Instant::now(), 100, 5);
        assert_eq!(window.verdict(&guard), None, "5 % may fail");
        noted(&mut window, Instant::now(), 1, 1);
        assert!(window.verdict(&guard).is_some());
    }

    #[test]
    fn so_many_in_a_row_are_enough() {
        let (guard, mut window) = (Guard::default(), Window::default());
        let mut tried = |failed| {
            window.attempted(&guard, Instant::now(), failed);
            window.verdict(&guard)
        };
        for failed in [false, true, true, true, true, false, true, true, true, true] {
            assert_eq!(tried(failed), None, "four are chance");
        }
        assert!(tried(true).is_some_and(|why| why.starts_with("the last 5 attempts")));
    }

    #[test]
    fn differences_have_a_bound_of_their_own() {
        let (guard, mut window) = (Guard::default(), Window::default());
        window.note(&guard, Instant::now(), |counts| {
            (counts.compared, counts.differences) = (100, 1)
        });
        assert_eq!(window.verdict(&guard), None);
        window.note(&guard, Instant::now(), |counts| counts.differences += 1);
        assert!(window.verdict(&guard).is_some_and(|why| why.contains("2 of 100 answers")));
    }
}
