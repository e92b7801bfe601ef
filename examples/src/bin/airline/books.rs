//! The reckoning: what the travellers were told against what the seats have written down.

use std::io;

use crate::{
    api::BookingId,
    store::{Books, Store},
    tally::Numbers,
};

/// Both sides of the books.
#[derive(Debug)]
pub(crate) struct Reckoning {
    /// Seats that were sold, as is written down.
    pub(crate) sold: u64,
    /// Seats that two travellers were told are theirs, bookings that came a second time, and bookings with two seats.
    pub(crate) double_sold: u64,
    /// What the travellers were told.
    pub(crate) confirmed: u64,
    /// Bookings of which a traveller does not know.
    pub(crate) in_doubt: usize,
    /// Those of them that have a seat.
    pub(crate) in_doubt_sold: u64,
    /// Bookings that never ran, as their callers were told.
    pub(crate) not_run: usize,
    /// Those of them that have a seat after all: each is a broken promise.
    pub(crate) not_run_sold: u64,
}

impl Reckoning {
    /// Reads the books.
    pub(crate) fn of(store: &Store, numbers: &Numbers) -> io::Result<Self> {
        let Books { seats, bookings, repeated } = store.books()?;
        let sold = |of: &[BookingId]| of.iter().filter(|id| bookings.contains(id)).map(|_| 1).sum();
        let passengers: u64 = bookings.iter().map(|_| 1).sum();
        Ok(Self {
            sold: seats,
            double_sold: numbers.told_twice + repeated + (seats - passengers),
            confirmed: numbers.confirmed,
            in_doubt: numbers.in_doubt.len(),
            in_doubt_sold: sold(&numbers.in_doubt),
            not_run: numbers.not_run.len(),
            not_run_sold: sold(&numbers.not_run),
        })
    }

    /// Every seat has one owner, and every owner a seat.
    pub(crate) fn balances(&self) -> bool {
        self.sold == self.confirmed + self.in_doubt_sold
            && self.not_run_sold == 0
            && self.double_sold == 0
    }
}
