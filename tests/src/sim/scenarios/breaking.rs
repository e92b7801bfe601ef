//! Breakers: how many endpoints may be out, what happens when it is too many, and what a dead one costs.

use std::time::Duration;

use sinew_core::plan::client::{Balance, ClientPlan, Config, Member, Outcome, Placement};
use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    plan::client::Failed,
    rng::SplitMix,
};

use super::super::{Bar, Fate, Figure, ServerSpec, Setup, World, world::exponential};

const MS: Duration = Duration::from_millis(1);

struct Place(Member);

impl AsRef<Member> for Place {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

const UNAVAILABLE: Failed = Failed {
    code: Code::Unavailable,
    reason: Reason::None,
    disposition: Disposition::Processed,
    directive: Directive::Default,
    origin: Origin::PeerHandler,
};

/// The most endpoints that were out at once, while the first `bad` of `n` fail, over 20 s, one call a millisecond.
fn out_at_most(n: usize, bad: usize, seed: u64) -> usize {
    let start = std::time::Instant::now();
    let plan = ClientPlan::new(Config::default(), start);
    let members: Vec<Place> =
        (0..n).map(|_| Place(plan.member(Placement::default(), false, start))).collect();
    members.iter().for_each(|member| member.0.set_connected(true));
    let (mut rng, mut most) = (SplitMix::new(seed), 0);
    for at in 0..20_000 {
        let now = start + MS * at;
        let mut turn = plan.begin(0, 1, true, now);
        let Some(picked) = plan.pick(&members, &mut turn, now, &mut rng) else { continue };
        let outcome = if picked.at < bad {
            Outcome::Failed { failed: &UNAVAILABLE, had: None }
        } else {
            Outcome::Answered
        };
        let of = members[picked.at].as_ref();
        plan.settle(&members, of, (picked.ticket, outcome), now + MS, &mut rng);
        let open = |member: &Place| {
            use sinew_core::plan::client::Phase;
            matches!(member.0.view(now).breaker, Phase::Open { .. } | Phase::Probing)
        };
        most = most.max(members.iter().filter(|member| open(member)).count());
    }
    most
}

pub(super) fn caps(seed: u64) -> Vec<Figure> {
    let figure = |id, n: usize, bad: usize, naive: Option<f64>, bar: f64| Figure {
        id,
        name: format!("{bad} of {n} fail: endpoints out at most"),
        naive: naive.map(|naive| (naive, Some(naive))),
        ours: out_at_most(n, bad, seed) as f64,
        bar: if n == bad { Bar::AtMost(bar) } else { Bar::About(bar, 0.0) },
    };
    vec![
        // Envoy's tenth of three is nobody.
        figure("10a", 3, 3, Some((3.0_f64 * 0.1).floor()), 2.0),
        figure("10b", 10, 10, None, 5.0),
        figure("10c", 2, 1, None, 1.0),
        figure("10d", 1, 1, None, 0.0),
        // A deviation of 1.9 sigma cannot be had by one of four.
        figure("10e", 4, 1, Some(0.0), 1.0),
    ]
}

/// Ten servers of which six fail: what share of the attempts the four good ones have to bear.
pub(super) fn panic(seed: u64) -> Vec<Figure> {
    let server = |at: usize| ServerSpec {
        workers: 50,
        fate: Box::new(move |_, rng| {
            if at < 6 { Fate::Fails(5 * MS) } else { Fate::Answers(exponential(5 * MS, rng)) }
        }),
    };
    let mut setup = Setup::new((0..10).map(server).collect(), 2000.0, Duration::from_secs(20));
    setup.attempts = 1;
    setup.warm_up = Duration::from_secs(2);
    let stats = World::run(setup, seed);
    let good = stats.share(&[6, 7, 8, 9]);
    vec![
        Figure {
            id: "11a",
            name: "six of ten fail: endpoints out, of which half may be".to_owned(),
            naive: Some((6.0, None)),
            ours: out_at_most(10, 6, seed) as f64,
            bar: Bar::AtMost(5.0),
        },
        Figure {
            id: "11b",
            name: "six of ten fail: share of attempts that the good ones get (%)".to_owned(),
            naive: Some((40.0, None)),
            ours: good * 100.0,
            bar: Bar::AtLeast(90.0),
        },
    ]
}

/// Ten servers, one of which says nothing; 20 clients of 50 calls a second, and a time-out of 1 s; a minute.
fn with_hanging(config: Config) -> Setup {
    let server =
        |at: usize| ServerSpec {
            workers: 1000,
            fate: Box::new(move |_, rng| {
                if at == 0 { Fate::Hangs } else { Fate::Answers(exponential(5 * MS, rng)) }
            }),
        };
    let mut setup = Setup::new((0..10).map(server).collect(), 1000.0, Duration::from_secs(60));
    setup.config = config;
    setup.clients = 20;
    setup.timeout = Duration::from_secs(1);
    setup.idempotent = false;
    setup.attempts = 1;
    setup
}

pub(super) fn dead_replica(seed: u64) -> Vec<Figure> {
    let naive = Config {
        balance: Balance::RoundRobin,
        breakers: false,
        penalty: false,
        ..Config::default()
    };
    let breaker_alone = Config { balance: Balance::RoundRobin, ..Config::default() };
    let naive = World::run(with_hanging(naive), seed).timeouts as f64;
    let alone = World::run(with_hanging(breaker_alone), seed).timeouts as f64;
    let ours = World::run(with_hanging(Config::default()), seed).timeouts as f64;
    vec![
        Figure {
            id: "12a",
            name: "one of ten hangs, one minute: time-outs, breakers alone".to_owned(),
            naive: Some((naive, Some(5970.0))),
            ours: alone,
            // Five failures of each client, five calls that are out when the fifth comes, and seven probes.
            bar: Bar::AtMost(20.0 * (5.0 + 5.0 + 7.0)),
        },
        Figure {
            id: "12b",
            name: "one of ten hangs, one minute: time-outs".to_owned(),
            naive: Some((naive, Some(5970.0))),
            ours,
            bar: Bar::AtMost(100.0),
        },
    ]
}
