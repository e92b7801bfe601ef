//! Calls per second with a number and with a value of 40 parts: what `benches/guard` runs of two builds in turn.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sinew::{Mesh, Status};
use tokio::task::JoinSet;

/// What a service of a shop would send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    id: u64,
    customer: String,
    lines: Vec<Line>,
    note: Option<String>,
    status: State,
}

/// A line of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    article: String,
    amount: u32,
    price_cents: i64,
    discount: Option<f64>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum State {
    /// Not yet paid.
    Open,
    /// On its way, since this day.
    Sent(u32),
}

/// Gives back what it is given.
#[sinew::service]
pub trait Shop {
    /// The least.
    #[rpc(idempotent)]
    async fn number(&self, number: u64) -> u64;
    /// A value of some 500 bytes.
    #[rpc(idempotent)]
    async fn order(&self, order: Order) -> Order;
}

struct Mirror;

impl Shop for Mirror {
    async fn number(&self, number: u64) -> u64 {
        number
    }

    async fn order(&self, order: Order) -> Order {
        order
    }
}

fn an_order() -> Order {
    let line = |n: u32| Line {
        article: format!("article-{n:08}"),
        amount: n,
        price_cents: i64::from(n) * 1999,
        discount: n.is_multiple_of(2).then_some(0.15),
    };
    Order {
        id: 0x0123_4567_89ab,
        customer: "a customer with a name of usual length".to_owned(),
        lines: (0..12).map(line).collect(),
        note: Some("leave it with the neighbours, please".to_owned()),
        status: State::Sent(20_000),
    }
}

const WARM_UP: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_millis(500);
const CALLERS: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(ShopServer::new(Mirror)).bind("127.0.0.1:0").await?;
    let client: ShopClient = mesh.client_at(format!("static:{}", server.local_addr()))?;
    for (name, with_order) in [("number", false), ("order", true)] {
        rate(&client, with_order, WARM_UP).await?;
        println!("{name} {:.0}", rate(&client, with_order, TIME).await?);
    }
    Ok(())
}

/// Calls per second with [`CALLERS`] at once.
async fn rate(
    client: &ShopClient,
    with_order: bool,
    time: Duration,
) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let (order, mut calls) = (an_order(), 0_u64);
            while began.elapsed() < time {
                for _ in 0..16 {
                    if with_order {
                        black_box(client.order(order.clone()).await?);
                    } else {
                        black_box(client.number(black_box(calls)).await?);
                    }
                    calls += 1;
                }
            }
            Ok::<_, Status>(calls)
        });
    }
    let mut calls = 0;
    while let Some(done) = callers.join_next().await {
        calls += done??;
    }
    Ok(calls as f64 / began.elapsed().as_secs_f64())
}
