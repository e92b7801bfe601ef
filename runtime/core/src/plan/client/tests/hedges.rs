//! Which slow calls get a second attempt, and what that costs.

use super::*;

/// A client that knows its endpoints, and whose method has earned ten hedges.
fn known(endpoints: usize) -> World {
    let mut world = World::new(endpoints);
    for _ in 0..200 {
        world.call(true, |_| true);
        let hedging = world.plan.hedge_admit(1, After::Delay(MS), world.now);
        world.plan.hedge_settle(hedging, End::First, world.now + MS);
    }
    world
}

/// A call that has waited for its first attempt as long as it was told to: where it is, and where the second goes.
fn slow(world: &mut World, turn: &mut Turn, left: Duration) -> (usize, Result<usize, Unhedged>) {
    let first = world.pick(turn).at;
    let mut hedging = world.plan.hedge_admit(1, After::Delay(10 * MS), world.now);
    world.now += 10 * MS;
    let call = (turn, &mut hedging);
    let second = world.plan.hedge_wake(&world.members, call, Some(left), world.now, &mut world.rng);
    (first, second.map(|picked| picked.at))
}

#[test]
fn a_hedge_goes_elsewhere_and_is_paid_once_from_both_budgets() {
    for seed in 0..50 {
        let mut world = known(3);
        world.rng = SplitMix::new(seed);
        let mut turn = world.turn(true);
        let before = world.plan.budget(world.now);
        let (first, second) = slow(&mut world, &mut turn, S);
        assert_ne!(first, second.unwrap());
        assert_eq!(world.plan.budget(world.now), before - 1000);
        assert_eq!(world.plan.hedge_counts().sent, 1);
        assert_eq!(turn.attempts_left, limits::ATTEMPTS - 1);
        // What follows when both have failed is the third attempt, at the third endpoint.
        let lost = failed(Disposition::Unknown, Code::Unavailable);
        let verdict = world.plan.failed(&mut turn, &lost, room(3, None), world.now, &mut world.rng);
        assert!(!matches!(verdict, Verdict::GiveUp(_)), "{verdict:?}");
        let third = world.pick(&mut turn).at;
        assert!(third != first && Ok(third) != second);
        let verdict = world.plan.failed(&mut turn, &lost, room(3, None), world.now, &mut world.rng);
        assert_eq!(verdict, Verdict::GiveUp(Why::NoAttempts));
    }
}

#[test]
fn what_was_not_sent_is_as_if_it_had_not_been_decided() {
    let mut world = known(3);
    let mut turn = world.turn(true);
    let first = world.pick(&mut turn);
    let mut hedging = world.plan.hedge_admit(1, After::Delay(MS), world.now);
    world.now += MS;
    let (before, budget) = (turn.clone(), world.plan.budget(world.now));
    let call = (&mut turn, &mut hedging);
    world.plan.hedge_wake(&world.members, call, None, world.now, &mut world.rng).unwrap();
    world.plan.hedge_unsent(&mut turn, &mut hedging, world.now);
    assert_eq!(world.plan.budget(world.now), budget);
    assert_eq!(world.plan.hedge_counts().sent, 0);
    assert_eq!(
        (turn.attempts_left, turn.past, turn.tried, turn.at),
        (before.attempts_left, before.past, before.tried, world.members[first.at].id())
    );
    // There is no second try.
    let call = (&mut turn, &mut hedging);
    let again = world.plan.hedge_wake(&world.members, call, None, world.now, &mut world.rng);
    assert_eq!(again.map(|picked| picked.at), Err(Unhedged::NotNow));
}

/// Spoils something of a world; whether the call may run twice, its attempts, and the time that it has.
type Spoil = fn(&mut World) -> (bool, u8, Duration);

const FINE: (bool, u8, Duration) = (true, 3, S);

