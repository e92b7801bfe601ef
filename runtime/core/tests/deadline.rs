//! Arithmetic of deadlines: it only shrinks, and never overflows.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sinew_core::{
    deadline::{
        child_deadline, clamp, clamp_to_default, on_arrival, remaining, reserve, transit,
        wait_for_ready, worth_sending,
    },
    wire::TimeLeft,
};

#[expect(
    clippy::disallowed_methods,
    reason = "an instant to count from can only be had from a clock"
)]
fn start() -> Instant {
    Instant::now()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..10_000_000_000_u64).prop_map(Duration::from_nanos),
        any::<u64>().prop_map(Duration::from_millis),
    ]
}

proptest! {
    #[test]
    fn a_child_never_ends_after_its_parent(
        limit in any_duration(),
        parent in any_duration(),
        rtt in any_duration(),
    ) {
        let now = start();
        if let Some(parent) = now.checked_add(parent) {
            let child = child_deadline(now, limit, Some(parent), rtt);
            prop_assert!(child <= parent);
            prop_assert!(remaining(child, now) <= limit);
        }
    }

    #[test]
    fn what_arrives_has_no_more_time_than_it_carried(
        left in any_duration(),
        age in any_duration(),
        rtt in any_duration(),
    ) {
        let now = start();
        let deadline = on_arrival(now, left, age, rtt);
        prop_assert!(remaining(deadline, now) <= left.saturating_sub(age.min(left)));
        prop_assert!(transit(left, rtt) <= left / 10);
        prop_assert!(wait_for_ready(left) <= left);
    }
}

#[test]
fn reserve_is_a_round_trip_within_a_twentieth_and_a_millisecond() {
    assert_eq!(reserve(ms(1000), ms(10)), ms(10));
    assert_eq!(reserve(ms(1000), ms(200)), ms(50));
    assert_eq!(reserve(ms(1000), Duration::ZERO), ms(1));
    assert_eq!(reserve(ms(10), ms(200)), ms(1));
}

#[test]
fn transit_is_half_a_round_trip_within_a_tenth() {
    assert_eq!(transit(ms(1000), ms(10)), ms(5));
    assert_eq!(transit(ms(1000), ms(400)), ms(100));
    assert_eq!(transit(Duration::ZERO, ms(400)), Duration::ZERO);
}

#[test]
fn the_nearer_of_own_limit_and_parent_wins() {
    let now = start();
    assert_eq!(child_deadline(now, ms(100), None, ms(4)), now + ms(100));
    assert_eq!(child_deadline(now, ms(100), Some(now + ms(500)), ms(4)), now + ms(100));
    assert_eq!(child_deadline(now, ms(900), Some(now + ms(500)), ms(4)), now + ms(496));
    assert_eq!(child_deadline(now, Duration::MAX, Some(now + ms(500)), ms(4)), now + ms(496));
    assert!(child_deadline(now, Duration::MAX, None, ms(4)) > now + ms(1_000_000));
}

#[test]
fn a_parent_that_is_over_leaves_nothing() {
    let now = start() + ms(1000);
    let child = child_deadline(now, ms(100), Some(now - ms(1)), ms(4));
    assert!(child < now);
    assert_eq!(remaining(child, now), Duration::ZERO);
    assert!(!worth_sending(remaining(child, now)));
    assert!(worth_sending(ms(1)));
}

#[test]
fn hops_shrink_a_deadline_by_what_each_may_take() {
    let now = start();
    let mut deadline = now + ms(500);
    for _ in 0..3 {
        let child = child_deadline(now, ms(10_000), Some(deadline), ms(10));
        deadline = on_arrival(now, remaining(child, now), Duration::ZERO, ms(10));
    }
    assert_eq!(remaining(deadline, now), ms(500 - 3 * 15));
}

#[test]
fn what_lay_through_a_freeze_has_expired() {
    let now = start() + ms(60_000);
    let deadline = on_arrival(now, ms(500), ms(3000), ms(1));
    assert!(deadline < now);
    assert_eq!(on_arrival(now, ms(500), ms(100), ms(10)), now + ms(395));
}

#[test]
fn long_limits_are_clamped_and_said_to_be() {
    assert_eq!(clamp(ms(100), ms(50)), (ms(50), true));
    assert_eq!(clamp(ms(50), ms(50)), (ms(50), false));
    assert_eq!(clamp_to_default(ms(300_001)), (ms(300_000), true));
}

#[test]
fn waiting_for_an_endpoint_takes_a_quarter_or_three_seconds() {
    assert_eq!(wait_for_ready(ms(400)), ms(100));
    assert_eq!(wait_for_ready(ms(60_000)), ms(3000));
}

#[test]
fn time_left_is_at_least_a_microsecond_and_never_unbounded_by_accident() {
    let now = start();
    assert_eq!(TimeLeft::until(Some(now + ms(5)), now), TimeLeft::Micros(5000));
    assert_eq!(TimeLeft::until(Some(now + Duration::from_nanos(400)), now), TimeLeft::Micros(1));
    assert_eq!(TimeLeft::until(Some(now), now + ms(1)), TimeLeft::Micros(1));
    assert_eq!(TimeLeft::until(None, now), TimeLeft::Unbounded);
    assert_eq!(TimeLeft::from_duration(Duration::MAX), TimeLeft::Micros((1 << 62) - 1));
    assert_eq!(TimeLeft::Micros(7).duration(), Some(Duration::from_micros(7)));
    assert_eq!(TimeLeft::Zero.duration(), Some(Duration::ZERO));
    assert_eq!(TimeLeft::Unbounded.duration(), None);
}
