//! A client's aperture: who is outside gets the calls of its keys, and no others.

use super::*;
use crate::policy::rendezvous::hash;

const SIZE: usize = 10;

/// A client of so many endpoints, each placed so.
fn client(number: u64, many: usize, place: impl Fn(usize) -> Placement) -> World {
    let config = Config::default();
    let named = |at: usize| {
        let hash = hash(format!("10.0.0.{at}:7000").as_bytes());
        Placement { hash, ..place(at) }
    };
    let mut placements: Vec<Placement> = (0..many).map(named).collect();
    ClientPlan::new(config, start()).draw_aperture(number, SIZE, &mut placements);
    World::placed(config, placements)
}

fn plain(_: usize) -> Placement {
    Placement::default()
}

fn inside(world: &World) -> usize {
    world.members.iter().filter(|member| member.placement().inside).count()
}

#[test]
fn calls_stay_in_the_aperture_also_when_most_of_it_is_out() {
    let mut world = client(1, 40, plain);
    assert_eq!(inside(&world), SIZE);
    for round in 0..2 {
        for _ in 0..500 {
            let mut turn = world.turn(true);
            let picked = world.pick(&mut turn);
            assert!(world.members[picked.at].placement().inside, "round {round}");
            world.now += MS;
            world.settle(&picked, Outcome::Answered);
        }
        let aperture = world.members.iter().take(SIZE - 1);
        aperture.for_each(|member| _ = member.set_out(Out::Unreachable, true, world.now));
    }
}

#[test]
fn a_key_finds_the_same_endpoint_in_every_client_inside_or_not() {
    let mut one = client(1, 40, plain);
    let mut other = client(2, 40, plain);
    let mut outside = 0;
    for user in 0..200_u64 {
        let key = Some(hash(&user.to_le_bytes()));
        let owner = |world: &mut World| {
            let mut turn = world.turn(true).with_key(key);
            let picked = world.pick(&mut turn);
            world.settle(&picked, Outcome::Answered);
            world.members[picked.at].placement()
        };
        let placement = owner(&mut one);
        assert_eq!(placement.hash, owner(&mut other).hash);
        outside += u32::from(!placement.inside);
    }
    assert!(outside > 100, "{outside}");
}

#[test]
fn a_label_and_a_zone_with_few_endpoints_have_their_share_all_the_same() {
    // Two of forty are far, and two are of the second label.
    let place = |at: usize| Placement {
        near: at != 0 && at != 1,
        subset: u8::from(at == 2 || at == 3),
        ..Placement::default()
    };
    for number in 0..20 {
        let world = client(number, 40, place);
        let many = |is: fn(&Placement) -> bool| {
            let placements = world.members.iter().map(|member| member.placement());
            placements.filter(|one| one.inside && is(one)).count()
        };
        assert_eq!([many(|one| !one.near), many(|one| one.subset == 1)], [2, 2]);
        assert_eq!(inside(&world), SIZE + 4);
    }
}

#[test]
fn half_of_the_aperture_may_be_out_for_failures_not_half_of_all() {
    let mut world = client(1, 100, plain);
    let mut most = 0;
    for _ in 0..20_000 {
        let mut turn = world.turn(true);
        let picked = world.pick(&mut turn);
        world.now += 5 * MS;
        let fails = Outcome::Failed { failed: &UNAVAILABLE, had: None };
        world.settle(&picked, if picked.at < SIZE - 2 { fails } else { Outcome::Answered });
        most = most.max(world.members.iter().filter(|member| member.is_open()).count());
    }
    assert_eq!(most, SIZE / 2);
}
