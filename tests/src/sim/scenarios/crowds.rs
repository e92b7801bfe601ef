//! Many clients of many servers, and disturbances that are over before one of the clients has heard of them.

use std::time::Duration;

use sinew_core::{
    limits,
    plan::client::{Balance, Config},
    rng::SplitMix,
};

use super::super::{
    Bar, Choose, Fate, Figure, ServerSpec, Setup, Stats, World,
    crowd::{Crowd, Spread},
    disturbed::Disturbed,
    world::exponential,
};

const SERVERS: usize = 100;
const WORKERS: usize = 8;
/// What a call takes at a worker that nothing disturbs, on average.
const TAKES: Duration = Duration::from_millis(10);
const TIME: Duration = Duration::from_secs(2);

/// What is different from what production does.
#[derive(Clone, Copy)]
struct Way {
    config: Config,
    choose: Choose,
    reports: bool,
}

fn ours() -> Way {
    Way { config: Config::default(), choose: Choose::Plan, reports: true }
}

/// Two choices, by what this client has there itself.
fn two_choices(balance: Balance) -> Way {
    let config = Config { balance, choices: Some(2), ..Config::default() };
    Way { config, reports: false, ..ours() }
}

/// A hundred clients of a hundred servers, each of which is four times slower now and then.
fn disturbed(utilisation: f64, way: Way, seed: u64) -> Stats {
    let mut chance = SplitMix::new(seed ^ 0x616e_7461);
    let server = |_| {
        let disturbed = Disturbed::new(TIME * 2, &mut chance);
        let fate = move |now, rng: &mut SplitMix| {
            Fate::Answers(exponential(TAKES, rng) * disturbed.slower(now))
        };
        ServerSpec { workers: WORKERS, fate: Box::new(fate) }
    };
    let servers = (0..SERVERS).map(server).collect();
    let most = (SERVERS * WORKERS) as f64 / TAKES.as_secs_f64() * Disturbed::SPEED;
    let mut setup = Setup::new(servers, most * utilisation, TIME);
    (setup.choose, setup.config, setup.reports) = (way.choose, way.config, way.reports);
    setup.clients = 100;
    setup.warm_up = Duration::from_millis(500);
    setup.one_way = Duration::from_micros(50);
    World::run(setup, seed)
}

/// 8: what a hundred clients know of a hundred servers.
pub(super) fn antagonists(seed: u64) -> Vec<Figure> {
    let p99 = |utilisation, way| disturbed(utilisation, way, seed).quantile_ms(0.99);
    let all_seeing = p99(0.9, Way { choose: Choose::Oracle, ..ours() });
    let least = p99(0.9, two_choices(Balance::LeastRequest));
    let ewma = p99(0.9, two_choices(Balance::PeakEwma));
    let mine = p99(0.9, ours());
    let mut asked = disturbed(0.9, Way { choose: Choose::Probing(2), ..ours() }, seed);
    let per_call = asked.probes as f64 / asked.calls as f64;
    let figure = |id, name: &str, naive, ours, bar| Figure {
        id,
        name: name.to_owned(),
        naive,
        ours,
        bar: Bar::AtMost(bar),
    };
    let least_07 = p99(0.7, two_choices(Balance::LeastRequest));
    vec![
        figure(
            "8a",
            "100 clients, 100 servers disturbed, at 90 %: p99 (ms)",
            Some((ewma, Some(377.0))),
            mine,
            140.0,
        ),
        figure(
            "8b",
            "the same, and what who sees all queues makes of it",
            Some((least, Some(295.0))),
            mine,
            all_seeing * 1.15,
        ),
        figure(
            "8c",
            "the same at 70 %: p99 (ms)",
            Some((least_07, Some(207.0))),
            p99(0.7, ours()),
            110.0,
        ),
        figure("8d", "at 90 %: servers asked per call", Some((per_call, Some(2.0))), 0.0, 2.0),
        figure(
            "8e",
            "the same: p99, as a multiple of that of who asks two",
            None,
            mine / asked.quantile_ms(0.99),
            1.15,
        ),
    ]
}

/// 24: a thousand clients of a thousand servers, of which a tenth leave in one moment.
pub(super) fn scale(seed: u64) -> Vec<Figure> {
    let leave = Duration::from_millis(1500);
    let crowd = Crowd {
        clients: 1000,
        servers: 1000,
        workers: 1,
        aperture: limits::APERTURE,
        disturbed: false,
        reports: true,
        utilisation: 0.5,
        time: 2 * leave,
        leave: Some(leave),
    };
    let seen = crowd.run(seed);
    let clients_of = Spread::of(seen.clients_of.iter().copied());
    let calls_of = Spread::of(seen.calls_before.iter().copied());
    let figure = |id, name: &str, naive: Option<f64>, ours, bar| Figure {
        id,
        name: name.to_owned(),
        naive: naive.map(|naive| (naive, None)),
        ours,
        bar: Bar::AtMost(bar),
    };
    // As many throws of a coin as there are clients.
    let bound = 1.0 + (2.0 * 1000_f64.ln() / limits::APERTURE as f64).sqrt();
    let connections = f64::from(seen.clients_of.iter().sum::<u32>()) / 1000.0;
    vec![
        figure(
            "24a",
            "1,000 clients, 1,000 servers: connections of a client",
            Some(1000.0),
            connections,
            100.0,
        ),
        figure(
            "24b",
            "the same: clients of a server, most of the mean",
            None,
            clients_of.most,
            bound * 1.05,
        ),
        figure("24c", "the same: calls of a server, p99 of the mean", None, calls_of.p99, 1.5),
        figure(
            "24d",
            "a tenth leaves: until calls are as even again (s)",
            None,
            seen.uneven_for(leave).as_secs_f64(),
            1.5,
        ),
        figure(
            "24e",
            "the same: new connections of a client",
            None,
            seen.connected as f64 / 1000.0,
            11.0,
        ),
        figure("24f", "the same: calls that go where nobody is", None, seen.astray as f64, 0.0),
    ]
}
