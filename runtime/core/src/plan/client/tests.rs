//! The plan as a whole: the table of effects, who is picked, who is left alone, what is repeated.

mod aperture;
mod cuts;
mod heard;
mod hedges;
mod keyed;
mod matrix;
mod shares;
mod sides;

use std::sync::Arc;

use super::*;
use crate::{
    codes::{Code, Criticality, Directive, Origin},
    policy::breaker,
    rng::{SplitMix, below, unit_f64},
    tests::start,
};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn failed(disposition: Disposition, code: Code) -> Failed {
    Failed {
        code,
        reason: Reason::None,
        disposition,
        directive: Directive::Default,
        origin: Origin::PeerHandler,
    }
}

pub(super) const UNAVAILABLE: Failed = Failed {
    code: Code::Unavailable,
    reason: Reason::None,
    disposition: Disposition::Processed,
    directive: Directive::Default,
    origin: Origin::PeerHandler,
};

const fn room(endpoints: usize, left: Option<Duration>) -> Room {
    Room { endpoints, left }
}

/// A plan, its endpoints, a clock and chance.
pub(super) struct World {
    pub(super) plan: ClientPlan,
    pub(super) members: Vec<Arc<Member>>,
    pub(super) now: Instant,
    pub(super) rng: SplitMix,
}

impl World {
    pub(super) fn new(endpoints: usize) -> Self {
        Self::with(Config::default(), endpoints)
    }

    pub(super) fn with(config: Config, endpoints: usize) -> Self {
        Self::placed(config, vec![Placement::default(); endpoints])
    }

    fn placed(config: Config, placements: Vec<Placement>) -> Self {
        let now = start();
        let plan = ClientPlan::new(config, now);
        let member = |placement| Arc::new(plan.member(placement, false, now));
        let mut members: Vec<_> = placements.into_iter().map(member).collect();
        plan.arrange(&mut members);
        members.iter().for_each(|member| member.set_connected(true));
        Self { plan, members, now, rng: SplitMix::new(1) }
    }

    pub(super) fn turn(&self, idempotent: bool) -> Turn {
        self.plan.begin(0, limits::ATTEMPTS, idempotent, self.now)
    }

    pub(super) fn pick(&mut self, turn: &mut Turn) -> Picked {
        self.plan.pick(&self.members, turn, self.now, &mut self.rng).unwrap()
    }

    pub(super) fn settle(&mut self, picked: &Picked, outcome: Outcome<'_>) -> Option<Event> {
        let of = &self.members[picked.at];
        self.plan.settle(&self.members, of, (picked.ticket, outcome), self.now, &mut self.rng)
    }

    /// One call of one attempt: where it went, and what became of the endpoint.
    fn call(&mut self, idempotent: bool, ok: impl Fn(usize) -> bool) -> (usize, Option<Event>) {
        let mut turn = self.turn(idempotent);
        let picked = self.pick(&mut turn);
        self.now += MS;
        let outcome = if ok(picked.at) {
            Outcome::Answered
        } else {
            Outcome::Failed { failed: &UNAVAILABLE, had: None }
        };
        let event = self.settle(&picked, outcome);
        (picked.at, event)
    }
}

