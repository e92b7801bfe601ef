//! More than the airline can do, on purpose: a flood of calls that nobody waits for, and a service that stands still.
//!
//! Both come after the travellers have gone home, and are in no other count. What they show is how the calls that matter
//! fare meanwhile, and how long the airline takes to be as before; it depends on the machine, and decides nothing.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew::{CallOptions, Code, Criticality, Status};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{
    Problem,
    api::{GatewayClient, Pricing, Route, Wish},
    arguments::Role,
    fleet::Fleet,
};

/// How many call without a pause, and for how long.
const FLOODERS: u16 = 600;
const FLOOD: Duration = Duration::from_secs(5);
/// How long a service stands still, and how long it is watched afterwards.
const STALL: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(8);
/// A call that somebody waits for, every so often, and for so long.
const CRITICAL_EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(1);
/// It is as before when so many calls in a row were answered.
const IN_A_ROW: u64 = 50;

/// What came of calls of one kind.
#[derive(Debug, Default)]
struct Came {
    calls: AtomicU64,
    answered: AtomicU64,
    shed: AtomicU64,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Overload {
    flood: Numbers,
    critical: Numbers,
    /// From the end of the stall until calls were answered as before; `None` if that was not seen.
    back_ms: Option<u64>,
    stalled: Numbers,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    calls: u64,
    answered: u64,
    shed: u64,
}

impl Came {
    fn end(&self, outcome: Result<(), Status>) {
        self.calls.fetch_add(1, Relaxed);
        match outcome {
            Ok(()) => self.answered.fetch_add(1, Relaxed),
            Err(status) if status.code() == Code::ResourceExhausted => {
                self.shed.fetch_add(1, Relaxed)
            }
            Err(_) => 0,
        };
    }

    fn numbers(&self) -> Numbers {
        let of = |count: &AtomicU64| count.load(Relaxed);
        Numbers { calls: of(&self.calls), answered: of(&self.answered), shed: of(&self.shed) }
    }
}

async fn plan(gateway: &GatewayClient) -> Result<(), Status> {
    let route = Route { from: "JFK".to_owned(), to: "LAX".to_owned() };
    match gateway.plan_trip(Wish { route, day: 1, pricing: Pricing::Tariff }).await {
        Ok(_) | Err(sinew::CallError::App(_)) => Ok(()),
        Err(sinew::CallError::Status(status)) => Err(status),
    }
}

/// Calls that somebody waits for, one every few milliseconds whatever becomes of the others, until it is dropped.
async fn critical(gateway: GatewayClient, came: Arc<Came>, row: Arc<AtomicU64>) {
    let gateway = gateway.with(CallOptions::new().timeout(PATIENCE));
    let mut calls = JoinSet::new();
    let mut ticks = interval(CRITICAL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let (gateway, came, row) = (gateway.clone(), Arc::clone(&came), Arc::clone(&row));
                calls.spawn(async move {
                    let outcome = plan(&gateway).await;
                    match outcome {
                        Ok(()) => row.fetch_add(1, Relaxed),
                        Err(_) => row.swap(0, Relaxed),
                    };
                    came.end(outcome);
                });
            }
            Some(_) = calls.join_next() => {}
        }
    }
}

/// Does both, one after the other.
pub(crate) async fn overload(fleet: &Fleet, gateway: &GatewayClient) -> Result<Overload, Problem> {
    let (flooded, served) = (Arc::new(Came::default()), Arc::new(Came::default()));
    let row = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    tasks.spawn(critical(gateway.clone(), Arc::clone(&served), Arc::clone(&row)));
    for user in 0..FLOODERS {
        let options = CallOptions::new().criticality(Criticality::Sheddable).timeout(PATIENCE);
        let (gateway, came) = (gateway.with(options.shed_key(user)), Arc::clone(&flooded));
        tasks.spawn(async move {
            loop {
                let outcome = plan(&gateway).await;
                if outcome.is_err() {
                    // Who is refused at once is not to keep this machine from everything else.
                    sleep(Duration::from_millis(20)).await;
                }
                came.end(outcome);
            }
        });
    }
    sleep(FLOOD).await;
    tasks.shutdown().await;
    let (flood, critical_served) = (flooded.numbers(), served.numbers());
    sleep(PATIENCE).await;

    let stalled = Arc::new(Came::default());
    tasks.spawn(critical(gateway.clone(), Arc::clone(&stalled), Arc::clone(&row)));
    sleep(PATIENCE).await;
    fleet.signal_all(Role::Search, "STOP").await?;
    sleep(STALL).await;
    fleet.signal_all(Role::Search, "CONT").await?;
    row.store(0, Relaxed);
    let went_on = Instant::now();
    let mut back_ms = None;
    while back_ms.is_none() && went_on.elapsed() < WATCHED {
        sleep(Duration::from_millis(5)).await;
        if row.load(Relaxed) >= IN_A_ROW {
            let took = went_on.elapsed().saturating_sub(CRITICAL_EVERY * IN_A_ROW as u32);
            back_ms = Some(u64::try_from(took.as_millis())?);
        }
    }
    tasks.shutdown().await;
    Ok(Overload { flood, critical: critical_served, back_ms, stalled: stalled.numbers() })
}

impl Numbers {
    fn json(self) -> String {
        let Self { calls, answered, shed } = self;
        format!("{{\"calls\":{calls},\"answered\":{answered},\"shed\":{shed}}}")
    }

    fn share(self) -> f64 {
        100.0 * self.answered as f64 / self.calls.max(1) as f64
    }
}

impl Overload {
    pub(crate) fn json(&self) -> String {
        let back = self.back_ms.map_or("null".to_owned(), |ms| ms.to_string());
        format!(
            "{{\"flood\":{},\"critical\":{},\"stall\":{{\"calls\":{},\"answered\":{},\"back_ms\":{back}}}}}",
            self.flood.json(),
            self.critical.json(),
            self.stalled.calls,
            self.stalled.answered,
        )
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flood, critical, back_ms, stalled } = self;
        writeln!(
            f,
            "flood       {} calls that may be shed in {} s: {} answered, {} shed; of {} that somebody waits for {:.1} % \
             were answered",
            flood.calls,
            FLOOD.as_secs(),
            flood.answered,
            flood.shed,
            critical.calls,
            critical.share(),
        )?;
        let back = back_ms.map_or("not seen to be".to_owned(), |ms| format!("{ms} ms later"));
        writeln!(
            f,
            "stall       all of Search stood still for {} s: {} of {} calls were answered, all as before {back}",
            STALL.as_secs(),
            stalled.answered,
            stalled.calls,
        )
    }
}
