//! What is known of a method's handler from its calls: how quickly it comes to its first rest, which decides whether it may
//! be polled where its frame arrived; and whether its answers are large, for those have to wait while they are not read.
//!
//! # Why
//! A task per request costs an allocation, two trips through a scheduler and a cold cache, which is more than most
//! handlers take. Polled in place, a quick handler answers in the same batch that its request came in. A handler that
//! computes or blocks would hold up every call behind it on the connection, so it has to earn the place, loses it at
//! once, and waits before it may try again.
//!
//! A clock cannot tell a slow handler from one whose thread was taken away by the system in the middle, which on a busy
//! machine happens every few hundred calls. So a lone slow poll costs the place until it is earned again, and only a
//! second one within 250 polls holds the method back.
//!
//! ```text
//!             100 first polls in a row under 20 us
//!   Spawned  ------------------------------------->  InPlace
//!      ^                                                |
//!      +-------- one first poll over 100 us ------------+
//!      +--------- a second within 250: for 10 s --------+
//! ```

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use sinew_core::limits;
use tokio::time::Instant;

use super::method::Method;

/// The first polls of one method, as far as they matter.
#[derive(Debug)]
pub(crate) struct Pace {
    method: &'static Method,
    began: Instant,
    /// Quick first polls in a row, up to as many as are asked for.
    quick: AtomicU32,
    /// First polls since the last slow one, up to as many as matter.
    since_slow: AtomicU32,
    /// Microseconds after `began` until which it stays spawned.
    held_until_us: AtomicU64,
    /// Small answers that it takes until its answers are small; 0 where they are.
    large: AtomicU32,
}

impl Pace {
    pub(crate) fn new(method: &'static Method) -> Self {
        Self {
            method,
            began: Instant::now(),
            quick: AtomicU32::new(0),
            since_slow: AtomicU32::new(limits::IN_PLACE_SLOW_APART),
            held_until_us: AtomicU64::new(0),
            large: AtomicU32::new(0),
        }
    }

    /// Whether a request that was read at `now` may be polled in place.
    pub(crate) fn in_place(&self, now: Instant) -> bool {
        self.quick.load(Ordering::Relaxed) >= limits::IN_PLACE_AFTER
            && self.since(now) >= self.held_until_us.load(Ordering::Relaxed)
    }

    /// Notes how long a first poll took, which ended at `now`.
    pub(crate) fn note(&self, took: Duration, now: Instant) {
        if self.since_slow.load(Ordering::Relaxed) < limits::IN_PLACE_SLOW_APART {
            self.since_slow.fetch_add(1, Ordering::Relaxed);
        }
        if took < limits::IN_PLACE_QUICK {
            if self.quick.load(Ordering::Relaxed) < limits::IN_PLACE_AFTER {
                self.quick.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        let was_in_place = self.quick.swap(0, Ordering::Relaxed) >= limits::IN_PLACE_AFTER;
        if took > limits::IN_PLACE_SLOW
            && self.since_slow.swap(0, Ordering::Relaxed) < limits::IN_PLACE_SLOW_APART
        {
            let until = now + limits::IN_PLACE_HOLD;
            self.held_until_us.store(self.since(until), Ordering::Relaxed);
            if was_in_place {
                tracing::debug!(
                    method = self.method.path(),
                    took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    "a handler held up its connection before its first await; it gets a task of its own again"
                );
            }
        }
    }

    /// Whether its answers mostly do not fit a lane.
    pub(crate) fn answers_are_large(&self) -> bool {
        self.large.load(Ordering::Relaxed) > 0
    }

    /// Notes the size of an answer.
    pub(crate) fn note_answer(&self, bytes: usize) {
        if bytes > limits::LANE_MESSAGE_MAX {
            self.large.store(limits::LARGE_ANSWERS_FORGET, Ordering::Relaxed);
            return;
        }
        let large = self.large.load(Ordering::Relaxed);
        if large > 0 {
            // Two at once may count as one: it is forgotten a little later.
            self.large.store(large - 1, Ordering::Relaxed);
        }
    }

    fn since(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::method::Shape;

    static METHOD: Method = Method::new("A", "b", "A/b", Shape::Unary);
    const QUICK: Duration = Duration::from_micros(5);

    fn earned(now: Instant) -> Pace {
        let pace = Pace::new(&METHOD);
        for _ in 0..limits::IN_PLACE_AFTER {
            assert!(!pace.in_place(now));
            pace.note(QUICK, now);
        }
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_earned_by_quick_polls_in_a_row_and_lost_by_one_that_is_not() {
        let now = Instant::now();
        let pace = earned(now);
        assert!(pace.in_place(now));
        pace.note(Duration::from_micros(50), now);
        assert!(!pace.in_place(now));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_large_from_one_that_is_until_so_many_were_small() {
        let pace = Pace::new(&METHOD);
        pace.note_answer(limits::LANE_MESSAGE_MAX);
        assert!(!pace.answers_are_large());
        pace.note_answer(limits::LANE_MESSAGE_MAX + 1);
        for _ in 0..limits::LARGE_ANSWERS_FORGET {
            assert!(pace.answers_are_large());
            pace.note_answer(100);
        }
        assert!(!pace.answers_are_large());
    }

    fn slow_then_quick(pace: &Pace, now: Instant) {
        pace.note(Duration::from_millis(1), now);
        assert!(!pace.in_place(now));
        for _ in 0..limits::IN_PLACE_AFTER {
            pace.note(QUICK, now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_slow_poll_costs_the_place_until_it_is_earned_again() {
        let now = Instant::now();
        let pace = earned(now);
        for _ in 0..3 {
            slow_then_quick(&pace, now);
            assert!(pace.in_place(now));
            for _ in 0..limits::IN_PLACE_SLOW_APART {
                pace.note(QUICK, now);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_slow_poll_soon_after_holds_the_method_back_however_quick_the_next_are() {
        let now = Instant::now();
        let pace = earned(now);
        slow_then_quick(&pace, now);
        slow_then_quick(&pace, now);
        assert!(!pace.in_place(now));
        assert!(pace.in_place(now + limits::IN_PLACE_HOLD));
    }
}
