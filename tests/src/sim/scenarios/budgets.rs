//! What retries may cost, in one layer and in several.

use std::time::{Duration, Instant};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    plan::client::{ClientPlan, Config, Failed, Room, Verdict, Why},
    rng::SplitMix,
};

use super::super::{Bar, Fate, Figure, ServerSpec, Setup, World};

const LOST: Failed = Failed {
    code: Code::Unavailable,
    reason: Reason::ConnectionLost,
    disposition: Disposition::Unknown,
    directive: Directive::Default,
    origin: Origin::Transport,
};

/// Attempts beyond the first of 10,000 calls in one moment, all of which fail.
fn retries(budget: Option<f64>, seed: u64) -> f64 {
    let now = Instant::now();
    let plan = ClientPlan::new(Config { budget, ..Config::default() }, now);
    let mut rng = SplitMix::new(seed);
    let mut retries = 0;
    for _ in 0..10_000 {
        let mut turn = plan.begin(0, 3, true, now);
        let room = Room { endpoints: 3, left: None };
        while !matches!(plan.failed(&mut turn, &LOST, room, now, &mut rng), Verdict::GiveUp(_)) {
            retries += 1;
        }
    }
    f64::from(retries)
}

pub(super) fn cap(seed: u64) -> Vec<Figure> {
    let shares =
        [("3a", 0.0001), ("3b", 0.1), ("3c", 0.2), ("3d", 0.25), ("3e", 0.5), ("3f", 0.99)];
    let naive = retries(None, seed);
    let figure = |(id, share): (&'static str, f64)| Figure {
        id,
        name: format!("10,000 calls fail: retries with a budget of {share}"),
        naive: Some((naive, Some(20_000.0))),
        ours: retries(Some(share), seed),
        // A share is kept in thousandths, and ten are in reserve.
        bar: Bar::About((10_000.0 * (share * 1000.0).round() / 1000.0).floor() + 10.0, 1.0),
    };
    shares.map(figure).to_vec()
}

/// A service in a chain: its plan for calling the next.
struct Layer {
    plan: ClientPlan,
}

struct Chain {
    layers: Vec<Layer>,
    attempts: u8,
    /// Whether what serves a retry does not retry below, and a failure says that it was tried enough.
    told: bool,
    at_leaf: u64,
    now: Instant,
    rng: SplitMix,
}

impl Chain {
    fn new(depth: usize, attempts: u8, told: bool, budget: Option<f64>, seed: u64) -> Self {
        let now = Instant::now();
        let plan = || ClientPlan::new(Config { budget, ..Config::default() }, now);
        let layers = (0..depth).map(|_| Layer { plan: plan() }).collect();
        Self { layers, attempts, told, at_leaf: 0, now, rng: SplitMix::new(seed) }
    }

    /// A call of one layer to the next, which fails at the leaf; whether whoever called may try again.
    fn call(&mut self, depth: usize, is_retry: bool) -> bool {
        if depth == self.layers.len() {
            self.at_leaf += 1;
            return true;
        }
        let attempts = if is_retry && self.told { 1 } else { self.attempts };
        let mut turn = self.layers[depth].plan.begin(0, attempts, true, self.now);
        let mut made = 0;
        loop {
            let may = self.call(depth + 1, made > 0 || (is_retry && self.told));
            made += 1;
            let directive =
                if may || !self.told { Directive::Default } else { Directive::DoNotRetry };
            let failed = Failed {
                directive,
                // What a handler hands on is the answer of its service.
                disposition: Disposition::Processed,
                origin: Origin::PeerHandler,
                ..LOST
            };
            let room = Room { endpoints: 3, left: None };
            let plan = &self.layers[depth].plan;
            match plan.failed(&mut turn, &failed, room, self.now, &mut self.rng) {
                Verdict::GiveUp(Why::Final) => return may,
                Verdict::GiveUp(_) => return false,
                _ => {}
            }
        }
    }

    /// Attempts at the leaf per call at the top, over a minute of 100 calls a second; the first ten seconds, which use
    /// up what was in reserve, are not counted.
    fn amplification(mut self) -> f64 {
        let (before, calls) = (1000, 6000);
        for call in 0..before + calls {
            if call == before {
                self.at_leaf = 0;
            }
            self.call(0, false);
            self.now += Duration::from_millis(10);
        }
        self.at_leaf as f64 / f64::from(calls)
    }
}

