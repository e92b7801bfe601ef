//! Round robin by weight: who is next in turn, with nothing to keep but a count.
//!
//! # The algorithm
//! The static stride scheduler of gRPC (proposal A58, weighted round robin). The count walks over the endpoints, round
//! after round. One of the largest weight is taken in every round; one of a third of it in every third, and its rounds
//! are shifted by its place, so that the light ones do not come all at once. There is no queue to lock: two threads that
//! count at the same time get two different turns.

/// Weights have so many steps.
const STEPS: u64 = 65_535;

/// Whether the endpoint at this place is taken in this round; `ratio` is its weight as a share of the largest.
pub fn takes(round: u64, place: usize, ratio: f64) -> bool {
    // At least one step: it comes, if only every 65,535th round.
    let weight = ((ratio.clamp(0.0, 1.0) * STEPS as f64).round() as u64).max(1);
    let shift = (place as u64).wrapping_mul(STEPS / 2);
    let at = (round % STEPS * weight).wrapping_add(shift % STEPS) % STEPS;
    at >= STEPS - weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_is_taken_in_every_round() {
        assert!((0..1000).all(|round| (0..7).all(|place| takes(round, place, 1.0))));
    }

    #[test]
    fn each_is_taken_as_often_as_its_weight_says_and_never_in_a_row_of_rounds() {
        for (place, ratio, expected) in
            [(0, 0.5, 500), (1, 0.25, 250), (2, 0.1, 100), (5, 0.9, 900)]
        {
            let rounds: Vec<u64> = (0..1000).filter(|round| takes(*round, place, ratio)).collect();
            assert!(rounds.len().abs_diff(expected) <= 1, "{ratio}: {}", rounds.len());
            let gap = rounds.windows(2).map(|two| two[1] - two[0]);
            let (least, most) = gap.fold((u64::MAX, 0), |(a, b), gap| (a.min(gap), b.max(gap)));
            assert!(most - least <= 1, "{ratio}: gaps from {least} to {most}");
        }
    }

    #[test]
    fn a_weight_that_is_next_to_nothing_still_has_its_turn() {
        assert_eq!((0..STEPS).filter(|round| takes(*round, 3, 0.0)).count(), 1);
    }
}
