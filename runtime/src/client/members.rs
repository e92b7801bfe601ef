//! The endpoints of a client whose service is discovered: looked for when first needed, kept up to date beside the calls.
//!
//! # Invariants
//! 1. The last good list stays: an empty one never takes its place.
//! 2. An endpoint that stays on the list keeps its connection and what is known of it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_core::{limits, plan::client::Placement};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use super::{ClientCore, Endpoint, Target};
use crate::discovery::{Entry, Look};

/// How to get to an endpoint that was found.
pub(crate) type Reach = Box<dyn Fn(&Entry) -> Target + Send + Sync>;

/// Where a client's endpoints come from.
pub(super) struct Discovery {
    /// Taken by the task that looks.
    look: Mutex<Option<Look>>,
    reach: Reach,
    started: AtomicBool,
    changed: Notify,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("started", &self.started).finish_non_exhaustive()
    }
}

impl Discovery {
    pub(super) fn new(look: Look, reach: Reach) -> Self {
        Self {
            look: Mutex::new(Some(look)),
            reach,
            started: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }
}

impl ClientCore {
    /// Waits until there is an endpoint, at most until then; at once where there is one, or where none is looked for.
    pub(super) async fn found(self: &Arc<Self>, until: Instant) {
        let Some(discovery) = &self.discovery else { return };
        if !discovery.started.load(Ordering::Relaxed) {
            self.look(discovery);
        }
        while self.endpoints.load().is_empty() {
            let changed = discovery.changed.notified();
            if !self.endpoints.load().is_empty() || timeout_at(until, changed).await.is_err() {
                return;
            }
        }
    }

    /// Whether a call has to wait for an endpoint to be found.
    pub(super) fn is_found(&self) -> bool {
        let Some(discovery) = &self.discovery else { return true };
        discovery.started.load(Ordering::Relaxed) && !self.endpoints.load().is_empty()
    }

    fn look(self: &Arc<Self>, discovery: &Discovery) {
        let look = discovery.look.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut look) = look else { return };
        // Now, for the call that waits; and from now on beside the calls.
        if let Some(entries) = look.again(Instant::now()) {
            self.replace(&entries, &discovery.reach);
        }
        discovery.started.store(true, Ordering::Relaxed);
        tokio::spawn(keep_looking(Arc::downgrade(self), look));
    }

    /// The endpoints are these from now on.
    fn replace(&self, entries: &[Entry], reach: &Reach) {
        let known = self.endpoints.load();
        if entries.is_empty() && !known.is_empty() {
            return;
        }
        let mut kept: BTreeMap<&str, &Endpoint> =
            known.iter().map(|endpoint| (endpoint.id(), endpoint)).collect();
        if kept.len() == entries.len() && entries.iter().all(|entry| kept.contains_key(&*entry.id))
        {
            return;
        }
        let now = Instant::now().into_std();
        let fresh = !known.is_empty();
        let endpoints: Vec<Endpoint> = entries
            .iter()
            .map(|entry| match kept.remove(&*entry.id) {
                Some(endpoint) => endpoint.clone(),
                None => {
                    let member = self.plan.member(Placement::default(), fresh, now);
                    Endpoint::new(reach(entry), entry.id.clone(), member, &self.seen)
                }
            })
            .collect();
        self.note_endpoints(&known, &endpoints);
        tracing::debug!(
            service = self.service(),
            endpoints = endpoints.len(),
            "endpoints have changed"
        );
        self.plan.recount(&endpoints);
        self.note_panic();
        self.endpoints.store(Arc::new(endpoints));
    }
}

/// Looks for as long as there is a client.
async fn keep_looking(core: Weak<ClientCore>, mut look: Look) {
    loop {
        sleep(limits::DISCOVERY_TICK).await;
        let looked = tokio::task::spawn_blocking(move || {
            let entries = look.again(Instant::now());
            (look, entries)
        });
        let Ok((back, entries)) = looked.await else { return };
        look = back;
        let Some(core) = core.upgrade() else { return };
        if let (Some(entries), Some(discovery)) = (entries, &core.discovery) {
            core.replace(&entries, &discovery.reach);
            discovery.changed.notify_waiters();
        }
    }
}
