//! The endpoints of a client whose service is discovered: looked for when first needed, kept up to date beside the calls.
//!
//! # Invariants
//! 1. An endpoint that stays on the list keeps its connection and what is known of it, also where something else is said
//!    of it now. One that leaves it keeps what is still out there, until that is over.
//! 2. Nothing looks on when the client is gone.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_core::codes::Reason;
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{ClientCore, Endpoint, Target, placement};
use crate::discovery::{Doubt, Entry, News, Sources, follow};

/// How to get to an endpoint that was found.
type Reach = Box<dyn Fn(&Entry) -> Target + Send + Sync>;

/// Where a client's endpoints come from.
pub(crate) struct Discovery {
    reach: Reach,
    /// The caller's.
    zone: Option<String>,
    started: AtomicBool,
    changed: Notify,
    doubt: Doubt,
    state: Mutex<State>,
}

struct State {
    /// Taken by the task that follows them.
    sources: Option<Sources>,
    /// As people name them, and what is wrong with them.
    problems: Vec<(String, Option<String>)>,
    following: Option<AbortHandle>,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("started", &self.started).finish_non_exhaustive()
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        if let Some(following) = &self.lock().following {
            following.abort();
        }
    }
}

impl Discovery {
    /// What these sources list, for a caller in this zone.
    pub(crate) fn new(sources: Sources, zone: Option<String>, reach: Reach) -> Self {
        let problems = sources.all.iter().map(|source| (source.name(), None)).collect();
        Self {
            reach,
            zone,
            started: AtomicBool::new(false),
            changed: Notify::new(),
            doubt: Doubt::new(),
            state: Mutex::new(State { sources: Some(sources), problems, following: None }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt failed for this: where it went may not be where the endpoints are any more.
    pub(super) fn doubt(&self, reason: Reason) {
        use Reason::{ConnectionLost, Draining, HandshakeFailed, WrongIdentity};
        if matches!(reason, ConnectionLost | Draining | HandshakeFailed | WrongIdentity) {
            self.doubt.raise();
        }
    }

    /// Why there is no endpoint, for whoever can change that.
    pub(super) fn why_none(&self) -> String {
        let of = |(name, problem): &(String, Option<String>)| match problem {
            Some(problem) => format!("`{name}`: {problem}"),
            None if name.starts_with("etcd:") => {
                format!(
                    "`{name}`: no server has announced itself there; start one, or name its address"
                )
            }
            None if name.starts_with("sinew:") => format!(
                "`{name}`: no server has announced itself to this user of this machine; start one, or name its address"
            ),
            None => format!("`{name}` lists none"),
        };
        let problems: Vec<_> = self.lock().problems.iter().map(of).collect();
        if problems.is_empty() {
            return "this mesh looks for nobody on this machine (`MeshBuilder::without_local_discovery`, or a runtime \
                    directory that cannot be used); name an address"
                .to_owned();
        }
        problems.join("; ")
    }
}

impl ClientCore {
    /// Waits until there is an endpoint, at most until then; at once where there is one, or where none is looked for.
    pub(super) async fn found(self: &Arc<Self>, until: Instant) {
        let Some(discovery) = &self.discovery else { return };
        if !discovery.started.load(Ordering::Relaxed) {
            self.follow(discovery);
        }
        while self.endpoints.load().is_empty() {
            let mut changed = std::pin::pin!(discovery.changed.notified());
            changed.as_mut().enable();
            // There may have been one before we listened.
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

    fn follow(self: &Arc<Self>, discovery: &Discovery) {
        let mut state = discovery.lock();
        let Some(sources) = state.sources.take() else { return };
        let core = Arc::downgrade(self);
        let following = follow(sources, discovery.doubt.heard(), move |news| hear(&core, news));
        state.following = Some(tokio::spawn(following).abort_handle());
        discovery.started.store(true, Ordering::Relaxed);
    }

    /// The endpoints are these from now on.
    fn replace(&self, entries: &[Entry], discovery: &Discovery) {
        let known = self.endpoints.load();
        let of = |endpoint: &Endpoint| {
            let entry = endpoint.entry();
            (entry.id.clone(), entry.address.clone())
        };
        let mut kept: BTreeMap<_, _> =
            known.iter().map(|endpoint| (of(endpoint), endpoint)).collect();
        let (now, zone) = (Instant::now().into_std(), discovery.zone.as_deref());
        let fresh = !known.is_empty();
        let mut endpoints: Vec<Endpoint> = entries
            .iter()
            .map(|entry| match kept.remove(&(entry.id.clone(), entry.address.clone())) {
                Some(endpoint) => {
                    if *endpoint.entry() != *entry {
                        endpoint.set_entry(entry, placement(&self.policy, entry, zone));
                    }
                    endpoint.clone()
                }
                None => {
                    let member = self.plan.member(placement(&self.policy, entry, zone), fresh, now);
                    Endpoint::new((discovery.reach)(entry), entry.clone(), member, &self.seen)
                }
            })
            .collect();
        self.note_endpoints(&known, &endpoints);
        tracing::debug!(
            service = self.service(),
            endpoints = endpoints.len(),
            "endpoints have changed"
        );
        self.plan.arrange(&mut endpoints);
        let endpoints = Arc::new(endpoints);
        self.endpoints.store(Arc::clone(&endpoints));
        self.plan.recount(&endpoints);
        self.note_panic();
        discovery.changed.notify_waiters();
    }
}

/// Whether a client is still there to hear the news.
fn hear(core: &Weak<ClientCore>, news: News) -> bool {
    let Some(core) = core.upgrade() else { return false };
    let Some(discovery) = &core.discovery else { return false };
    match news {
        News::Endpoints(entries) => core.replace(&entries, discovery),
        News::Problem(at, problem) => {
            if let Some((_, known)) = discovery.lock().problems.get_mut(at) {
                *known = problem;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
