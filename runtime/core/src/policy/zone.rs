//! How many of the calls leave the caller's zone: as many as its own zone is not well enough for.
//!
//! # Why
//! A call within a zone is quicker and costs nothing, so all of them stay there as long as the servers there can bear
//! them. A zone is expected to have something to spare: it keeps everything while 72 % of it are healthy
//! ([`SPILL_FACTOR`]), and from there on gives away as much as it lacks. That is Envoy's rule for priorities
//! (load_balancing/priority), with two of them.
//!
//! ```text
//!   healthy here   100 %   72 %   71 %   50 %   25 %   25 %, and 25 % elsewhere
//!   stays here     100 %  100 %   99 %   70 %   35 %   50 %
//! ```
//!
//! # Not here
//! Who is healthy, and who takes a call within a zone: the plan.

use crate::limits::SPILL_FACTOR;

/// The endpoints of a zone, counted by their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Capacity {
    /// All.
    pub all: f64,
    /// Those that can be asked.
    pub healthy: f64,
}

impl Capacity {
    /// The share of all calls that it is good for, at most 1.
    fn health(self) -> f64 {
        if self.all > 0.0 { (SPILL_FACTOR * self.healthy / self.all).min(1.0) } else { 0.0 }
    }
}

/// How the calls are split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spill {
    /// The share that stays in the caller's zone.
    pub near: f64,
    /// Whether both zones together are too ill for all of the calls.
    pub short: bool,
}

/// Splits the calls between the caller's zone and all others.
pub fn spill(near: Capacity, far: Capacity) -> Spill {
    let (here, there) = (near.health(), far.health());
    let total = (here + there).min(1.0);
    let near = if total > 0.0 {
        (here / total).min(1.0)
    } else {
        // Nobody is well: what is near is as good as what is not.
        f64::from(u8::from(near.all > 0.0))
    };
    Spill { near, short: total < 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(near: f64, far: f64) -> (f64, bool) {
        let of = |healthy| Capacity { all: 100.0, healthy };
        let Spill { near, short } = spill(of(near), of(far));
        ((near * 1e4).round() / 100.0, short)
    }

    #[test]
    fn the_table_is_envoys() {
        let table =
            [(100.0, 100.0), (72.0, 100.0), (71.0, 99.4), (50.0, 70.0), (25.0, 35.0), (0.0, 0.0)];
        for (healthy, stays) in table {
            assert_eq!(percent(healthy, 100.0), (stays, false), "{healthy} %");
        }
    }

    #[test]
    fn where_both_are_ill_each_gets_what_it_is_good_for() {
        assert_eq!(percent(25.0, 25.0), (50.0, true));
        assert_eq!(percent(30.0, 10.0), (75.0, true));
        assert_eq!(percent(0.0, 10.0), (0.0, true));
        assert_eq!(percent(0.0, 0.0), (100.0, true));
    }

    #[test]
    fn a_zone_without_endpoints_gets_nothing() {
        let some = Capacity { all: 3.0, healthy: 1.0 };
        assert_eq!(spill(some, Capacity::default()).near, 1.0);
        assert_eq!(spill(Capacity::default(), some).near, 0.0);
        assert_eq!(spill(Capacity::default(), Capacity { healthy: 0.0, ..some }).near, 0.0);
    }
}
