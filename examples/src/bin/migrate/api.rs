//! The service that moves: one trait, which both sides serve.

use serde::{Deserialize, Serialize};
use sinew::Status;

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) customer: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) total_cents: u64,
    /// A share of the total, which two programs work out to different last digits.
    pub(crate) discount: f64,
    /// When it was looked at: never the same twice.
    pub(crate) seen_at_ms: u64,
}

/// A line of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) count: u32,
    pub(crate) cents: u64,
}

/// What is ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewOrder {
    pub(crate) customer: String,
    pub(crate) sku: String,
    pub(crate) count: u32,
}

/// Orders of a shop.
#[sinew::service(name = "shop.Orders")]
pub(crate) trait Orders {
    /// An order, if there is one.
    #[http(get = "/orders/{id}")]
    async fn order(&self, id: u64) -> Result<Option<Order>, Status>;

    /// Places one: what it costs.
    #[http(post = "/orders", body = "order")]
    async fn place(&self, order: NewOrder) -> Result<u64, Status>;
}

/// Every hundredth order there is not.
pub(crate) fn order(id: u64) -> Option<Order> {
    if id.is_multiple_of(100) {
        return None;
    }
    let count = u32::try_from(id % 5).unwrap_or_default() + 1;
    let lines: Vec<Line> = (0..id % 3 + 1)
        .map(|n| Line { sku: format!("sku-{}", (id + n) % 97), count, cents: 250 + 10 * n })
        .collect();
    let total_cents = lines.iter().map(|line| u64::from(line.count) * line.cents).sum();
    let seen = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Some(Order {
        id,
        customer: format!("customer {}", id % 1_000),
        lines,
        total_cents,
        discount: 0.1 * (id % 7) as f64,
        seen_at_ms: seen.map_or(0, |seen| seen.as_millis() as u64),
    })
}

pub(crate) fn cost(order: &NewOrder) -> u64 {
    u64::from(order.count) * 250
}