#[test]
fn an_outcome_means_to_everybody_what_the_table_says() {
    let told = Directive::RetryAfter(70 * MS);
    let full = Failed {
        directive: told,
        origin: Origin::PeerRuntime,
        ..failed(Disposition::Rejected, Code::ResourceExhausted)
    };
    let drains =
        Failed { reason: Reason::Draining, ..failed(Disposition::Rejected, Code::Unavailable) };
    let late = failed(Disposition::Unknown, Code::DeadlineExceeded);
    let cases: Vec<(&str, Failed, Option<Duration>)> = vec![
        ("not found", failed(Disposition::Processed, Code::NotFound), None),
        ("unavailable", UNAVAILABLE, None),
        ("internal", failed(Disposition::Processed, Code::Internal), None),
        ("full", full, None),
        ("shed", Failed { reason: Reason::Shed, ..full }, None),
        ("drains", drains, None),
        ("lost", failed(Disposition::Unknown, Code::Unavailable), None),
        ("not sent", failed(Disposition::NotSent, Code::Unavailable), None),
        ("late, had 10 ms", late, Some(10 * MS)),
        ("late, had 9 ms", late, Some(9 * MS)),
        ("cancelled", failed(Disposition::Processed, Code::Cancelled), None),
    ];
    let row = |name: &str, outcome| {
        let Effects { breaker, sample, throttle } = effects(outcome, || Some(MS));
        format!("{name}: {breaker:?}, {sample:?}, {throttle:?}")
    };
    let mut table = vec![row("answered", Outcome::Answered), row("abandoned", Outcome::Abandoned)];
    for (name, failed, had) in &cases {
        table.push(row(name, Outcome::Failed { failed, had: *had }));
    }
    assert_eq!(
        table,
        [
            "answered: Success, Took, Accepted",
            "abandoned: Nothing, IfRaises, None",
            "not found: Success, Took, Accepted",
            "unavailable: Failure, AtLeast(5s), Accepted",
            "internal: Failure, Took, Accepted",
            "full: Overloaded, AtLeast(70ms), Refused",
            "shed: Nothing, None, Refused",
            "drains: Nothing, None, None",
            "lost: Failure, AtLeast(5s), Accepted",
            "not sent: Nothing, None, None",
            "late, had 10 ms: Failure, AtLeast(0ns), Accepted",
            "late, had 9 ms: Nothing, IfRaises, Accepted",
            "cancelled: Nothing, IfRaises, None",
        ]
    );
}

#[test]
fn an_endpoint_that_fails_is_left_and_found_again() {
    let mut world = World::new(3);
    let mut opened = None;
    for _ in 0..20_000 {
        let (at, event) = world.call(true, |at| at != 1);
        if let Some(Event::Opened { cause, until }) = event {
            assert_eq!((at, cause), (1, Cause::InARow));
            opened = Some(until);
            break;
        }
    }
    let until = opened.expect("it never opened");
    while world.now + MS < until {
        assert_ne!(world.call(true, |_| true).0, 1);
    }
    // The probe goes as soon as it is due, and succeeds; then it gets its share by and by.
    world.now = until + 2 * MS;
    assert_eq!(world.call(true, |_| true), (1, Some(Event::Closed)));
    let shares: Vec<usize> = (0..3)
        .map(|_| {
            let calls: Vec<_> = (0..3000).map(|_| world.call(true, |_| true)).collect();
            assert!(calls.iter().all(|(_, event)| event.is_none()), "it was said once");
            world.now += S;
            calls.iter().filter(|(at, _)| *at == 1).count()
        })
        .collect();
    assert!(shares[0] < shares[2], "{shares:?}");
}

#[test]
fn what_cannot_be_repeated_is_no_probe_within_a_second() {
    let mut world = World::new(2);
    let until = world.members[0].open(Cause::InARow, world.now, &mut world.rng);
    world.plan.recount(&world.members);
    world.now = until + 900 * MS;
    assert_eq!(world.call(false, |_| true).0, 1);
    world.now = until + 1100 * MS;
    assert_eq!(world.call(false, |_| true).0, 0);
}

#[test]
fn at_most_half_are_out_and_never_the_last_one() {
    for (endpoints, most) in [(1, 0), (2, 1), (3, 2), (4, 2), (10, 5)] {
        let mut world = World::new(endpoints);
        let mut spared = 0;
        for _ in 0..3000 {
            if let (_, Some(Event::Spared { .. })) = world.call(true, |_| false) {
                spared += 1;
            }
            let out = world.members.iter().filter(|member| member.is_open()).count();
            assert!(out <= most, "{out} of {endpoints}");
        }
        assert!(spared > 0, "{endpoints}");
    }
}

