//! Many endpoints that others call too: what is looked at, and what stands in for what is not known.

use super::*;
use crate::limits::PICK_ALL_UP_TO;

/// Each has answered once, in 1 ms, and said that so many calls are at work there.
fn world(many: usize, at_work: impl Fn(usize) -> u32) -> World {
    let mut world = World::placed(Config::default(), vec![Placement::default(); many]);
    for _ in 0..2000 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        world.now += MS;
        world.members[picked.at].report(0, at_work(picked.at), world.now);
        world.settle(&picked, Outcome::Answered);
    }
    world
}

#[test]
fn what_is_not_known_does_not_look_idle() {
    let mut world = world(40, |_| 9);
    // Longer than a report counts.
    world.now += 2 * S;
    world.members[7].report(0, 2, world.now);
    let mut hits = vec![0; 40];
    for _ in 0..5 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        hits[picked.at] += 1;
    }
    assert!(
        hits[7] >= 1,
        "the one that says that it has little to do is looked at, and asked: {hits:?}"
    );
    assert!(hits[7] < 5, "what it said is used once, and then as any other's: {hits:?}");
}

#[test]
fn of_those_that_answered_last_who_has_less_to_do_is_asked() {
    let mut world = world(40, |at| if at < 20 { 2 } else { 20 });
    let mut idle = 0;
    for _ in 0..1000 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        idle += u32::from(picked.at < 20);
        world.now += MS;
        world.members[picked.at].report(0, if picked.at < 20 { 2 } else { 20 }, world.now);
        world.settle(&picked, Outcome::Answered);
    }
    assert!(idle > 950, "{idle} of 1000");
}

#[test]
fn nobody_is_forgotten_where_one_is_quicker_than_all_others() {
    let mut world = world(100, |_| 1);
    let mut hits = vec![0; 100];
    for _ in 0..12_000 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        hits[picked.at] += 1;
        world.now += if picked.at == 43 { MS / 10 } else { MS };
        world.members[picked.at].report(0, 1, world.now);
        world.settle(&picked, Outcome::Answered);
        world.now += 9 * MS;
    }
    let least = hits.iter().min().unwrap();
    assert!(*least >= 2 && hits[43] > 10_000, "in two minutes: {hits:?}");
}

#[test]
fn where_all_are_looked_at_nothing_that_was_heard_decides() {
    let mut world = world(PICK_ALL_UP_TO, |at| if at == 3 { 0 } else { 5 });
    let mut turn = world.turn(true);
    assert_eq!(world.pick(&mut turn).at, 3);
}
