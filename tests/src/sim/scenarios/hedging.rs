//! Calls of which one in a hundred is slow, and an outage that is not to be doubled by hedges.

use std::time::Duration;

use sinew_core::{
    plan::client::{After, Config},
    rng::{SplitMix, below, unit_f64},
};

use super::super::{Bar, Fate, Figure, ServerSpec, Setup, World};

const MS: Duration = Duration::from_millis(1);
const P95: After = After::Percentile(95);
const TEN: After = After::Delay(Duration::from_millis(10));

/// Between 1 and 10 ms, and 1 s for this share.
fn takes(slow: f64, rng: &mut SplitMix) -> Fate {
    let quick = MS + Duration::from_micros(below(rng, 9000));
    Fate::Answers(if unit_f64(rng) < slow { 1000 * MS } else { quick })
}

/// Ten servers and 5,000 calls a second for a minute, of which these take a second; the share may change with time.
fn setup(hedge: Option<After>, slow: fn(Duration) -> f64) -> Setup {
    let server =
        |_| ServerSpec { workers: 10_000, fate: Box::new(move |now, rng| takes(slow(now), rng)) };
    let mut setup = Setup::new((0..10).map(server).collect(), 5000.0, Duration::from_secs(60));
    setup.hedge = hedge;
    setup.warm_up = Duration::from_secs(2);
    setup
}

/// A fifth of the calls is slow from the tenth second to the fortieth.
fn outage(now: Duration) -> f64 {
    if (10..40).contains(&now.as_secs()) { 0.2 } else { 0.01 }
}

pub(super) fn tail(seed: u64) -> Vec<Figure> {
    let one = |_| 0.01;
    let mut naive = World::run(setup(None, one), seed);
    let mut p95 = World::run(setup(Some(P95), one), seed);
    let mut ten = World::run(setup(Some(TEN), one), seed);
    let share = |hedges: u64, calls: u64| hedges as f64 / calls as f64 * 100.0;
    let groups = |stats: &super::super::Stats| stats.slow_groups(100, 100.0) * 100.0;
    let fan_out = [&naive, &p95, &ten].map(groups);
    let figure = |id, name: &str, naive, ours, bar| Figure {
        id,
        name: format!("1 % take 1 s: {name}"),
        naive,
        ours,
        bar,
    };
    let slowest = |stats: &mut super::super::Stats| stats.quantile_ms(0.999);
    let unhedged = slowest(&mut naive);
    let mut figures = vec![
        figure(
            "18a",
            "p99.9 (ms), hedged after p95",
            Some((unhedged, Some(1000.0))),
            slowest(&mut p95),
            Bar::AtMost(20.0),
        ),
        figure(
            "18b",
            "p99.9 (ms), hedged after 10 ms",
            Some((unhedged, Some(1000.0))),
            slowest(&mut ten),
            Bar::AtMost(20.0),
        ),
        figure(
            "18c",
            "hedges (% of calls), after p95",
            None,
            share(p95.hedges, p95.calls),
            Bar::AtMost(5.0),
        ),
        figure(
            "18d",
            "hedges (% of calls), after 10 ms",
            None,
            share(ten.hedges, ten.calls),
            Bar::AtMost(1.06),
        ),
        figure(
            "18e",
            "fan-outs of 100 that are slow (%), p95",
            Some((fan_out[0], Some(63.4))),
            fan_out[1],
            Bar::AtMost(1.6),
        ),
        figure(
            "18f",
            "fan-outs of 100 that are slow (%), 10 ms",
            Some((fan_out[0], Some(63.4))),
            fan_out[2],
            Bar::AtMost(1.6),
        ),
    ];
    figures.extend(partial(seed));
    figures
}

/// Hedges while a fifth of the calls is slow wherever they go, and without a cap.
fn partial(seed: u64) -> Vec<Figure> {
    let run = |hedge, config| {
        let mut setup = setup(Some(hedge), outage);
        setup.rate = 1000.0;
        setup.config = config;
        let stats = World::run(setup, seed);
        stats.hedges as f64 / stats.calls as f64 * 100.0
    };
    let free = Config { hedge_extra: None, budget: None, ..Config::default() };
    let naive = run(TEN, free);
    let figure = |id, name: &str, hedge| Figure {
        id,
        name: format!("20 % take 1 s for half a minute: hedges (%), after {name}"),
        naive: Some((naive, None)),
        ours: run(hedge, Config::default()),
        bar: Bar::AtMost(5.0),
    };
    vec![figure("18g", "p95", P95), figure("18h", "10 ms", TEN)]
}