#[test]
fn where_all_fail_at_once_none_is_out_soon_after() {
    for endpoints in [2, 3, 10] {
        let mut world = World::new(endpoints);
        let mut longest = 0;
        let mut out = 0;
        for _ in 0..3000 {
            world.call(true, |_| false);
            let any = world.members.iter().any(|member| member.is_open());
            out = if any { out + 1 } else { 0 };
            longest = longest.max(out);
        }
        // As many as it takes until the others have failed too.
        assert!(longest <= 20 * endpoints, "{endpoints}: {longest} calls");
    }
}

#[test]
fn where_too_many_are_out_all_are_used() {
    let mut world = World::new(3);
    let now = world.now;
    for at in [0, 1] {
        world.members[at].open(Cause::InARow, now, &mut world.rng);
    }
    world.plan.recount(&world.members);
    assert!(world.plan.panics());
    let mut hits = [0_u32; 3];
    let mut out = Vec::new();
    for _ in 0..300 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        hits[picked.at] += 1;
        out.push(picked);
    }
    assert!(hits.iter().all(|hits| *hits >= 75), "{hits:?}");
}

#[test]
fn the_reasons_to_stay_away_have_an_order() {
    let mut world = World::new(4);
    let now = world.now;
    world.members[0].set_out(Out::Draining, true, now);
    world.members[1].set_out(Out::Unreachable, true, now);
    world.members[2].set_out(Out::Silent, true, now);
    for expected in [3, 2, 1, 0] {
        let mut turn = world.turn(true);
        assert_eq!(world.pick(&mut turn).at, expected);
        if expected > 0 {
            world.members[expected].set_out(Out::Draining, true, now);
            world.members[expected].set_out(Out::Draining, expected != 0, now);
        }
        if expected == 3 {
            world.members[3].set_out(Out::Draining, true, now);
            world.members.truncate(3);
        } else if expected > 0 {
            world.members.truncate(expected);
        }
    }
}

#[test]
fn a_connected_endpoint_goes_before_one_that_is_not_and_that_one_is_named() {
    let mut world = World::new(2);
    world.members[0].set_connected(false);
    for _ in 0..20 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        assert_eq!((picked.at, picked.cold), (1, Some(0)));
    }
}

#[test]
fn each_attempt_goes_elsewhere_and_no_more_than_three_are_made() {
    let mut world = World::new(5);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    for _ in 0..50 {
        world.now += 10 * S;
        let mut turn = world.turn(true);
        let mut seen = Vec::new();
        loop {
            let picked = world.pick(&mut turn);
            assert!(!seen.contains(&picked.at), "{seen:?}");
            seen.push(picked.at);
            world.settle(&picked, Outcome::Abandoned);
            let verdict =
                world.plan.failed(&mut turn, &lost, room(5, None), world.now, &mut world.rng);
            if let Verdict::GiveUp(why) = verdict {
                assert_eq!(why, Why::NoAttempts);
                break;
            }
        }
        assert_eq!(seen.len(), 3);
    }
}

#[test]
fn when_every_endpoint_was_tried_one_is_tried_again() {
    let mut world = World::new(1);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    let mut turn = world.turn(true);
    for _ in 0..2 {
        assert_eq!(world.pick(&mut turn).at, 0);
        let verdict = world.plan.failed(&mut turn, &lost, room(1, None), world.now, &mut world.rng);
        assert!(!matches!(verdict, Verdict::GiveUp(_)), "{verdict:?}");
    }
}

