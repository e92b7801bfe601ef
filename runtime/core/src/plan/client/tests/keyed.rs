//! Calls that have a key: each key at its endpoint, unless that is out or has too much to do.

use super::*;
use crate::{limits::KEY_FREE, policy::rendezvous::hash};

fn named(at: usize, weight: f64) -> Placement {
    let hash = hash(format!("10.0.0.{at}:7000").as_bytes());
    Placement { weight, hash, ..Placement::default() }
}

fn key(user: u64) -> u64 {
    hash(&user.to_le_bytes())
}

impl World {
    fn keyed(weights: &[f64]) -> Self {
        let placements = weights.iter().enumerate().map(|(at, weight)| named(at, *weight));
        Self::placed(Config::default(), placements.collect())
    }

    fn keyed_turn(&self, user: u64) -> Turn {
        self.turn(true).with_key(Some(key(user)))
    }

    /// Where a key is when nothing else is out; by the endpoint's hash.
    fn owner(&mut self, user: u64) -> u64 {
        let mut turn = self.keyed_turn(user);
        let picked = self.pick(&mut turn);
        self.settle(&picked, Outcome::Answered);
        self.members[picked.at].hash()
    }
}

#[test]
fn two_clients_that_know_the_same_endpoints_agree_in_whatever_order_and_zone_they_have_them() {
    let mut one = World::keyed(&[1.0; 7]);
    let mut other = World::placed(
        Config::default(),
        (0..7).rev().map(|at| Placement { near: at % 2 == 0, ..named(at, 1.0) }).collect(),
    );
    for user in 0..500 {
        assert_eq!(one.owner(user), other.owner(user));
    }
}

#[test]
fn when_an_endpoint_goes_only_its_keys_move() {
    for out in [Out::Draining, Out::Unreachable, Out::Silent] {
        let mut world = World::keyed(&[1.0; 10]);
        let before: Vec<u64> = (0..2000).map(|user| world.owner(user)).collect();
        let gone = world.members[3].hash();
        world.members[3].set_out(out, true, world.now);
        let mut moved = 0;
        for (user, before) in before.iter().enumerate() {
            let after = world.owner(user as u64);
            assert!((*before == gone) == (after != *before), "{before} to {after}");
            moved += usize::from(after != *before);
        }
        assert!((120..280).contains(&moved), "{moved} of 2000");
    }
}

#[test]
fn keys_are_shared_out_by_weight() {
    let weights = [1.0, 2.0, 5.0];
    let mut world = World::keyed(&weights);
    let owners: Vec<u64> = (0..8000).map(|user| world.owner(user)).collect();
    for (at, weight) in weights.into_iter().enumerate() {
        let has = owners.iter().filter(|owner| **owner == named(at, weight).hash).count();
        assert!((has as f64 / 8000.0 - weight / 8.0).abs() < 0.02, "{weight}: {has}");
    }
}

/// However the calls of however few keys come and end, nobody has more than a quarter above its share.
#[test]
fn nobody_is_overrun_by_the_calls_of_one_key() {
    for seed in 0..30 {
        let mut rng = SplitMix::new(seed);
        let weights: Vec<f64> =
            (0..2 + below(&mut rng, 10)).map(|_| 1.0 + below(&mut rng, 3) as f64).collect();
        let total_weight: f64 = weights.iter().sum();
        let users = 1 + below(&mut rng, 4);
        let mut world = World::keyed(&weights);
        let mut out: Vec<Picked> = Vec::new();
        let mut passed = false;
        for _ in 0..2000 {
            if below(&mut rng, 100) < 55 || out.is_empty() {
                let mut turn = world.keyed_turn(below(&mut rng, users));
                let picked = world.pick(&mut turn);
                let member = &world.members[picked.at];
                let share = member.weight() / total_weight;
                let fair = (share * (out.len() + 1) as f64 * 1.25).ceil() as u32;
                let most = fair.max(KEY_FREE);
                assert!(
                    member.view(world.now).at_work <= most,
                    "seed {seed}: {} of {most}",
                    member.view(world.now).at_work
                );
                passed |= member.view(world.now).at_work > KEY_FREE;
                out.push(picked);
            } else {
                let ended = out.swap_remove(below(&mut rng, out.len() as u64) as usize);
                world.settle(&ended, Outcome::Answered);
            }
        }
        assert!(passed, "seed {seed}: there was never much to do");
    }
}

#[test]
fn without_the_bound_one_key_stays_where_it_is() {
    let mut world = World::keyed(&[1.0; 4]);
    world.plan.config.bounded = false;
    let mut places = Vec::new();
    for _ in 0..200 {
        let mut turn = world.keyed_turn(7);
        places.push(world.pick(&mut turn).at);
    }
    places.dedup();
    assert_eq!(places.len(), 1);
}

