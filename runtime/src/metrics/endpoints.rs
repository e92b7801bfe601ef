//! What is counted per endpoint, for a bounded number of them.
//!
//! # Why
//! Endpoints come and go by the thousand, and each series costs whoever scrapes them for ever. So the first so many have
//! series of their own, all others share the one called `other`, and one that is gone makes room for a new one.
//!
//! # Invariants
//! 1. The sum over all endpoints never goes back: what is counted of one that makes room goes to `other`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew_core::{
    limits::{METRICS_ENDPOINTS_MAX, METRICS_ENDPOINTS_OF_SERVICE_MAX},
    plan::client::{Cause, Phase, View},
};

use super::{families::Family, page::Page, stripes::Counter};

/// What the endpoints without series of their own are called.
const OTHER: &str = "other";

/// Something that happens at an endpoint, rarely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// An attempt failed for a reason that counts against the endpoint.
    Failure,
    /// ... it has too much to do.
    Overload,
    /// ... it fell silent.
    Silence,
    /// Its breaker opened, or ought to have.
    Ejected(Cause),
    /// A connection came about.
    Made,
    /// None did.
    ConnectFailed,
    /// A connection takes no more calls, because the server shuts down.
    Drained,
    /// It ended.
    Ended,
    /// The host says that nobody listens there.
    PortClosed,
    /// It was silent, and another took its place.
    Replaced,
    /// It had become old, and another took its place.
    Renewed,
    /// It was a second one, and the first has room.
    NotNeeded,
}

const KINDS: [(At, Family, &[&str]); 14] = [
    (At::Failure, Family::EndpointFailures, &["failure"]),
    (At::Overload, Family::EndpointFailures, &["overload"]),
    (At::Silence, Family::EndpointFailures, &["silence"]),
    (At::Ejected(Cause::InARow), Family::EndpointEjections, &["in_a_row"]),
    (At::Ejected(Cause::SuccessRate), Family::EndpointEjections, &["success_rate"]),
    (At::Ejected(Cause::Relapse), Family::EndpointEjections, &["relapse"]),
    (At::Made, Family::ConnectionsMade, &[]),
    (At::ConnectFailed, Family::ConnectionsFailed, &[]),
    (At::Drained, Family::ConnectionsLost, &["drained"]),
    (At::Ended, Family::ConnectionsLost, &["ended"]),
    (At::PortClosed, Family::ConnectionsLost, &["port_closed"]),
    (At::Replaced, Family::ConnectionsLost, &["replaced"]),
    (At::Renewed, Family::ConnectionsLost, &["renewed"]),
    (At::NotNeeded, Family::ConnectionsLost, &["not_needed"]),
];

/// One endpoint, or all that share.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    attempts: Counter,
    /// What was counted of endpoints that are gone.
    inherited: AtomicU64,
    kinds: [AtomicU64; KINDS.len()],
}

impl Counts {
    /// An attempt goes there; whether it is the first one is for whoever asks to know.
    #[inline]
    pub(crate) fn attempted(&self) {
        self.attempts.add_one();
    }

    /// It happened there.
    #[cold]
    pub(crate) fn note(&self, at: At) {
        if let Some(place) = KINDS.iter().position(|(kind, ..)| *kind == at) {
            self.kinds[place].fetch_add(1, Relaxed);
        }
    }

    fn attempts(&self) -> u64 {
        self.attempts.get() + self.inherited.load(Relaxed)
    }

    fn inherit(&self, gone: &Self) {
        self.inherited.fetch_add(gone.attempts(), Relaxed);
        for (ours, theirs) in self.kinds.iter().zip(&gone.kinds) {
            ours.fetch_add(theirs.load(Relaxed), Relaxed);
        }
    }

    fn write(&self, page: &mut Page, service: &str, endpoint: &str) {
        page.add(Family::EndpointAttempts, &[service, endpoint], self.attempts());
        for ((_, family, label), count) in KINDS.iter().zip(&self.kinds) {
            let labels = [&[service, endpoint], *label].concat();
            page.add_some(*family, &labels, count.load(Relaxed));
        }
    }
}

/// How many endpoints of a mesh have series of their own.
#[derive(Debug, Default)]
pub(super) struct Named(AtomicUsize);

/// The endpoints of one service.
#[derive(Debug)]
pub(super) struct Endpoints {
    named: Arc<Named>,
    known: Mutex<BTreeMap<Arc<str>, Arc<Counts>>>,
    other: Arc<Counts>,
}

impl Endpoints {
    pub(super) fn new(named: Arc<Named>) -> Self {
        Self { named, known: Mutex::default(), other: Arc::default() }
    }

