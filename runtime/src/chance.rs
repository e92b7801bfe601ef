//! The process's randomness, as the pure parts want it: the one door to it.

use sinew_core::rng::Rng;

/// Not for secrets: it jitters waits.
pub(crate) struct Chance;

impl Rng for Chance {
    fn next_u64(&mut self) -> u64 {
        fastrand::u64(..)
    }
}