pub(super) fn layers(seed: u64) -> Vec<Figure> {
    let figure = |id, depth: usize, expected: f64| Figure {
        id,
        name: format!("{depth} layers of 4 attempts, all fail: attempts at the leaf per call"),
        naive: Some((Chain::new(depth, 4, false, None, seed).amplification(), Some(expected))),
        ours: Chain::new(depth, 4, true, Some(0.2), seed).amplification(),
        bar: Bar::AtMost(1.2),
    };
    let per_layer = Figure {
        id: "4c",
        name: "3 layers with a budget each that say nothing to each other".to_owned(),
        naive: None,
        ours: Chain::new(3, 4, false, Some(0.2), seed).amplification(),
        bar: Bar::About(1.73, 0.1),
    };
    vec![figure("4a", 3, 64.0), figure("4b", 5, 1024.0), per_layer, outage(seed)]
}

/// Three servers that answer 500 calls a second for ten seconds, and then fail each for ten: attempts per call then.
fn outage(seed: u64) -> Figure {
    let ms = Duration::from_millis;
    let attempts = |budget| {
        let server =
            |_| ServerSpec {
                workers: 100,
                fate: Box::new(move |at, _| {
                    if at < ms(10_000) { Fate::Answers(ms(2)) } else { Fate::Fails(ms(2)) }
                }),
            };
        let servers = (0..3).map(server).collect();
        let mut setup = Setup::new(servers, 500.0, ms(20_000));
        setup.warm_up = ms(10_000);
        setup.config = Config { budget, ..Config::default() };
        let stats = World::run(setup, seed);
        stats.attempts as f64 / stats.calls as f64
    };
    Figure {
        id: "4d",
        name: "three servers, all fail after ten good seconds: attempts per call".to_owned(),
        naive: Some((attempts(None), Some(3.0))),
        ours: attempts(Config::default().budget),
        bar: Bar::AtMost(1.2),
    }
}

/// gRPC's table, for a budget in place of its bucket: the reserve is 10, and what a server says is done.
pub(super) fn directives(seed: u64) -> Vec<Figure> {
    let now = Instant::now();
    let plan = ClientPlan::new(Config::default(), now);
    let mut rng = SplitMix::new(seed);
    let room = Room { endpoints: 3, left: None };
    let full = Failed {
        code: Code::ResourceExhausted,
        reason: Reason::Overloaded,
        disposition: Disposition::Rejected,
        directive: Directive::Default,
        origin: Origin::PeerRuntime,
    };
    // The reserve alone: ten, then a tenth of the calls that come.
    let mut free = 0;
    for _ in 0..100 {
        let mut turn = plan.begin(0, 2, false, now);
        let verdict = plan.failed(&mut turn, &full, room, now, &mut rng);
        free += u32::from(!matches!(verdict, Verdict::GiveUp(_)));
    }
    let told = Duration::from_millis(100);
    let mut waits = Vec::new();
    let mut never = 0;
    for at in 0..100_u64 {
        let now = now + Duration::from_secs(20 + 10 * at);
        let mut turn = plan.begin(0, 2, true, now);
        let wait = Failed { directive: Directive::RetryAfter(told), ..full };
        if let Verdict::NextAfter(wait) = plan.failed(&mut turn, &wait, room, now, &mut rng) {
            waits.push(wait);
        }
        let mut turn = plan.begin(0, 2, true, now);
        let stop = Failed { directive: Directive::DoNotRetry, ..full };
        let verdict = plan.failed(&mut turn, &stop, room, now, &mut rng);
        never += u32::from(!matches!(verdict, Verdict::GiveUp(_)));
    }
    let early = waits.iter().filter(|wait| **wait < told || **wait > told * 3 / 2).count();
    vec![
        Figure {
            id: "5a",
            name: "100 calls refused for overload: retries".to_owned(),
            naive: Some((100.0, None)),
            ours: f64::from(free),
            bar: Bar::About(20.0, 1.0),
        },
        Figure {
            id: "5b",
            name: "told to wait 100 ms: waits below that or above 150 ms".to_owned(),
            naive: None,
            ours: early as f64 + (100.0 - waits.len() as f64),
            bar: Bar::AtMost(0.0),
        },
        Figure {
            id: "5c",
            name: "told not to retry: retries".to_owned(),
            naive: None,
            ours: f64::from(never),
            bar: Bar::AtMost(0.0),
        },
    ]
}
