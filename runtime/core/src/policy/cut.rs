//! Which calls a server sheds while it has too much to do: the least critical ones, and of one class those of some users.
//!
//! # Why
//! What is refused at random hits everything: a page of three calls then works a quarter of the time when each works
//! half. So calls have a level, of their class and of a hash of the user they are for, and a server sheds from the
//! highest level down. The same users lose at each server and each hop, and the others have pages that work (Zhou et al.,
//! "Overload control for scaling WeChat microservices", SoCC 2018: DAGOR).
//!
//! ```text
//!   level = class x 128 + the upper 7 bits of the shed key        critical-plus 0-127 ... sheddable 384-511
//!
//!   a window ends     over 20 ms of waiting in the mean, or the queue refused a twentieth:
//!     (250 ms or         so many levels as were begun of, at most 95 % of what was admitted, and at least half
//!      500 calls)     less than 5 ms: 4 more, then 8, 16 .. more levels
//! ```
//!
//! # What differs from the paper
//! - It is lowered at once to what the server has done, not by 5 % at a time: three times too much is cut in one window
//!   and not in five seconds.
//! - It is raised by levels, twice as many each time: callers hold back what would be shed, so nothing is seen of the
//!   levels above the cut, and a number of calls says nothing of how many would come.
//!
//! # Invariants
//! 1. The most critical level is always admitted.
//! 2. A call of a level is shed only if all of less critical levels are.

use std::time::{Duration, Instant};

use crate::{
    codes::Criticality,
    limits::{CUT_CALLS, CUT_WINDOW, QUEUE_TARGET},
    wire::answer::AdmissionCut,
};

/// Levels of one class, as a power of two.
const KEY_BITS: u32 = 7;
/// Levels of all.
pub const LEVELS: usize = Criticality::ALL.len() << KEY_BITS;
/// The most that is admitted of what was, where there was too much.
const LESS: f64 = 0.95;
/// The least.
const LEAST: f64 = 0.5;
/// The share of calls that the queue refuses from which there are too many, if it happens twice ...
const REFUSED: f64 = 0.05;
/// ... and from which that is not waited for a second window.
const MUCH: f64 = 0.3;
/// With fewer calls in a window nothing is cut.
const FEWEST: u32 = 20;
/// Where nobody came to look for so many windows, there was nothing to do in most of them.
const QUIET: u32 = 4;
/// So many more levels at first.
const STEP: usize = 4;

/// The level of a call: smaller is more critical.
pub const fn level(class: Criticality, key: u16) -> u16 {
    ((class as u16) << KEY_BITS) | (key >> (u16::BITS - KEY_BITS))
}

/// How many levels are admitted where this is what a server said.
pub const fn admitted_by(cut: AdmissionCut) -> u16 {
    let class = if cut.criticality > 3 { 3 } else { cut.criticality as u16 };
    ((class << KEY_BITS) | (cut.shed_key >> (u16::BITS - KEY_BITS))) + 1
}

/// What a server says that admits so many levels; nothing where it admits all.
pub const fn told(admits: u16) -> Option<AdmissionCut> {
    if admits == 0 || admits as usize >= LEVELS {
        return None;
    }
    let last = admits - 1;
    let key = (last << (u16::BITS - KEY_BITS)) | (u16::MAX >> KEY_BITS);
    Some(AdmissionCut { criticality: (last >> KEY_BITS) as u8, shed_key: key })
}

/// What is cut, and what has been seen since it was looked at last.
#[derive(Clone, Debug)]
pub struct Cut {
    admits: usize,
    step: usize,
    began: Instant,
    /// There was too much in the last window already.
    again: bool,
    arrived: u32,
    admitted: u32,
    begun: u32,
    refused: u32,
    waited: Duration,
    by_level: Box<[u32; LEVELS]>,
}

impl Cut {
    /// Nothing is.
    pub fn new(now: Instant) -> Self {
        Self {
            admits: LEVELS,
            step: STEP,
            began: now,
            again: false,
            arrived: 0,
            admitted: 0,
            begun: 0,
            refused: 0,
            waited: Duration::ZERO,
            by_level: Box::new([0; LEVELS]),
        }
    }

    /// Whether anything is.
    pub const fn is_active(&self) -> bool {
        self.admits < LEVELS
    }

    /// The most critical class of which some is shed.
    pub fn sheds_from(&self) -> Option<Criticality> {
        self.is_active().then(|| Criticality::from_u8((self.admits >> KEY_BITS) as u8)).flatten()
    }

    /// How many levels are admitted.
    pub const fn admits(&self) -> u16 {
        self.admits as u16
    }

    /// A call of this level came; whether it is admitted.
    pub fn arrive(&mut self, level: u16) -> bool {
        let level = usize::from(level).min(LEVELS - 1);
        self.arrived += 1;
        self.by_level[level] += 1;
        let admitted = level < self.admits;
        self.admitted += u32::from(admitted);
        admitted
    }

    /// A call was begun that had waited this long.
    pub fn begin(&mut self, waited: Duration) {
        self.begun += 1;
        self.waited += waited;
    }

    /// The queue had no place for a call that was admitted, or kept it too long.
    pub const fn refuse(&mut self) {
        self.refused += 1;
    }

