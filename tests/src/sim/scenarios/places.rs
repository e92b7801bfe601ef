//! Which endpoints a call belongs to: zones, labels, keys.

use std::time::Instant;

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    limits,
};
use sinew_core::{
    plan::client::{
        Balance, ClientPlan, Config, Failed, Member, Out, Outcome, Phase, Picked, Placement,
    },
    policy::rendezvous::{hash, of_trace},
    rng::{SplitMix, below},
};

use super::super::{Bar, Figure};
use crate::Must as _;

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

/// Endpoints of one client at one moment.
struct Client {
    plan: ClientPlan,
    members: Vec<Place>,
    now: Instant,
    rng: SplitMix,
}

impl Client {
    fn new(config: Config, placements: impl IntoIterator<Item = Placement>, seed: u64) -> Self {
        let now = Instant::now();
        let plan = ClientPlan::new(config, now);
        let member = |placement| Place(plan.member(placement, false, now));
        let mut members: Vec<Place> = placements.into_iter().map(member).collect();
        plan.arrange(&mut members);
        members.iter().for_each(|member| member.0.set_connected(true));
        Self { plan, members, now, rng: SplitMix::new(seed) }
    }

    /// Sends one attempt, whose outcome nobody learns: where it went.
    fn sends(&mut self, key: Option<u64>) -> usize {
        let (picked, _) = self.begins(key);
        self.forgets(&picked)
    }

    /// The same for a call of a trace.
    fn sends_in_trace(&mut self, trace: u64) -> usize {
        let mut turn = self.plan.begin(0, 1, true, self.now).with_trace(Some(trace));
        let picked = self.plan.pick(&self.members, &mut turn, self.now, &mut self.rng);
        self.forgets(&picked.must("an endpoint"))
    }

    fn forgets(&mut self, picked: &Picked) -> usize {
        let settled = (picked.ticket, Outcome::Abandoned);
        let of = &self.members[picked.at].0;
        self.plan.settle(&self.members, of, settled, self.now, &mut self.rng);
        picked.at
    }

    fn begins(&mut self, key: Option<u64>) -> (Picked, u64) {
        let mut turn = self.plan.begin(0, 1, true, self.now).with_key(key);
        let picked = self.plan.pick(&self.members, &mut turn, self.now, &mut self.rng);
        let picked = picked.must("an endpoint");
        let hash = self.members[picked.at].0.placement().hash;
        (picked, hash)
    }

    /// The share of so many calls that go to endpoints that are so, in percent.
    fn share(&mut self, calls: u32, is: impl Fn(&Placement) -> bool) -> f64 {
        let there = (0..calls).filter(|_| {
            let at = self.sends(None);
            is(&self.members[at].0.placement())
        });
        there.count() as f64 / f64::from(calls) * 100.0
    }

    /// Fails every call at these until their breakers are open.
    fn breaks(&mut self, ill: &[usize]) {
        let is_open = |member: &Place, now| {
            matches!(member.0.view(now).breaker, Phase::Open { .. } | Phase::Probing)
        };
        for _ in 0..200_000 {
            if ill.iter().all(|at| is_open(&self.members[*at], self.now)) {
                return;
            }
            let (picked, _) = self.begins(None);
            let outcome = if ill.contains(&picked.at) {
                Outcome::Failed { failed: &UNAVAILABLE, had: None }
            } else {
                Outcome::Answered
            };
            let of = &self.members[picked.at].0;
            self.plan.settle(&self.members, of, (picked.ticket, outcome), self.now, &mut self.rng);
        }
    }
}

const MANY: usize = 100;

fn two_zones(zones: bool, seed: u64) -> Client {
    // Each of the same price: what is measured is where calls go, not who is quicker.
    let config = Config { zones, balance: Balance::LeastRequest, ..Config::default() };
    let zone = |near| std::iter::repeat_n(Placement { near, ..Placement::default() }, MANY);
    Client::new(config, zone(true).chain(zone(false)), seed)
}

/// How many percent stay in their zone, of which so many percent are well.
fn stays(well: usize, zones: bool, seed: u64) -> f64 {
    let mut client = two_zones(zones, seed);
    for member in &client.members[well..MANY] {
        member.0.set_out(Out::Silent, true, client.now);
    }
    client.share(20_000, |placement| placement.near)
}

pub(super) fn spill(seed: u64) -> Vec<Figure> {
    let rows = [
        ("19a", 100, 100.0),
        ("19b", 72, 100.0),
        ("19c", 71, 99.0),
        ("19d", 50, 70.0),
        ("19e", 25, 35.0),
    ];
    let mut figures: Vec<Figure> = rows
        .into_iter()
        .map(|(id, well, bar)| Figure {
            id,
            name: format!("{well} % of a zone are well: calls that stay there (%)"),
            naive: Some((stays(well, false, seed), None)),
            ours: stays(well, true, seed),
            bar: Bar::About(bar, 1.0),
        })
        .collect();
    // A quarter is well in each: 50 of each zone have failed, 25 are out of reach.
    let mut client = two_zones(true, seed);
    let ill: Vec<usize> = (0..50).chain(MANY..MANY + 50).collect();
    client.breaks(&ill);
    for at in (50..75).chain(MANY + 50..MANY + 75) {
        client.members[at].0.set_out(Out::Unreachable, true, client.now);
    }
    let stay = client.share(20_000, |placement| placement.near);
    let (mut hits, calls) = ([0_u32; 2 * MANY], 20_000);
    (0..calls).for_each(|_| hits[client.sends(None)] += 1);
    let at_ill: u32 = ill.iter().map(|at| hits[*at]).sum();
    figures.push(Figure {
        id: "19f",
        name: "25 % of both are well: calls that stay there (%)".to_owned(),
        naive: None,
        ours: stay,
        bar: Bar::About(50.0, 1.0),
    });
    figures.push(Figure {
        id: "19g",
        name: "the same: calls to those whose breakers are open, two thirds of all (%)".to_owned(),
        naive: Some((0.0, None)),
        ours: f64::from(at_ill) / f64::from(calls) * 100.0,
        bar: Bar::About(100.0 * 2.0 / 3.0, 3.0),
    });
    figures
}

