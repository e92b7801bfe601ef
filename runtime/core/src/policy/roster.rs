//! Which endpoints a client has, when several sources say so, each in its own time and some of them wrongly.
//!
//! ```text
//!   source 0 --- hear ---> listed, lost --+
//!   source 1 --- hear ---> listed, lost --+--> merged by address --> debounced --> next
//!   on disk  --- restore -> stands in ----+
//! ```
//!
//! # Why
//! Discovery fails in ways that look like news: a name server that answers with nothing, a registry that was restarted
//! empty, leases that all end while the announcers hang. A list that is taken at its word turns each into an outage (AWS,
//! 2025-10-20). So what is listed stays until somebody took it back or others are there in its stead; an endpoint that
//! is listed and gone costs a failed connection, one that lives and is not listed costs the calls.
//!
//! # Invariants
//! 1. A failure of a source changes nothing. Nor does an answer with nothing in it, but for what it takes back.
//! 2. Without being taken back, at most half of what a source has listed leaves the list in [`ROSTER_LEASE`]; the rest
//!    follows later, as long as the source lists others.
//! 3. One address is one endpoint: what the first source that lists it says counts. Another id there, or another
//!    address of an id, is another endpoint.
//! 4. What left comes back after [`ROSTER_RETURN`] at the earliest, unless there would be nothing else: a list that
//!    flaps rebuilds no connection more often.
//! 5. There are never more than [`ENDPOINTS_MAX`] endpoints, nor does a source have more: what was lost first goes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::limits::{ENDPOINTS_MAX, ROSTER_DEBOUNCE, ROSTER_LEASE, ROSTER_RETURN};

#[cfg(test)]
mod tests;

/// What a source lists.
pub trait Listed: Clone + PartialEq {
    /// Tells it from whatever was at the same address before.
    fn id(&self) -> &str;
    /// Where it is.
    fn address(&self) -> &str;
}

/// What a source says.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard<E> {
    /// Everything that it lists now.
    Snapshot(Snapshot<E>),
    /// It cannot be asked, or what it says cannot be read.
    Failed,
}

/// Everything that a source lists at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot<E> {
    /// The endpoints.
    pub endpoints: Vec<E>,
    /// Of those that are not among them: which were taken back.
    pub withdrawn: Withdrawn,
}

/// Which endpoints were taken back: said to be gone by whoever knows, not merely missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawn {
    /// Those of these ids.
    Ids(BTreeSet<String>),
    /// All that are not listed: the source knows all that there is.
    Rest,
}

impl Withdrawn {
    /// Nobody said so of any.
    pub const NONE: Self = Self::Ids(BTreeSet::new());

    fn contains(&self, id: &str) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(id),
            Self::Rest => true,
        }
    }
}

/// An id at an address: what makes an endpoint the same one.
type Key = (String, String);

fn key(endpoint: &impl Listed) -> Key {
    (endpoint.id().to_owned(), endpoint.address().to_owned())
}

/// The endpoints of one client.
#[derive(Debug, Clone)]
pub struct Roster<E> {
    sources: Vec<Source<E>>,
    published: Vec<E>,
    /// When something first differed from what is published.
    changed: Option<Instant>,
    /// What left the list lately, and when.
    left: BTreeMap<Key, Instant>,
}

#[derive(Debug, Clone)]
struct Source<E> {
    listed: Vec<E>,
    /// No longer listed, and not taken back; the longest ago first.
    lost: Vec<E>,
    /// When how many of those left for good.
    gone: VecDeque<(Instant, usize)>,
    /// What is listed was on disk: the first answer takes its place.
    restored: bool,
}

impl<E: Listed> Roster<E> {
    /// Nothing is known of any of so many sources.
    pub fn new(sources: usize) -> Self {
        let source = || Source {
            listed: Vec::new(),
            lost: Vec::new(),
            gone: VecDeque::new(),
            restored: false,
        };
        Self {
            sources: (0..sources).map(|_| source()).collect(),
            published: Vec::new(),
            changed: None,
            left: BTreeMap::new(),
        }
    }

    /// What a source listed in an earlier life stands in until it answers. Nothing where it has already.
    pub fn restore(&mut self, source: usize, endpoints: Vec<E>, now: Instant) {
        let Some(source) = self.sources.get_mut(source) else { return };
        if source.listed.is_empty() && !endpoints.is_empty() {
            source.listed = bounded(endpoints);
            source.restored = true;
            self.note(now);
        }
    }

    /// A source says something. Whether it lists anything else than before.
    pub fn hear(&mut self, source: usize, heard: Heard<E>, now: Instant) -> bool {
        let (Some(source), Heard::Snapshot(snapshot)) = (self.sources.get_mut(source), heard)
        else {
            return false;
        };
        let before = source.listed.clone();
        source.hear(snapshot);
        let news = source.listed != before;
        self.note(now);
        news
    }

