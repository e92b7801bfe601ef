//! The search: asks for flights and fares at the same time.

use sinew::{CallError, Relay as _, Status};

use crate::{
    api::{
        ClerkClient, FaresClient, Flight, NoSuchRoute, Offers, Pricing, Quote, Route,
        ScheduleClient, Search, Wish,
    },
    counters::Tachograph,
};

#[derive(Debug)]
pub(crate) struct Finder {
    pub(crate) schedule: ScheduleClient,
    pub(crate) fares: FaresClient,
    pub(crate) clerk: ClerkClient,
    pub(crate) counters: Tachograph,
}

impl Search for Finder {
    async fn offers(&self, wish: Wish) -> Result<Offers, CallError<NoSuchRoute>> {
        let left_us = self.counters.begin();
        let Wish { route, day, pricing } = wish;
        let (flights, quote) =
            tokio::join!(self.flights(route.clone(), day), self.quote(route.clone(), pricing));
        let flights = understood(flights)?;
        let Some(quote) = quote.relay()? else {
            return Err(CallError::App(NoSuchRoute(route)));
        };
        Ok(Offers { flights, cents: quote.cents, left_us: (left_us, quote.left_us) })
    }
}

impl Finder {
    /// Reads the stream to its end. Were it cut, that would be an error, not a shorter day.
    async fn flights(&self, route: Route, day: u8) -> Result<Vec<Flight>, CallError<NoSuchRoute>> {
        self.schedule.day(route, day).await?.collect().await
    }

    /// Whether the tariff is asked over plain HTTP or not is nothing that can be seen here.
    async fn quote(&self, route: Route, pricing: Pricing) -> Result<Option<Quote>, Status> {
        let Route { from, to } = route;
        match pricing {
            Pricing::Tariff => self.fares.quote(from, to).await,
            Pricing::ByPhone => self.clerk.tell(from, to).await,
            Pricing::ByHand => self.clerk.look_up(from, to).await,
        }
    }
}

/// The answers of the services below are this service's own; their faults are relayed.
fn understood<T>(answer: Result<T, CallError<NoSuchRoute>>) -> Result<T, CallError<NoSuchRoute>> {
    match answer {
        Err(CallError::App(no_such_route)) => Err(CallError::App(no_such_route)),
        other => Ok(other.relay()?),
    }
}