    /// Looks at the window, if it is over.
    pub fn tick(&mut self, now: Instant) {
        let time = now.saturating_duration_since(self.began);
        let mean = self.waited / self.begun.max(1);
        let calm = self.refused == 0 && mean < QUEUE_TARGET / 4;
        let window = if self.is_active() && calm { CUT_WINDOW / 2 } else { CUT_WINDOW };
        if time < window && self.arrived < CUT_CALLS {
            return;
        }
        let quiet = time >= CUT_WINDOW * QUIET;
        let refused = !quiet && f64::from(self.refused) > f64::from(self.admitted) * REFUSED;
        let admitted = f64::from(self.admitted);
        let much = f64::from(self.refused) > admitted * MUCH;
        let some = !quiet && self.admitted >= FEWEST && (refused || mean > QUEUE_TARGET);
        if some && (much || self.again) {
            let target =
                if much { f64::from(self.begun).max(admitted * LEAST) } else { admitted * LESS };
            self.admits = self.lowered(target);
            self.step = STEP;
        } else if self.is_active() && !refused && (quiet || mean < QUEUE_TARGET / 4) {
            for _ in 0..(time.as_millis() / CUT_WINDOW.as_millis()).clamp(1, 8) {
                self.admits = (self.admits + self.step).min(LEVELS);
                self.step *= 4;
            }
        } else {
            self.step = STEP;
        }
        self.again = some;
        self.began = now;
        (self.arrived, self.admitted, self.begun, self.refused) = (0, 0, 0, 0);
        self.waited = Duration::ZERO;
        *self.by_level = [0; LEVELS];
    }

    /// So many levels as had this many calls, of those that are admitted now, and at least one.
    fn lowered(&self, target: f64) -> usize {
        let mut calls = 0.0;
        for (level, seen) in self.by_level.iter().enumerate().take(self.admits) {
            calls += f64::from(*seen);
            if calls > target {
                return level.max(1);
            }
        }
        self.admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::{Rng as _, SplitMix},
        tests::start,
    };

    /// A server that begins `capacity` calls of a window, most critical first, of those that come.
    fn window(cut: &mut Cut, now: Instant, came: &[u16], capacity: usize) -> Vec<u16> {
        let mut admitted: Vec<u16> =
            came.iter().copied().filter(|level| cut.arrive(*level)).collect();
        admitted.sort_unstable();
        let over = admitted.len().saturating_sub(capacity);
        admitted.truncate(capacity);
        let wait = if over > 0 { Duration::from_millis(20) } else { Duration::ZERO };
        admitted.iter().for_each(|_| cut.begin(wait));
        (0..over).for_each(|_| cut.refuse());
        cut.tick(now);
        admitted
    }

    fn levels(class: Criticality, calls: usize, rng: &mut SplitMix) -> Vec<u16> {
        (0..calls).map(|_| level(class, (rng.next_u64() >> 48) as u16)).collect()
    }

    #[test]
    fn a_level_and_what_callers_are_told_are_the_same_thing() {
        assert_eq!(told(LEVELS as u16), None);
        for admits in 1..LEVELS as u16 {
            let told = told(admits).unwrap();
            assert_eq!(admitted_by(told), admits);
            let class = Criticality::from_u8(told.criticality).unwrap();
            assert_eq!(level(class, told.shed_key), admits - 1);
        }
    }

    #[test]
    fn three_times_too_much_is_cut_in_a_window_and_the_critical_ones_are_all_served() {
        let (t0, mut rng) = (start(), SplitMix::new(3));
        let mut cut = Cut::new(t0);
        for round in 1..40 {
            let critical = levels(Criticality::Critical, 50, &mut rng);
            let mut came = levels(Criticality::Sheddable, 250, &mut rng);
            came.extend(&critical);
            let begun = window(&mut cut, t0 + CUT_WINDOW * round, &came, 100);
            let served = begun.iter().filter(|level| **level < 256).count();
            assert_eq!(served, critical.len());
            if round > 1 {
                assert!(begun.len() >= 75, "round {round}: {}", begun.len());
                assert!((384..512).contains(&cut.admits), "{}", cut.admits);
            }
        }
    }

    #[test]
    fn all_are_admitted_again_within_two_seconds_although_nothing_was_seen_of_them() {
        let (t0, mut rng) = (start(), SplitMix::new(4));
        let mut cut = Cut::new(t0);
        let mut now = t0;
        for _ in 0..8 {
            now += CUT_WINDOW;
            let came = levels(Criticality::Critical, 300, &mut rng);
            window(&mut cut, now, &came, 1);
        }
        assert!(cut.is_active());
        for _ in 0..8 {
            now += CUT_WINDOW;
            window(&mut cut, now, &[0, 1], 100);
        }
        assert!(!cut.is_active(), "{}", cut.admits);
    }

    #[test]
    fn the_same_users_lose_as_long_as_it_lasts() {
        let (t0, mut rng) = (start(), SplitMix::new(5));
        let mut cut = Cut::new(t0);
        let (mut last, mut kept) = (LEVELS as u16, 0);
        for round in 1..100 {
            let came = levels(Criticality::Critical, 200, &mut rng);
            window(&mut cut, t0 + CUT_WINDOW * round, &came, 100);
            kept += u32::from(cut.admits().abs_diff(last) < 32);
            last = cut.admits();
        }
        assert!(kept > 80, "{kept}");
    }

    #[test]
    fn something_is_always_admitted_and_a_quiet_server_cuts_nothing() {
        let t0 = start();
        let mut cut = Cut::new(t0);
        for round in 1..50 {
            for _ in 0..1000 {
                let _ = cut.arrive(0);
                cut.refuse();
            }
            cut.tick(t0 + CUT_WINDOW * round);
        }
        assert!(cut.arrive(0));
        let mut cut = Cut::new(t0);
        for round in 1..50 {
            (0..FEWEST - 1).for_each(|_| {
                cut.arrive(511);
                cut.refuse();
            });
            cut.tick(t0 + CUT_WINDOW * round);
            assert!(!cut.is_active());
        }
    }
}
