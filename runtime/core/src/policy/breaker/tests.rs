//! Every state against every event, and the rules one by one.

use std::fmt::Write as _;

use super::*;
use crate::{
    rng::{SplitMix, below},
    tests::start,
};

const S: Duration = Duration::from_secs(1);

/// No chance in a pause: it is as long as it can be.
struct Whole;
impl Rng for Whole {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// One attempt, if it may go, and the opening that it asks for.
fn attempt(breaker: &mut Breaker, verdict: Verdict, now: Instant) -> Option<Cause> {
    let ticket = breaker.admit(now)?;
    let cause = breaker.settle(ticket, verdict, now);
    if let Some(cause) = cause {
        breaker.open(cause, now, &mut Whole);
    }
    cause
}

fn open(t0: Instant) -> Breaker {
    let mut breaker = Breaker::new(Terms::default(), t0);
    breaker.open(Cause::InARow, t0, &mut Whole);
    breaker
}

/// A breaker in each state, at this time.
fn states(t0: Instant) -> [(&'static str, Breaker); 4] {
    let mut probing = open(t0 - S);
    probing.admit(t0).unwrap();
    let mut ramp = open(t0 - S);
    attempt(&mut ramp, Verdict::Success, t0);
    [
        ("closed", Breaker::new(Terms::default(), t0)),
        ("open", open(t0)),
        ("probing", probing),
        ("ramp", ramp),
    ]
}

fn name(breaker: &Breaker) -> &'static str {
    match breaker.phase() {
        Phase::Closed => "closed",
        Phase::Open { .. } => "open",
        Phase::Probing => "probing",
        Phase::Ramp => "ramp",
    }
}

#[test]
fn every_state_answers_every_event() {
    let t0 = start();
    let mut table = String::new();
    for (state, made) in states(t0) {
        assert_eq!(name(&made), state);
        for (event, verdict) in [
            ("success", Verdict::Success),
            ("failure", Verdict::Failure),
            ("overloaded", Verdict::Overloaded),
            ("nothing", Verdict::Nothing),
        ] {
            let mut breaker = made.clone();
            // A call that was let through in this very state; in `probing` the probe itself.
            let ticket = Ticket { epoch: breaker.epoch, probe: false };
            let cause = breaker.settle(ticket, verdict, t0);
            let asks = if cause.is_some() { " and asks to open" } else { "" };
            writeln!(table, "{state:<8} {event:<11} {}{asks}", name(&breaker)).unwrap();
        }
        for (event, at) in [("admit", t0), ("later", t0 + S)] {
            let mut breaker = made.clone();
            let admitted = match breaker.admit(at) {
                None => "refused",
                Some(ticket) if ticket.is_probe() => "probe",
                Some(_) => "goes",
            };
            writeln!(table, "{state:<8} {event:<11} {} ({admitted})", name(&breaker)).unwrap();
        }
    }
    assert_eq!(table, STATES);
}

const STATES: &str = "\
closed   success     closed
closed   failure     closed
closed   overloaded  closed
closed   nothing     closed
closed   admit       closed (goes)
closed   later       closed (goes)
open     success     open
open     failure     open
open     overloaded  open
open     nothing     open
open     admit       open (refused)
open     later       probing (probe)
probing  success     ramp
probing  failure     probing and asks to open
probing  overloaded  ramp
probing  nothing     open
probing  admit       probing (refused)
probing  later       probing (refused)
ramp     success     ramp
ramp     failure     ramp and asks to open
ramp     overloaded  ramp
ramp     nothing     ramp
ramp     admit       ramp (goes)
ramp     later       ramp (goes)
";

#[test]
fn five_failures_in_a_row_open_it_and_four_do_not() {
    let t0 = start();
    let mut breaker = Breaker::new(Terms::default(), t0);
    for _ in 0..4 {
        assert_eq!(attempt(&mut breaker, Verdict::Failure, t0), None);
    }
    attempt(&mut breaker, Verdict::Success, t0);
    for _ in 0..4 {
        assert_eq!(attempt(&mut breaker, Verdict::Failure, t0), None);
    }
    assert_eq!(attempt(&mut breaker, Verdict::Failure, t0), Some(Cause::InARow));
    assert_eq!(breaker.admit(t0), None);
}

#[test]
fn the_pause_doubles_after_each_failed_probe_up_to_a_minute() {
    let t0 = start();
    let mut breaker = open(t0);
    let mut now = t0;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let Phase::Open { until, .. } = breaker.phase() else { panic!("not open") };
        pauses.push((until - now).as_secs());
        now = until;
        assert_eq!(attempt(&mut breaker, Verdict::Failure, now), Some(Cause::Relapse));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn chance_takes_up_to_half_of_a_pause() {
    let t0 = start();
    let mut rng = SplitMix::new(3);
    for _ in 0..1000 {
        let pause = Breaker::new(Terms::default(), t0).open(Cause::InARow, t0, &mut rng) - t0;
        assert!(pause <= S && pause >= S / 2, "{pause:?}");
    }
}

#[test]
fn three_successes_close_it_and_a_failure_before_opens_it_again() {
    let t0 = start();
    let mut breaker = open(t0);
    let now = t0 + S;
    for phase in [Phase::Ramp, Phase::Ramp, Phase::Ramp, Phase::Closed] {
        attempt(&mut breaker, Verdict::Success, now);
        assert_eq!(breaker.phase(), phase);
    }
    let mut breaker = open(t0);
    attempt(&mut breaker, Verdict::Success, now);
    attempt(&mut breaker, Verdict::Success, now);
    assert_eq!(attempt(&mut breaker, Verdict::Failure, now), Some(Cause::Relapse));
}

#[test]
fn a_result_from_before_the_opening_changes_nothing() {
    let t0 = start();
    let mut breaker = Breaker::new(Terms::default(), t0);
    let old = breaker.admit(t0).unwrap();
    breaker.open(Cause::InARow, t0, &mut Whole);
    let probe = breaker.admit(t0 + S).unwrap();
    assert_eq!(breaker.settle(old, Verdict::Success, t0 + S), None);
    assert_eq!(breaker.settle(old, Verdict::Failure, t0 + S), None);
    assert_eq!(breaker.phase(), Phase::Probing);
    breaker.settle(probe, Verdict::Success, t0 + S);
    assert_eq!(breaker.phase(), Phase::Ramp);
}

#[test]
fn in_every_state_a_result_of_another_epoch_changes_nothing() {
    let t0 = start();
    for (state, made) in states(t0) {
        for verdict in [Verdict::Success, Verdict::Failure, Verdict::Overloaded, Verdict::Nothing] {
            for epoch in [made.epoch.wrapping_sub(1), made.epoch.wrapping_add(1)] {
                for probe in [false, true] {
                    let mut breaker = made.clone();
                    let cause = breaker.settle(Ticket { epoch, probe }, verdict, t0);
                    let (found, before) = (format!("{breaker:?}"), format!("{made:?}"));
                    assert_eq!((cause, found), (None, before), "{state}, {verdict:?}");
                }
            }
        }
    }
}

#[test]
fn a_probe_that_comes_to_nothing_gives_its_place_back() {
    let t0 = start();
    let mut breaker = open(t0);
    let probe = breaker.admit(t0 + S).unwrap();
    assert!(probe.is_probe() && breaker.admit(t0 + S).is_none());
    breaker.settle(probe, Verdict::Nothing, t0 + S);
    assert!(breaker.admit(t0 + S).unwrap().is_probe());
}

#[test]
fn a_low_success_rate_asks_for_an_opening_from_twenty_attempts_on() {
    let t0 = start();
    let mut breaker = Breaker::new(Terms::default(), t0);
    let mut asked = Vec::new();
    for at in 0..24 {
        let ticket = breaker.admit(t0).unwrap();
        let verdict = if at % 3 == 0 { Verdict::Failure } else { Verdict::Success };
        if breaker.settle(ticket, verdict, t0) == Some(Cause::SuccessRate) {
            asked.push(at);
        }
    }
    assert_eq!(asked, [21], "the first failure from the twentieth attempt on");
}

#[test]
fn a_sick_service_has_no_sick_endpoint() {
    assert!(falls_behind(0.7, 0.99));
    assert!(!falls_behind(0.7, 0.7));
    assert!(!falls_behind(0.5, 0.7), "20 points below, not less");
    assert!(falls_behind(0.49, 0.7));
}

#[test]
fn overload_counts_in_the_rate_and_not_in_the_row() {
    let t0 = start();
    let mut breaker = Breaker::new(Terms::default(), t0);
    for _ in 0..19 {
        assert_eq!(attempt(&mut breaker, Verdict::Overloaded, t0), None);
    }
    let ticket = breaker.admit(t0).unwrap();
    let cause = breaker.settle(ticket, Verdict::Overloaded, t0);
    assert_eq!(cause, Some(Cause::SuccessRate));
}

#[test]
fn a_refusal_for_overload_is_a_tenth_of_a_failure() {
    let t0 = start();
    let mut breaker = Breaker::new(Terms::default(), t0);
    for _ in 0..50 {
        attempt(&mut breaker, Verdict::Success, t0);
        assert_eq!(attempt(&mut breaker, Verdict::Overloaded, t0), None);
    }
    let rate = breaker.success_rate(t0).unwrap();
    assert!((rate - 50.0 / 55.0).abs() < 1e-9, "{rate}");
}

#[test]
fn what_succeeds_although_it_is_open_closes_it_and_a_failure_between_does_not() {
    let t0 = start();
    let mut breaker = open(t0);
    let in_spite = |breaker: &mut Breaker, verdict| {
        let ticket = breaker.admit_in_panic();
        assert_eq!(breaker.settle(ticket, verdict, t0), None);
        breaker.phase() == Phase::Closed
    };
    for verdict in [Verdict::Success, Verdict::Success, Verdict::Failure, Verdict::Success] {
        assert!(!in_spite(&mut breaker, verdict));
    }
    assert!(!in_spite(&mut breaker, Verdict::Success));
    assert!(in_spite(&mut breaker, Verdict::Success));
}

#[test]
fn while_the_others_have_too_much_to_do_it_may_try_again_soon() {
    let t0 = start();
    let mut breaker = open(t0);
    assert!(breaker.hasten(t0));
    assert!(breaker.admit(t0 + BREAKER_HASTENED - S / 1000).is_none());
    assert!(!breaker.hasten(t0 + S / 10), "it does not move on");
    assert!(breaker.admit(t0 + BREAKER_HASTENED).unwrap().is_probe());
    assert!(!breaker.hasten(t0 + S));
}

#[test]
fn health_is_forgiving() {
    let t0 = start();
    let mut breaker = open(t0);
    attempt(&mut breaker, Verdict::Failure, t0 + S);
    let mut now = t0 + 10 * S;
    for _ in 0..5 {
        attempt(&mut breaker, Verdict::Success, now);
    }
    now += BREAKER_RELENT;
    attempt(&mut breaker, Verdict::Success, now);
    now += BREAKER_RELENT;
    attempt(&mut breaker, Verdict::Success, now);
    breaker.open(Cause::InARow, now, &mut Whole);
    assert_eq!(breaker.phase(), Phase::Open { until: now + S, cause: Cause::InARow });
}

#[test]
fn whatever_happens_one_probe_is_out_at_most_and_the_road_back_stays_open() {
    let t0 = start();
    for seed in 0..200 {
        let mut rng = SplitMix::new(seed);
        let mut breaker = Breaker::new(Terms::default(), t0);
        let mut now = t0;
        let mut out: Vec<Ticket> = Vec::new();
        for _ in 0..300 {
            now += Duration::from_millis(below(&mut rng, 400));
            match below(&mut rng, 10) {
                0..=4 => out.extend(breaker.admit(now)),
                _ if out.is_empty() => {}
                _ => {
                    let at = below(&mut rng, out.len() as u64) as usize;
                    let ticket = out.swap_remove(at);
                    let verdicts =
                        [Verdict::Success, Verdict::Failure, Verdict::Overloaded, Verdict::Nothing];
                    let verdict = verdicts[below(&mut rng, 4) as usize];
                    let cause = breaker.settle(ticket, verdict, now);
                    if let Some(cause) = cause {
                        if below(&mut rng, 3) == 0 {
                            breaker.stay(now);
                        } else {
                            breaker.open(cause, now, &mut rng);
                        }
                    }
                }
            }
            let epoch = breaker.epoch;
            let probes = out.iter().filter(|ticket| ticket.probe && ticket.epoch == epoch).count();
            assert!(probes <= 1, "seed {seed}");
        }
        for ticket in out {
            breaker.settle(ticket, Verdict::Nothing, now);
        }
        assert!(breaker.admit(now + BREAKER_OPEN_MAX).is_some(), "seed {seed}: stuck");
    }
}
