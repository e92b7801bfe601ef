//! Those who share a server's places, and what each may have of them while others wait.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Who has more than his share is looked for so often, where somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Calls that count together: those of one identity, or of one method.
#[derive(Debug)]
pub struct Group {
    /// An `f64`.
    share: AtomicU64,
    at_work: AtomicU32,
    /// Calls that came in this window while there was pressure, and in the one before.
    came: AtomicU32,
    last: AtomicU32,
}

impl Group {
    pub(super) const fn new(share: f64) -> Self {
        Self {
            share: AtomicU64::new(share.to_bits()),
            at_work: AtomicU32::new(0),
            came: AtomicU32::new(0),
            last: AtomicU32::new(0),
        }
    }

    /// What it has of the places while others wait, from here on.
    pub fn set_share(&self, share: f64) {
        self.share.store(share.to_bits(), Relaxed);
    }

    pub(super) fn enter(&self) {
        self.at_work.fetch_add(1, Relaxed);
    }

    pub(super) fn leave(&self) {
        self.at_work.fetch_sub(1, Relaxed);
    }

    /// Calls of it that are at work.
    pub fn at_work(&self) -> u32 {
        self.at_work.load(Relaxed)
    }

    /// A call came while there was pressure.
    pub(super) fn came(&self) {
        self.came.fetch_add(1, Relaxed);
    }

    /// How many came in the last window.
    pub(super) fn lately(&self) -> u32 {
        self.came.load(Relaxed).max(self.last.load(Relaxed))
    }

    /// How many it has beyond its share of so many places.
    pub(super) fn beyond(&self, places: u32) -> u32 {
        let share = f64::from_bits(self.share.load(Relaxed));
        let own = (f64::from(places) * share).max(1.0) as u32;
        self.at_work().saturating_sub(own)
    }
}

/// All groups of a server.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Vec<Weak<Group>>,
    looked: Option<Instant>,
    /// Who has more than his share.
    over: Vec<Weak<Group>>,
}

impl Groups {
    pub(super) fn add(&mut self, group: &Arc<Group>) {
        self.all.retain(|known| known.strong_count() > 0);
        self.all.push(Arc::downgrade(group));
        self.looked = None;
    }

    pub(super) const fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// How many places of so many are taken by others than this one beyond their shares: they do not stand in its way,
    /// unless it has more than its own.
    pub(super) fn beyond(&mut self, of: &Group, places: u32, now: Instant) -> u32 {
        if !self.are_several() || of.beyond(places) > 0 {
            return 0;
        }
        self.look(places, now);
        let over = self.over.iter().filter_map(Weak::upgrade);
        // Together they never make more room than there are places of half a server.
        over.map(|group| group.beyond(places)).sum::<u32>().min(places / 2)
    }

    /// A window is over, in which so many calls began: how many of them would have been everybody's, by equal parts, and those
    /// of one that comes new.
    pub(super) fn turn(&mut self, began: u32) -> u32 {
        let groups = || self.all.iter().filter_map(Weak::upgrade);
        groups().for_each(|group| group.last.store(group.came.swap(0, Relaxed), Relaxed));
        let active = groups().filter(|group| group.lately() > 0).count() as u32;
        began / (active + 1)
    }

    fn look(&mut self, places: u32, now: Instant) {
        let old = self.looked.is_none_or(|at| now.saturating_duration_since(at) >= LOOK_EVERY);
        if old {
            self.looked = Some(now);
            let over = |group: &&Weak<Group>| {
                group.upgrade().is_some_and(|group| group.beyond(places) > 0)
            };
            self.over = self.all.iter().filter(over).cloned().collect();
        }
    }
}
