//! The seats, with books that are exact: a sale is written down before it is acknowledged.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    api::{BookingId, Books, FlightId, Seat, SeatError, Seats},
    counters::Tachograph,
    world::World,
};

/// These are the last seats of each flight.
const SEATS: u16 = 2;

#[derive(Debug)]
pub(crate) struct Cabin {
    world: World,
    counters: Tachograph,
    sales: Mutex<Sales>,
}

#[derive(Debug, Default)]
struct Sales {
    by_booking: HashMap<BookingId, (FlightId, Seat)>,
    taken: HashMap<FlightId, u16>,
    repeated: u64,
}

impl Cabin {
    pub(crate) fn new(world: World, counters: Tachograph) -> Self {
        let sales = Mutex::default();
        Self { world, counters, sales }
    }

    fn sales(&self) -> MutexGuard<'_, Sales> {
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats for Cabin {
    async fn reserve(&self, booking: BookingId, flight: FlightId) -> Result<Seat, SeatError> {
        self.counters.begin();
        if self.world.way_of(flight.number).is_none() {
            return Err(SeatError::NoSuchFlight);
        }
        let sales = &mut *self.sales();
        if sales.by_booking.contains_key(&booking) {
            sales.repeated += 1;
            return Err(SeatError::Repeated);
        }
        let taken = sales.taken.entry(flight).or_default();
        if *taken == SEATS {
            return Err(SeatError::SoldOut);
        }
        *taken += 1;
        let seat = Seat(*taken);
        sales.by_booking.insert(booking, (flight, seat));
        Ok(seat)
    }

    async fn books(&self) -> Books {
        self.counters.begin();
        let sales = self.sales();
        // Counted from the sales themselves, not from a number beside them.
        let sold = u64::try_from(sales.by_booking.len()).unwrap_or(u64::MAX);
        Books { sold, repeated: sales.repeated }
    }

    async fn count_sold(&self, bookings: Vec<BookingId>) -> u64 {
        self.counters.begin();
        let sales = self.sales();
        let sold = bookings.iter().filter(|id| sales.by_booking.contains_key(id));
        u64::try_from(sold.count()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use sinew::CallError;

    use super::*;
    use crate::api::SeatsClient;

    const FLIGHT: FlightId = FlightId { number: 7, day: 1 };

    /// The same client that the gateway has, with no network in between.
    fn seats() -> SeatsClient {
        SeatsClient::local(Cabin::new(World::load().unwrap(), Tachograph::default()))
    }

    #[tokio::test]
    async fn a_seat_is_not_sold_twice() {
        let seats = seats();
        for booking in 0..SEATS {
            let seat = seats.reserve(BookingId(booking.into()), FLIGHT).await.unwrap();
            assert_eq!(seat, Seat(booking + 1));
        }
        let answer = seats.reserve(BookingId(99), FLIGHT).await;
        assert!(matches!(answer, Err(CallError::App(SeatError::SoldOut))), "{answer:?}");
        assert_eq!(seats.books().await.unwrap().sold, SEATS.into());
    }

    #[tokio::test]
    async fn a_booking_that_comes_again_is_told_apart() {
        let seats = seats();
        seats.reserve(BookingId(1), FLIGHT).await.unwrap();
        let answer = seats.reserve(BookingId(1), FLIGHT).await;
        assert!(matches!(answer, Err(CallError::App(SeatError::Repeated))), "{answer:?}");
        let books = Books { sold: 1, repeated: 1 };
        assert_eq!(seats.books().await.unwrap(), books);
        assert_eq!(seats.count_sold(vec![BookingId(1), BookingId(2)]).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_flight_that_nobody_flies_has_no_seats() {
        let flight = FlightId { number: u16::MAX, day: 1 };
        let answer = seats().reserve(BookingId(1), flight).await;
        assert!(matches!(answer, Err(CallError::App(SeatError::NoSuchFlight))), "{answer:?}");
    }
}