    /// What a source lists: the last good of it.
    pub fn listed(&self, source: usize) -> &[E] {
        self.sources.get(source).map_or(&[], |source| &source.listed)
    }

    /// When [`poll`](Self::poll) may have news without anything being heard.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let due = self.changed.map(|changed| changed + self.patience());
        let releases = self.sources.iter().filter_map(Source::next_release);
        let returns = self.left.values().map(|left| *left + ROSTER_RETURN);
        due.into_iter().chain(releases).chain(returns).min()
    }

    /// The endpoints from now on, where they are others than before, and it is time to say so.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<E>> {
        for source in &mut self.sources {
            source.release(now);
        }
        self.left.retain(|_, left| now.saturating_duration_since(*left) < ROSTER_RETURN);
        self.note(now);
        let changed = self.changed?;
        if now.saturating_duration_since(changed) < self.patience() {
            return None;
        }
        self.changed = None;
        let list = self.merged();
        let stays: BTreeSet<Key> = list.iter().map(key).collect();
        let leaves = self.published.iter().map(key).filter(|known| !stays.contains(known));
        self.left.extend(leaves.map(|left| (left, now)));
        self.published.clone_from(&list);
        Some(list)
    }

    /// How long a change waits for others: not at all where calls wait for it.
    fn patience(&self) -> Duration {
        if self.published.is_empty() { Duration::ZERO } else { ROSTER_DEBOUNCE }
    }

    fn note(&mut self, now: Instant) {
        let differs = self.merged() != self.published;
        self.changed = differs.then(|| self.changed.unwrap_or(now));
    }

    /// Each address once, in the order of the sources.
    fn merged(&self) -> Vec<E> {
        let mut addresses = BTreeSet::new();
        let all = self.sources.iter().flat_map(|source| source.listed.iter());
        let all = all.chain(self.sources.iter().flat_map(|source| source.lost.iter()));
        let mut all: Vec<&E> = all.filter(|one| addresses.insert(one.address())).collect();
        all.truncate(ENDPOINTS_MAX);
        let back = |one: &&E| !self.left.contains_key(&key(*one));
        let steady: Vec<E> = all.iter().copied().filter(back).cloned().collect();
        if steady.is_empty() { all.into_iter().cloned().collect() } else { steady }
    }
}

impl<E: Listed> Source<E> {
    fn hear(&mut self, Snapshot { endpoints, withdrawn }: Snapshot<E>) {
        let endpoints = bounded(endpoints);
        if endpoints.is_empty() {
            let stays = |one: &E| !withdrawn.contains(one.id());
            self.listed.retain(stays);
            self.lost.retain(stays);
            return;
        }
        let listed: BTreeSet<Key> = endpoints.iter().map(key).collect();
        let addresses: BTreeSet<&str> = endpoints.iter().map(Listed::address).collect();
        // What another is at the address of was followed by it, and does not live on beside it.
        let lost = |one: &E| {
            !withdrawn.contains(one.id())
                && !listed.contains(&key(one))
                && !addresses.contains(one.address())
        };
        let missing = std::mem::take(&mut self.listed);
        self.lost.retain(lost);
        if !std::mem::take(&mut self.restored) {
            self.lost.extend(missing.into_iter().filter(lost));
        }
        self.listed = endpoints;
        let most = ENDPOINTS_MAX.saturating_sub(self.listed.len());
        let over = self.lost.len().saturating_sub(most);
        self.lost.drain(..over);
    }

    /// Lets go of what is lost, as far as may be.
    fn release(&mut self, now: Instant) {
        self.gone.retain(|(at, _)| now.saturating_duration_since(*at) < ROSTER_LEASE);
        let gone: usize = self.gone.iter().map(|(_, count)| count).sum();
        let whole = self.listed.len() + self.lost.len() + gone;
        let may = (whole / 2).saturating_sub(gone).min(self.lost.len());
        if may > 0 && !self.listed.is_empty() {
            self.lost.drain(..may);
            self.gone.push_back((now, may));
        }
    }

    /// When more may be let go of.
    fn next_release(&self) -> Option<Instant> {
        let (first, _) = self.gone.front()?;
        (!self.lost.is_empty() && !self.listed.is_empty()).then(|| *first + ROSTER_LEASE)
    }
}

/// The last of those at each address, and not too many.
fn bounded<E: Listed>(endpoints: Vec<E>) -> Vec<E> {
    let mut addresses = BTreeSet::new();
    let mut kept: Vec<E> = Vec::new();
    for one in endpoints.into_iter().rev() {
        if addresses.insert(one.address().to_owned()) {
            kept.push(one);
        }
    }
    kept.reverse();
    kept.truncate(ENDPOINTS_MAX);
    kept
}
