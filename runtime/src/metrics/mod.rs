//! What a mesh counts, and what its clients decided last, for people and for Prometheus.
//!
//! ```text
//!   calls       per method, both sides: what calls came to, how long they took, retries and what became of them
//!   endpoints   per endpoint, a bounded number of them
//!   recorder    the last decisions of a service's clients
//!   families    the table of all metrics        page   their text        stripes   counters without waiting
//! ```
//!
//! # Invariants
//! 1. A call that goes well adds to counters in its thread's stripe, and takes no lock.
//! 2. Nothing that a request brings becomes a label.
//! 3. What is counted outlives the client that it was counted for: a counter never goes back.

mod calls;
mod endpoints;
mod families;
mod page;
mod recorder;
mod stripes;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use sinew_core::{
    codes::Reason,
    plan::{
        client::{Out, Phase, View},
        server::ServerPlan,
    },
    policy::cut,
};

pub(crate) use self::{
    calls::{Calls, Came, Happened, Served},
    endpoints::{At, Counts},
};
use self::{
    endpoints::{Endpoints, Named},
    families::Family,
    page::Page,
    recorder::Recorder,
};
use crate::{
    call::{context::lost_contexts, types::codec_counts},
    error::{Decision, Happening},
};

/// By the clock that calls look at.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The metrics of a mesh, alive: printed, they are what they are now. Cheap to clone.
///
/// The text is Prometheus' exposition format 0.0.4, in the same order every time. It lists every metric that there is;
/// `docs/metrics.md` explains them. Printing takes locks that calls do not take, and some 100 us for 100 methods.
///
/// ```no_run
/// # async fn example(mesh: sinew::Mesh) -> std::io::Result<()> {
/// let metrics = mesh.metrics();
/// // Where an HTTP server of yours answers `GET /metrics`, with `Metrics::CONTENT_TYPE`:
/// let body = metrics.to_string();
/// # let _ = body; Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// The media type of the text.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        Self(Arc::clone(registry))
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.page().fmt(f)
    }
}

/// What is counted for one mesh.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    services: Mutex<BTreeMap<Arc<str>, Arc<Service>>>,
    served: Mutex<BTreeMap<(&'static str, &'static str), Arc<Served>>>,
    servers: Mutex<Vec<Weak<dyn LooksAtServer>>>,
    plans: Mutex<Vec<Weak<ServerPlan>>>,
    named: Arc<Named>,
    refused: Refused,
    accepted: [AtomicU64; Accepted::ALL.len()],
    policies: [AtomicU64; PolicyLoad::ALL.len()],
    policy_version: AtomicU64,
    policy_refused: AtomicBool,
    identities: [AtomicU64; IdentityLoad::ALL.len()],
    identity_refused: AtomicBool,
}

/// A server, as far as it is looked at.
pub(crate) trait LooksAtServer: Send + Sync + fmt::Debug {
    /// Calls in flight, and connections.
    fn now(&self) -> (usize, usize);
}

/// A client, as far as it is looked at.
pub(crate) trait LooksAtClient: Send + Sync + fmt::Debug {
    /// What it knows now.
    fn now(&self, now: Instant) -> Known;
}

/// What a client knows.
#[derive(Debug)]
pub(crate) struct Known {
    /// Thousandths of a retry.
    pub(crate) budget: u64,
    pub(crate) panics: bool,
    /// By name, with whether it is connected.
    pub(crate) endpoints: Vec<(Arc<str>, bool, View)>,
}

/// Requests that were refused, by reason; one that this version has no word for is beyond the others.
#[derive(Debug)]
struct Refused([AtomicU64; Reason::KNOWN.len() + 1]);

impl Default for Refused {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Reason::KNOWN.len() + 1])
    }
}

/// What became of a connection to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is served.
    Served,
    /// The peer did not prove who it is, or went away.
    HandshakeFailed,
    /// Its identity has too many.
    TooMany,
}

impl Accepted {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Served, "served"),
        (Self::HandshakeFailed, "handshake_failed"),
        (Self::TooMany, "too_many"),
    ];
}

/// What became of a document of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyLoad {
    /// It is in force.
    Applied,
    /// It could not be read.
    Unreadable,
    /// It is wrong by itself.
    Invalid,
    /// It does not suit the services that are known.
    Unfit,
}

impl PolicyLoad {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Applied, "applied"),
        (Self::Unreadable, "unreadable"),
        (Self::Invalid, "invalid"),
        (Self::Unfit, "unfit"),
    ];
}

/// What became of renewed certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityLoad {
    /// They are shown and trusted.
    Renewed,
    /// Something is wrong with them.
    Refused,
}

