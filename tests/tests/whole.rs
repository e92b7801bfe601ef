//! The whole in virtual time: a handful of seeds here, three hundred in `tests/run`, and the mistakes that are planted to see
//! that a rule would notice them.

use sinew::fuzzing::Planted;
use sinew_tests::whole::{Order, Report, run};

/// Seeds that are played in a test; `tests/run` plays more.
const SEEDS: u64 = 12;
/// Seeds in which a mistake must be found here; 200 are allowed.
const FOUND_WITHIN: u64 = 60;

fn play(seed: u64, planted: Option<Planted>) -> Report {
    run(Order { seed, planted, log: false })
}

#[test]
fn no_rule_is_broken_whatever_goes_wrong() {
    for seed in 1..=SEEDS {
        let report = play(seed, None);
        assert!(report.broken.is_empty(), "seed {seed}: {}", report.broken.join("\n"));
        assert!(report.failed > 0 && report.runs > 0, "nothing went wrong in seed {seed}");
    }
}

#[test]
fn a_seed_comes_to_the_same_every_time() {
    for seed in 1..=4 {
        assert_eq!(play(seed, None).hash, play(seed, None).hash, "seed {seed}");
    }
    assert_ne!(play(1, None).hash, play(2, None).hash);
}

fn is_found(planted: Planted) {
    let found = (1..=FOUND_WITHIN).any(|seed| play(seed, Some(planted)).finds(Some(planted)));
    assert!(found, "{planted:?} was not found in {FOUND_WITHIN} seeds");
}

#[test]
fn retries_that_cost_nothing_are_found() {
    is_found(Planted::BudgetOff);
}

#[test]
fn results_from_before_a_change_are_found() {
    is_found(Planted::EpochOff);
}

#[test]
fn an_attempt_that_is_settled_twice_is_found() {
    is_found(Planted::SettledTwice);
}

#[test]
fn a_deadline_that_does_not_shrink_is_found() {
    is_found(Planted::DeadlineNotShrunk);
}

#[test]
fn a_list_with_nothing_in_it_that_is_believed_is_found() {
    is_found(Planted::EmptyAccepted);
}
