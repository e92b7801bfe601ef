//! Where one can fly: 60 airports and the 1,294 routes between them, as they were in 2008.
//!
//! The tables are in `examples/data`, with a note on where they come from. A flight number says
//! which route and which departure of the day it is, so that no service has to ask another.

use std::collections::HashMap;

use crate::api::{Flight, FlightId, Route};

const AIRPORTS: &str = include_str!("../../../data/airports.csv");
const FLIGHTS: &str = include_str!("../../../data/flights.csv");

/// The flights of the table are those of a whole year, which had 366 days.
const DAYS: u32 = 366;
/// Minutes after midnight between which flights depart.
const OPENS: u32 = 6 * 60;
const CLOSES: u32 = 22 * 60;

/// All routes.
#[derive(Debug)]
pub(crate) struct World {
    /// Ascending by their flight numbers.
    ways: Vec<Way>,
    by_route: HashMap<Route, usize>,
    flights_a_day: u16,
}

/// A route and its flights.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) route: Route,
    pub(crate) km: f64,
    /// The first flight of the day has this number.
    first: u16,
    a_day: u16,
}

impl World {
    pub(crate) fn load() -> Result<Self, String> {
        let mut places = HashMap::new();
        for [iata, _, _, _, _, latitude, longitude] in rows(AIRPORTS)? {
            places.insert(iata, (parse::<f64>(latitude)?, parse::<f64>(longitude)?));
        }
        let place = |iata| {
            let place = places.get(iata).copied();
            place.ok_or_else(|| format!("no airport has the code `{iata}`"))
        };
        let mut world = Self { ways: Vec::new(), by_route: HashMap::new(), flights_a_day: 0 };
        for [from, to, count] in rows(FLIGHTS)? {
            let km = distance(place(from)?, place(to)?);
            let a_day = parse::<u32>(count)? / DAYS;
            let a_day = u16::try_from(a_day).map_err(|error| error.to_string())?;
            let (from, to) = (from.to_owned(), to.to_owned());
            let route = Route { from, to };
            let first = world.flights_a_day;
            world.by_route.insert(route.clone(), world.ways.len());
            world.ways.push(Way { route, km, first, a_day });
            world.flights_a_day =
                first.checked_add(a_day).ok_or("more flights a day than flight numbers")?;
        }
        Ok(world)
    }

    /// All routes.
    pub(crate) fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// A route, if somebody flies it.
    pub(crate) fn way(&self, route: &Route) -> Option<&Way> {
        self.by_route.get(route).map(|&at| &self.ways[at])
    }

    /// How many flights depart each day. Their numbers are those below.
    pub(crate) fn flights_a_day(&self) -> u16 {
        self.flights_a_day
    }

    /// The route of a flight; `None` where no flight has this number.
    pub(crate) fn way_of(&self, number: u16) -> Option<&Way> {
        let after = self.ways.partition_point(|way| way.first <= number);
        self.ways[..after].last().filter(|way| number < way.first + way.a_day)
    }
}

impl Way {
    /// What a seat costs.
    pub(crate) fn cents(&self) -> u32 {
        4_900 + (self.km * 9.5) as u32
    }

    /// The flights of one day, the earliest first.
    pub(crate) fn flights(&self, day: u8) -> Vec<Flight> {
        // Half an hour to climb and to land, and 800 km/h in between.
        let takes = 30 + (self.km / 800.0 * 60.0) as u16;
        let departs = |nth: u16| {
            let part = u32::from(nth) * (CLOSES - OPENS) / u32::from(self.a_day);
            u16::try_from(OPENS + part).unwrap_or_default()
        };
        let flight = |nth| Flight {
            id: FlightId { number: self.first + nth, day },
            departs: departs(nth),
            takes,
        };
        (0..self.a_day).map(flight).collect()
    }
}

/// The fields of each line below the first.
fn rows<const N: usize>(table: &'static str) -> Result<Vec<[&'static str; N]>, String> {
    let row = |line: &'static str| {
        let fields: Vec<_> = line.split(',').collect();
        fields.try_into().map_err(|_| format!("`{line}` has not {N} fields"))
    };
    table.lines().skip(1).map(row).collect()
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

/// Kilometres along the great circle, by the haversine formula.
fn distance(from: (f64, f64), to: (f64, f64)) -> f64 {
    const RADIUS: f64 = 6_371.0;
    let (from_lat, to_lat) = (from.0.to_radians(), to.0.to_radians());
    let half_lat = (to_lat - from_lat) / 2.0;
    let half_long = (to.1 - from.1).to_radians() / 2.0;
    let chord = half_lat.sin().powi(2) + from_lat.cos() * to_lat.cos() * half_long.sin().powi(2);
    2.0 * RADIUS * chord.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flight_number_leads_to_its_route() {
        let world = World::load().unwrap();
        let mut number = 0;
        for way in &world.ways {
            for flight in way.flights(1) {
                assert_eq!(flight.id.number, number);
                assert_eq!(world.way_of(number).unwrap().route, way.route);
                number += 1;
            }
        }
        assert_eq!(number, world.flights_a_day());
        assert!(world.way_of(number).is_none());
    }

    #[test]
    fn flights_depart_in_order_and_by_day() {
        let world = World::load().unwrap();
        let (from, to) = ("JFK".to_owned(), "LAX".to_owned());
        let way = world.way(&Route { from, to }).unwrap();
        assert!((3_950.0..4_000.0).contains(&way.km), "{} km", way.km);
        let flights = way.flights(3);
        assert!(flights.is_sorted_by(|a, b| a.departs < b.departs));
        assert!(flights.iter().all(|flight| (OPENS..CLOSES).contains(&flight.departs.into())));
        assert!(flights.iter().all(|flight| (300..360).contains(&flight.takes)));
    }
}
