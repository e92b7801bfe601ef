//! The seats: a sale is written down, once for all their servers, before it is acknowledged.

use sinew::{CallError, Code, Status};
use tokio::task::spawn_blocking;

use crate::{
    api::{BookingId, FlightId, Seat, SeatError, Seats},
    counters::Tachograph,
    store::Store,
    world::World,
};

#[derive(Debug)]
pub(crate) struct Cabin {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) counters: Tachograph,
}

impl Seats for Cabin {
    async fn reserve(
        &self,
        booking: BookingId,
        flight: FlightId,
    ) -> Result<Seat, CallError<SeatError>> {
        self.counters.begin();
        if self.world.way_of(flight.number).is_none() {
            return Err(CallError::App(SeatError::NoSuchFlight));
        }
        let store = self.store.clone();
        // A sale that has begun is made to its end, even if its caller has gone and this handler is dropped.
        let sale = spawn_blocking(move || store.sell(booking, flight)).await;
        let sold = match sale {
            Ok(sold) => sold.map_err(|why| why.to_string()),
            Err(why) => Err(why.to_string()),
        };
        let broken = |why| Status::new(Code::Internal, format!("the books: {why}"));
        sold.map_err(broken)?.map_err(CallError::App)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::SeatsClient,
        store::{SEATS, tests::Scratch},
    };

    const FLIGHT: FlightId = FlightId { number: 7, day: 1 };

    /// The same client that the gateway has, with no network in between.
    fn seats(scratch: &Scratch) -> SeatsClient {
        let (world, store) = (World::load().unwrap(), scratch.0.clone());
        SeatsClient::local(Cabin { world, store, counters: Tachograph::default() })
    }

    #[tokio::test]
    async fn a_seat_is_not_sold_twice_whoever_serves() {
        let scratch = Scratch::new();
        let servers = [seats(&scratch), seats(&scratch)];
        for booking in 0..SEATS {
            let server = &servers[usize::from(booking) % servers.len()];
            let seat = server.reserve(BookingId(booking.into()), FLIGHT).await.unwrap();
            assert_eq!(seat, Seat(booking + 1));
        }
        for server in servers {
            let answer = server.reserve(BookingId(fastrand::u64(100..)), FLIGHT).await;
            assert!(matches!(answer, Err(CallError::App(SeatError::SoldOut))), "{answer:?}");
        }
        assert_eq!(scratch.0.books().unwrap().seats, u64::from(SEATS));
    }

    #[tokio::test]
    async fn a_booking_that_comes_again_is_told_apart_whoever_serves() {
        let scratch = Scratch::new();
        seats(&scratch).reserve(BookingId(1), FLIGHT).await.unwrap();
        let answer = seats(&scratch).reserve(BookingId(1), FLIGHT).await;
        assert!(matches!(answer, Err(CallError::App(SeatError::Repeated))), "{answer:?}");
        let books = scratch.0.books().unwrap();
        assert_eq!((books.seats, books.repeated), (1, 1));
    }

    #[tokio::test]
    async fn a_flight_that_nobody_flies_has_no_seats() {
        let flight = FlightId { number: u16::MAX, day: 1 };
        let answer = seats(&Scratch::new()).reserve(BookingId(1), flight).await;
        assert!(matches!(answer, Err(CallError::App(SeatError::NoSuchFlight))), "{answer:?}");
    }
}