/// A split of 80 and 20, over four servers of the old version and four of the new one.
fn split(subsets: [f64; 2], seed: u64) -> Client {
    let mut config = Config::default();
    (config.subsets[0], config.subsets[1]) = (subsets[0], subsets[1]);
    let place = |at: usize| Placement {
        subset: u8::from(at > 3),
        hash: hash(format!("10.0.0.{at}:7000").as_bytes()),
        ..Placement::default()
    };
    Client::new(config, (0..8).map(place), seed)
}

pub(super) fn labels(seed: u64) -> Vec<Figure> {
    let is_new = |placement: &Placement| placement.subset == 1;
    let of_1000 = |subsets| split(subsets, seed).share(1000, is_new) * 10.0;
    let flips = |sends: &dyn Fn(&mut Client, u64) -> usize| {
        let mut client = split([80.0, 20.0], seed);
        let mut side = |user| {
            let at = sends(&mut client, user);
            is_new(&client.members[at].0.placement())
        };
        let changes = |sides: Vec<bool>| sides.windows(2).filter(|two| two[0] != two[1]).count();
        let all = (0..200_u64).map(|user| changes((0..10).map(|_| side(user)).collect()));
        all.sum::<usize>() as f64
    };
    vec![
        Figure {
            id: "20a",
            name: "a fifth is the new version's: of 1,000 calls".to_owned(),
            naive: Some((of_1000([1.0, 1.0]), None)),
            ours: of_1000([80.0, 20.0]),
            bar: Bar::About(200.0, 40.0),
        },
        Figure {
            id: "20b",
            name: "the same with a key: changes of side within one".to_owned(),
            naive: None,
            ours: flips(&|client, user| client.sends(Some(hash(&user.to_le_bytes())))),
            bar: Bar::AtMost(0.0),
        },
        Figure {
            id: "20c",
            name: "the same with a trace: changes of side within one".to_owned(),
            naive: Some((flips(&|client, _| client.sends(None)), None)),
            ours: flips(&|client, trace| {
                client.sends_in_trace(of_trace(u128::from(trace).to_be_bytes()))
            }),
            bar: Bar::AtMost(0.0),
        },
    ]
}

fn keyed(config: Config, servers: usize, seed: u64) -> Client {
    let place = |at| Placement {
        hash: hash(format!("10.0.0.{at}:7000").as_bytes()),
        ..Placement::default()
    };
    Client::new(config, (0..servers).map(place), seed)
}

/// The most that one of ten servers has out, as a multiple of its share, while one key makes a third of 2,000 calls.
fn hottest(bounded: bool, seed: u64) -> f64 {
    let mut client = keyed(Config { bounded, ..Config::default() }, 10, seed);
    let mut chance = SplitMix::new(seed);
    for _ in 0..2000 {
        let user = if below(&mut chance, 3) == 0 { 0 } else { below(&mut chance, 100_000) };
        let _ = client.begins(Some(hash(&user.to_le_bytes())));
    }
    let most = client.members.iter().map(|member| member.0.view(client.now).at_work).max();
    f64::from(most.unwrap_or(0)) / 200.0
}

pub(super) fn keys(seed: u64) -> Vec<Figure> {
    let keys: Vec<u64> = (0..5000_u64).map(|user| hash(&user.to_le_bytes())).collect();
    let mut client = keyed(Config::default(), 10, seed);
    let owners = |client: &mut Client| -> Vec<u64> {
        let places: Vec<usize> = keys.iter().map(|key| client.sends(Some(*key))).collect();
        places.into_iter().map(|at| client.members[at].0.placement().hash).collect()
    };
    let before = owners(&mut client);
    client.members[3].0.set_out(Out::Unreachable, true, client.now);
    let after = owners(&mut client);
    let percent = |many: usize| many as f64 / keys.len() as f64 * 100.0;
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    // By the rest of a division, as a table of servers would have it.
    let naive = keys.iter().filter(|key| *key % 10 != *key % 9).count();
    vec![
        Figure {
            id: "23a",
            name: "one of ten goes: keys that move to another server (%)".to_owned(),
            naive: Some((percent(naive), Some(90.0))),
            ours: percent(moved),
            bar: Bar::AtMost(12.0),
        },
        Figure {
            id: "23b",
            name: "one key makes a third of all calls: most at one server, of its share".to_owned(),
            naive: Some((hottest(false, seed), Some(4.0))),
            ours: hottest(true, seed),
            bar: Bar::AtMost(limits::KEY_LOAD_FACTOR + 0.005),
        },
    ]
}
