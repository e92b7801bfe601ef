//! What a store holds of a range of keys, as far as it has told.
//!
//! ```text
//!   range ----> all ---+                          +--> held: what is there
//!                      +--> is it the same store? |
//!   watch ----> hear --+    further on than it was? --no--> what it knows nothing of any more is missed: it stays
//!   check ----> agrees                                      for the time in which whoever lives announces himself
//! ```
//!
//! # Why
//! A store can be set back: restarted empty, restored from a backup, or another one at the same address. What is missing
//! then was not taken back by anybody, and whoever lives writes it again within a heartbeat. Believing the store in the
//! meantime would take endpoints away that all live.
//!
//! # Invariants
//! 1. A store is never believed to have lost a key by being set back, before [`ANNOUNCE_LEASE`](limits::ANNOUNCE_LEASE)
//!    is over.
//! 2. There are never more than [`ETCD_KEYS_MAX`](limits::ETCD_KEYS_MAX) keys.

use std::collections::BTreeMap;

use sinew_core::limits;
use tokio::time::Instant;

use super::json::{Event, Header, Item, Range};

/// What is known of a range of keys.
#[derive(Debug, Default)]
pub(super) struct View {
    header: Header,
    held: BTreeMap<String, Item>,
    /// Was there before the store was set back.
    missed: BTreeMap<String, Item>,
    /// Until then.
    until: Option<Instant>,
    /// There are more than may be known.
    is_cut: bool,
}

/// Whether a watch has told everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// As far as can be seen.
    Yes,
    /// Something is missing, or on its way.
    No,
    /// The store was set back.
    SetBack,
}

impl View {
    /// All that the store holds now. Whether it was set back since it was heard last.
    pub(super) fn all(&mut self, range: Range, now: Instant) -> bool {
        let is_set_back = self.is_set_back(&range.header);
        self.header = range.header;
        self.is_cut = range.count > range.items.len() as u64;
        let items = range.items.into_iter().take(limits::ETCD_KEYS_MAX);
        let held = items.map(|item| (item.key.clone(), item)).collect();
        let before = std::mem::replace(&mut self.held, held);
        if is_set_back {
            self.missed.extend(before);
            self.until = Some(now + limits::ANNOUNCE_LEASE);
        }
        self.missed.retain(|key, _| !self.held.contains_key(key));
        while self.missed.len() > limits::ETCD_KEYS_MAX {
            self.missed.pop_last();
        }
        self.expire(now);
        is_set_back
    }

    /// What has happened. Whether anything is different.
    pub(super) fn hear(&mut self, header: Header, events: Vec<Event>) -> bool {
        if header.revision > self.header.revision {
            self.header = header;
        }
        let is_news = !events.is_empty();
        for Event { is_gone, item } in events {
            self.missed.remove(&item.key);
            if is_gone {
                self.held.remove(&item.key);
            } else if self.held.len() < limits::ETCD_KEYS_MAX || self.held.contains_key(&item.key) {
                self.held.insert(item.key.clone(), item);
            } else {
                self.is_cut = true;
            }
        }
        is_news
    }

    /// What a look at the store says of what the watch has told.
    pub(super) fn agrees(&self, latest: &Range) -> Agreement {
        if self.is_set_back(&latest.header) {
            return Agreement::SetBack;
        }
        if self.is_cut {
            return Agreement::Yes;
        }
        let modified =
            |items: &mut dyn Iterator<Item = &Item>| items.map(|item| item.modified).max();
        let is_same = latest.count == self.held.len() as u64
            && modified(&mut latest.items.iter()) == modified(&mut self.held.values());
        if is_same { Agreement::Yes } else { Agreement::No }
    }

