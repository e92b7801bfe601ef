//! How many calls of one client may be out, so that a dependency that hangs does not take everything with it.
//!
//! # Why
//! A service that hangs for `T` seconds holds `rate * T` calls. Without a bound they hold the memory of their callers;
//! with one bound for all, the method that hangs holds every place and those that work get none. So there is a number
//! for the service and a share for each of its methods.
//!
//! ```text
//!   calls out < 1,024     anybody may
//!   at or above           only a method with fewer than a quarter of them
//! ```
//! It is work-conserving: a method alone may have all. The total exceeds the limit by no more than the shares that the
//! other methods did not use. After Netflix's `AbstractPartitionedLimiter`.
//!
//! # Invariants
//! 1. Every place that is taken is given back, whatever becomes of the call.
//! 2. It neither locks nor allocates: two additions to enter, two to leave.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::limits::{BULKHEAD_MAX, BULKHEAD_METHOD_MIN, BULKHEAD_METHOD_SHARE};

/// Methods that are told apart; more share the last places.
const METHODS: usize = 64;

/// The places of one client's calls to one service.
#[derive(Debug)]
pub struct Bulkhead {
    limit: AtomicU32,
    share: AtomicU32,
    out: AtomicU32,
    methods: [Method; METHODS],
}

#[derive(Debug, Default)]
struct Method {
    /// Which one; zero where nobody took the place yet.
    id: AtomicU64,
    out: AtomicU32,
}

/// A call's place; to be given back once.
#[derive(Debug)]
#[must_use = "a place that is not given back is lost"]
pub struct Permit(usize);

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// How many calls may be out.
    pub limit: u32,
    /// How many of one method when there are as many.
    pub share: u32,
    /// How many of its method in any case, where that is what it came upon.
    pub of_method: Option<u32>,
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self::new(BULKHEAD_MAX)
    }
}

impl Bulkhead {
    /// For so many calls.
    pub fn new(limit: u32) -> Self {
        Self {
            limit: AtomicU32::new(limit),
            share: AtomicU32::new(share(limit)),
            out: AtomicU32::new(0),
            methods: std::array::from_fn(|_| Method::default()),
        }
    }

    /// For so many calls from here on. Those that are out stay out: where they are more, none begins until they are fewer.
    pub fn resize(&self, limit: u32) {
        self.share.store(share(limit), Relaxed);
        self.limit.store(limit, Relaxed);
    }

    /// For so many calls, of whichever methods come first: what a bulkhead without shares is worth, for comparison.
    pub fn without_shares(limit: u32) -> Self {
        Self { share: AtomicU32::new(0), ..Self::new(limit) }
    }

    /// A place for a call of this method.
    ///
    /// # Errors
    /// [`Full`] where there is none now.
    pub fn admit(&self, method: u64) -> Result<Permit, Full> {
        self.admit_within(method, u32::MAX)
    }

    /// The same, of a method of which no more than `most` may be out in any case.
    ///
    /// # Errors
    /// [`Full`] where there is none now.
    pub fn admit_within(&self, method: u64, most: u32) -> Result<Permit, Full> {
        let at = self.place_of(method);
        let ours = self.methods[at].out.fetch_add(1, Relaxed);
        let all = self.out.fetch_add(1, Relaxed);
        let permit = Permit(at);
        let (limit, share) = (self.limit.load(Relaxed), self.share.load(Relaxed));
        if ours >= most || (all >= limit && ours >= share) {
            self.settle(permit);
            return Err(Full { limit, share, of_method: (ours >= most).then_some(most) });
        }
        Ok(permit)
    }

    /// A call is over.
    #[expect(clippy::needless_pass_by_value, reason = "a place is given back once")]
    pub fn settle(&self, permit: Permit) {
        self.methods[permit.0].out.fetch_sub(1, Relaxed);
        self.out.fetch_sub(1, Relaxed);
    }

    /// Whether more than half of the places are taken.
    pub fn is_half_full(&self) -> bool {
        self.out() > self.limit.load(Relaxed) / 2
    }

    /// Calls that are out.
    pub fn out(&self) -> u32 {
        self.out.load(Relaxed)
    }

    fn place_of(&self, method: u64) -> usize {
        let method = method.max(1);
        let first = (method % METHODS as u64) as usize;
        for step in 0..METHODS {
            let at = (first + step) % METHODS;
            let id = &self.methods[at].id;
            match id.load(Relaxed) {
                known if known == method => return at,
                0 => match id.compare_exchange(0, method, Relaxed, Relaxed) {
                    Ok(_) => return at,
                    Err(known) if known == method => return at,
                    Err(_) => {}
                },
                _ => {}
            }
        }
        first
    }
}

