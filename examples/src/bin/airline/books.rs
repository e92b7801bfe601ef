//! The reckoning: what the travellers were told against what the seats have written down.

use sinew::Mesh;

use crate::{
    Problem,
    api::{BookingId, Books, SeatsClient},
    arguments::Role,
    fleet::Fleet,
    tally::Numbers,
};

/// Both sides of the books.
#[derive(Debug)]
pub(crate) struct Reckoning {
    /// What the seats have written down.
    pub(crate) books: Books,
    /// What the travellers were told.
    pub(crate) confirmed: u64,
    /// Bookings of which a traveller does not know.
    pub(crate) in_doubt: u64,
    /// Those of them that have a seat.
    pub(crate) in_doubt_sold: u64,
    /// Bookings that never ran, as their callers were told.
    pub(crate) not_run: u64,
    /// Those of them that have a seat after all: each is a broken promise.
    pub(crate) not_run_sold: u64,
}

impl Reckoning {
    /// Asks the seats.
    pub(crate) async fn of(mesh: &Mesh, fleet: &Fleet, numbers: &Numbers) -> Result<Self, Problem> {
        let seats: SeatsClient = mesh.client_at(fleet.target(Role::Seats))?;
        Ok(Self {
            books: seats.books().await?,
            confirmed: numbers.confirmed,
            in_doubt: u64::try_from(numbers.in_doubt.len())?,
            in_doubt_sold: count_sold(&seats, &numbers.in_doubt).await?,
            not_run: u64::try_from(numbers.not_run.len())?,
            not_run_sold: count_sold(&seats, &numbers.not_run).await?,
        })
    }

    /// Every seat has one owner, and every owner a seat.
    pub(crate) fn balances(&self) -> bool {
        self.books.sold == self.confirmed + self.in_doubt_sold
            && self.not_run_sold == 0
            && self.books.repeated == 0
    }
}

/// In portions, each well below the size that a message may have.
async fn count_sold(seats: &SeatsClient, bookings: &[BookingId]) -> Result<u64, Problem> {
    let mut sold = 0;
    for portion in bookings.chunks(10_000) {
        sold += seats.count_sold(portion.to_vec()).await?;
    }
    Ok(sold)
}
