//! How many of a server's connections one identity may have: half of what the others leave free.
//!
//! # Why
//! A fleet that loops on connecting, or one stolen certificate, must not lock everybody else out. A fixed share per
//! identity would be too small for a server with one caller and too large for one with many; half of what is free
//! always leaves as much for the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use sinew_core::spiffe::SpiffeId;

/// The connections that are authenticated, by identity.
#[derive(Clone, Debug)]
pub(super) struct Shares(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    most: usize,
    open: usize,
    by_identity: BTreeMap<SpiffeId, usize>,
}

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    identity: SpiffeId,
}

impl Shares {
    pub(super) fn new(most: u32) -> Self {
        let table = Table { most: most as usize, open: 0, by_identity: BTreeMap::new() };
        Self(Arc::new(Mutex::new(table)))
    }

    /// A place for one more connection of this identity, or how many it has and may not exceed.
    pub(super) fn take(&self, identity: &SpiffeId) -> Result<Share, usize> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = table.by_identity.get(identity).copied().unwrap_or(0);
        let free = table.most.saturating_sub(table.open - own);
        if own >= free.div_ceil(2) {
            return Err(own);
        }
        table.open += 1;
        *table.by_identity.entry(identity.clone()).or_default() += 1;
        drop(table);
        Ok(Share { shares: self.clone(), identity: identity.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut table = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.open -= 1;
        if let Some(own) = table.by_identity.get_mut(&self.identity) {
            *own -= 1;
            if *own == 0 {
                table.by_identity.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> SpiffeId {
        SpiffeId::new(&format!("spiffe://test/{name}")).unwrap()
    }

    fn take_all(shares: &Shares, name: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(&id(name)).ok()).collect()
    }

    #[test]
    fn nobody_takes_more_than_half_of_what_the_others_leave() {
        let shares = Shares::new(100);
        let first = take_all(&shares, "first");
        let second = take_all(&shares, "second");
        let third = take_all(&shares, "third");
        assert_eq!((first.len(), second.len(), third.len()), (50, 25, 13));
        assert_eq!(shares.take(&id("first")).unwrap_err(), 50);
    }

    #[test]
    fn a_place_that_is_given_back_is_free_and_nothing_is_kept_of_its_identity() {
        let shares = Shares::new(10);
        let mut held = take_all(&shares, "one");
        assert_eq!(held.len(), 5);
        held.pop();
        held.push(shares.take(&id("one")).unwrap());
        drop(held);
        let table = shares.0.lock().unwrap();
        assert_eq!((table.open, table.by_identity.len()), (0, 0));
    }

    #[test]
    fn there_is_a_place_for_a_newcomer_until_all_are_taken() {
        let shares = Shares::new(8);
        let mut held = Vec::new();
        for n in 0..8 {
            held.push(shares.take(&id(&format!("caller-{n}"))).unwrap());
        }
        assert_eq!(shares.take(&id("late")).unwrap_err(), 0);
    }
}