#[test]
fn a_key_goes_on_in_the_order_of_scores_when_attempts_fail() {
    let mut world = World::keyed(&[1.0; 5]);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    for user in 0..100 {
        world.now += 10 * S;
        let mut order: Vec<(f64, usize)> = (world.members.iter().enumerate())
            .map(|(at, of)| (crate::policy::rendezvous::score(key(user), of.hash(), 1.0), at))
            .collect();
        order.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut turn = world.keyed_turn(user);
        for (_, expected) in &order[..3] {
            let picked = world.pick(&mut turn);
            assert_eq!(picked.at, *expected);
            world.settle(&picked, Outcome::Abandoned);
            world.plan.failed(&mut turn, &lost, room(5, None), world.now, &mut world.rng);
        }
    }
}

#[test]
fn an_open_breaker_sends_its_keys_on_and_is_probed_by_one_of_them() {
    let mut world = World::keyed(&[1.0; 3]);
    let ill = Arc::clone(&world.members[1]);
    let of_it: Vec<u64> = (0..60).filter(|user| world.owner(*user) == ill.hash()).collect();
    let of_others: Vec<u64> = (0..60).filter(|user| !of_it.contains(user)).collect();
    let until = ill.open(Cause::InARow, world.now, &mut world.rng);
    world.plan.recount(&world.members);
    for user in &of_it {
        assert_ne!(world.owner(*user), ill.hash());
    }
    world.now = until + 2 * MS;
    for user in &of_others {
        assert_ne!(world.owner(*user), ill.hash(), "a probe is due, and not this key's to make");
    }
    let mut turn = world.keyed_turn(of_it[0]);
    let probe = world.pick(&mut turn);
    assert!(probe.ticket.is_probe());
    assert_ne!(world.owner(of_it[1]), ill.hash(), "one probe at a time");
    world.settle(&probe, Outcome::Answered);
    assert_eq!(world.owner(of_it[1]), ill.hash());
}

#[test]
fn a_key_waits_for_the_connection_of_its_endpoint() {
    let mut world = World::keyed(&[1.0; 3]);
    let owner = world.owner(5);
    let member = world.members.iter().find(|member| member.hash() == owner).unwrap();
    member.set_connected(false);
    assert_eq!(world.owner(5), owner);
}

#[test]
fn an_endpoint_out_of_reach_is_tried_again_beside_the_calls_of_its_keys() {
    let mut world = World::keyed(&[1.0; 4]);
    let mut gone = Vec::new();
    for at in [0, 2] {
        world.members[at].set_connected(false);
        world.members[at].set_out(Out::Unreachable, true, world.now);
    }
    for user in 0..100 {
        let mut turn = world.keyed_turn(user);
        let picked = world.pick(&mut turn);
        assert!(picked.at % 2 == 1);
        gone.extend(picked.cold);
    }
    assert!(gone.contains(&0) && gone.contains(&2), "{gone:?}");
}

#[test]
fn where_no_endpoint_can_be_asked_the_best_of_them_is() {
    let mut world = World::keyed(&[1.0; 2]);
    world.members[0].set_out(Out::Unreachable, true, world.now);
    world.members[1].set_out(Out::Silent, true, world.now);
    let mut turn = world.keyed_turn(1);
    assert_eq!(world.pick(&mut turn).at, 1);
}

#[test]
fn a_key_keeps_its_side_of_a_split() {
    let mut subsets = [0.0; SUBSETS_MAX];
    (subsets[0], subsets[1]) = (80.0, 20.0);
    let place = |at: usize| Placement { subset: u8::from(at > 2), ..named(at, 1.0) };
    let config = Config { subsets, ..Config::default() };
    let mut world = World::placed(config, (0..5).map(place).collect());
    let new: Vec<u64> = (3..5).map(|at| named(at, 1.0).hash).collect();
    let at_new: Vec<u64> = (0..5000).filter(|user| new.contains(&world.owner(*user))).collect();
    assert!((850..1150).contains(&at_new.len()), "{}", at_new.len());
    assert!(at_new.iter().all(|user| new.contains(&world.owner(*user))));
    // More of it only moves keys to it.
    (world.plan.config.subsets[0], world.plan.config.subsets[1]) = (50.0, 50.0);
    world.plan.recount(&world.members);
    let still = at_new.iter().filter(|user| new.contains(&world.owner(**user))).count();
    assert_eq!(still, at_new.len());
}