    /// Where an endpoint is counted.
    pub(super) fn get(&self, name: &Arc<str>) -> Arc<Counts> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = known.get(name) {
            return Arc::clone(counts);
        }
        let all = &self.named.0;
        let is_full = |known: &BTreeMap<_, _>| {
            known.len() >= METRICS_ENDPOINTS_OF_SERVICE_MAX
                || all.load(Relaxed) >= METRICS_ENDPOINTS_MAX
        };
        if is_full(&known) {
            known.retain(|_, counts| {
                // Only handed out under this lock: who is alone with it stays alone.
                let is_used = Arc::strong_count(counts) > 1;
                if !is_used {
                    self.other.inherit(counts);
                    all.fetch_sub(1, Relaxed);
                }
                is_used
            });
            if is_full(&known) {
                return Arc::clone(&self.other);
            }
        }
        all.fetch_add(1, Relaxed);
        let counts = Arc::<Counts>::default();
        known.insert(Arc::clone(name), Arc::clone(&counts));
        counts
    }

    /// The counts of all, and how the clients see them now.
    pub(super) fn write(&self, page: &mut Page, service: &str, views: &[(Arc<str>, View)]) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now: BTreeMap<&str, Now> = BTreeMap::new();
        for (name, view) in views {
            let name = if known.contains_key(name) { name } else { OTHER };
            now.entry(name).or_default().add(view);
        }
        for (name, counts) in known.iter() {
            counts.write(page, service, name);
        }
        if self.other.attempts() > 0 || now.contains_key(OTHER) {
            self.other.write(page, service, OTHER);
        }
        for (name, now) in now {
            let labels = &[service, name];
            page.add(Family::EndpointInFlight, labels, now.in_flight);
            page.add(Family::EndpointBreaker, labels, now.breaker);
            if let Some(latency) = now.latency {
                page.add(Family::EndpointLatency, labels, latency.as_secs_f64());
            }
        }
    }
}

/// What the clients of a service, or all endpoints that share, see together: sums, and the worst.
#[derive(Debug, Default)]
struct Now {
    in_flight: u64,
    breaker: u8,
    latency: Option<Duration>,
}

impl Now {
    fn add(&mut self, view: &View) {
        self.in_flight += u64::from(view.at_work);
        let breaker = match view.breaker {
            Phase::Closed => 0,
            Phase::Ramp => 1,
            Phase::Probing => 2,
            Phase::Open { .. } => 3,
        };
        self.breaker = self.breaker.max(breaker);
        self.latency = self.latency.max(view.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> Arc<str> {
        Arc::from(format!("10.0.0.{n}:7000"))
    }

    fn text(endpoints: &Endpoints) -> String {
        let mut page = Page::new();
        endpoints.write(&mut page, "S", &[]);
        page.to_string()
    }

    fn attempts(text: &str) -> Vec<(String, u64)> {
        let prefix = "sinew_client_endpoint_attempts_total{service=\"S\",endpoint=\"";
        let samples = text.lines().filter_map(|line| line.strip_prefix(prefix));
        let parts = samples.map(|rest| rest.split_once("\"} ").unwrap());
        parts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect()
    }

    #[test]
    fn every_kind_of_event_has_one_place_and_the_labels_of_its_family() {
        for (at, (kind, family, label)) in KINDS.iter().enumerate() {
            assert_eq!(KINDS.iter().position(|(other, ..)| other == kind), Some(at));
            assert_eq!(family.labels().len(), 2 + label.len(), "{kind:?}");
        }
    }

    #[test]
    fn endpoints_beyond_the_bound_are_counted_together() {
        let endpoints = Endpoints::new(Arc::default());
        let many = METRICS_ENDPOINTS_OF_SERVICE_MAX + 872;
        let held: Vec<_> = (0..many).map(|n| endpoints.get(&name(n))).collect();
        held.iter().for_each(|counts| counts.attempted());
        let seen = attempts(&text(&endpoints));
        assert_eq!(seen.len(), METRICS_ENDPOINTS_OF_SERVICE_MAX + 1);
        assert_eq!(seen.last(), Some(&(OTHER.to_owned(), 872)));
        assert_eq!(seen.iter().map(|(_, count)| count).sum::<u64>(), many as u64);
    }

    #[test]
    fn all_services_of_a_mesh_share_one_bound() {
        let named = Arc::<Named>::default();
        let services: Vec<_> = (0..20).map(|_| Endpoints::new(Arc::clone(&named))).collect();
        let each = METRICS_ENDPOINTS_OF_SERVICE_MAX;
        let get = |service: &Endpoints| (0..each).map(|n| service.get(&name(n))).collect();
        let held: Vec<Vec<_>> = services.iter().map(get).collect();
        held.iter().flatten().for_each(|counts| counts.attempted());
        let seen: Vec<_> = services.iter().flat_map(|service| attempts(&text(service))).collect();
        let own = seen.iter().filter(|(name, _)| name != OTHER).count();
        assert_eq!(own, METRICS_ENDPOINTS_MAX);
        assert_eq!(seen.iter().map(|(_, count)| count).sum::<u64>(), 20 * each as u64);
    }

    #[test]
    fn one_that_is_gone_makes_room_and_its_counts_are_kept() {
        let endpoints = Endpoints::new(Arc::default());
        for n in 0..10 * METRICS_ENDPOINTS_OF_SERVICE_MAX {
            let counts = endpoints.get(&name(n));
            counts.attempted();
            counts.note(At::Ejected(Cause::Relapse));
        }
        let held = endpoints.get(&Arc::from("new:1"));
        held.attempted();
        let text = text(&endpoints);
        let seen = attempts(&text);
        assert!(seen.len() <= METRICS_ENDPOINTS_OF_SERVICE_MAX + 1, "{}", seen.len());
        assert!(seen.contains(&("new:1".to_owned(), 1)));
        let all = 10 * METRICS_ENDPOINTS_OF_SERVICE_MAX as u64 + 1;
        assert_eq!(seen.iter().map(|(_, count)| count).sum::<u64>(), all);
        let ejections = text.lines().filter(|line| line.contains("ejections_total{"));
        let ejections = ejections.map(|line| line.rsplit(' ').next().unwrap());
        assert_eq!(ejections.map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), all - 1);
    }
}
