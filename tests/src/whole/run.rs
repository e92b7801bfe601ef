//! One run of one seed: a world, what goes wrong in it, and what must hold.

use std::time::Duration;

use sinew::fuzzing::{self, Planted};
use sinew_core::rng::{Rng as _, SplitMix, below};
use tokio::{
    runtime,
    time::{Instant, sleep, sleep_until},
};

use super::{
    callers::{make, planned},
    faults::{Cast, schedule},
    journal::{Journal, Kept, Outcome},
    net::{Net, Weather},
    rules,
    world::World,
};
use crate::Must as _;

/// How long things go wrong.
const CHAOS: Duration = Duration::from_secs(6);
/// How long it may take until everything is as it was, once all is put right.
const HEALS_WITHIN: Duration = Duration::from_secs(15);
/// Calls in a row that must succeed then, of each caller.
const IN_A_ROW: usize = 20;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Everything follows from it.
    pub seed: u64,
    /// The mistake that is made.
    pub planted: Option<Planted>,
    /// Whether what happened is to be told, line by line.
    pub log: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Everything follows from it.
    pub seed: u64,
    /// Of all calls: which, how they ended and when.
    pub hash: u64,
    /// Calls, and runs of handlers.
    pub calls: u64,
    /// Runs of handlers.
    pub runs: u64,
    /// Calls that had no answer.
    pub failed: u64,
    /// Packets.
    pub packets: u64,
    /// Rules that were broken.
    pub broken: Vec<String>,
    /// What happened, where that was asked for.
    pub log: Vec<String>,
}

impl Report {
    /// Whether the rule was broken that a mistake breaks; any, where none is made.
    pub fn finds(&self, planted: Option<Planted>) -> bool {
        let words = match planted {
            None => "",
            Some(Planted::BudgetOff) => "repeated",
            Some(Planted::EpochOff) => "the breaker of",
            Some(Planted::SettledTwice) => "sinew_client_endpoint_in_flight",
            Some(Planted::DeadlineNotShrunk) => "later than its caller's",
            Some(Planted::EmptyAccepted) => "no endpoint is left",
        };
        self.broken.iter().any(|broken| broken.contains(words))
    }
}

/// Runs a seed, in virtual time, on this thread.
pub fn run(order: Order) -> Report {
    fuzzing::seed(order.seed);
    fuzzing::plant(order.planted);
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.must("a runtime");
    let report = runtime.block_on(play(order));
    drop(runtime);
    fuzzing::plant(None);
    report
}

async fn play(order: Order) -> Report {
    let mut rng = SplitMix::new(order.seed);
    let cast = Cast::new(&mut rng);
    let net = Net::new(rng.next_u64(), Weather::default());
    let journal = Journal::new(net.clone(), order.log);
    journal.note(|| format!("{cast:?}"));
    let mut world = World::new(cast, net.clone(), journal.clone()).await;
    chaos(&mut world, &mut rng).await;
    world.heal().await;
    // What is still out ends by its deadline, and what it left is cleared away.
    sleep(rules::LONGEST.max(HEALS_WITHIN)).await;
    rules::normal(&world, IN_A_ROW).await;
    sleep(Duration::from_secs(2)).await;
    rules::at_rest(&world);
    drop(world);
    let kept = journal.look();
    let packets = net.counts().0;
    report(order, &kept, packets)
}

/// Calls and faults, each at its time.
async fn chaos(world: &mut World, rng: &mut SplitMix) {
    let began = Instant::now();
    let mut faults = schedule(&world.cast, CHAOS, rng).into_iter().peekable();
    let mut calls = planned(&world.cast, CHAOS, rng).into_iter().peekable();
    let listed = Duration::from_millis(below(rng, 100));
    let mut told = false;
    loop {
        let fault = faults.peek().map(|(at, _)| *at);
        let call = calls.peek().map(|call| call.at);
        let list = (!told).then_some(listed);
        let Some(at) = [fault, call, list].into_iter().flatten().min() else { break };
        sleep_until(began + at).await;
        if list == Some(at) {
            told = true;
            world.tell_all();
        } else if fault == Some(at) {
            if let Some((_, fault)) = faults.next() {
                world.apply(fault).await;
            }
        } else if let Some(call) = calls.next()
            && let Some((own, next)) = world.caller(call.by)
        {
            drop(make(call, own, next));
        }
    }
    sleep_until(began + CHAOS).await;
}

fn report(order: Order, kept: &Kept, packets: u64) -> Report {
    let mut hash = Hash::default();
    let mut failed = 0;
    for (number, call) in &kept.calls {
        hash.add(*number);
        hash.text(call.begun.service);
        hash.text(call.begun.method);
        let (at, code) = match &call.ended {
            None => (0.0, "none".to_owned()),
            Some((at, outcome)) => (kept.ms(*at), word(outcome)),
        };
        failed += u64::from(matches!(call.ended, Some((_, Outcome::Failed(_)))));
        hash.text(&code);
        hash.add((at * 1e3).round() as u64);
    }
    Report {
        seed: order.seed,
        hash: hash.0,
        calls: kept.calls.len() as u64,
        runs: kept.runs.len() as u64,
        failed,
        packets,
        broken: kept.broken.clone(),
        log: kept.log().to_vec(),
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(_) => "ok".to_owned(),
        Outcome::Failed(status) => format!("{} {:?}", status.code(), status.ran()),
        Outcome::Dropped => "dropped".to_owned(),
        Outcome::Crashed => "crashed".to_owned(),
    }
}

/// FNV-1a, of 64 bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
