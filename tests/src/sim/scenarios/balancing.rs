//! Slow servers, servers that fail at once, and new ones.

use std::time::{Duration, Instant};

use sinew_core::{
    plan::client::{Balance, ClientPlan, Config, Member, Outcome, Placement},
    ramp::slow_start_over,
    rng::SplitMix,
};

use super::super::{Bar, Fate, Figure, ServerSpec, Setup, World, world::exponential};

const US: Duration = Duration::from_micros(1);
const MS: Duration = Duration::from_millis(1);

/// Four servers of 0.14 ms and a bit, of which the first `slow` take 5 ms more; 4,000 calls a second.
fn with_slow(config: Config, slow: usize, rate: f64) -> Setup {
    let server = |at: usize| ServerSpec {
        workers: 64,
        fate: Box::new(move |_, rng| {
            let extra = if at < slow { 5 * MS } else { Duration::ZERO };
            Fate::Answers(140 * US + exponential(60 * US, rng) + extra)
        }),
    };
    let mut setup = Setup::new((0..4).map(server).collect(), rate, Duration::from_secs(20));
    setup.config = config;
    setup.warm_up = 200 * MS;
    setup.one_way = 10 * US;
    setup
}

fn round_robin() -> Config {
    Config { balance: Balance::RoundRobin, breakers: false, penalty: false, ..Config::default() }
}

pub(super) fn one_slow(seed: u64) -> Vec<Figure> {
    let healthy = World::run(with_slow(Config::default(), 0, 4000.0), seed).quantile_ms(0.99);
    let naive = World::run(with_slow(round_robin(), 1, 4000.0), seed).quantile_ms(0.99);
    let mut ours = World::run(with_slow(Config::default(), 1, 4000.0), seed);
    let probes = ours.per_server[0] as f64 / 20.0 * 10.0;
    vec![
        Figure {
            id: "6a",
            name: "one slow of four: p99 (ms)".to_owned(),
            naive: Some((naive, Some(5.4))),
            ours: ours.quantile_ms(0.99),
            bar: Bar::AtMost(healthy * 1.1),
        },
        Figure {
            id: "6b",
            name: "one slow of four: its share of calls (%)".to_owned(),
            naive: Some((25.0, Some(25.0))),
            ours: ours.share(&[0]) * 100.0,
            bar: Bar::AtMost(0.2),
        },
        Figure {
            id: "6c",
            name: "one slow of four: calls to it in 10 s".to_owned(),
            naive: None,
            ours: probes,
            bar: Bar::AtLeast(1.0),
        },
    ]
}

pub(super) fn two_slow(seed: u64) -> Vec<Figure> {
    let two_choices = Config { choices: Some(2), ..Config::default() };
    let naive = World::run(with_slow(two_choices, 2, 4000.0), seed).quantile_ms(0.99);
    let ours = World::run(with_slow(Config::default(), 2, 4000.0), seed).quantile_ms(0.99);
    vec![Figure {
        id: "7a",
        name: "two slow of four: p99 (ms), two choices and all".to_owned(),
        naive: Some((naive, Some(5.4))),
        ours,
        bar: Bar::AtMost(0.55),
    }]
}

/// Twenty servers at 70 % of what they can do, of which `bad` fail in 0.1 ms.
fn with_failing(config: Config, bad: usize, attempts: u8) -> Setup {
    let server = |at: usize| ServerSpec {
        workers: 10,
        fate: Box::new(move |_, rng| {
            if at < bad { Fate::Fails(100 * US) } else { Fate::Answers(exponential(10 * MS, rng)) }
        }),
    };
    let rate = (20 - bad) as f64 * 10.0 * 100.0 * 0.7;
    let mut setup = Setup::new((0..20).map(server).collect(), rate, Duration::from_secs(20));
    setup.config = config;
    setup.clients = 10;
    setup.attempts = attempts;
    setup.warm_up = Duration::from_secs(2);
    setup.one_way = 50 * US;
    setup
}

pub(super) fn sinkhole(seed: u64) -> Vec<Figure> {
    // Peak EWMA as others have it: two choices.
    let off = Config { choices: Some(2), breakers: false, penalty: false, ..Config::default() };
    let share = |config, attempts| {
        let stats = World::run(with_failing(config, 2, attempts), seed);
        (stats.failures as f64 / stats.attempts as f64, stats)
    };
    let (naive, _) = share(off, 1);
    let (raw, _) = share(Config::default(), 1);
    let (_, mut retried) = share(Config::default(), 2);
    let healthy = World::run(with_failing(Config::default(), 0, 2), seed).quantile_ms(0.99);
    vec![
        Figure {
            id: "9a",
            name: "two of twenty fail at once: failed attempts (%)".to_owned(),
            naive: Some((naive * 100.0, Some(19.4))),
            ours: raw * 100.0,
            bar: Bar::AtMost(0.7),
        },
        Figure {
            id: "9b",
            name: "the same with one retry: failed calls (%)".to_owned(),
            naive: None,
            ours: retried.failed as f64 / retried.calls as f64 * 100.0,
            bar: Bar::AtMost(0.01),
        },
        Figure {
            id: "9c",
            name: "the same: p99, as a multiple of eighteen healthy ones".to_owned(),
            naive: None,
            ours: retried.quantile_ms(0.99) / healthy,
            bar: Bar::AtMost(1.05),
        },
    ]
}

/// A member among others.
struct Place(Member);

impl AsRef<Member> for Place {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

pub(super) fn slow_start(seed: u64) -> Vec<Figure> {
    let minute = Duration::from_secs(60);
    let worst = [(0, 0.1), (6, 0.1), (10, 1.0 / 6.0), (30, 0.5), (60, 1.0)]
        .map(|(age, share): (u64, f64)| {
            (slow_start_over(Duration::from_secs(age), minute) - share).abs()
        })
        .into_iter()
        .fold(0.0, f64::max);
    // How many calls a new endpoint gets at the same time before it has answered one.
    let now = Instant::now();
    let plan = ClientPlan::new(Config::default(), now);
    let mut rng = SplitMix::new(seed);
    let mut members: Vec<Place> =
        (0..4).map(|_| Place(plan.member(Placement::default(), false, now))).collect();
    members.iter().for_each(|member| member.0.set_connected(true));
    // The others are known.
    for _ in 0..100 {
        let mut turn = plan.begin(0, 1, true, now);
        if let Some(picked) = plan.pick(&members, &mut turn, now, &mut rng) {
            let settled = (picked.ticket, Outcome::Answered);
            plan.settle(&members, &members[picked.at].0, settled, now + MS, &mut rng);
        }
    }
    members.push(Place(plan.member(Placement::default(), true, now)));
    members[4].0.set_connected(true);
    for _ in 0..200 {
        let mut turn = plan.begin(0, 1, true, now);
        let _ = plan.pick(&members, &mut turn, now + MS, &mut rng);
    }
    let at_once = members[4].0.view(now).at_work;
    vec![
        Figure {
            id: "14a",
            name: "slow start over 60 s: largest distance from the curve".to_owned(),
            naive: Some((0.9, None)),
            ours: worst,
            bar: Bar::AtMost(0.02),
        },
        Figure {
            id: "14b",
            name: "a new endpoint: calls at once before its first answer".to_owned(),
            naive: None,
            ours: f64::from(at_once),
            bar: Bar::AtMost(1.0),
        },
    ]
}
