//! What the server of a connection has said: of its methods' types, and of its services' health.
//!
//! # Why
//! Which codec a call may use is decided for the connection that it goes over. The server's settings say it for all of
//! its methods at once, about one round trip after the connection began; a call that comes earlier says its own
//! fingerprint and may hear that another codec is wanted.
//!
//! # Invariants
//! 1. It is bounded: by the settings, by the methods that this process calls, and by [`limits::SERVICES_MAX`].
//! 2. A server that refused bincode for a method is not asked again, unless it sends other settings.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock, RwLockWriteGuard},
};

use sinew_core::{
    ids::{Fingerprint, MethodId},
    limits,
};
use tokio::sync::Notify;

use crate::transport::Theirs;

/// The types of a server, as far as they were heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    table: RwLock<Table>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct Table {
    /// Whether the settings are here.
    settled: bool,
    /// In order of the ids.
    known: Vec<(MethodId, Theirs)>,
    /// Services that cannot do their work; the empty name stands for all of them.
    unwell: BTreeSet<String>,
}

impl Heard {
    /// What is known of a method.
    pub(super) fn of(&self, method: MethodId) -> Theirs {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        match table.known.binary_search_by_key(&method, |(id, _)| *id) {
            Ok(at) => table.known[at].1,
            Err(_) if table.settled => Theirs::Unlisted,
            Err(_) => Theirs::Unheard,
        }
    }

    /// The server's settings came.
    pub(super) fn settings(&self, fingerprints: &[(MethodId, Fingerprint)]) {
        let mut table = self.write();
        let known = fingerprints.iter().map(|&(method, fingerprint)| match fingerprint.0 {
            0 => (method, Theirs::Named),
            _ => (method, Theirs::Known(fingerprint)),
        });
        table.known = known.collect();
        table.known.sort_by_key(|(method, _)| *method);
        table.known.dedup_by_key(|(method, _)| *method);
        table.settled = true;
        drop(table);
        self.settled.notify_waiters();
    }

    /// The server refused bincode for this method.
    pub(super) fn refused(&self, method: MethodId) {
        let mut table = self.write();
        match table.known.binary_search_by_key(&method, |(id, _)| *id) {
            Ok(at) => table.known[at].1 = Theirs::Named,
            Err(at) => table.known.insert(at, (method, Theirs::Named)),
        }
    }

    /// The server said whether a service can do its work; all of them where it has no name.
    pub(super) fn health(&self, service: String, serving: bool) {
        let mut table = self.write();
        match (serving, service.is_empty()) {
            (true, true) => table.unwell.clear(),
            (true, false) => _ = table.unwell.remove(&service),
            (false, _) if table.unwell.len() < limits::SERVICES_MAX => {
                table.unwell.insert(service);
            }
            // More services than any server has: what cannot be remembered counts as well.
            (false, _) => {}
        }
    }

    /// Whether a service can do its work, as far as the server says.
    pub(super) fn serves(&self, service: &str) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        !table.unwell.contains("") && !table.unwell.contains(service)
    }

    /// Waits for the settings. Cancel safe.
    pub(super) async fn settled(&self) {
        let settled = self.settled.notified();
        let mut settled = std::pin::pin!(settled);
        settled.as_mut().enable();
        if !self.table.read().unwrap_or_else(PoisonError::into_inner).settled {
            settled.await;
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MethodId = MethodId(1);
    const B: MethodId = MethodId(2);

    #[test]
    fn silence_is_not_the_same_as_being_left_out() {
        let heard = Heard::default();
        assert_eq!(heard.of(A), Theirs::Unheard);
        heard.settings(&[(B, Fingerprint(7))]);
        assert_eq!(heard.of(A), Theirs::Unlisted);
        assert_eq!(heard.of(B), Theirs::Known(Fingerprint(7)));
    }

    #[test]
    fn zero_says_that_names_are_wanted() {
        let heard = Heard::default();
        heard.settings(&[(A, Fingerprint(0))]);
        assert_eq!(heard.of(A), Theirs::Named);
    }

    #[test]
    fn who_refused_once_is_not_asked_again() {
        let heard = Heard::default();
        heard.refused(A);
        assert_eq!(heard.of(A), Theirs::Named);
        heard.settings(&[(A, Fingerprint(8)), (B, Fingerprint(7))]);
        assert_eq!(heard.of(A), Theirs::Known(Fingerprint(8)), "now it is known why");
        heard.refused(B);
        assert_eq!(heard.of(B), Theirs::Named, "it refuses what it says itself");
    }

    #[test]
    fn a_service_is_well_until_the_server_says_otherwise() {
        let heard = Heard::default();
        assert!(heard.serves("a"));
        heard.health("a".to_owned(), false);
        assert!(!heard.serves("a") && heard.serves("b"));
        heard.health(String::new(), false);
        assert!(!heard.serves("b"));
        heard.health(String::new(), true);
        assert!(heard.serves("a"));
    }

    #[test]
    fn a_server_that_names_no_end_of_services_fills_no_memory() {
        let heard = Heard::default();
        (0..10_000).for_each(|n| heard.health(format!("s{n}"), false));
        assert_eq!(heard.write().unwell.len(), limits::SERVICES_MAX);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_settings_goes_on_when_they_come() {
        let heard = Heard::default();
        let (_, ()) = tokio::join!(heard.settled(), async {
            tokio::task::yield_now().await;
            heard.settings(&[]);
        });
        heard.settled().await;
    }
}
