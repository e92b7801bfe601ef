//! The time-table, which answers with a stream.

use sinew::Streaming;

use crate::{
    api::{Flight, NoSuchRoute, Route, Schedule},
    counters::Tachograph,
    world::World,
};

#[derive(Debug)]
pub(crate) struct TimeTable {
    pub(crate) world: World,
    pub(crate) counters: Tachograph,
}

impl Schedule for TimeTable {
    async fn day(&self, route: Route, day: u8) -> Result<Streaming<Flight>, NoSuchRoute> {
        self.counters.begin();
        match self.world.way(&route) {
            Some(way) => Ok(Streaming::iter(way.flights(day))),
            None => Err(NoSuchRoute(route)),
        }
    }
}
