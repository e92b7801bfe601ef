//! Which endpoints were heard of last, and what others have them do: what a client knows of servers that many call.
//!
//! # Why
//! Where a hundred clients call a hundred servers, one of them hears of each server ten times a second, and what it heard
//! is older than what it says: a server's queue lasts for milliseconds. So a pick that looks at random endpoints compares
//! old news with none. An answer is a probe that costs nothing, if it is used while it is fresh: a pick looks at those
//! that answered last, and at a random one, so that nobody is forgotten. Who answers late because he is slow comes late;
//! that is the idea of join-idle-queue (Lu and others 2011), and each answer is used once, as in Prequal (Wydrowski and
//! others, NSDI '24).
//!
//! And what is not known is not nothing. An endpoint of which there is no fresh report has our own calls to do, and beside
//! them what others have the others do, on average. Without that the one that nothing is known of always looks idle.
//!
//! # Invariants
//! 1. Places are hints: the list may have changed, and what is found there decides.
//! 2. Each thread has its own, as long as there are enough stripes; no lock, nothing is allocated.

use std::{
    ops::Range,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::limits::{HEARD_LAST, REPORT_FRESH};

/// What the answers to one thread's calls have said last.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Heard {
    /// The place of an endpoint, plus one, in the upper half, and the millisecond of its answer; zero where it was used.
    last: [AtomicU64; HEARD_LAST],
    /// Counts answers.
    next: AtomicU32,
    /// Calls that others have at an endpoint, on average, as an `f32`.
    others: AtomicU32,
}

/// What one answer weighs in the average of what others have at work.
const WEIGHT: f32 = 1.0 / 16.0;

impl Default for Heard {
    fn default() -> Self {
        let last = [const { AtomicU64::new(0) }; HEARD_LAST];
        Self { last, next: AtomicU32::new(0), others: AtomicU32::new(0) }
    }
}

impl Heard {
    /// The endpoint at this place says that others have so many calls at work there.
    pub(super) fn note(&self, place: u32, others: u32, now_ms: u32) {
        let known = f32::from_bits(self.others.load(Relaxed));
        let mean = known + (others as f32 - known) * WEIGHT;
        self.others.store(mean.to_bits(), Relaxed);
        self.used(place as usize);
        let next = self.next.load(Relaxed);
        self.next.store(next.wrapping_add(1), Relaxed);
        let entry = u64::from(place + 1) << 32 | u64::from(now_ms);
        self.last[next as usize % HEARD_LAST].store(entry, Relaxed);
    }

    /// What others have at work at an endpoint that has not said so.
    pub(super) fn others(&self) -> u32 {
        (f32::from_bits(self.others.load(Relaxed)) + 0.5) as u32
    }

    /// Puts those that were heard last, the latest first, into `places`; how many there are.
    pub(super) fn latest(&self, range: &Range<usize>, now_ms: u32, places: &mut [usize]) -> usize {
        let next = self.next.load(Relaxed);
        let mut count = 0;
        for back in 1..=HEARD_LAST as u32 {
            if count == places.len() {
                break;
            }
            let entry = self.last[next.wrapping_sub(back) as usize % HEARD_LAST].load(Relaxed);
            if entry == 0 {
                continue;
            }
            if now_ms.wrapping_sub(entry as u32) > REPORT_FRESH.as_millis() as u32 {
                break;
            }
            let place = (entry >> 32) as usize - 1;
            if range.contains(&place) && !places[..count].contains(&place) {
                places[count] = place;
                count += 1;
            }
        }
        count
    }

    /// A call goes there: what it said has been used.
    pub(super) fn used(&self, place: usize) {
        for entry in &self.last {
            let known = entry.load(Relaxed);
            if (known >> 32) as usize == place + 1 {
                entry.store(0, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(heard: &Heard, range: Range<usize>, now_ms: u32, most: usize) -> Vec<usize> {
        let mut places = vec![0; most];
        let count = heard.latest(&range, now_ms, &mut places);
        places.truncate(count);
        places
    }

    #[test]
    fn who_was_heard_last_comes_first_once_and_only_while_it_is_fresh() {
        let heard = Heard::default();
        for (place, ms) in [(3, 10), (5, 20), (3, 30), (90, 40)] {
            heard.note(place, 0, ms);
        }
        assert_eq!(latest(&heard, 0..100, 50, 8), [90, 3, 5]);
        assert_eq!(latest(&heard, 0..10, 50, 8), [3, 5], "of the part that is asked for");
        assert_eq!(latest(&heard, 0..100, 50, 2), [90, 3]);
        assert_eq!(latest(&heard, 0..100, 125, 8), [90, 3]);
        heard.used(3);
        assert_eq!(latest(&heard, 0..100, 50, 8), [90, 5]);
        assert!(latest(&heard, 0..100, 500, 8).is_empty());
    }

    #[test]
    fn more_than_there_is_room_for_push_out_the_oldest() {
        let heard = Heard::default();
        (0..100).for_each(|place| heard.note(place, 0, 1));
        let known = latest(&heard, 0..100, 1, 100);
        assert_eq!(known, (0..100).rev().take(HEARD_LAST).collect::<Vec<_>>());
    }

    #[test]
    fn what_others_have_at_work_is_a_moving_average() {
        let heard = Heard::default();
        (0..200).for_each(|at| heard.note(at % 7, 8 + at % 2, 1));
        assert!((8..=9).contains(&heard.others()));
        (0..200).for_each(|at| heard.note(at % 7, 0, 1));
        assert_eq!(heard.others(), 0);
    }
}