impl IdentityLoad {
    const ALL: [(Self, &'static str); 2] = [(Self::Renewed, "renewed"), (Self::Refused, "refused")];
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds one to a list of those that may be gone. Only a list that would grow is looked through.
fn add_weak<T: ?Sized>(list: &mut Vec<Weak<T>>, one: Weak<T>) {
    if list.len() == list.capacity() {
        list.retain(|known| known.strong_count() > 0);
    }
    list.push(one);
}

impl Registry {
    /// What is counted of the calls to a service.
    pub(crate) fn service(&self, name: &str) -> Arc<Service> {
        let mut services = lock(&self.services);
        if let Some(service) = services.get(name) {
            return Arc::clone(service);
        }
        let service = Arc::new(Service::new(name, Arc::clone(&self.named)));
        services.insert(Arc::clone(&service.name), Arc::clone(&service));
        service
    }

    /// What is counted of a method that is served.
    pub(crate) fn served(&self, service: &'static str, method: &'static str) -> Arc<Served> {
        Arc::clone(lock(&self.served).entry((service, method)).or_default())
    }

    pub(crate) fn add_server(&self, server: Weak<dyn LooksAtServer>) {
        add_weak(&mut lock(&self.servers), server);
    }

    /// What decides which calls a server works on.
    pub(crate) fn add_plan(&self, plan: Weak<ServerPlan>) {
        add_weak(&mut lock(&self.plans), plan);
    }

    /// A request did not get to its handler.
    pub(crate) fn refused(&self, reason: Reason) {
        let place = usize::from(reason.to_u8()).min(Reason::KNOWN.len());
        self.refused.0[place].fetch_add(1, Relaxed);
    }

    /// A connection came.
    pub(crate) fn accepted(&self, accepted: Accepted) {
        self.accepted[accepted as usize].fetch_add(1, Relaxed);
    }

    /// A document of policy came; so many have been in force.
    pub(crate) fn policy_loaded(&self, load: PolicyLoad, version: u64) {
        self.policies[load as usize].fetch_add(1, Relaxed);
        self.policy_version.store(version, Relaxed);
        self.policy_refused.store(load != PolicyLoad::Applied, Relaxed);
    }

    /// What is in force is not what came last.
    pub(crate) fn policy_is_refused(&self) {
        self.policy_refused.store(true, Relaxed);
    }

    /// Certificates were found renewed in their files.
    pub(crate) fn identity_loaded(&self, load: IdentityLoad) {
        self.identities[load as usize].fetch_add(1, Relaxed);
        self.identity_refused.store(load == IdentityLoad::Refused, Relaxed);
    }

    /// The files are again what is in use.
    pub(crate) fn identity_is_well(&self) {
        self.identity_refused.store(false, Relaxed);
    }

    /// The last decisions of a service's clients, the oldest first.
    pub(crate) fn decisions(&self, service: &str) -> Vec<Decision> {
        let service = lock(&self.services).get(service).cloned();
        service.map(|service| service.recorder.all(now())).unwrap_or_default()
    }

    /// How many calls its servers work on, over all of them; of what is shed, the server that sheds most.
    fn write_plans(&self, page: &mut Page) {
        let plans: Vec<_> = lock(&self.plans).iter().filter_map(Weak::upgrade).collect();
        let (mut waiting, mut limit, mut admitted) = (0_u64, Some(0_u64), cut::LEVELS as u16);
        for plan in plans {
            let now = plan.standing();
            waiting += u64::from(now.waiting);
            limit = limit.zip(now.limit).map(|(sum, limit)| sum + u64::from(limit));
            admitted = admitted.min(now.cut.map_or(admitted, cut::admitted_by));
        }
        page.add(Family::ServerWaiting, &[], waiting);
        if let Some(limit) = limit {
            page.add(Family::ServerLimit, &[], limit);
        }
        page.add(Family::ServerAdmitted, &[], f64::from(admitted) / cut::LEVELS as f64);
    }

    fn write_policy(&self, page: &mut Page) {
        page.add(Family::PolicyVersion, &[], self.policy_version.load(Relaxed));
        for ((_, word), count) in PolicyLoad::ALL.iter().zip(&self.policies) {
            page.add(Family::PolicyLoads, &[word], count.load(Relaxed));
        }
        page.add(Family::PolicyRefused, &[], u8::from(self.policy_refused.load(Relaxed)));
        for ((_, word), count) in IdentityLoad::ALL.iter().zip(&self.identities) {
            page.add(Family::IdentityLoads, &[word], count.load(Relaxed));
        }
        page.add(Family::IdentityRefused, &[], u8::from(self.identity_refused.load(Relaxed)));
    }

    fn page(&self) -> Page {
        let (mut page, now) = (Page::new(), now());
        let services: Vec<_> = lock(&self.services).values().cloned().collect();
        services.iter().for_each(|service| service.write(&mut page, now));
        for ((service, method), served) in lock(&self.served).iter() {
            served.write(&mut page, service, method);
        }
        let words = Reason::KNOWN.iter().map(|reason| reason.to_string().replace(' ', "_"));
        for (word, count) in words.chain(["other".to_owned()]).zip(&self.refused.0) {
            page.add_some(Family::Refused, &[&word], count.load(Relaxed));
        }
        let servers: Vec<_> = lock(&self.servers).iter().filter_map(Weak::upgrade).collect();
        let (mut in_flight, mut connections) = (0, 0);
        for server in servers {
            let now = server.now();
            in_flight += now.0;
            connections += now.1;
        }
        page.add(Family::ServerInFlight, &[], in_flight);
        page.add(Family::ServerConnections, &[], connections);
        self.write_plans(&mut page);
        for ((_, word), count) in Accepted::ALL.iter().zip(&self.accepted) {
            page.add(Family::ServerAccepted, &[word], count.load(Relaxed));
        }
        self.write_policy(&mut page);
        page.add(Family::LostContexts, &[], lost_contexts());
        let codecs = codec_counts();
        for (codec, count) in
            [("raw", codecs.raw), ("bincode", codecs.bincode), ("messagepack", codecs.messagepack)]
        {
            page.add(Family::Codecs, &[codec], count);
        }
        page
    }
}

/// What is counted of the calls to one service, and decided about its endpoints, by all clients of a mesh.
#[derive(Debug)]
pub(crate) struct Service {
    name: Arc<str>,
    methods: calls::Table,
    endpoints: Endpoints,
    recorder: Recorder,
    clients: Mutex<Vec<Weak<dyn LooksAtClient>>>,
}

impl Service {
    fn new(name: &str, named: Arc<Named>) -> Self {
        Self {
            name: Arc::from(name),
            methods: calls::Table::default(),
            endpoints: Endpoints::new(named),
            recorder: Recorder::default(),
            clients: Mutex::default(),
        }
    }

    /// One that no mesh looks at.
    pub(crate) fn alone(name: &str) -> Arc<Self> {
        Arc::new(Self::new(name, Arc::default()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What is counted of a method, whose id is its own among all.
    #[inline]
    pub(crate) fn calls(&self, id: u64, method: &'static str) -> &Calls {
        self.methods.get(id, method)
    }

    /// Where an endpoint is counted.
    pub(crate) fn endpoint(&self, name: &Arc<str>) -> Arc<Counts> {
        self.endpoints.get(name)
    }

    pub(crate) fn add_client(&self, client: Weak<dyn LooksAtClient>) {
        add_weak(&mut lock(&self.clients), client);
    }

    /// Notes a decision.
    #[cold]
    pub(crate) fn decided(&self, endpoint: Option<&Arc<str>>, what: Happening) {
        self.recorder.note(endpoint, what, now());
    }

    /// The last few decisions.
    pub(crate) fn last_decisions(&self, now: Instant) -> Vec<Decision> {
        self.recorder.few(now)
    }

    fn write(&self, page: &mut Page, now: Instant) {
        let service = &*self.name;
        self.methods.write(page, service);
        let clients: Vec<_> = lock(&self.clients).iter().filter_map(Weak::upgrade).collect();
        let known: Vec<_> = clients.iter().map(|client| client.now(now)).collect();
        let budget: u64 = known.iter().map(|client| client.budget).sum();
        page.add(Family::RetryBudget, &[service], budget as f64 / 1000.0);
        let mut states = [0_u64; STATES.len()];
        let mut views = Vec::new();
        for (name, connected, view) in known.iter().flat_map(|client| &client.endpoints) {
            states[state(*connected, view)] += 1;
            views.push((Arc::clone(name), *view));
        }
        for (word, count) in STATES.iter().zip(states) {
            page.add(Family::Endpoints, &[service, word], count);
        }
        let panics = known.iter().filter(|client| client.panics).count();
        page.add(Family::Panic, &[service], panics);
        page.add(Family::Clients, &[service], known.len());
        self.endpoints.write(page, service, &views);
    }
}

/// The states that an endpoint is in one of.
const STATES: [&str; 7] =
    ["usable", "cold", "open", "draining", "silent", "unreachable", "not_serving"];

/// Which.
fn state(connected: bool, view: &View) -> usize {
    match (view.out, view.breaker) {
        (Some(Out::Draining), _) => 3,
        (Some(Out::Silent), _) => 4,
        (Some(Out::Unreachable), _) => 5,
        (Some(Out::NotServing), _) => 6,
        (None, Phase::Open { .. } | Phase::Probing) => 2,
        (None, Phase::Closed | Phase::Ramp) => usize::from(!connected),
    }
}

#[cfg(test)]
mod tests;
