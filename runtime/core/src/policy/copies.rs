//! How many copies of calls are out, so that whoever gets them and hangs takes nothing with it.
//!
//! # Why
//! Nobody waits for a copy, so nothing slows down who makes them: at a server that hangs each would be out until its time
//! is over. A number of them bounds what they hold, and what is above it is not sent.
//!
//! # Invariants
//! 1. Every place that is taken is given back, whatever becomes of the copy.
//! 2. It neither locks nor waits.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::limits::MIRRORED_MAX;

/// The copies of one client's calls to one service.
#[derive(Debug, Default)]
pub struct Copies(AtomicU32);

/// A copy's place; to be given back once.
#[derive(Debug)]
#[must_use = "a place that is not given back is lost"]
pub struct Permit(());

impl Copies {
    /// A place for one more; `None` where as many are out as may be.
    pub fn admit(&self) -> Option<Permit> {
        let permit = Permit(());
        if self.0.fetch_add(1, Relaxed) < MIRRORED_MAX {
            return Some(permit);
        }
        self.settle(permit);
        None
    }

    /// A copy is over.
    pub fn settle(&self, Permit(()): Permit) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_out_than_may_be_and_each_makes_room_for_one() {
        let copies = Copies::default();
        let mut out: Vec<Permit> = std::iter::from_fn(|| copies.admit()).collect();
        assert_eq!(out.len(), MIRRORED_MAX as usize);
        assert!(copies.admit().is_none(), "what was refused took no place");
        copies.settle(out.pop().unwrap());
        out.extend(copies.admit());
        assert_eq!(out.len(), MIRRORED_MAX as usize);
        assert!(copies.admit().is_none());
    }
}
