//! The services of the airline as traits, and what travels between them.
//!
//! This file is all that a caller and a service have to agree on. Nothing in it speaks of
//! deadlines, connections or addresses.

use serde::{Deserialize, Serialize};
use sinew::{CallError, Status, Streaming};

/// The airline's time-table.
#[sinew::service]
pub(crate) trait Schedule {
    /// The flights on a route on one day, in the order in which they depart.
    #[rpc(idempotent)]
    async fn day(&self, route: Route, day: u8) -> Result<Streaming<Flight>, NoSuchRoute>;
}

/// What flying costs. Some of its servers are older than sinew: they serve files over plain HTTP.
#[sinew::service]
pub(crate) trait Fares {
    /// The price of a seat from one airport to another; none where nobody flies there.
    #[http(get = "/fares/{from}-{to}.json")]
    async fn quote(&self, from: String, to: String) -> Result<Option<Quote>, Status>;
}

/// Somebody who knows what flying costs.
#[sinew::service]
pub(crate) trait Clerk {
    /// The same, by heart.
    #[rpc(idempotent)]
    async fn tell(&self, from: String, to: String) -> Result<Option<Quote>, Status>;

    /// The same, looked up by hand, which takes 2 s: here to let a deadline pass.
    #[rpc(idempotent)]
    async fn look_up(&self, from: String, to: String) -> Result<Option<Quote>, Status>;
}

/// Flights and fares together.
#[sinew::service]
pub(crate) trait Search {
    /// Which flights there are, and what they cost.
    #[rpc(idempotent)]
    async fn offers(&self, wish: Wish) -> Result<Offers, CallError<NoSuchRoute>>;
}

/// Who sits where. A seat is sold once.
#[sinew::service]
pub(crate) trait Seats {
    /// Sells a seat. Not idempotent, so that nobody repeats it who cannot know that it never ran.
    async fn reserve(
        &self,
        booking: BookingId,
        flight: FlightId,
    ) -> Result<Seat, CallError<SeatError>>;
}

/// What travellers see of the airline.
#[sinew::service]
pub(crate) trait Gateway {
    /// Looks for flights.
    #[rpc(idempotent)]
    async fn plan_trip(&self, wish: Wish) -> Result<Trip, CallError<NoSuchRoute>>;

    /// Buys a seat.
    async fn book(
        &self,
        booking: BookingId,
        flight: FlightId,
    ) -> Result<Seat, CallError<SeatError>>;
}

/// What a process has counted. Served by all of them, beside their own service.
#[sinew::service]
pub(crate) trait Counters {
    /// The numbers so far.
    #[rpc(idempotent)]
    async fn read(&self) -> Counts;

    /// Where this process has sent calls of a service since a time, as far back as it remembers.
    #[rpc(idempotent)]
    async fn attempts(&self, service: String, since_us: u64) -> Vec<Attempt>;

    /// How this server is to be from now on.
    #[rpc(idempotent)]
    async fn be(&self, mood: Mood);
}

/// How a server is: well, or otherwise on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mood {
    /// Milliseconds that each call takes longer.
    pub(crate) slow_ms: u32,
    /// Whether each call fails at once.
    pub(crate) fails: bool,
    /// Whether the network swallows each packet to and from its callers. Not every server has such a network.
    pub(crate) swallowed: bool,
}

/// From one airport to another, by their IATA codes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// How a fare is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pricing {
    /// From the tariff.
    Tariff,
    /// By a person who knows it.
    ByPhone,
    /// By a person who looks it up.
    ByHand,
}

/// What a traveller wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) route: Route,
    pub(crate) day: u8,
    pub(crate) pricing: Pricing,
}

/// One departure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FlightId {
    pub(crate) number: u16,
    pub(crate) day: u8,
}

/// One departure, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flight {
    pub(crate) id: FlightId,
    /// Minutes after midnight.
    pub(crate) departs: u16,
    /// Minutes in the air.
    pub(crate) takes: u16,
}

/// A price, and the time that its call had left where its server tells.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Quote {
    pub(crate) cents: u32,
    pub(crate) left_us: Option<u64>,
}

/// What a search found, and the time left at the search and at the fares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offers {
    pub(crate) flights: Vec<Flight>,
    pub(crate) cents: u32,
    pub(crate) left_us: (u64, Option<u64>),
}

/// What a traveller is offered, and the time left at the gateway, the search and the fares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) flights: Vec<Flight>,
    pub(crate) cents: u32,
    pub(crate) left_us: (u64, u64, Option<u64>),
}

/// Made by the traveller, so that a booking has a name even if its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct BookingId(pub(crate) u64);

/// A number on a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Seat(pub(crate) u16);

/// What a process has counted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Handlers that began.
    pub(crate) handlers: u64,
    /// Those that began after their deadline. The runtime promises that there are none.
    pub(crate) late: u64,
    /// Calls that were made outside of the call that they belong to.
    pub(crate) lost_contexts: u64,
    /// Unary calls of its own, and how often one of them was tried again.
    pub(crate) calls: u64,
    pub(crate) retries: u64,
    /// Attempts of its own that went out over plain HTTP.
    pub(crate) legacy_http_calls: u64,
    /// Policies that have been in force, and those that could not be.
    pub(crate) policies: u64,
    pub(crate) policies_refused: u64,
}

/// A call went out to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Microseconds since 1970.
    pub(crate) at_us: u64,
    /// The server's port, which is name enough where all are on one machine.
    pub(crate) port: u16,
}

/// Nobody flies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoSuchRoute(pub(crate) Route);

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SeatError {
    SoldOut,
    NoSuchFlight,
    /// This booking has a seat already.
    Repeated,
}
