//! Calls of a trace: their side of a split, and whether they are copied.

use super::*;
use crate::policy::rendezvous::of_trace;

/// Traces as somebody numbers them who does not draw them.
fn traces() -> impl Iterator<Item = u64> {
    (0..10_000_u128).map(|n| of_trace(n.to_be_bytes()))
}

/// Two endpoints of each label, with these weights.
fn split<const N: usize>(weights: [f64; N]) -> World {
    let placements =
        (0..2 * N).map(|at| Placement { subset: (at / 2) as u8, ..Placement::default() });
    World::placed(of(weights), placements.collect())
}

fn of<const N: usize>(weights: [f64; N]) -> Config {
    let mut subsets = [0.0; SUBSETS_MAX];
    subsets[..N].copy_from_slice(&weights);
    Config { subsets, ..Config::default() }
}

impl World {
    fn in_trace(&self, trace: u64) -> Turn {
        self.turn(true).with_trace(Some(trace))
    }

    /// The label that one call of a trace comes to.
    fn side(&mut self, trace: u64) -> usize {
        let mut turn = self.in_trace(trace);
        let picked = self.pick(&mut turn);
        self.settle(&picked, Outcome::Answered);
        self.members[picked.at].subset()
    }

    fn sides(&mut self) -> Vec<usize> {
        traces().map(|trace| self.side(trace)).collect()
    }

    fn weigh<const N: usize>(&mut self, weights: [f64; N]) {
        self.plan.configure(of(weights), &self.members, self.now);
    }
}

fn many(sides: &[usize], side: usize) -> usize {
    sides.iter().filter(|one| **one == side).count()
}

#[test]
fn traces_are_split_as_the_weights_say_and_all_calls_of_one_have_one_side() {
    let mut world = split([90.0, 10.0]);
    let first = world.sides();
    assert!((900..1100).contains(&many(&first, 1)), "{} of 10,000", many(&first, 1));
    // Another process, with another chance behind it.
    let mut other = split([90.0, 10.0]);
    other.rng = SplitMix::new(99);
    assert_eq!(other.sides(), first);
    assert_eq!(world.sides(), first);
}

#[test]
fn a_weight_that_is_moved_moves_only_the_traces_that_must_move() {
    let mut world = split([95.0, 5.0]);
    let before = world.sides();
    world.weigh([90.0, 10.0]);
    let after = world.sides();
    let moved: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    assert!(moved.iter().all(|sides| *sides == (&0, &1)), "somebody went back");
    assert!((400..600).contains(&moved.len()), "{} moved", moved.len());
    world.weigh([95.0, 5.0]);
    assert_eq!(world.sides(), before);
}

/// Of three, and where one of them is not well.
#[test]
fn the_sides_that_nobody_touched_keep_their_traces() {
    let mut world = split([60.0, 20.0, 20.0]);
    let before = world.sides();
    world.weigh([60.0, 20.0, 40.0]);
    for (before, after) in before.iter().zip(world.sides()) {
        assert!(*before == after || after == 2, "from {before} to {after}");
    }
    world.weigh([60.0, 20.0, 20.0]);
    world.members.iter().filter(|member| member.subset() == 0).for_each(|member| {
        member.set_out(Out::Silent, true, world.now);
    });
    let without = world.sides();
    for (before, after) in before.iter().zip(&without) {
        assert!(before == after || *before == 0, "from {before} to {after}");
    }
    // What it had goes to the others by their weights.
    assert!((4700..5300).contains(&many(&without, 1)), "{}", many(&without, 1));
}

#[test]
fn in_which_order_labels_are_written_makes_no_difference() {
    let mut world = split([90.0, 10.0]);
    let straight = world.sides();
    let mut config = of([10.0, 90.0]);
    config.labels.swap(0, 1);
    let place = |at: usize| Placement { subset: u8::from(at < 2), ..Placement::default() };
    let mut turned = World::placed(config, (0..4).map(place).collect());
    let turned: Vec<_> = turned.sides().into_iter().map(|side| 1 - side).collect();
    assert_eq!(turned, straight);
}

/// With a trace and without: attempts that follow stay as long as somebody is there who has not been asked.
#[test]
fn a_retry_stays_on_its_side_until_everybody_there_was_asked() {
    let mut world = split([50.0, 50.0]);
    for trace in traces().take(200).map(Some).chain([None; 200]) {
        let mut turn = world.turn(true).with_trace(trace);
        let mut sides = Vec::new();
        for _ in 0..3 {
            let picked = world.pick(&mut turn);
            sides.push(world.members[picked.at].subset());
            world.settle(&picked, Outcome::Abandoned);
            let (room, now) = (room(4, None), world.now);
            let _ = world.plan.failed(&mut turn, &UNAVAILABLE, room, now, &mut world.rng);
            world.now += S;
        }
        let first = sides[0];
        assert_eq!(sides, [first, first, 1 - first], "{trace:?}");
    }
}

#[test]
fn a_trace_waits_for_a_connection_to_its_side_and_a_call_without_one_does_not() {
    let mut world = split([50.0, 50.0]);
    let traces: Vec<u64> = traces().take(200).collect();
    let sides: Vec<usize> = traces.iter().map(|trace| world.side(*trace)).collect();
    let of_second = |member: &&Arc<Member>| member.subset() == 1;
    world.members.iter().filter(of_second).for_each(|member| member.set_connected(false));
    for (trace, side) in traces.iter().zip(&sides) {
        assert_eq!(world.side(*trace), *side);
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        assert_eq!(world.members[picked.at].subset(), 0);
        world.settle(&picked, Outcome::Answered);
    }
    // Where none can be had, it goes where one can.
    world.members.iter().filter(of_second).for_each(|member| {
        member.set_out(Out::Unreachable, true, world.now);
    });
    assert!(traces.iter().all(|trace| world.side(*trace) == 0));
}

