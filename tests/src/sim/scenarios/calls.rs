//! Restarts, deadlines along a chain, a method that hangs, and what may have run.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use sinew_core::{
    deadline,
    plan::client::{Balance, Config},
    policy::bulkhead::{Bulkhead, Permit},
    rng::{SplitMix, unit_f64},
};

use super::super::{Bar, Fate, Figure, ServerSpec, Setup, World};

const MS: Duration = Duration::from_millis(1);

/// Five servers, each of which is away for 200 ms in its second of the minute; `drains`: it says so before.
fn restarted(config: Config, drains: bool) -> Setup {
    let server = |at: u64| ServerSpec {
        workers: 1000,
        fate: Box::new(move |now, _| {
            let second = Duration::from_secs(2 + at * 6);
            let drain = second..second + 5000 * MS;
            let away = drain.end..drain.end + 200 * MS;
            match now {
                now if drains && drain.contains(&now) => Fate::Drains,
                now if away.contains(&now) => Fate::Dies,
                _ => Fate::Answers(50 * MS),
            }
        }),
    };
    let mut setup = Setup::new((0..5).map(server).collect(), 1000.0, Duration::from_secs(40));
    setup.config = config;
    setup.one_way = 100 * Duration::from_micros(1);
    setup.idempotent = false;
    setup.away = 5300 * MS;
    setup
}

pub(super) fn rolling_restart(seed: u64) -> Vec<Figure> {
    let naive = Config { balance: Balance::RoundRobin, breakers: false, ..Config::default() };
    let naive = World::run(restarted(naive, false), seed).failed as f64;
    let mut ours = World::run(restarted(Config::default(), true), seed);
    vec![
        Figure {
            id: "13a",
            name: "five servers restart in turn, 1,000 calls/s: failed calls".to_owned(),
            naive: Some((naive, None)),
            ours: ours.failed as f64,
            bar: Bar::AtMost(0.0),
        },
        Figure {
            id: "13b",
            name: "the same: handlers that began of one call, at most".to_owned(),
            naive: None,
            ours: f64::from(ours.most_runs),
            bar: Bar::AtMost(1.0),
        },
        Figure {
            id: "13c",
            name: "the same: p99, as a multiple of what a handler takes".to_owned(),
            naive: None,
            ours: ours.quantile_ms(0.99) / 50.0,
            bar: Bar::AtMost(1.5),
        },
    ]
}

/// Four hops of 50 ms work each before the next call, 2 ms each way, from 1 s.
pub(super) fn shrinking_deadline(_seed: u64) -> Vec<Figure> {
    let start = Instant::now();
    let (rtt, work) = (4 * MS, 50 * MS);
    let mut at = start;
    let mut ends = start + Duration::from_secs(1);
    let mut figures = Vec::new();
    let expected = [("16a", 998.0), ("16b", 942.0), ("16c", 886.0), ("16d", 830.0)];
    for (hop, (id, expected)) in expected.into_iter().enumerate() {
        let left = deadline::remaining(ends, at);
        at += rtt / 2;
        ends = deadline::on_arrival(at, left, Duration::ZERO, rtt);
        figures.push(Figure {
            id,
            name: format!("1 s, four hops: left when hop {} receives it (ms)", hop + 1),
            naive: None,
            ours: deadline::remaining(ends, at).as_secs_f64() * 1e3,
            bar: Bar::About(expected, 0.001),
        });
        at += work;
        ends = deadline::child_deadline(at, Duration::from_secs(10), Some(ends), rtt);
    }
    figures
}

/// A hundred places; A comes 50 times a second and hangs for 10 s, B 100 times and takes 10 ms. The shares of calls that
/// got a place.
fn isolation(bulkhead: &Bulkhead, seed: u64) -> (f64, f64) {
    let mut rng = SplitMix::new(seed);
    let mut out: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut permits: Vec<Option<Permit>> = Vec::new();
    let mut counts = [[0_u32; 2]; 2];
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(60) {
        now += Duration::from_secs_f64(-(1.0 - unit_f64(&mut rng)).ln() / 150.0);
        while out.peek().is_some_and(|Reverse((ends, _))| *ends <= now) {
            let Some(Reverse((_, at))) = out.pop() else { break };
            if let Some(permit) = permits[at].take() {
                bulkhead.settle(permit);
            }
        }
        let method = usize::from(unit_f64(&mut rng) < 100.0 / 150.0);
        let takes = if method == 0 { Duration::from_secs(10) } else { 10 * MS };
        let counted = now >= Duration::from_secs(10);
        counts[method][0] += u32::from(counted);
        if let Ok(permit) = bulkhead.admit(1 + method as u64) {
            counts[method][1] += u32::from(counted);
            permits.push(Some(permit));
            out.push(Reverse((now + takes, permits.len() - 1)));
        }
    }
    let share = |[all, got]: [u32; 2]| f64::from(got) / f64::from(all);
    (share(counts[0]), share(counts[1]))
}

pub(super) fn bulkhead(seed: u64) -> Vec<Figure> {
    let (_, naive) = isolation(&Bulkhead::without_shares(100), seed);
    let (_, ours) = isolation(&Bulkhead::new(100), seed);
    vec![Figure {
        id: "17a",
        name: "one method hangs: share of the other's calls that go out".to_owned(),
        naive: Some((naive, Some(0.203))),
        ours,
        bar: Bar::AtLeast(1.0),
    }]
}

/// Three servers of which one loses its connections all the time, before or after the handler ran.
fn losing(idempotent: bool) -> Setup {
    let server = |at: usize| ServerSpec {
        workers: 100,
        fate: Box::new(move |_, rng| match at {
            0 if unit_f64(rng) < 0.5 => Fate::Dies,
            _ => Fate::Answers(5 * MS),
        }),
    };
    let mut setup = Setup::new((0..3).map(server).collect(), 500.0, Duration::from_secs(60));
    setup.idempotent = idempotent;
    setup.config = Config { balance: Balance::RoundRobin, breakers: false, ..Config::default() };
    setup
}

pub(super) fn executions(seed: u64) -> Vec<Figure> {
    let once = World::run(losing(false), seed);
    let again = World::run(losing(true), seed);
    vec![
        Figure {
            id: "21a",
            name: "connections break: handlers of one call that must not run twice".to_owned(),
            naive: Some((f64::from(again.most_runs), None)),
            ours: f64::from(once.most_runs),
            bar: Bar::AtMost(1.0),
        },
        Figure {
            id: "21b",
            name: "connections break: calls that may be repeated and succeed (%)".to_owned(),
            naive: Some(((1.0 - once.failed as f64 / once.calls as f64) * 100.0, None)),
            ours: (1.0 - again.failed as f64 / again.calls as f64) * 100.0,
            bar: Bar::AtLeast(99.0),
        },
    ]
}
