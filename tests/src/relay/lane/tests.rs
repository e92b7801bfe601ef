//! Tests of decisions: shares, bursts, order, rate and repetition, in virtual time.

use std::time::Duration;

use super::{Counts, Delivery, Lane};
use crate::{
    relay::{Burst, Conditions},
    wait::ms,
};

const SEED: u64 = 7;

/// Packets of this many bytes.
const LEN: usize = 1_000;

/// What becomes of `count` packets that come a millisecond apart.
fn run(lane: &mut Lane, count: u64) -> Vec<Vec<Delivery>> {
    (0..count).map(|at| lane.decide(ms(at), LEN).collect()).collect()
}

fn lane(conditions: Conditions) -> Lane {
    Lane::new(conditions, SEED)
}

#[track_caller]
fn assert_near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < wanted / 10.0, "{found}, where {wanted} is wanted");
}

/// Lengths of the runs of packets of which nothing arrived.
fn gaps(outcomes: &[Vec<Delivery>]) -> Vec<usize> {
    let runs = outcomes.chunk_by(|one, next| one.is_empty() == next.is_empty());
    runs.filter(|run| run[0].is_empty()).map(<[_]>::len).collect()
}

#[test]
fn a_perfect_line_delivers_everything_at_once() {
    let mut lane = lane(Conditions::perfect());
    for (at, outcome) in (0..).zip(run(&mut lane, 100)) {
        assert_eq!(outcome, [Delivery { at: ms(at), flip: None }]);
    }
    assert_eq!(lane.counts(), Counts { received: 100, ..Counts::default() });
}

#[test]
fn each_share_is_the_share_that_was_set() {
    let conditions = Conditions::perfect().loss(0.02).duplicate(0.03).reorder(0.05).corrupt(0.04);
    let mut lane = lane(conditions);
    let deliveries = run(&mut lane, 100_000).concat();
    let Counts { received, lost, duplicated, reordered, corrupted, .. } = lane.counts();
    assert_eq!(received, 100_000);
    assert_near(lost as f64, 2_000.0);
    let arriving = 98_000.0;
    assert_near(duplicated as f64, 0.03 * arriving);
    assert_near(reordered as f64, 0.05 * arriving * 1.03);
    assert_near(corrupted as f64, 0.04 * arriving * 1.03);
    assert_eq!(deliveries.len() as u64, received - lost + duplicated);
    assert_eq!(deliveries.iter().filter(|one| one.flip.is_some()).count() as u64, corrupted);
}

#[test]
fn a_share_of_one_is_every_packet_and_of_zero_none() {
    let mut all = lane(Conditions::perfect().loss(1.0));
    assert!(run(&mut all, 1_000).concat().is_empty());
    let mut twice = lane(Conditions::perfect().duplicate(1.0).corrupt(1.0).loss(0.0));
    assert_eq!(run(&mut twice, 1_000).concat().len(), 2_000);
    assert_eq!(twice.counts().corrupted, 2_000);
}

#[test]
fn bursts_are_as_long_and_as_frequent_as_their_chances_say() {
    let burst = Burst { enter: 0.01, leave: 0.25, loss: 1.0 };
    let outcomes = run(&mut lane(Conditions::perfect().burst(burst)), 200_000);
    let gaps = gaps(&outcomes);
    let lost: usize = gaps.iter().sum();
    assert_near(lost as f64 / gaps.len() as f64, 4.0);
    assert_near(lost as f64 / 200_000.0, 0.01 / (0.01 + 0.25));
    assert!(gaps.iter().any(|gap| *gap > 10), "no long one: {gaps:?}");
}

#[test]
fn a_bad_time_may_lose_only_a_share() {
    let burst = Burst { enter: 1.0, leave: 0.0, loss: 0.3 };
    let mut lane = lane(Conditions::perfect().burst(burst));
    run(&mut lane, 50_000);
    assert_near(lane.counts().lost as f64, 15_000.0);
}

#[test]
fn order_is_kept_without_jitter() {
    let mut lane = lane(Conditions::perfect().delay(ms(20)).loss(0.1).rate(100_000));
    let deliveries = run(&mut lane, 1_000).concat();
    assert!(deliveries.is_sorted_by_key(|one| one.at));
    lane.set(Conditions::perfect().delay(ms(20)));
    let next = lane.decide(ms(1_000), LEN).next();
    assert!(next.map(|one| one.at) >= deliveries.last().map(|one| one.at), "the line was busy");
}

#[test]
fn jitter_is_spread_over_its_range_and_is_never_below_zero() {
    let (delay, jitter) = (ms(20), ms(5));
    let mut near = lane(Conditions::perfect().delay(delay).jitter(jitter));
    let delays = |lane: &mut Lane| -> Vec<Duration> {
        (0..10_000)
            .filter_map(|_| lane.decide(ms(100), LEN).next())
            .map(|one| one.at - ms(100))
            .collect()
    };
    let spread = delays(&mut near);
    assert!(spread.iter().all(|one| (delay - jitter..=delay + jitter).contains(one)));
    assert_near(spread.iter().sum::<Duration>().as_secs_f64() / 10_000.0, 0.02);
    assert!(!spread.is_sorted());
    let mut wide = lane(Conditions::perfect().delay(ms(1)).jitter(ms(3)));
    let spread = delays(&mut wide);
    // From -2 to 4 ms: a third would be below zero.
    assert_near(spread.iter().filter(|one| one.is_zero()).count() as f64, 3_333.0);
}

