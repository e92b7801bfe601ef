//! What every event means to everybody: deadline, budget, attempts, breaker, latency and throttle, each as the plan does
//! it. One table, so that two columns that disagree are seen next to each other.
//!
//! What could not connect means nothing to breaker and latency: the endpoint is out until it can be reached
//! ([`Out::Unreachable`]). What the throttle holds back it counts when it does so.

use super::*;

/// What happens to the first attempt of a call.
#[derive(Clone, Copy)]
enum Happens {
    Answers,
    Fails(Failed),
    /// The second time that it fails so.
    FailsAgain(Failed),
    Dropped,
    HedgeSent,
    HedgeUnsent,
    HedgeLost,
    HedgeFails(Failed),
}

/// It may run twice.
const MAY: bool = true;
/// It may not.
const MAY_NOT: bool = false;

fn of(code: Code, disposition: Disposition) -> Failed {
    Failed { origin: Origin::PeerRuntime, ..failed(disposition, code) }
}

fn because(reason: Reason, code: Code, disposition: Disposition) -> Failed {
    Failed { reason, ..of(code, disposition) }
}

fn events() -> Vec<(&'static str, bool, Happens)> {
    use Disposition::{NotSent, Processed, Rejected, Unknown};
    use Happens::{
        Answers, Dropped, Fails, FailsAgain, HedgeFails, HedgeLost, HedgeSent, HedgeUnsent,
    };
    let drains = because(Reason::Draining, Code::Unavailable, Rejected);
    let full = because(Reason::Overloaded, Code::ResourceExhausted, Rejected);
    let lost = because(Reason::ConnectionLost, Code::Unavailable, Unknown);
    let told = Failed { directive: Directive::RetryAfter(70 * MS), ..full };
    let no = |failed| Failed { directive: Directive::DoNotRetry, ..failed };
    let bulkhead = no(because(Reason::BulkheadFull, Code::ResourceExhausted, NotSent));
    let throttled = no(because(Reason::Overloaded, Code::ResourceExhausted, NotSent));
    let relayed = Failed { origin: Origin::Relayed, ..of(Code::Unavailable, Processed) };
    vec![
        ("success, or the service's own error", MAY_NOT, Answers),
        ("a status that blames the request", MAY, Fails(of(Code::NotFound, Processed))),
        ("rejected by drain", MAY_NOT, Fails(drains)),
        ("rejected by drain again", MAY_NOT, FailsAgain(drains)),
        ("rejected for overload", MAY_NOT, Fails(full)),
        ("rejected for overload, wait 70 ms", MAY_NOT, Fails(told)),
        ("rejected for overload, do not retry", MAY_NOT, Fails(no(full))),
        ("could not connect", MAY_NOT, Fails(of(Code::Unavailable, NotSent))),
        ("connection lost in flight", MAY, Fails(lost)),
        ("connection lost in flight", MAY_NOT, Fails(lost)),
        ("the handler said unavailable", MAY, Fails(of(Code::Unavailable, Processed))),
        ("the handler said unavailable", MAY_NOT, Fails(of(Code::Unavailable, Processed))),
        ("the handler relayed unavailable", MAY, Fails(relayed)),
        ("the server ran out of the call's time", MAY, Fails(of(Code::DeadlineExceeded, Unknown))),
        ("the caller dropped it", MAY, Dropped),
        ("no place in the bulkhead", MAY, Fails(bulkhead)),
        ("held back by the throttle", MAY, Fails(throttled)),
        ("internal, or undecodable", MAY, Fails(of(Code::Internal, Processed))),
        ("a hedge goes out", MAY, HedgeSent),
        ("a hedge that did not go out", MAY, HedgeUnsent),
        ("a hedge that lost", MAY, HedgeLost),
        ("a hedge that failed too", MAY, HedgeFails(lost)),
    ]
}

/// A client that knows its three endpoints, has paid for no retry, and has earned ten hedges.
fn known() -> World {
    let mut world = World::new(3);
    for _ in 0..200 {
        world.call(true, |_| true);
        let hedging = world.plan.hedge_admit(1, After::Delay(MS), world.now);
        world.plan.hedge_settle(hedging, End::First, world.now + MS);
    }
    world
}