#[test]
fn endpoints_out_of_reach_cost_nothing_and_each_is_tried_before_the_call_waits() {
    let mut world = World::new(3);
    let unreachable = failed(Disposition::NotSent, Code::Unavailable);
    let before = world.plan.budget(world.now);
    let mut turn = world.plan.begin(0, 1, false, world.now);
    let verdicts: Vec<Verdict> = (0..6)
        .map(|_| {
            world.plan.failed(&mut turn, &unreachable, room(3, None), world.now, &mut world.rng)
        })
        .collect();
    let round = [Verdict::Next, Verdict::Next, Verdict::WaitForReady];
    assert_eq!(verdicts, [round, round].concat());
    assert_eq!(world.plan.budget(world.now), before + 200, "only the deposit");
    let wrong = Failed { reason: Reason::WrongIdentity, ..unreachable };
    let mut turn = world.plan.begin(0, 1, false, world.now);
    let verdict = world.plan.failed(&mut turn, &wrong, room(1, None), world.now, &mut world.rng);
    assert_eq!(verdict, Verdict::GiveUp(Why::Final));
}

#[test]
fn a_retry_needs_time_and_budget() {
    let mut world = World::new(3);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    let mut turn = world.turn(true);
    let left = Some(limits::SEND_MIN);
    let verdict = world.plan.failed(&mut turn, &lost, room(3, left), world.now, &mut world.rng);
    assert_eq!(verdict, Verdict::GiveUp(Why::NoTime));
    let mut verdicts = Vec::new();
    for _ in 0..20 {
        let mut turn = world.turn(true);
        verdicts.push(world.plan.failed(
            &mut turn,
            &lost,
            room(3, None),
            world.now,
            &mut world.rng,
        ));
    }
    let refused = Verdict::GiveUp(Why::NoBudget);
    // The reserve of 10, and a fifth of the 21 calls.
    assert_eq!(verdicts.iter().filter(|verdict| **verdict != refused).count(), 14);
}

#[test]
fn a_draining_server_costs_nothing_once() {
    let mut world = World::new(3);
    let drains =
        Failed { reason: Reason::Draining, ..failed(Disposition::Rejected, Code::Unavailable) };
    let mut turn = world.turn(false);
    let before = world.plan.budget(world.now);
    for cost in [0, 1000] {
        let verdict =
            world.plan.failed(&mut turn, &drains, room(3, None), world.now, &mut world.rng);
        assert_eq!(verdict, Verdict::Next);
        assert_eq!(world.plan.budget(world.now), before - cost);
    }
}

#[test]
fn a_report_of_the_server_counts_in_place_of_our_own_calls_while_it_is_fresh() {
    let mut world = World::new(2);
    for _ in 0..50 {
        world.call(true, |_| true);
    }
    world.members[0].report(0, 40, world.now);
    let (mut turn, mut hits) = (world.turn(true), [0; 2]);
    for _ in 0..20 {
        let picked = world.pick(&mut turn);
        hits[picked.at] += 1;
        world.settle(&picked, Outcome::Answered);
    }
    assert_eq!(hits, [0, 20]);
    world.now += S / 2;
    let mut hits = [0; 2];
    for _ in 0..40 {
        hits[world.call(true, |_| true).0] += 1;
    }
    assert!(hits[0] > 3, "{hits:?}");
}

#[test]
fn a_client_holds_back_while_servers_refuse() {
    let mut world = World::new(2);
    let full = Failed {
        origin: Origin::PeerRuntime,
        ..failed(Disposition::Rejected, Code::ResourceExhausted)
    };
    let class = Criticality::Critical;
    assert!(world.plan.throttle(class, world.now, &mut world.rng));
    for _ in 0..100 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        world.settle(&picked, Outcome::Failed { failed: &full, had: None });
    }
    let through =
        (0..1000).filter(|_| world.plan.throttle(class, world.now, &mut world.rng)).count();
    assert!((50..200).contains(&through), "{through}");
    // What is more critical was not refused.
    let plus = Criticality::CriticalPlus;
    assert!((0..1000).all(|_| world.plan.throttle(plus, world.now, &mut world.rng)));
}

