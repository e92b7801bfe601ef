//! What the travellers saw, written down while they travel.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sinew::{Ran, Status};

use crate::api::{BookingId, FlightId, Seat};

/// Shared by all travellers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Numbers>>);

/// The numbers themselves.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// Microseconds of each call that was answered or failed.
    pub(crate) plans: Vec<u32>,
    pub(crate) bookings: Vec<u32>,
    /// Calls without an answer, by their cause.
    pub(crate) failures: BTreeMap<String, Failures>,
    /// Bookings with a seat.
    pub(crate) confirmed: u64,
    /// The seats that travellers were told are theirs, and how often one was told to a second traveller.
    pub(crate) told: HashSet<(FlightId, Seat)>,
    pub(crate) told_twice: u64,
    /// Bookings that came too late for a seat: an answer, not a failure.
    pub(crate) sold_out: u64,
    /// Bookings that failed and provably never ran.
    pub(crate) not_run: Vec<BookingId>,
    /// Bookings that failed and may have run.
    pub(crate) in_doubt: Vec<BookingId>,
}

/// The numbers at a time, or between two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) plans: usize,
    pub(crate) bookings: usize,
    pub(crate) failed: u64,
    /// Between two: 99 of 100 calls took no longer.
    pub(crate) p99_us: u32,
}

/// Failures of one cause.
#[derive(Debug)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    /// The first of them in its own words.
    pub(crate) first: String,
}

/// The two calls that travellers make.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Plan,
    Booking,
}

impl Tally {
    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call ended.
    pub(crate) fn took(&self, kind: Kind, took: Duration) {
        let mut numbers = self.numbers();
        let all = match kind {
            Kind::Plan => &mut numbers.plans,
            Kind::Booking => &mut numbers.bookings,
        };
        all.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Where the numbers are now.
    pub(crate) fn mark(&self) -> Mark {
        let numbers = self.numbers();
        Mark {
            plans: numbers.plans.len(),
            bookings: numbers.bookings.len(),
            failed: numbers.failed(),
            p99_us: 0,
        }
    }

    /// What has come since then.
    pub(crate) fn since(&self, mark: Mark) -> Mark {
        let numbers = self.numbers();
        let mut us = [&numbers.plans[mark.plans..], &numbers.bookings[mark.bookings..]].concat();
        us.sort_unstable();
        let rank = (us.len() as f64 * 0.99).ceil() as usize;
        Mark {
            plans: numbers.plans.len() - mark.plans,
            bookings: numbers.bookings.len() - mark.bookings,
            failed: numbers.failed() - mark.failed,
            p99_us: us.get(rank.saturating_sub(1)).copied().unwrap_or_default(),
        }
    }

    /// A call ended without an answer.
    pub(crate) fn failed(&self, status: &Status) {
        let cause = format!("{} ({:?}, {:?})", status.code(), status.reason(), status.origin());
        self.wrong(cause, || status.to_string());
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&self, cause: String, words: impl FnOnce() -> String) {
        let mut numbers = self.numbers();
        let failures =
            numbers.failures.entry(cause).or_insert_with(|| Failures { count: 0, first: words() });
        failures.count += 1;
    }

    /// A traveller was told that this seat is his.
    pub(crate) fn booked(&self, flight: FlightId, seat: Seat) {
        let mut numbers = self.numbers();
        numbers.confirmed += 1;
        numbers.told_twice += u64::from(!numbers.told.insert((flight, seat)));
    }

    /// A booking ended without an answer: may it have run?
    pub(crate) fn booking_failed(&self, booking: BookingId, status: &Status) {
        match status.ran() {
            Ran::No => {
                self.failed(status);
                self.numbers().not_run.push(booking);
            }
            // `Yes` is said of the gateway's handler: whether the seats' one ran is not known here. Nobody may repeat
            // it, and the books tell.
            Ran::Maybe | Ran::Yes => self.numbers().in_doubt.push(booking),
        }
    }
}

impl Numbers {
    pub(crate) fn calls(&self) -> usize {
        self.plans.len() + self.bookings.len()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().map(|failures| failures.count).sum()
    }
}
