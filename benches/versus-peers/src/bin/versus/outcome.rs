//! All samples, and their medians.

use std::collections::HashMap;

use crate::{Failure, cells::Cell, contest::Sample, contestants::Contestant};

/// What every contestant came to in every cell so far.
#[derive(Default)]
pub(crate) struct Results {
    outcomes: HashMap<(Cell, Contestant), Outcome>,
}

/// One contestant in one cell.
pub(crate) enum Outcome {
    Ran(Vec<Sample>),
    /// A repetition failed, with why; the others of this cell are void.
    Failed(String),
}

/// A figure of several repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Results {
    pub(crate) fn add(
        &mut self,
        cell: Cell,
        contestant: Contestant,
        sample: Result<Sample, Failure>,
    ) {
        let outcome =
            self.outcomes.entry((cell, contestant)).or_insert_with(|| Outcome::Ran(Vec::new()));
        match (outcome, sample) {
            (Outcome::Ran(samples), Ok(sample)) => samples.push(sample),
            (outcome, Err(why)) => *outcome = Outcome::Failed(why.to_string()),
            (Outcome::Failed(_), Ok(_)) => {}
        }
    }

    pub(crate) fn get(&self, cell: Cell, contestant: Contestant) -> Option<&Outcome> {
        self.outcomes.get(&(cell, contestant))
    }

    /// The spread of one figure, if the contestant finished this cell.
    pub(crate) fn spread(
        &self,
        cell: Cell,
        contestant: Contestant,
        figure: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        match self.get(cell, contestant)? {
            Outcome::Ran(samples) => Spread::of(samples.iter().map(figure)),
            Outcome::Failed(_) => None,
        }
    }

    pub(crate) fn has_failed(&self, cell: Cell, contestant: Contestant) -> bool {
        matches!(self.get(cell, contestant), Some(Outcome::Failed(_)))
    }

    pub(crate) fn has_any_failed(&self) -> bool {
        self.outcomes.values().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }
}

impl Spread {
    /// `None` of nothing. The median of an even number is the mean of the middle two.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        Some(Self { median: (sorted[low] + sorted[high]) / 2.0, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        let spread = Spread::of([5.0, 1.0, 9.0].into_iter());
        assert_eq!(spread, Some(Spread { median: 5.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}
