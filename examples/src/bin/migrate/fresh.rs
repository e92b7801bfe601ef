//! The new side: the same trait, served by sinew. It can be made wrong, which is what a migration is to notice.

use std::{sync::Arc, time::Duration};

use sinew::{Context, Status};

use crate::{
    api::{NewOrder, Order, Orders, cost, order},
    tally::Tally,
};

/// What it takes it to answer.
const WORK: Duration = Duration::from_micros(500);

/// The new side.
pub(crate) struct Fresh {
    pub(crate) tally: Arc<Tally>,
}

impl Fresh {
    /// One total is wrong, if mistakes are planted and this is one; those that are compared are counted.
    fn mistake(&self, order: &mut Order) {
        if self.tally.is_wrong(order.id) {
            order.total_cents += 1;
            if Context::current().is_some_and(|context| context.is_shadow()) {
                self.tally.planted();
            }
        }
    }
}

impl Orders for Fresh {
    async fn order(&self, id: u64) -> Result<Option<Order>, Status> {
        tokio::time::sleep(WORK).await;
        self.tally.by_new();
        let mut found = order(id);
        if let Some(order) = &mut found {
            // Another order of the same sum: its last digits differ, and mean nothing.
            order.discount = (id % 7) as f64 / 10.0;
            self.mistake(order);
        }
        Ok(found)
    }

    async fn place(&self, order: NewOrder) -> Result<u64, Status> {
        tokio::time::sleep(WORK).await;
        self.tally.by_new();
        Ok(cost(&order))
    }
}
