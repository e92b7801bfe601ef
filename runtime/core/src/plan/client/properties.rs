//! What holds of a plan whatever happens, in whatever order.

use super::{
    tests::{UNAVAILABLE, World},
    *,
};
use crate::{
    codes::{Code, Directive, Origin},
    rng::{SplitMix, below},
};

/// How many may be out of so many.
fn cap(endpoints: usize) -> usize {
    endpoints.div_ceil(2).min(endpoints - 1)
}

fn one_of<T: Copy>(of: &[T], rng: &mut SplitMix) -> T {
    of[below(rng, of.len() as u64) as usize]
}

/// Some failure, whichever.
fn any_failure(rng: &mut SplitMix) -> Failed {
    let wait = Duration::from_millis(below(rng, 100));
    let directives =
        [Directive::Default, Directive::RetryAfter(wait), Directive::RetryElsewhere(wait)];
    let dispositions =
        [Disposition::NotSent, Disposition::Rejected, Disposition::Unknown, Disposition::Processed];
    Failed {
        code: one_of(&[Code::Unavailable, Code::ResourceExhausted, Code::DataLoss], rng),
        reason: one_of(&[Reason::None, Reason::Draining], rng),
        disposition: one_of(&dispositions, rng),
        directive: one_of(&directives, rng),
        origin: one_of(&[Origin::PeerHandler, Origin::PeerRuntime, Origin::Relayed], rng),
    }
}

#[test]
fn under_any_interleaving_half_are_out_at_most() {
    for seed in 0..60 {
        let mut rng = SplitMix::new(seed);
        let endpoints = 1 + below(&mut rng, 12) as usize;
        let mut world = World::new(endpoints);
        let mut out: Vec<Picked> = Vec::new();
        for _ in 0..1500 {
            world.now += Duration::from_micros(below(&mut rng, 20_000));
            if below(&mut rng, 2) == 0 || out.is_empty() {
                let mut turn = world.turn(true);
                out.push(world.pick(&mut turn));
            } else {
                let picked = out.swap_remove(below(&mut rng, out.len() as u64) as usize);
                let bad = Outcome::Failed { failed: &UNAVAILABLE, had: None };
                let outcome =
                    one_of(&[bad, bad, bad, Outcome::Answered, Outcome::Abandoned], &mut rng);
                world.settle(&picked, outcome);
            }
            let ejected = world.members.iter().filter(|member| member.is_open()).count();
            assert!(ejected <= cap(endpoints), "seed {seed}: {ejected} of {endpoints}");
        }
    }
}

/// How gladly an endpoint is asked, as the documentation of `pick` says; the smallest first.
fn standing(world: &World, at: usize, tried: &[usize]) -> u32 {
    let member = &world.members[at];
    match member.out() {
        Some(Out::Draining) => 6,
        Some(Out::Unreachable) => 5,
        Some(Out::Silent) => 4,
        Some(Out::NotServing) => 3,
        None if member.is_open() && !world.plan.panics() => 2,
        None => u32::from(tried.contains(&at)),
    }
}

#[test]
fn nobody_is_picked_while_there_is_one_that_is_asked_more_gladly() {
    let outs = [Out::Draining, Out::Unreachable, Out::Silent, Out::NotServing];
    for seed in 0..200 {
        let mut rng = SplitMix::new(seed);
        let endpoints = 1 + below(&mut rng, 30) as usize;
        let mut world = World::new(endpoints);
        world.rng = SplitMix::new(seed);
        for _ in 0..30 {
            world.now += Duration::from_millis(below(&mut rng, 500));
            for _ in 0..endpoints {
                let at = below(&mut rng, endpoints as u64) as usize;
                let is = below(&mut rng, 4) > 0;
                world.members[at].set_out(one_of(&outs, &mut rng), is, world.now);
            }
            if below(&mut rng, 3) == 0 {
                let at = below(&mut rng, endpoints as u64) as usize;
                world.members[at].open(Cause::InARow, world.now, &mut rng);
            }
            world.plan.recount(&world.members);
            let (mut turn, mut tried) = (world.turn(true), Vec::new());
            for _ in 0..limits::ATTEMPTS {
                let before: Vec<_> =
                    (0..endpoints).map(|at| standing(&world, at, &tried)).collect();
                let picked = world.pick(&mut turn);
                let best = before.iter().min().unwrap();
                let found = (picked.at, before[picked.at]);
                // A probe finds out about one that is out; nobody else is asked in spite of it.
                assert!(
                    found.1 == *best || picked.ticket.is_probe() && found.1 == 2,
                    "seed {seed}: {found:?} of {before:?}"
                );
                world.settle(&picked, Outcome::Abandoned);
                tried.push(picked.at);
                turn.note_tried();
            }
        }
    }
}

#[test]
fn whatever_becomes_of_them_a_call_pays_once_and_sends_no_more_attempts_than_it_may() {
    for seed in 0..100 {
        let mut rng = SplitMix::new(seed);
        let endpoints = 1 + below(&mut rng, 6) as usize;
        let config = Config { stripes: 4, ..Config::default() };
        let mut world = World::with(config, endpoints);
        world.rng = SplitMix::new(seed);
        let mut expected = world.plan.budget(world.now);
        for call in 0..40 {
            let attempts = 1 + below(&mut rng, u64::from(limits::ATTEMPTS_MAX)) as u8;
            let idempotent = below(&mut rng, 3) > 0;
            let mut turn = world.plan.begin(call, attempts, idempotent, world.now);
            expected += 200;
            assert_eq!(world.plan.budget(world.now), expected, "seed {seed}: one deposit");
            let mut sent = 0;
            for _ in 0..100 {
                let picked = world.pick(&mut turn);
                let failed = any_failure(&mut rng);
                sent += u8::from(failed.disposition != Disposition::NotSent);
                assert!(sent <= attempts, "seed {seed}: {sent} of {attempts}");
                world.settle(&picked, Outcome::Failed { failed: &failed, had: None });
                let room = Room { endpoints, left: None };
                let verdict =
                    world.plan.failed(&mut turn, &failed, room, world.now, &mut world.rng);
                let left = world.plan.budget(world.now);
                assert!(left == expected || left + 1000 == expected, "seed {seed}: {left}");
                expected = left;
                if matches!(verdict, Verdict::GiveUp(_)) {
                    break;
                }
                let may_have_run =
                    matches!(failed.disposition, Disposition::Unknown | Disposition::Processed);
                assert!(idempotent || !may_have_run, "seed {seed}: {failed:?} again");
            }
        }
    }
}
