//! The new tariff, which speaks sinew, and the clerk who finds fares by hand.

use std::time::Duration;

use sinew::Status;

use crate::{
    api::{Clerk, Fares, Quote, Route},
    counters::Tachograph,
    world::World,
};

/// How long the clerk takes to look something up.
const BY_HAND: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Tariff {
    pub(crate) world: std::sync::Arc<World>,
    pub(crate) counters: Tachograph,
}

impl Tariff {
    fn find(&self, from: String, to: String, left_us: u64) -> Option<Quote> {
        let way = self.world.way(&Route { from, to })?;
        Some(Quote { cents: way.cents(), left_us: Some(left_us) })
    }
}

impl Fares for Tariff {
    async fn quote(&self, from: String, to: String) -> Result<Option<Quote>, Status> {
        let left_us = self.counters.begin();
        self.counters.mood().await?;
        Ok(self.find(from, to, left_us))
    }
}

impl Clerk for Tariff {
    async fn tell(&self, from: String, to: String) -> Result<Option<Quote>, Status> {
        let left_us = self.counters.begin();
        Ok(self.find(from, to, left_us))
    }

    async fn look_up(&self, from: String, to: String) -> Result<Option<Quote>, Status> {
        let left_us = self.counters.begin();
        // A caller that cannot wait that long ends this handler here: it is dropped.
        tokio::time::sleep(BY_HAND).await;
        Ok(self.find(from, to, left_us))
    }
}
