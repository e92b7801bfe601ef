//! The tariff, and the clerk who finds fares by hand.

use std::time::Duration;

use sinew::CallError;

use crate::{
    api::{Fares, NoSuchRoute, Pricing, Quote, Route},
    counters::Tachograph,
    world::World,
};

/// How long the clerk takes.
const BY_HAND: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Tariff {
    pub(crate) world: World,
    pub(crate) counters: Tachograph,
}

impl Fares for Tariff {
    async fn quote(&self, route: Route, pricing: Pricing) -> Result<Quote, CallError<NoSuchRoute>> {
        let left_us = self.counters.begin();
        self.counters.mood().await?;
        let Some(way) = self.world.way(&route) else {
            return Err(CallError::App(NoSuchRoute(route)));
        };
        if pricing == Pricing::ByHand {
            // A caller that cannot wait that long ends this handler here: it is dropped.
            tokio::time::sleep(BY_HAND).await;
        }
        let cents = 4_900 + (way.km * 9.5) as u32;
        Ok(Quote { cents, left_us })
    }
}
