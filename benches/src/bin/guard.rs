//! What the guard and the fingerprints cost: the same calls with our codec, and as raw bytes over bincode alone.
//!
//! Both run on one connection, in slices of 250 ms that follow each other (A B, then B A), so that whatever else the
//! machine does hits both. The raw methods' bodies are written and read on both sides by bincode as it comes: no check
//! of what it would corrupt, no depth, no budget, no fingerprint. The last line is JSON.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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

/// Each method twice: with our codec, and as bytes.
#[sinew::service]
pub trait Shop {
    /// The least.
    #[rpc(idempotent)]
    async fn number(&self, number: u64) -> u64;
    /// The same as bytes.
    #[rpc(idempotent, raw)]
    async fn number_raw(&self, body: Bytes) -> Bytes;
    /// A value of some 500 bytes with 40 parts.
    #[rpc(idempotent)]
    async fn order(&self, order: Order) -> Order;
    /// The same as bytes.
    #[rpc(idempotent, raw)]
    async fn order_raw(&self, body: Bytes) -> Bytes;
}

struct Mirror;

impl Shop for Mirror {
    async fn number(&self, number: u64) -> u64 {
        number
    }

    async fn number_raw(&self, body: Bytes) -> Bytes {
        plain(&read::<u64>(&body))
    }

    async fn order(&self, order: Order) -> Order {
        order
    }

    async fn order_raw(&self, body: Bytes) -> Bytes {
        plain(&read::<Order>(&body))
    }
}

fn plain<T: Serialize>(value: &T) -> Bytes {
    let bytes = bincode::serde::encode_to_vec(value, bincode::config::standard());
    bytes.unwrap_or_default().into()
}

#[expect(clippy::expect_used, reason = "these are our own bytes")]
fn read<T: DeserializeOwned>(bytes: &Bytes) -> T {
    let decoded = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    decoded.expect("our own bytes").0
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

const SLICE: Duration = Duration::from_millis(250);
const ROUNDS: usize = 24;
const CALLERS: usize = 64;

/// One of the four methods.
#[derive(Clone, Copy)]
enum Which {
    Number,
    NumberRaw,
    Order,
    OrderRaw,
}

async fn call(client: &ShopClient, which: Which, order: &Order) -> Result<(), Status> {
    match which {
        Which::Number => drop(black_box(client.number(black_box(7)).await?)),
        Which::NumberRaw => {
            let answer = client.number_raw(plain(&black_box(7_u64))).await?;
            black_box(read::<u64>(&answer));
        }
        Which::Order => drop(black_box(client.order(order.clone()).await?)),
        Which::OrderRaw => {
            let answer = client.order_raw(plain(&order.clone())).await?;
            drop(black_box(read::<Order>(&answer)));
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(ShopServer::new(Mirror)).bind("127.0.0.1:0").await?;
    let client: ShopClient = mesh.client_at(format!("static:{}", server.local_addr()))?;
    let number = compare("u64", &client, Which::Number, Which::NumberRaw).await?;
    let order = compare("order", &client, Which::Order, Which::OrderRaw).await?;
    println!("{{\"number_on_vs_off\":{number:.3},\"order_on_vs_off\":{order:.3}}}");
    Ok(())
}

/// Prints the median rates of both, and gives the median of the ratios.
async fn compare(
    name: &str,
    client: &ShopClient,
    on: Which,
    off: Which,
) -> Result<f64, Box<dyn Error>> {
    rate(client, on).await?;
    rate(client, off).await?;
    let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (a, b) = if round.is_multiple_of(2) {
            let a = rate(client, on).await?;
            (a, rate(client, off).await?)
        } else {
            let b = rate(client, off).await?;
            (rate(client, on).await?, b)
        };
        with.push(a);
        without.push(b);
        ratios.push(a / b);
    }
    for values in [&mut with, &mut without, &mut ratios] {
        values.sort_by(f64::total_cmp);
    }
    let middle = ROUNDS / 2;
    println!(
        "{name:<6} {:>9.0} calls/s on, {:>9.0} off: {:.3} ({:.3} .. {:.3})",
        with[middle],
        without[middle],
        ratios[middle],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    Ok(ratios[middle])
}

/// Calls per second with [`CALLERS`] at once, for [`SLICE`].
async fn rate(client: &ShopClient, which: Which) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let (order, mut calls) = (an_order(), 0_u64);
            while began.elapsed() < SLICE {
                for _ in 0..16 {
                    call(&client, which, &order).await?;
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
