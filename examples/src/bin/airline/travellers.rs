//! Those who use the airline: each looks for flights, thinks about it, and sometimes books.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use sinew::CallError;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    api::{BookingId, Flight, GatewayClient, Pricing, Route, SeatError, Wish},
    tally::{Kind, Tally},
    world::World,
};

/// Between two calls of one traveller, on average. With 300 of them these are 500 calls a second,
/// each of them several calls further down: work for a small machine, and no overload.
const THINKS: Duration = Duration::from_millis(600);
/// One in so many plans is followed by a booking.
const BOOKS: u32 = 3;
/// Seats are for sale on so many days.
const DAYS: u8 = 2;
/// A traveller looks at the first so many flights of a day.
const LOOKS_AT: usize = 3;

/// Lets `count` travellers travel until `end` holds `true`.
pub(crate) async fn travel(
    gateway: &GatewayClient,
    world: &Arc<World>,
    count: u32,
    end: watch::Receiver<bool>,
    tally: &Tally,
) {
    let mut travellers = JoinSet::new();
    for number in 0..count {
        let traveller = Traveller {
            number,
            bookings: 0,
            gateway: gateway.clone(),
            world: Arc::clone(world),
            tally: tally.clone(),
            rng: Rng::new(),
            end: end.clone(),
        };
        travellers.spawn(traveller.travel());
    }
    let everybody = async {
        while let Some(ended) = travellers.join_next().await {
            if let Err(error) = ended {
                tally.wrong("a traveller panicked".to_owned(), || error.to_string());
            }
        }
    };
    tokio::select! {
        () = everybody => {}
        () = show_progress(tally) => {}
    }
}

/// A line that is written over and over, for those who watch. Never ends.
async fn show_progress(tally: &Tally) {
    if !stderr().is_terminal() {
        return std::future::pending().await;
    }
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(250));
    loop {
        ticks.tick().await;
        let travelled = began.elapsed().as_secs_f64();
        let line = {
            let numbers = tally.numbers();
            let (calls, failed) = (numbers.calls(), numbers.failed());
            let seats = numbers.confirmed;
            format!("{travelled:5.1} s: {calls} calls, {failed} failed, {seats} seats booked")
        };
        // A terminal that went away is no reason to stop.
        let _ = write!(stderr(), "\r{line}\x1b[K");
    }
}

struct Traveller {
    number: u32,
    bookings: u64,
    gateway: GatewayClient,
    world: Arc<World>,
    tally: Tally,
    rng: Rng,
    end: watch::Receiver<bool>,
}

impl Traveller {
    async fn travel(mut self) {
        // Not all at once.
        let mut goes_on = self.think().await;
        while goes_on {
            let flights = self.plan().await;
            goes_on = self.think().await;
            let first = flights.len().min(LOOKS_AT);
            if goes_on && first > 0 && self.rng.u32(0..BOOKS) == 0 {
                let flight = flights[self.rng.usize(0..first)];
                self.book(flight).await;
                goes_on = self.think().await;
            }
        }
    }

    /// Whether there is time for more after that.
    async fn think(&mut self) -> bool {
        let thought = THINKS.mul_f64(2.0 * self.rng.f64());
        tokio::select! {
            () = sleep(thought) => true,
            _ = self.end.wait_for(|&end| end) => false,
        }
    }

    /// Looks for flights on a route, which is the likelier the more flights it has.
    async fn plan(&mut self) -> Vec<Flight> {
        let day = self.rng.u8(1..=DAYS);
        let wish = Wish { route: self.route(), day, pricing: Pricing::Tariff };
        let began = Instant::now();
        let answer = self.gateway.plan_trip(wish).await;
        self.tally.took(Kind::Plan, began.elapsed());
        match answer {
            Ok(trip) => {
                if has_grown(trip.left_us) {
                    let words = || format!("{:?} us left at the three hops", trip.left_us);
                    self.tally.wrong("a deadline grew on its way".to_owned(), words);
                }
                trip.flights
            }
            Err(CallError::App(answer)) => {
                self.tally.wrong("a route has no flights".to_owned(), || format!("{answer:?}"));
                Vec::new()
            }
            Err(CallError::Status(status)) => {
                self.tally.failed(&status);
                Vec::new()
            }
        }
    }

    async fn book(&mut self, flight: Flight) {
        // No two travellers make the same one, and no traveller makes one twice.
        let booking = BookingId(u64::from(self.number) << 32 | self.bookings);
        self.bookings += 1;
        let began = Instant::now();
        let answer = self.gateway.book(booking, flight.id).await;
        self.tally.took(Kind::Booking, began.elapsed());
        match answer {
            Ok(seat) => self.tally.booked(flight.id, seat),
            Err(CallError::App(SeatError::SoldOut)) => self.tally.numbers().sold_out += 1,
            Err(CallError::App(answer)) => {
                let cause = "a seat was refused for no good reason".to_owned();
                self.tally.wrong(cause, || format!("{answer:?}"));
            }
            Err(CallError::Status(status)) => self.tally.booking_failed(booking, &status),
        }
    }

    fn route(&mut self) -> Route {
        let number = self.rng.u16(0..self.world.flights_a_day());
        let way = self.world.way_of(number);
        way.map_or_else(
            || Route { from: String::new(), to: String::new() },
            |way| way.route.clone(),
        )
    }
}

/// How long a request may lie in a queue before the first packet of a connection, unseen: how old a packet is shows by
/// those before it. Servers come and go here, so there are new connections all the time, and sixteen processes on a
/// machine that does something else wait for their turn: more than 50 ms have been seen.
const UNSEEN_US: u64 = 250_000;

/// A hop had more time left than the one before.
fn has_grown((gateway, search, fares): (u64, u64, Option<u64>)) -> bool {
    // A server of plain HTTP does not tell.
    let fares_grew = fares.is_some_and(|fares| fares > search + UNSEEN_US || fares == 0);
    search > gateway + UNSEEN_US || fares_grew
}

/// Each hop has less time left than the one before, and the last still has some.
pub(crate) fn is_falling(left_us: &[u64; 3]) -> bool {
    let [gateway, search, fares] = *left_us;
    gateway > search && search > fares && fares > 0
}