    /// Forgets what is missed for too long; whether there was anything.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        if self.until.is_none_or(|until| now < until) {
            return false;
        }
        self.until = None;
        !std::mem::take(&mut self.missed).is_empty()
    }

    /// When to [`expire`](Self::expire).
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// What holds now: what is missed, then the rest in the order in which it came about.
    pub(super) fn items(&self) -> Vec<&Item> {
        let mut held: Vec<&Item> = self.held.values().collect();
        held.sort_by_key(|item| item.created);
        self.missed.values().chain(held).collect()
    }

    /// What to watch from: whatever is later than what is known.
    pub(super) fn next_revision(&self) -> u64 {
        self.header.revision.saturating_add(1)
    }

    /// There are more keys than are known.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Another store, or one that is not as far as it was.
    fn is_set_back(&self, header: &Header) -> bool {
        let known = &self.header;
        known.revision > 0
            && (header.cluster_id != known.cluster_id
                || header.revision < known.revision
                || header.raft_term < known.raft_term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Header = Header { cluster_id: 1, revision: 10, raft_term: 2 };

    fn item(key: &str, modified: u64) -> Item {
        Item { key: key.into(), value: format!("{key}@{modified}"), created: modified, modified }
    }

    fn range(header: Header, items: &[(&str, u64)]) -> Range {
        let items: Vec<_> = items.iter().map(|(key, modified)| item(key, *modified)).collect();
        Range { header, count: items.len() as u64, items }
    }

    fn keys(view: &View) -> Vec<&str> {
        view.items().into_iter().map(|item| &*item.key).collect()
    }

    fn view(now: Instant) -> View {
        let mut view = View::default();
        assert!(!view.all(range(FIRST, &[("a", 9), ("b", 3), ("c", 5)]), now), "the first time");
        view
    }

    #[test]
    fn what_is_there_comes_in_the_order_in_which_it_came_about() {
        let now = Instant::now();
        let mut view = view(now);
        assert_eq!((keys(&view), view.next_revision()), (vec!["b", "c", "a"], 11));
        let gone = Event { is_gone: true, item: item("c", 11) };
        let there = Event { is_gone: false, item: item("d", 12) };
        assert!(view.hear(Header { revision: 12, ..FIRST }, vec![gone, there]));
        assert_eq!((keys(&view), view.next_revision()), (vec!["b", "a", "d"], 13));
        assert!(!view.hear(Header { revision: 14, ..FIRST }, Vec::new()), "mere progress");
        // What is missing from a store that is further on than it was is gone.
        assert!(!view.all(range(Header { revision: 15, ..FIRST }, &[("b", 3)]), now));
        assert_eq!(keys(&view), ["b"]);
    }

    #[test]
    fn a_store_that_was_set_back_loses_nothing_within_a_lease() {
        let now = Instant::now();
        for (what, header) in [
            ("restarted empty", Header { revision: 1, ..FIRST }),
            ("another one", Header { cluster_id: 2, revision: 90, ..FIRST }),
            ("empty, and written to since", Header { revision: 40, raft_term: 1, ..FIRST }),
        ] {
            let mut view = view(now);
            assert!(view.all(range(header, &[]), now), "{what}");
            assert_eq!(keys(&view), ["a", "b", "c"], "{what}");
            // One announces itself again, one takes itself back, and one says nothing.
            let there = Event { is_gone: false, item: item("a", 2) };
            let gone = Event { is_gone: true, item: item("b", 3) };
            view.hear(Header { revision: header.revision + 2, ..header }, vec![there, gone]);
            assert_eq!(keys(&view), ["c", "a"], "{what}");
            assert!(!view.expire(now + limits::ANNOUNCE_LEASE / 2));
            assert_eq!(view.until(), Some(now + limits::ANNOUNCE_LEASE));
            assert!(view.expire(now + limits::ANNOUNCE_LEASE), "{what}");
            assert_eq!((keys(&view), view.until()), (vec!["a"], None), "{what}");
        }
    }

    #[test]
    fn a_store_that_was_restored_old_says_again_what_it_knows_and_loses_nothing() {
        let now = Instant::now();
        let mut view = view(now);
        let old = Header { revision: 4, ..FIRST };
        assert!(view.all(range(old, &[("b", 3), ("z", 2)]), now));
        assert_eq!(keys(&view), ["a", "c", "z", "b"]);
        // And again while it is written to.
        let later = now + limits::ANNOUNCE_LEASE / 2;
        assert!(!view.all(range(Header { revision: 6, ..FIRST }, &[("b", 3), ("a", 6)]), later));
        assert_eq!(keys(&view), ["c", "b", "a"]);
    }

    #[test]
    fn a_look_at_the_store_shows_what_a_watch_has_not_told() {
        let view = view(Instant::now());
        let look = |revision, count, modified| {
            let items = vec![item("x", modified)];
            view.agrees(&Range { header: Header { revision, ..FIRST }, items, count })
        };
        assert_eq!(look(10, 3, 9), Agreement::Yes);
        assert_eq!(look(20, 3, 9), Agreement::Yes, "others have written elsewhere");
        assert_eq!(look(11, 3, 11), Agreement::No, "something was written");
        assert_eq!(look(11, 2, 9), Agreement::No, "something is gone");
        assert_eq!(look(9, 3, 9), Agreement::SetBack);
        let none = Range { header: FIRST, ..Range::default() };
        assert_eq!(View { header: FIRST, ..View::default() }.agrees(&none), Agreement::Yes);
    }

    #[test]
    fn there_are_never_more_keys_than_may_be() {
        let now = Instant::now();
        let mut view = View::default();
        let names: Vec<String> = (0..3000).map(|n| format!("{n:04}")).collect();
        let items: Vec<(&str, u64)> = names.iter().map(|name| (&**name, 1)).collect();
        view.all(range(FIRST, &items), now);
        assert_eq!(view.items().len(), limits::ETCD_KEYS_MAX);
        let there = Event { is_gone: false, item: item("new", 11) };
        view.hear(Header { revision: 11, ..FIRST }, vec![there]);
        assert_eq!(view.items().len(), limits::ETCD_KEYS_MAX);
        assert!(view.is_cut());
        let look = range(Header { revision: 11, ..FIRST }, &[]);
        assert_eq!(view.agrees(&look), Agreement::Yes, "nothing can be compared");
        view.all(range(Header { revision: 1, ..FIRST }, &[]), now);
        view.all(range(Header { revision: 1, cluster_id: 7, ..FIRST }, &items[2000..]), now);
        assert!(view.items().len() <= 2 * limits::ETCD_KEYS_MAX);
    }
}
