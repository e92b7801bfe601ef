//! Servers that get more than they can do, or stop for a while: whether they come back.

use std::time::Duration;

use sinew_core::{
    codes::Criticality,
    plan::{client, server},
};

use super::super::{
    Bar, Figure,
    overload::{Mix, Overload, Takes, Trouble},
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Clients that repeat what they like.
fn naive() -> client::Config {
    client::Config { budget: None, throttle: false, ..client::Config::default() }
}

/// A server that works on as many calls as it has workers, with none of the mechanisms but the order of arrival.
fn plain() -> server::Config {
    let concurrency = server::Concurrency::Fixed(30);
    server::Config { concurrency, cores: 2, bounded_wait: false, feasibility: false, cut: false }
}

/// The stall of HotOS '21: 300 calls a second can be done, 280 come, a second for each attempt, and for ten seconds
/// nothing is done.
fn stall(takes: Takes) -> Overload {
    Overload {
        attempts: 2,
        again_when_late: true,
        takes,
        trouble: Trouble::Stall(s(20), s(30)),
        ..Overload::new(280.0, s(60))
    }
}

/// Three servers that get four fifths of what they can do, and three seconds of trouble with all of them.
fn three(trouble: Trouble) -> Overload {
    Overload {
        servers: 3,
        workers: 8,
        takes: Takes::Constant(Duration::from_millis(30)),
        timeout: Duration::from_millis(500),
        attempts: 3,
        client: client::Config::default(),
        trouble,
        ..Overload::new(640.0, s(16))
    }
}

/// Seconds until 95 % of the calls are answered again, at worst of five.
fn back_of_three(setup: &Overload, seed: u64) -> f64 {
    (seed..seed + 5).map(|seed| setup.run(seed).back_after(8, 0.95)).fold(0.0, f64::max)
}

/// 1e to 1h: one mechanism, and none of the others.
fn each_alone(constant: &Overload, seed: u64) -> Vec<Figure> {
    let alone = |server, client| Overload { server, client, ..constant.clone() }.run(seed);
    let budget = alone(None, client::Config { throttle: false, ..client::Config::default() });
    let expired = alone(Some(plain()), naive());
    let feasible = alone(Some(server::Config { feasibility: true, ..plain() }), naive());
    let bounded = alone(Some(server::Config { bounded_wait: true, ..plain() }), naive());
    let after = |name: &str| format!("10 s stall: {name}: calls answered, 10 s later");
    let figure = |id, name, naive, ours, bar| Figure { id, name, naive, ours, bar };
    vec![
        figure("1e", after("the budget alone"), None, budget.goodput(40, 60), Bar::AtMost(0.01)),
        figure(
            "1f",
            after("late calls dropped alone"),
            None,
            expired.goodput(40, 60),
            Bar::AtMost(0.05),
        ),
        figure(
            "1g",
            after("feasibility alone"),
            None,
            feasible.goodput(40, 60),
            Bar::AtLeast(0.97),
        ),
        figure(
            "1h",
            after("bounded waits alone"),
            None,
            bounded.goodput(40, 60),
            Bar::AtLeast(0.95),
        ),
    ]
}

/// 1j, 1k: servers that are all in trouble at once.
fn of_three(seed: u64) -> impl Iterator<Item = Figure> {
    let troubles = [
        ("1j", "handlers hang", three(Trouble::Hang(s(5), s(8)))),
        ("1k", "they stand still", three(Trouble::Stall(s(5), s(8)))),
    ];
    let figure = move |(id, what, setup): (&'static str, &str, Overload)| {
        let without =
            Overload { server: None, client: naive(), again_when_late: true, ..setup.clone() };
        Figure {
            id,
            name: format!("3 servers, {what} for 3 s: until they are back (s)"),
            naive: Some((back_of_three(&without, seed), None)),
            ours: back_of_three(&setup, seed),
            bar: Bar::AtMost(2.0),
        }
    };
    troubles.into_iter().map(figure)
}

/// 1: what each mechanism is worth alone, and all together.
pub(super) fn metastable(seed: u64) -> Vec<Figure> {
    let constant = stall(Takes::Constant(Duration::from_millis(100)));
    let exponential = stall(Takes::Exponential(Duration::from_millis(100)));
    let without =
        |setup: &Overload| Overload { server: None, client: naive(), ..setup.clone() }.run(seed);
    let nothing = without(&constant);
    let all = constant.run(seed);
    let by_chance = exponential.run(seed);
    let after = |name: &str| format!("10 s stall: {name}: calls answered, 10 s later");
    let figure = |id, name, naive, ours, bar| Figure { id, name, naive, ours, bar };
    let none = Some((nothing.goodput(40, 60), Some(0.0)));
    let mut figures = vec![
        figure("1a", after("all mechanisms"), none, all.goodput(40, 60), Bar::AtLeast(0.97)),
        figure(
            "1b",
            "10 s stall: all mechanisms: until 90 % are answered (s)".to_owned(),
            Some((nothing.back_after(30, 0.9), Some(30.0))),
            all.back_after(30, 0.9),
            Bar::AtMost(2.0),
        ),
        figure(
            "1c",
            "10 s stall: attempts per second, 10 s later".to_owned(),
            Some((nothing.sent_per_second(40, 60), Some(550.0))),
            all.sent_per_second(40, 60),
            Bar::AtMost(1.2 * 280.0),
        ),
        figure(
            "1d",
            "10 s stall: work that was for nothing, 10 s later".to_owned(),
            Some((nothing.wasted(40, 60), Some(1.0))),
            all.wasted(40, 60),
            Bar::AtMost(0.01),
        ),
        figure(
            "1i",
            after("all, calls of any length"),
            Some((without(&exponential).goodput(40, 60), Some(0.0))),
            by_chance.goodput(40, 60),
            Bar::AtLeast(0.96),
        ),
    ];
    figures.extend(each_alone(&constant, seed));
    figures.extend(of_three(seed));
    figures
}

/// 2: two and three times as much as can be done, for a minute, three attempts.
pub(super) fn steady(seed: u64) -> Vec<Figure> {
    let mut figures = Vec::new();
    let cases = [(600.0, ["2a", "2b", "2c", "2d"]), (900.0, ["2e", "2f", "2g", "2h"])];
    for (rate, [good, sent, throttled, told]) in cases {
        let load = vec![(Duration::ZERO, 150.0), (s(5), rate)];
        let setup = Overload {
            attempts: 3,
            again_when_late: true,
            rate: load,
            ..Overload::new(rate, s(60))
        };
        let without = Overload { server: None, client: naive(), ..setup.clone() }.run(seed);
        let ours = setup.run(seed);
        let held_back = Overload { client: client::Config::default(), ..setup.clone() }.run(seed);
        let name = |what: &str| format!("{rate} calls/s where 300 can be done: {what}");
        figures.extend([
            Figure {
                id: good,
                name: name("answered per s"),
                naive: Some((without.good_per_second(10, 60), Some(0.0))),
                ours: ours.good_per_second(10, 60),
                bar: Bar::AtLeast(0.94 * 300.0),
            },
            Figure {
                id: sent,
                name: name("attempts per s"),
                naive: Some((without.sent_per_second(10, 60), Some(3.0 * rate))),
                ours: ours.sent_per_second(10, 60),
                bar: Bar::AtMost(1.2 * rate),
            },
            Figure {
                id: throttled,
                name: name("the same, throttled"),
                naive: None,
                ours: held_back.sent_per_second(10, 60),
                bar: Bar::AtMost(1.1 * 2.0 * 300.0),
            },
            Figure {
                id: told,
                name: name("a refusal takes, p99 (ms)"),
                naive: None,
                ours: ours.refused_p99_ms,
                bar: Bar::AtMost(25.0),
            },
        ]);
    }
    // Nine of ten may be shed, and the tenth must not notice.
    let mix = vec![Mix { class: Criticality::Sheddable, share: 0.9 }];
    let rate = vec![(Duration::ZERO, 240.0), (s(5), 900.0)];
    let mixed = Overload { mix, attempts: 3, rate, ..Overload::new(900.0, s(60)) };
    let without = Overload { server: None, client: naive(), ..mixed.clone() }.run(seed);
    figures.push(Figure {
        id: "2i",
        name: "900 calls/s where 300 can be done: critical ones answered".to_owned(),
        naive: Some((without.of_class(Criticality::Critical), None)),
        ours: mixed.run(seed).of_class(Criticality::Critical),
        bar: Bar::AtLeast(0.999),
    });
    figures
}

/// 15: two thousand calls in one moment, 100 ms for each, of which 30 can be worked on at once for 10 ms.
pub(super) fn expired(seed: u64) -> Vec<Figure> {
    let burst = Overload {
        server: Some(plain()),
        takes: Takes::Constant(Duration::from_millis(10)),
        timeout: Duration::from_millis(100),
        rate: vec![(Duration::ZERO, 2_000_000.0), (Duration::from_millis(1), 1e-3)],
        ..Overload::new(1.0, s(1))
    };
    let without = Overload { server: None, client: naive(), ..burst.clone() }.run(seed);
    let bare = burst.run(seed);
    let all = Overload {
        server: Some(server::Config { bounded_wait: true, feasibility: true, ..plain() }),
        ..burst
    }
    .run(seed);
    let calls: f64 = all.seconds.iter().map(|second| f64::from(second.offered)).sum();
    vec![
        Figure {
            id: "15a",
            name: "2,000 calls at once, time for 300: executed".to_owned(),
            naive: Some((without.worked(), Some(calls))),
            ours: bare.worked(),
            bar: Bar::About(300.0, 30.0),
        },
        Figure {
            id: "15b",
            name: "2,000 calls at once, all mechanisms: executed".to_owned(),
            naive: None,
            ours: all.worked(),
            bar: Bar::About(300.0, 30.0),
        },
    ]
}

/// 22: handlers hang until each call's time is over, and then work again.
pub(super) fn adaptive(seed: u64) -> Vec<Figure> {
    let hang =
        Overload { trouble: Trouble::Hang(s(20), s(40)), ..Overload::new(240.0, s(60)) }.run(seed);
    let fixed = server::Config { concurrency: server::Concurrency::Fixed(1000), ..plain() };
    let naive_hang = Overload {
        server: Some(fixed),
        trouble: Trouble::Hang(s(20), s(40)),
        ..Overload::new(240.0, s(60))
    };
    let half = Overload::new(150.0, s(60)).run(seed);
    let limit = |second: usize| f64::from(hang.seconds[second].limit);
    vec![
        Figure {
            id: "22a",
            name: "all calls hang: the limit, 6 s later (floor 4)".to_owned(),
            naive: Some((f64::from(naive_hang.run(seed).seconds[26].limit), None)),
            ours: limit(26),
            bar: Bar::AtMost(4.0),
        },
        Figure {
            id: "22b",
            name: "and when they do not any more: calls answered, 3 s later".to_owned(),
            naive: None,
            ours: hang.goodput(43, 50),
            bar: Bar::AtLeast(0.97),
        },
        Figure {
            id: "22c",
            name: "half of what can be done: calls refused".to_owned(),
            naive: None,
            ours: f64::from(half.refused),
            bar: Bar::AtMost(0.0),
        },
    ]
}
