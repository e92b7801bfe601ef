//! The front door: what travellers call.

use sinew::{CallError, Relay as _};

use crate::{
    api::{
        BookingId, FlightId, Gateway, NoSuchRoute, SearchClient, Seat, SeatError, SeatsClient,
        Trip, Wish,
    },
    counters::Tachograph,
};

#[derive(Debug)]
pub(crate) struct FrontDoor {
    pub(crate) search: SearchClient,
    pub(crate) seats: SeatsClient,
    pub(crate) counters: Tachograph,
}

impl Gateway for FrontDoor {
    async fn plan_trip(&self, wish: Wish) -> Result<Trip, CallError<NoSuchRoute>> {
        let left_us = self.counters.begin();
        let offers = match self.search.offers(wish).await {
            Err(CallError::App(no_such_route)) => return Err(CallError::App(no_such_route)),
            other => other.relay()?,
        };
        let (search, fares) = offers.left_us;
        Ok(Trip { flights: offers.flights, cents: offers.cents, left_us: (left_us, search, fares) })
    }

    async fn book(
        &self,
        booking: BookingId,
        flight: FlightId,
    ) -> Result<Seat, CallError<SeatError>> {
        self.counters.begin();
        match self.seats.reserve(booking, flight).await {
            Err(CallError::App(answer)) => Err(CallError::App(answer)),
            other => Ok(other.relay()?),
        }
    }
}
