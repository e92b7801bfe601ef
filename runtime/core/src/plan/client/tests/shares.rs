//! Who gets which share of the calls: by weights, by zone, by label.

use super::*;

const BALANCERS: [Balance; 3] = [Balance::PeakEwma, Balance::LeastRequest, Balance::RoundRobin];

fn weighing(weight: f64) -> Placement {
    Placement { weight, ..Placement::default() }
}

fn in_zone(near: bool, many: usize) -> Vec<Placement> {
    vec![Placement { near, ..Placement::default() }; many]
}

fn labelled(subset: u8, many: usize) -> Vec<Placement> {
    vec![Placement { subset, ..Placement::default() }; many]
}

impl World {
    /// Calls with so many out at a time, each of 1 ms; how many went to each endpoint.
    fn shares(&mut self, calls: usize, out: usize) -> Vec<usize> {
        let mut hits = vec![0; self.members.len()];
        let mut at_work = std::collections::VecDeque::new();
        for _ in 0..calls {
            let mut turn = self.turn(false);
            let picked = self.pick(&mut turn);
            hits[picked.at] += 1;
            at_work.push_back(picked);
            self.now += MS / out as u32;
            if at_work.len() >= out
                && let Some(first) = at_work.pop_front()
            {
                self.settle(&first, Outcome::Answered);
            }
        }
        for picked in at_work {
            self.settle(&picked, Outcome::Answered);
        }
        hits
    }

    /// The share of calls that go to endpoints that are so.
    fn share(&mut self, is: impl Fn(&Member) -> bool) -> f64 {
        let hits = self.shares(20_000, 1);
        let of = self.members.iter().zip(&hits).filter(|(member, _)| is(member));
        of.map(|(_, hits)| *hits).sum::<usize>() as f64 / 20_000.0
    }

    /// So many of a part are out.
    fn sick(&self, part: usize, many: usize) {
        let of =
            self.members.iter().filter(|member| parts::number(member, &self.plan.config) == part);
        of.take(many).for_each(|member| _ = member.set_out(Out::Silent, true, self.now));
    }
}

/// One call after the other, and thirty at a time; few endpoints, of which a pick sees all, and many.
#[test]
fn every_balancer_goes_by_the_weights() {
    for balance in BALANCERS {
        for (weights, out) in [
            (vec![1.0, 2.0, 3.0, 2.0], 1),
            (vec![1.0, 2.0, 3.0, 2.0], 32),
            ([vec![1.0; 10], vec![4.0; 10]].concat(), 1),
            ([vec![1.0; 10], vec![4.0; 10]].concat(), 100),
        ] {
            let total: f64 = weights.iter().sum();
            let config = Config { balance, ..Config::default() };
            let mut world = World::placed(config, weights.iter().copied().map(weighing).collect());
            let calls = 40_000;
            let hits = world.shares(calls, out);
            for (had, weight) in hits.iter().zip(&weights) {
                let fair = weight / total * calls as f64;
                let off = (*had as f64 / fair - 1.0).abs();
                assert!(off < 0.2, "{balance:?}, {out} out, {weights:?}: {hits:?}");
            }
        }
    }
}

/// Whoever nobody has heard of is as good a choice as those that are known, for calls that cannot be repeated too.
#[test]
fn an_unknown_endpoint_is_found_out_at_once() {
    let mut world = World::with(Config::default(), 3);
    for at in [0, 1] {
        let known = world.members[at].admit(0, false, world.plan.moment(world.now)).unwrap();
        let sample = (breaker::Verdict::Success, Sample::Took);
        let at_end = world.plan.moment(world.now + MS / 10);
        world.members[at].settle(known, sample.0, sample.1, at_end);
    }
    world.now += MS;
    assert!(world.shares(60, 1)[2] > 5);
}

#[test]
fn round_robin_is_even_to_the_call_and_skips_who_cannot_be_asked() {
    let config = Config { balance: Balance::RoundRobin, ..Config::default() };
    let mut world = World::with(config, 5);
    assert_eq!(world.shares(1000, 3), [200; 5]);
    world.members[2].set_out(Out::Silent, true, world.now);
    assert_eq!(world.shares(1000, 3), [250, 250, 0, 250, 250]);
}

#[test]
fn a_zone_keeps_its_calls_while_it_is_well_and_gives_away_what_it_lacks() {
    for (sick, stays) in [(0, 1.0), (28, 1.0), (29, 0.994), (50, 0.7), (75, 0.35), (100, 0.0)] {
        let mut world =
            World::placed(Config::default(), [in_zone(true, 100), in_zone(false, 100)].concat());
        world.sick(0, sick);
        let share = world.share(Member::is_near);
        assert!((share - stays).abs() < 0.012, "{sick} of 100 are ill: {share}");
    }
}

#[test]
fn what_discovery_says_later_counts_too() {
    let mut world = World::with(Config::default(), 2);
    world.members[0].set_placement(weighing(3.0));
    let share = world.share(|member| member.id() == 1);
    assert!((share - 0.75).abs() < 0.03, "{share}");
    world.members[1].set_placement(in_zone(false, 1)[0]);
    assert_eq!(world.share(|member| member.id() == 1), 1.0);
}

#[test]
fn without_the_mechanism_zones_are_not_seen() {
    let config = Config { zones: false, ..Config::default() };
    let mut world = World::placed(config, [in_zone(true, 5), in_zone(false, 5)].concat());
    assert!((world.share(Member::is_near) - 0.5).abs() < 0.05);
}