#[test]
fn a_call_that_finds_nobody_in_its_zone_stays_on_its_side() {
    let place = |near, subset| Placement { near, subset, ..Placement::default() };
    let placements = vec![place(true, 0), place(false, 0), place(true, 1), place(false, 1)];
    let mut world = World::placed(of([50.0, 50.0]), placements);
    for trace in traces().take(200) {
        let mut turn = world.in_trace(trace);
        let first = world.pick(&mut turn);
        world.settle(&first, Outcome::Abandoned);
        let (room, now) = (room(4, None), world.now);
        let _ = world.plan.failed(&mut turn, &UNAVAILABLE, room, now, &mut world.rng);
        let second = world.pick(&mut turn);
        world.settle(&second, Outcome::Abandoned);
        let [first, second] = [first, second].map(|picked| &world.members[picked.at]);
        assert_eq!(first.subset(), second.subset());
        assert!(first.is_near() && !second.is_near());
        world.now += S;
    }
}

#[test]
fn a_trace_is_copied_whole_or_not_at_all_and_as_often_as_is_said() {
    let mut world = split([90.0, 10.0]);
    let copied = |world: &mut World, share| -> Vec<bool> {
        let one = |trace| world.in_trace(trace).is_mirrored(share, &mut world.rng.clone());
        traces().map(one).collect()
    };
    let many = |copied: &[bool]| copied.iter().filter(|one| **one).count();
    let tenth = copied(&mut world, 0.1);
    assert!((900..1100).contains(&many(&tenth)), "{}", many(&tenth));
    world.rng = SplitMix::new(7);
    assert_eq!(copied(&mut world, 0.1), tenth);
    let fifth = copied(&mut world, 0.2);
    assert!(tenth.iter().zip(&fifth).all(|(tenth, fifth)| *fifth || !*tenth), "one fell out");
    assert_eq!([0.0, 1.0].map(|share| many(&copied(&mut world, share))), [0, 10_000]);
    // Which are copied says nothing of their side.
    let sides = world.sides();
    let both = sides.iter().zip(&tenth).filter(|(side, copied)| **side == 1 && **copied).count();
    assert!((50..150).contains(&both), "{both}");
    let mut rng = SplitMix::new(3);
    let drawn = (0..10_000).filter(|_| world.turn(true).is_mirrored(0.1, &mut rng)).count();
    assert!((900..1100).contains(&drawn), "{drawn}");
}

#[test]
fn a_copy_goes_to_the_label_if_it_can_be_had_at_once_and_nobody_has_too_much_to_do() {
    let mut world = split([1.0, 0.0]);
    let mut turn = world.turn(true);
    let picked = world.pick(&mut turn);
    let has = |subset: usize| move |member: &Arc<Member>| member.subset() == subset;
    let copy = |world: &mut World, turn: &Turn, subset, busy| {
        let now = world.now;
        world.plan.mirror(&world.members, has(subset), (turn, busy), now, &mut world.rng)
    };
    let mut hits = [0; 4];
    for _ in 0..100 {
        hits[copy(&mut world, &turn, 1, false).unwrap()] += 1;
    }
    assert!(hits[..2] == [0, 0] && hits[2] > 20 && hits[3] > 20, "{hits:?}");
    assert_eq!(copy(&mut world, &turn, 1, true), Err(Unmirrored::Overloaded));
    assert_eq!(copy(&mut world, &turn, 0, false), Err(Unmirrored::There));
    assert_eq!(copy(&mut world, &turn, 2, false), Err(Unmirrored::NoEndpoint));
    world.members[2].set_connected(false);
    world.members[3].set_out(Out::Silent, true, world.now);
    assert_eq!(copy(&mut world, &turn, 1, false), Err(Unmirrored::NoEndpoint));
    world.members[2].set_connected(true);
    assert_eq!(copy(&mut world, &turn, 1, false), Ok(2));
    // One refusal for load, of anybody.
    let refused = Failed {
        origin: Origin::PeerRuntime,
        ..failed(Disposition::Rejected, Code::ResourceExhausted)
    };
    world.settle(&picked, Outcome::Failed { failed: &refused, had: None });
    assert_eq!(copy(&mut world, &turn, 1, false), Err(Unmirrored::Overloaded));
}

#[test]
fn nothing_is_copied_while_a_server_sheds() {
    let world = &mut split([1.0, 0.0]);
    let mut turn = world.turn(true);
    let picked = world.pick(&mut turn);
    let cut = cut::told(400);
    world.members[picked.at].note_cut(cut, world.now);
    let has = |member: &Arc<Member>| member.subset() == 1;
    let copy = world.plan.mirror(&world.members, has, (&turn, false), world.now, &mut world.rng);
    assert_eq!(copy, Err(Unmirrored::Overloaded));
    world.now += S;
    let copy = world.plan.mirror(&world.members, has, (&turn, false), world.now, &mut world.rng);
    assert!(copy.is_ok(), "it is believed for a moment");
}