/// What of so many calls a method has in any case.
fn share(limit: u32) -> u32 {
    let share = (f64::from(limit) * BULKHEAD_METHOD_SHARE) as u32;
    share.max(BULKHEAD_METHOD_MIN).min(limit)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::rng::{Rng, SplitMix, below};

    #[test]
    fn a_method_alone_may_have_all_and_one_that_hangs_leaves_the_others_their_share() {
        let bulkhead = Bulkhead::new(100);
        let hanging: Vec<_> = std::iter::from_fn(|| bulkhead.admit(1).ok()).collect();
        assert_eq!(hanging.len(), 100);
        let others: Vec<_> = std::iter::from_fn(|| bulkhead.admit(2).ok()).collect();
        assert_eq!(others.len(), 25);
        let full = bulkhead.admit(1).unwrap_err();
        assert_eq!(full, Full { limit: 100, share: 25, of_method: None });
        hanging.into_iter().chain(others).for_each(|permit| bulkhead.settle(permit));
        assert_eq!(bulkhead.out(), 0);
    }

    #[test]
    fn a_small_bulkhead_leaves_a_method_its_least() {
        assert_eq!(share(20), 16);
        assert_eq!(share(4), 4);
    }

    #[test]
    fn a_method_has_no_more_than_its_own_bound_and_the_others_may_have_the_rest() {
        let bulkhead = Bulkhead::new(100);
        let within: Vec<_> = std::iter::from_fn(|| bulkhead.admit_within(1, 10).ok()).collect();
        assert_eq!(within.len(), 10);
        assert_eq!(bulkhead.admit_within(1, 10).unwrap_err().of_method, Some(10));
        let others: Vec<_> = std::iter::from_fn(|| bulkhead.admit(2).ok()).collect();
        assert_eq!(others.len(), 90);
        assert_eq!(bulkhead.admit_within(3, 0).unwrap_err().of_method, Some(0));
        within.into_iter().chain(others).for_each(|permit| bulkhead.settle(permit));
        assert_eq!(bulkhead.out(), 0);
    }

    #[test]
    fn a_smaller_one_keeps_what_is_out_and_lets_nothing_in_until_there_is_room() {
        let bulkhead = Bulkhead::new(100);
        let mut out: Vec<_> = (0..60).map(|_| bulkhead.admit(1).unwrap()).collect();
        bulkhead.resize(40);
        assert_eq!(bulkhead.admit(1).unwrap_err(), Full { limit: 40, share: 16, of_method: None });
        out.drain(..21).for_each(|permit| bulkhead.settle(permit));
        assert!(bulkhead.admit(1).is_ok());
        bulkhead.resize(1000);
        assert!(bulkhead.admit(1).is_ok());
    }

    #[test]
    fn more_methods_than_places_share_them_and_lose_nothing() {
        let bulkhead = Bulkhead::new(1000);
        let mut rng = SplitMix::new(5);
        let methods: Vec<u64> = (0..200).map(|_| rng.next_u64()).collect();
        let permits: Vec<_> =
            methods.iter().map(|method| bulkhead.admit(*method).unwrap()).collect();
        assert_eq!(bulkhead.out(), 200);
        permits.into_iter().for_each(|permit| bulkhead.settle(permit));
        assert!(bulkhead.methods.iter().all(|method| method.out.load(Relaxed) == 0));
    }

    #[test]
    fn under_any_interleaving_the_total_exceeds_the_limit_by_unused_shares_alone() {
        for seed in 0..50 {
            let mut rng = SplitMix::new(seed);
            let bulkhead = Bulkhead::new(64);
            let mut out: Vec<(u64, Permit)> = Vec::new();
            for _ in 0..2000 {
                if below(&mut rng, 5) < 3 {
                    let method = 1 + below(&mut rng, 4);
                    out.extend(bulkhead.admit(method).ok().map(|permit| (method, permit)));
                } else if !out.is_empty() {
                    let at = below(&mut rng, out.len() as u64) as usize;
                    bulkhead.settle(out.swap_remove(at).1);
                }
                assert_eq!(bulkhead.out() as usize, out.len());
                assert!(out.len() <= 64 + 3 * 16, "seed {seed}: {}", out.len());
            }
        }
    }

    /// A bulkhead of 64 with so many calls of the methods 1, 2 and so on.
    fn holding(calls: &[usize]) -> (Bulkhead, Vec<Permit>) {
        let bulkhead = Bulkhead::new(64);
        let mut permits = Vec::new();
        for (method, calls) in (1..).zip(calls) {
            permits.extend((0..*calls).map(|_| bulkhead.admit(method).unwrap()));
        }
        (bulkhead, permits)
    }

    #[test]
    fn every_state_answers_every_event() {
        let states: [(&str, &[usize]); 5] = [
            ("empty", &[]),
            ("one place left", &[63]),
            ("full of 1", &[64]),
            ("full of both", &[32, 32]),
            ("all of 2 beyond", &[64, 16]),
        ];
        let mut table = String::new();
        for (state, calls) in states {
            write!(table, "{state:<16}").unwrap();
            for method in [1, 2, 3] {
                let (bulkhead, _out) = holding(calls);
                let before = bulkhead.out();
                let admitted = bulkhead.admit(method);
                assert_eq!(bulkhead.out(), before + u32::from(admitted.is_ok()), "{state}");
                write!(table, " {method}: {}", if admitted.is_ok() { "in" } else { "--" }).unwrap();
            }
            let (bulkhead, mut out) = holding(calls);
            if !out.is_empty() {
                bulkhead.settle(out.remove(0));
            }
            let admitted = if bulkhead.admit(1).is_ok() { "in" } else { "--" };
            writeln!(table, " one of 1 leaves, 1: {admitted}").unwrap();
        }
        assert_eq!(table, STATES);
    }

    const STATES: &str = "\
empty            1: in 2: in 3: in one of 1 leaves, 1: in
one place left   1: in 2: in 3: in one of 1 leaves, 1: in
full of 1        1: -- 2: in 3: in one of 1 leaves, 1: in
full of both     1: -- 2: -- 3: in one of 1 leaves, 1: in
all of 2 beyond  1: -- 2: -- 3: in one of 1 leaves, 1: --
";
}