#[test]
fn a_list_in_any_order_is_split_the_same() {
    let mut world =
        World::placed(Config::default(), [in_zone(true, 20), in_zone(false, 20)].concat());
    world.members.sort_by_key(|member| member.id() % 7);
    world.plan.recount(&world.members);
    world.sick(0, 10);
    assert!((world.share(Member::is_near) - 0.7).abs() < 0.015);
}

#[test]
fn what_is_published_of_another_list_sends_no_call_astray() {
    for balance in BALANCERS {
        let config = Config { balance, ..Config::default() };
        let mut world = World::placed(config, [in_zone(true, 9), in_zone(false, 9)].concat());
        world.sick(0, 6);
        assert!(world.shares(100, 1).iter().sum::<usize>() == 100);
        // Two that are far, where the far ones are said to begin at the tenth place.
        let mut few = world.members.split_off(16);
        std::mem::swap(&mut few, &mut world.members);
        for key in 0..100 {
            let mut turn = world.turn(true).with_key((key > 50).then_some(key));
            let picked = world.pick(&mut turn);
            world.settle(&picked, Outcome::Answered);
        }
    }
}

#[test]
fn a_call_leaves_its_zone_rather_than_go_to_where_it_failed() {
    let mut world =
        World::placed(Config::default(), [in_zone(true, 1), in_zone(false, 1)].concat());
    let mut turn = world.turn(true);
    assert_eq!(world.pick(&mut turn).at, 0);
    let lost = failed(Disposition::Unknown, Code::Unavailable);
    world.plan.failed(&mut turn, &lost, room(2, None), world.now, &mut world.rng);
    assert_eq!(world.pick(&mut turn).at, 1);
}

#[test]
fn endpoints_elsewhere_are_connected_before_they_are_needed() {
    let mut world =
        World::placed(Config::default(), [in_zone(true, 2), in_zone(false, 2)].concat());
    for at in [2, 3] {
        world.members[at].set_connected(false);
    }
    let named: Vec<usize> = (0..100)
        .filter_map(|_| {
            let mut turn = world.turn(true);
            let picked = world.pick(&mut turn);
            assert!(picked.at < 2);
            picked.cold
        })
        .collect();
    assert!(named.contains(&2) && named.contains(&3), "{named:?}");
}

#[test]
fn who_drains_is_not_missed_by_its_zone() {
    let mut world =
        World::placed(Config::default(), [in_zone(true, 2), in_zone(false, 2)].concat());
    world.members[0].set_out(Out::Draining, true, world.now);
    assert_eq!(world.share(Member::is_near), 1.0);
}

#[test]
fn a_zone_in_which_too_many_breakers_are_open_uses_all_if_nobody_else_can_help() {
    for (far_open, panics) in [(0, false), (3, true)] {
        let mut world =
            World::placed(Config::default(), [in_zone(true, 4), in_zone(false, 4)].concat());
        for at in (0..3).chain(4..4 + far_open) {
            world.members[at].open(Cause::InARow, world.now, &mut world.rng);
        }
        world.plan.recount(&world.members);
        assert_eq!(world.plan.panics(), panics);
        // At one moment: a second later each would be probed, and come back.
        let mut hits = [0; 8];
        for _ in 0..800 {
            let mut turn = world.turn(true);
            let picked = world.pick(&mut turn);
            hits[picked.at] += 1;
            world.settle(&picked, Outcome::Abandoned);
        }
        assert_eq!(hits[..3].iter().all(|hits| *hits > 60), panics, "{hits:?}");
        assert_eq!(hits[..3] == [0; 3], !panics, "{hits:?}");
    }
}

/// A split of 95 and 5, over three servers and one, and one without a label.
fn split() -> World {
    let mut subsets = [0.0; SUBSETS_MAX];
    (subsets[0], subsets[1]) = (95.0, 5.0);
    let placements = [labelled(0, 3), labelled(1, 1), labelled(2, 1)].concat();
    World::placed(Config { subsets, ..Config::default() }, placements)
}

#[test]
fn labels_have_their_share_however_many_endpoints_have_them() {
    let mut world = split();
    assert!((world.share(|member| member.subset() == 1) - 0.05).abs() < 0.01);
    assert_eq!(world.share(|member| member.subset() == 2), 0.0);
}

#[test]
fn where_nobody_of_a_label_is_well_the_others_have_its_share_and_those_without_one_come_last() {
    let mut world = split();
    world.sick(2, 1);
    assert_eq!(world.share(|member| member.subset() == 0), 1.0);
    world.sick(0, 3);
    assert_eq!(world.share(|member| member.subset() == 2), 1.0);
}

#[test]
fn a_share_holds_within_each_zone() {
    let mut subsets = [0.0; SUBSETS_MAX];
    (subsets[0], subsets[1]) = (1.0, 1.0);
    let place = |near, subset| Placement { near, subset, ..Placement::default() };
    let placements = vec![place(true, 0), place(false, 0), place(true, 1), place(false, 1)];
    let mut world = World::placed(Config { subsets, ..Config::default() }, placements);
    assert_eq!(world.share(Member::is_near), 1.0);
    assert!((world.share(|member| member.subset() == 0) - 0.5).abs() < 0.02);
    // The first label's near endpoint goes: its share is its far one's, not the other label's.
    world.sick(0, 1);
    assert!((world.share(Member::is_near) - 0.5).abs() < 0.02);
    assert!((world.share(|member| member.subset() == 0) - 0.5).abs() < 0.02);
}