#[test]
fn one_that_is_back_takes_half_of_its_share_once_the_others_refuse() {
    let mut world = World::new(3);
    for _ in 0..30 {
        world.call(true, |_| true);
    }
    let now = world.now;
    world.members[0].open(Cause::InARow, now, &mut world.rng);
    world.plan.recount(&world.members);
    world.now += 2 * S;
    while world.members[0].is_open() {
        world.call(true, |_| true);
    }
    // Beside it a newcomer, which keeps its slow start.
    let newcomer = world.plan.member(Placement::default(), true, world.now);
    newcomer.set_connected(true);
    world.members.push(Arc::new(newcomer));
    let shares = |world: &World| {
        let now_ms = world.members[0].ms(world.now);
        [0, 1, 3].map(|at| world.members[at].share(now_ms))
    };
    assert_eq!(shares(&world), [0.1, 1.0, 0.1]);
    let full = Failed {
        origin: Origin::PeerRuntime,
        ..failed(Disposition::Rejected, Code::ResourceExhausted)
    };
    let mut turn = world.turn(true);
    let picked = world.pick(&mut turn);
    world.settle(&picked, Outcome::Failed { failed: &full, had: None });
    assert_eq!(shares(&world), [0.5, 1.0, 0.1]);
    world.now += 5 * S;
    assert_eq!(shares(&world), [1.0, 1.0, 0.5]);
}

/// Whatever happens in whatever order: what is let through is counted until it is settled, and never is nobody asked.
#[test]
fn under_any_interleaving_the_books_balance() {
    for seed in 0..60 {
        let mut rng = SplitMix::new(seed);
        let endpoints = 1 + below(&mut rng, 12) as usize;
        let mut world = World::new(endpoints);
        world.rng = SplitMix::new(seed);
        let mut out: Vec<Picked> = Vec::new();
        let bad = unit_f64(&mut rng);
        for _ in 0..800 {
            world.now += Duration::from_micros(below(&mut rng, 60_000));
            match below(&mut rng, 8) {
                0..=3 => {
                    let mut turn = world.turn(below(&mut rng, 2) == 0);
                    out.push(world.pick(&mut turn));
                }
                4 => {
                    let at = below(&mut rng, endpoints as u64) as usize;
                    let outs = [Out::Draining, Out::Unreachable, Out::Silent];
                    let what = outs[below(&mut rng, 3) as usize];
                    world.members[at].set_out(what, below(&mut rng, 3) == 0, world.now);
                    world.plan.recount(&world.members);
                }
                _ if out.is_empty() => {}
                _ => {
                    let picked = out.swap_remove(below(&mut rng, out.len() as u64) as usize);
                    let outcome = match unit_f64(&mut rng) {
                        chance if chance < bad => {
                            Outcome::Failed { failed: &UNAVAILABLE, had: None }
                        }
                        chance if chance > 0.95 => Outcome::Abandoned,
                        _ => Outcome::Answered,
                    };
                    world.settle(&picked, outcome);
                }
            }
            let at_work: u32 =
                world.members.iter().map(|member| member.view(world.now).at_work).sum();
            assert_eq!(at_work as usize, out.len(), "seed {seed}");
        }
    }
}

#[test]
fn the_machine_and_what_is_published_say_the_same() {
    let mut world = World::new(1);
    let member = Arc::clone(&world.members[0]);
    let ticket = member.admit(0, false, world.plan.moment(world.now)).unwrap();
    world.now += 3 * MS;
    let at = world.plan.moment(world.now);
    member.settle(ticket, breaker::Verdict::Success, Sample::Took, at);
    for later in [0, 10, 100, 1000, 10_000] {
        let now = world.now + later * MS;
        let published =
            member.price(0, member::Among::default(), world.plan.ms(now)).latency_us.unwrap();
        let said = member.view(now).latency.unwrap().as_secs_f64() * 1e6;
        assert!((published / said - 1.0).abs() < 0.01, "{later} ms: {published} and {said}");
    }
}