#[test]
fn what_is_held_back_is_overtaken() {
    let mut lane = lane(Conditions::perfect().delay(ms(2)).reorder(0.1).reorder_by(ms(7)));
    let mut held = 0;
    for (at, outcome) in (0..).zip(run(&mut lane, 1_000)) {
        let took = outcome[0].at - ms(at);
        assert!(took == ms(2) || took == ms(9), "{took:?}");
        held += u64::from(took == ms(9));
    }
    assert_eq!(lane.counts().reordered, held);
    assert!(held > 50);
}

#[test]
fn a_rate_lets_so_much_through_and_its_queue_holds_so_much() {
    // 10 packets a second, and 5 of them may wait.
    let mut lane = lane(Conditions::perfect().rate(10 * LEN as u64).queue(5 * LEN));
    let at_once: Vec<_> = (0..20).flat_map(|_| lane.decide(ms(0), LEN)).map(|one| one.at).collect();
    assert_eq!(at_once, [100, 200, 300, 400, 500].map(ms));
    assert_eq!(lane.counts().dropped_by_rate, 15);
    // Half of what waits has gone by then.
    let later: Vec<_> = (0..20).flat_map(|_| lane.decide(ms(300), LEN)).map(|one| one.at).collect();
    assert_eq!(later, [600, 700, 800].map(ms));
    let idle = lane.decide(ms(5_000), LEN).next();
    assert_eq!(idle.map(|one| one.at), Some(ms(5_100)));
}

#[test]
fn a_packet_larger_than_the_queue_passes_an_idle_line() {
    let mut lane = lane(Conditions::perfect().rate(1_000_000).queue(0));
    assert_eq!(lane.decide(ms(0), 65_000).next().map(|one| one.at), Some(ms(65)));
    assert_eq!(lane.decide(ms(64), 1).count(), 0);
    assert_eq!(lane.decide(ms(65), 65_000).count(), 1);
}

#[test]
fn both_of_a_pair_use_the_line() {
    let mut lane = lane(Conditions::perfect().duplicate(1.0).rate(1_000_000).queue(2 * LEN));
    let pair: Vec<_> = lane.decide(ms(0), LEN).map(|one| one.at).collect();
    assert_eq!(pair, [ms(1), ms(2)]);
    assert_eq!(lane.decide(ms(0), LEN).count(), 0, "no room");
    let Counts { received, duplicated, dropped_by_rate, .. } = lane.counts();
    assert_eq!((received, duplicated, dropped_by_rate), (2, 2, 2));
}

#[test]
fn a_seed_repeats_every_decision_and_another_one_does_not() {
    let burst = Burst { enter: 0.05, leave: 0.3, loss: 0.5 };
    let conditions = Conditions::perfect()
        .delay(ms(20))
        .jitter(ms(5))
        .loss(0.02)
        .burst(burst)
        .reorder(0.1)
        .duplicate(0.1)
        .corrupt(0.1)
        .rate(500_000);
    let of = |seed| run(&mut Lane::new(conditions, seed), 10_000);
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn one_condition_does_not_change_what_the_others_decide() {
    let damaged = |conditions| {
        let outcomes = run(&mut lane(conditions), 5_000);
        outcomes.into_iter().map(|outcome| Some(outcome.first()?.flip)).collect::<Vec<_>>()
    };
    let alone = damaged(Conditions::perfect().corrupt(0.2));
    let beside = damaged(Conditions::perfect().corrupt(0.2).loss(0.3).jitter(ms(3)).duplicate(0.5));
    assert!(beside.iter().any(Option::is_none), "none is lost");
    let differ = alone.iter().zip(&beside).filter(|(one, other)| other.is_some() && one != other);
    assert_eq!(differ.count(), 0);
}

#[test]
fn a_blackhole_takes_everything_and_what_comes_after_it_is_unchanged() {
    let conditions = Conditions::perfect().loss(0.5);
    let undisturbed = run(&mut lane(conditions), 300);
    let mut lane = lane(conditions);
    let before = run(&mut lane, 100);
    lane.set(conditions.blackhole(true));
    assert!(run(&mut lane, 100).concat().is_empty());
    lane.set(lane.conditions().blackhole(false));
    let after: Vec<_> = (200..300).map(|at| lane.decide(ms(at), LEN).collect::<Vec<_>>()).collect();
    assert_eq!((&before[..], &after[..]), (&undisturbed[..100], &undisturbed[200..]));
    assert_eq!(lane.counts().blackholed, 100);
}

#[test]
fn corruption_flips_exactly_one_bit_and_each_bit_may_be_it() {
    const SHORT: usize = 4;
    let mut lane = lane(Conditions::perfect().corrupt(1.0));
    let mut seen = 0_u32;
    for _ in 0..1_000 {
        for delivery in lane.decide(ms(0), SHORT) {
            let mut packet = [0_u8; SHORT];
            delivery.damage(&mut packet);
            let bits = u32::from_le_bytes(packet);
            assert_eq!(bits.count_ones(), 1, "{packet:?}");
            seen |= bits;
        }
    }
    assert_eq!(seen, u32::MAX);
    assert_eq!(
        lane.decide(ms(0), 0).next().map(|one| one.flip),
        Some(None),
        "an empty packet has no bit"
    );
}

#[test]
fn a_number_out_of_its_range_is_refused() {
    let attempts: [fn() -> Conditions; 4] = [
        || Conditions::perfect().loss(1.01),
        || Conditions::perfect().duplicate(f64::NAN),
        || Conditions::perfect().rate(0),
        || Conditions::perfect().delay(Duration::MAX),
    ];
    for attempt in attempts {
        assert!(std::panic::catch_unwind(attempt).is_err());
    }
}
