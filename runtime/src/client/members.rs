//! The endpoints of a client whose service is discovered: looked for when first needed, kept up to date beside the calls.
//!
//! # Invariants
//! 1. An endpoint that stays on the list keeps its connection and what is known of it, also where something else is said
//!    of it now. One that leaves it keeps what is still out there, until that is over.
//! 2. An endpoint that is listed and not in the client's aperture costs its entry in the list: no connection, and nothing that
//!    is known of it. Where calls have keys all are known, and those outside are connected to by their keys alone.
//! 3. Nothing looks on when the client is gone.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_core::{codes::Reason, plan::client::Placement, rng::Rng as _};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{ClientCore, Endpoint, Target, placement};
use crate::{
    chance::Chance,
    discovery::{Doubt, Entry, News, Sources, follow},
};

/// How to get to an endpoint that was found.
type Reach = Box<dyn Fn(&Entry) -> Target + Send + Sync>;

/// Where a client's endpoints come from.
pub(crate) struct Discovery {
    reach: Reach,
    /// The caller's.
    zone: Option<String>,
    /// What makes its aperture another than that of other clients.
    number: u64,
    started: AtomicBool,
    /// A call with a key came, and the endpoints outside of the aperture are known too.
    keyed: AtomicBool,
    changed: Notify,
    doubt: Doubt,
    state: Mutex<State>,
    listed: Mutex<Listed>,
}

/// What the endpoints are to be made of.
#[derive(Clone, Default)]
struct Listed {
    entries: Arc<[Entry]>,
    /// A call with a key came.
    keyed: bool,
    /// Counts the changes ...
    version: u64,
    /// ... and says which of them the endpoints have followed.
    applied: u64,
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
            number: Chance.next_u64(),
            started: AtomicBool::new(false),
            keyed: AtomicBool::new(false),
            changed: Notify::new(),
            doubt: Doubt::new(),
            state: Mutex::new(State { sources: Some(sources), problems, following: None }),
            listed: Mutex::default(),
        }
    }

    /// The zone of the caller.
    fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// A call with a key needs the endpoint of its key, whether that is in the aperture or not.
    #[inline]
    pub(super) fn knows_all(&self) {
        if let Some(discovery) = &self.discovery
            && !discovery.keyed.load(Ordering::Acquire)
        {
            let mut listed = discovery.listed();
            if !listed.keyed {
                listed.keyed = true;
                listed.version += 1;
            }
            drop(listed);
            self.replace(discovery);
            discovery.keyed.store(true, Ordering::Release);
        }
    }

    /// Other rules say where endpoints belong.
    pub(super) fn place_anew(&self) {
        if let Some(discovery) = &self.discovery {
            discovery.listed().version += 1;
            self.replace(discovery);
        }
    }

    /// The endpoints that are listed are these from now on.
    fn list(&self, entries: Vec<Entry>, discovery: &Discovery) {
        let mut listed = discovery.listed();
        listed.entries = entries.into();
        listed.version += 1;
        drop(listed);
        self.replace(discovery);
    }

    /// Makes the endpoints those that are listed and in the aperture; where calls have keys, all that are listed.
    fn replace(&self, discovery: &Discovery) {
        loop {
            let listed = discovery.listed().clone();
            if listed.version == listed.applied {
                return;
            }
            let known = self.endpoints.load_full();
            // Not under the lock: a connector may be anybody's.
            let endpoints = Arc::new(self.of_list(&known, &listed, discovery));
            let mut now = discovery.listed();
            // Somebody else was quicker, or there is another list.
            if (now.version, now.applied) != (listed.version, listed.applied) {
                continue;
            }
            now.applied = listed.version;
            self.endpoints.store(Arc::clone(&endpoints));
            drop(now);
            self.plan.recount(&endpoints);
            self.note_endpoints(&known, &endpoints);
            tracing::debug!(
                service = self.service(),
                endpoints = endpoints.len(),
                listed = listed.entries.len(),
                "endpoints have changed"
            );
            self.note_panic();
            discovery.changed.notify_waiters();
        }
    }

    fn of_list(&self, known: &[Endpoint], listed: &Listed, discovery: &Discovery) -> Vec<Endpoint> {
        let of = |endpoint: &Endpoint| {
            let entry = endpoint.entry();
            (entry.id.clone(), entry.address.clone())
        };
        let mut kept: BTreeMap<_, _> =
            known.iter().map(|endpoint| (of(endpoint), endpoint)).collect();
        let entries = &listed.entries;
        let (now, zone) = (Instant::now().into_std(), discovery.zone());
        let rules = self.rules.load();
        let placement = |entry: &Entry| placement(&rules, entry, zone);
        let mut placements: Vec<Placement> = entries.iter().map(placement).collect();
        self.plan.draw_aperture(discovery.number, rules.aperture, &mut placements);
        let fresh = !known.is_empty();
        let used = entries.iter().zip(placements);
        let used = used.filter(|(_, placement)| listed.keyed || placement.inside);
        let mut endpoints: Vec<Endpoint> = used
            .map(|(entry, placement)| {
                match kept.remove(&(entry.id.clone(), entry.address.clone())) {
                    Some(endpoint) => {
                        if *endpoint.entry() != *entry || endpoint.member().placement() != placement
                        {
                            endpoint.set_entry(entry, placement);
                        }
                        endpoint.clone()
                    }
                    None => {
                        let member = self.plan.member(placement, fresh, now);
                        Endpoint::new((discovery.reach)(entry), entry.clone(), member, &self.seen)
                    }
                }
            })
            .collect();
        self.plan.arrange(&mut endpoints);
        endpoints
    }
}

/// Whether a client is still there to hear the news.
fn hear(core: &Weak<ClientCore>, news: News) -> bool {
    let Some(core) = core.upgrade() else { return false };
    let Some(discovery) = &core.discovery else { return false };
    match news {
        News::Endpoints(entries) => core.list(entries, discovery),
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