fn word(verdict: Verdict) -> String {
    match verdict {
        Verdict::NextAfter(wait) if wait >= 70 * MS => "again, 70 ms".to_owned(),
        Verdict::NextAfter(_) => "again".to_owned(),
        Verdict::Next => "again at once".to_owned(),
        Verdict::WaitForReady => "waits".to_owned(),
        Verdict::GiveUp(why) => format!("ends: {why:?}"),
    }
}

/// One event with so much time left: what follows, budget and attempts that it took, and its effects.
fn row(may: bool, event: Happens, left: Duration) -> (String, i64, i8, Option<Effects>) {
    let mut world = known();
    let mut turn = world.turn(may);
    let budget = world.plan.budget(world.now) as i64;
    let attempts = turn.attempts_left as i8;
    let picked = world.pick(&mut turn);
    world.now += MS;
    let mut hedging = world.plan.hedge_admit(1, After::Delay(MS), world.now);
    world.now += MS;
    let mut hedge = |world: &mut World, turn: &mut Turn| {
        let turn = (turn, &mut hedging);
        let left = Some(left);
        let picked = world.plan.hedge_wake(&world.members, turn, left, world.now, &mut world.rng);
        picked.map_err(|why| format!("none: {why:?}"))
    };
    let mut settled = None;
    let mut settle = |world: &mut World, picked: &Picked, outcome: Outcome<'_>| {
        settled = Some(effects(outcome, || Some(MS)));
        world.settle(picked, outcome);
    };
    let fails = |world: &mut World, turn: &mut Turn, failed: &Failed| {
        let room = room(3, Some(left));
        world.plan.failed(turn, failed, room, world.now, &mut world.rng)
    };
    let then = match event {
        Happens::Answers | Happens::Dropped => {
            let answers = matches!(event, Happens::Answers);
            let outcome = if answers { Outcome::Answered } else { Outcome::Abandoned };
            settle(&mut world, &picked, outcome);
            "ends".to_owned()
        }
        Happens::Fails(failed) => {
            settle(&mut world, &picked, Outcome::Failed { failed: &failed, had: Some(S) });
            word(fails(&mut world, &mut turn, &failed))
        }
        Happens::FailsAgain(failed) => {
            let _ = fails(&mut world, &mut turn, &failed);
            settle(&mut world, &picked, Outcome::Failed { failed: &failed, had: Some(S) });
            word(fails(&mut world, &mut turn, &failed))
        }
        Happens::HedgeSent => {
            hedge(&mut world, &mut turn).map_or_else(|why| why, |_| "both go on".to_owned())
        }
        Happens::HedgeUnsent => match hedge(&mut world, &mut turn) {
            Ok(second) => {
                settle(&mut world, &second, Outcome::Abandoned);
                world.plan.hedge_unsent(&mut turn, &mut hedging, world.now);
                "the first goes on".to_owned()
            }
            Err(why) => why,
        },
        Happens::HedgeLost => hedge(&mut world, &mut turn).map_or_else(
            |why| why,
            |second| {
                settle(&mut world, &second, Outcome::Abandoned);
                "ends".to_owned()
            },
        ),
        Happens::HedgeFails(failed) => match hedge(&mut world, &mut turn) {
            Ok(second) => {
                settle(&mut world, &second, Outcome::Failed { failed: &failed, had: Some(S) });
                word(fails(&mut world, &mut turn, &failed))
            }
            Err(why) => why,
        },
    };
    let spent = world.plan.budget(world.now) as i64 - budget;
    (then, spent, turn.attempts_left as i8 - attempts, settled)
}