fn reasons() -> [(&'static str, Spoil); 11] {
    [
        ("nothing", |_| FINE),
        ("not idempotent", |_| (false, 3, S)),
        ("no attempts", |_| (true, 1, S)),
        ("no time", |_| (true, 3, limits::SEND_MIN)),
        ("a breaker is open", |world| {
            world.members[2].open(Cause::InARow, world.now, &mut world.rng);
            FINE
        }),
        ("the others are silent", |world| {
            let now = world.now;
            world.members[1..].iter().for_each(|other| _ = other.set_out(Out::Silent, true, now));
            FINE
        }),
        ("the others have no connection", |world| {
            world.members[1..].iter().for_each(|other| other.set_connected(false));
            FINE
        }),
        ("servers refuse", |world| {
            for _ in 0..200 {
                world.plan.throttle_settle(
                    ThrottleEffect::Refused,
                    Criticality::Critical,
                    world.now,
                );
            }
            // One a second goes in any case.
            world.plan.throttle(Criticality::Critical, world.now, &mut world.rng);
            world.rng = SplitMix::new(3);
            FINE
        }),
        ("the method has had its share", |world| {
            let now = world.now;
            loop {
                let mut turn = world.turn(true);
                let (_, second) = slow(world, &mut turn, S);
                world.now = now;
                if second.is_err() {
                    return FINE;
                }
            }
        }),
        ("the budget is not half full", |world| {
            let full = world.plan.budget(world.now);
            while world.plan.budget(world.now) * 2 >= full {
                assert!(world.plan.withdraw(Purpose::Any, world.now));
            }
            FINE
        }),
        ("nobody else is there", |world| {
            world.members.truncate(1);
            FINE
        }),
    ]
}

#[test]
fn each_reason_not_to_hedge_is_one_alone() {
    let table: Vec<String> = reasons()
        .iter()
        .map(|(name, spoil)| {
            let mut world = known(3);
            // The first attempt goes to the first endpoint.
            world.members[1..].iter().for_each(|other| other.report(0, 100, world.now));
            let (idempotent, attempts, left) = spoil(&mut world);
            let mut turn = world.plan.begin(0, attempts, idempotent, world.now);
            let (first, second) = slow(&mut world, &mut turn, left);
            assert_eq!(first, 0, "{name}");
            format!("{name}: {:?}", second.map(|_| ()))
        })
        .collect();
    assert_eq!(
        table,
        [
            "nothing: Ok(())",
            "not idempotent: Err(NoAttempts)",
            "no attempts: Err(NoAttempts)",
            "no time: Err(NoTime)",
            "a breaker is open: Err(BreakerOpen)",
            "the others are silent: Err(NoEndpoint)",
            "the others have no connection: Err(NoEndpoint)",
            "servers refuse: Err(HeldBack)",
            "the method has had its share: Err(NotEarned)",
            "the budget is not half full: Err(NoBudget)",
            "nobody else is there: Err(NoEndpoint)",
        ]
    );
}

#[test]
fn hedges_and_retries_together_are_bounded_by_one_budget() {
    let mut world = known(3);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    let before = world.plan.budget(world.now);
    let (mut extra, calls) = (0, 2000);
    for _ in 0..calls {
        let mut turn = world.turn(true);
        let (_, second) = slow(&mut world, &mut turn, S);
        world.now -= 10 * MS;
        extra += u64::from(second.is_ok());
        while !matches!(
            world.plan.failed(&mut turn, &lost, room(3, None), world.now, &mut world.rng),
            Verdict::GiveUp(_)
        ) {
            extra += 1;
        }
    }
    assert!(extra * 1000 <= before + calls * 200, "{extra}");
    assert!(extra * 1000 + 1000 > before + calls * 200, "all of it is used: {extra}");
}

#[test]
fn an_answer_of_the_service_is_the_answer_and_a_fault_is_not() {
    let answers: Vec<Code> = Code::ALL
        .into_iter()
        .filter(|code| is_answer(&failed(Disposition::Processed, *code)))
        .collect();
    for code in [
        Code::Unavailable,
        Code::DataLoss,
        Code::Internal,
        Code::ResourceExhausted,
        Code::DeadlineExceeded,
        Code::Cancelled,
    ] {
        assert!(!answers.contains(&code), "{code}");
    }
    assert!(answers.contains(&Code::NotFound) && answers.contains(&Code::PermissionDenied));
    for disposition in [Disposition::NotSent, Disposition::Rejected] {
        assert!(!is_answer(&failed(disposition, Code::Unavailable)));
    }
}