#[test]
fn every_event_means_to_everybody_what_the_table_says() {
    let mut table = Vec::new();
    for (name, may, event) in events() {
        let (then, budget, attempts, effects) = row(may, event, S);
        let (late, ..) = row(may, event, limits::SEND_MIN);
        let effects = effects.map_or_else(String::new, |Effects { breaker, sample, throttle }| {
            format!(" | {breaker:?}, {sample:?}, {throttle:?}")
        });
        let may = if may { "" } else { " (once)" };
        table.push(format!(
            "{name}{may} | {then}; too late: {late} | budget {budget}, attempts {attempts}{effects}"
        ));
    }
    assert_eq!(
        table,
        [
            "success, or the service's own error (once) | ends; too late: ends | budget 0, attempts 0 | Success, Took, Accepted",
            "a status that blames the request | ends: Final; too late: ends: Final | budget 0, attempts 0 | Success, Took, Accepted",
            "rejected by drain (once) | again at once; too late: ends: NoTime | budget 0, attempts -1 | Nothing, None, None",
            "rejected by drain again (once) | again at once; too late: ends: NoTime | budget -1000, attempts -2 | Nothing, None, None",
            "rejected for overload (once) | again; too late: ends: NoTime | budget -1000, attempts -1 | Overloaded, AtLeast(5s), Refused",
            "rejected for overload, wait 70 ms (once) | again, 70 ms; too late: ends: NoTime | budget -1000, attempts -1 | Overloaded, AtLeast(70ms), Refused",
            "rejected for overload, do not retry (once) | ends: Final; too late: ends: Final | budget 0, attempts 0 | Overloaded, AtLeast(5s), Refused",
            "could not connect (once) | again at once; too late: again at once | budget 0, attempts 0 | Nothing, None, None",
            "connection lost in flight | again; too late: ends: NoTime | budget -1000, attempts -1 | Failure, AtLeast(5s), Accepted",
            "connection lost in flight (once) | ends: Final; too late: ends: Final | budget 0, attempts 0 | Failure, AtLeast(5s), Accepted",
            "the handler said unavailable | again; too late: ends: NoTime | budget -1000, attempts -1 | Failure, AtLeast(5s), Accepted",
            "the handler said unavailable (once) | ends: Final; too late: ends: Final | budget 0, attempts 0 | Failure, AtLeast(5s), Accepted",
            "the handler relayed unavailable | ends: Final; too late: ends: Final | budget 0, attempts 0 | Failure, AtLeast(5s), Accepted",
            "the server ran out of the call's time | ends: Final; too late: ends: Final | budget 0, attempts 0 | Failure, AtLeast(0ns), Accepted",
            "the caller dropped it | ends; too late: ends | budget 0, attempts 0 | Nothing, IfRaises, None",
            "no place in the bulkhead | ends: Final; too late: ends: Final | budget 0, attempts 0 | Nothing, None, None",
            "held back by the throttle | ends: Final; too late: ends: Final | budget 0, attempts 0 | Nothing, None, None",
            "internal, or undecodable | ends: Final; too late: ends: Final | budget 0, attempts 0 | Failure, Took, Accepted",
            "a hedge goes out | both go on; too late: none: NoTime | budget -1000, attempts -1",
            "a hedge that did not go out | the first goes on; too late: none: NoTime | budget 0, attempts 0 | Nothing, IfRaises, None",
            "a hedge that lost | ends; too late: none: NoTime | budget -1000, attempts -1 | Nothing, IfRaises, None",
            "a hedge that failed too | again; too late: none: NoTime | budget -2000, attempts -2 | Failure, AtLeast(5s), Accepted",
        ]
    );
}

#[test]
fn a_call_pays_into_the_budget_once_however_often_it_is_made() {
    let mut world = known();
    let before = world.plan.budget(world.now);
    let mut turn = world.turn(true);
    assert_eq!(world.plan.budget(world.now), before + 200);
    for _ in 0..2 {
        let picked = world.pick(&mut turn);
        world.settle(&picked, Outcome::Failed { failed: &UNAVAILABLE, had: None });
        world.plan.failed(&mut turn, &UNAVAILABLE, room(3, None), world.now, &mut world.rng);
    }
    assert_eq!(world.plan.budget(world.now), before + 200 - 2000);
}
