//! The calling side: [`stack`] is the whole call path in request order; start reading there.

mod accounted;
pub(crate) mod answer;
mod attempt;
mod bulkhead;
mod call;
mod copied;
mod endpoint;
mod governed;
mod hedged;
mod intercepted;
mod members;
mod noted;
mod route;
pub(crate) mod stack;

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use sinew_core::{
    plan::client::{ClientPlan, Config, Placement},
    policy::copies::Copies,
};
use tokio::time::Instant;

use bulkhead::Places;
pub(crate) use endpoint::{Endpoint, Target};
pub(crate) use members::Discovery;

use crate::{
    call::{options::CallOptions, types::Types},
    discovery::Entry,
    interceptor::Interceptors,
    metrics::Service,
    policy::{
        live::Live,
        terms::{Rules, Terms},
    },
    stripe,
};

/// What every client of one service shares: its endpoints, and what is known of them.
#[derive(Debug)]
pub(crate) struct ClientCore {
    /// What is counted and noted of the service, by all of its clients.
    seen: Arc<Service>,
    told: noted::Told,
    plan: ClientPlan,
    endpoints: ArcSwap<Vec<Endpoint>>,
    /// Where the endpoints come from, unless they were named.
    discovery: Option<Discovery>,
    places: Places,
    /// Copies of calls that are out.
    copies: Arc<Copies>,
    /// What the policy says of the service.
    rules: ArcSwap<Rules>,
    /// Its methods, where they are known.
    methods: Option<KnownMethods>,
    interceptors: Interceptors,
}

/// What finds out which methods a service has.
pub(crate) type KnownMethods = fn() -> Vec<&'static Types>;

impl ClientCore {
    pub(crate) fn new(
        seen: Arc<Service>,
        targets: Vec<Target>,
        interceptors: Interceptors,
    ) -> Self {
        let now = Instant::now().into_std();
        let rules = Rules::new(seen.name(), &Terms::default());
        let config = Config { stripes: stripe::count(), ..rules.plan };
        #[cfg(feature = "fuzzing")]
        let config = crate::planted::config(config);
        let plan = ClientPlan::new(config, now);
        let endpoints = targets.into_iter().map(|target| {
            let entry = Entry::at(&*target.name);
            let placement = placement(&rules, &entry, None);
            Endpoint::new(target, entry, plan.member(placement, false, now), &seen)
        });
        let endpoints = endpoints.collect();
        Self {
            seen,
            told: noted::Told::default(),
            endpoints: ArcSwap::from_pointee(endpoints),
            plan,
            discovery: None,
            places: Places::default(),
            copies: Arc::default(),
            rules: ArcSwap::from_pointee(rules),
            methods: None,
            interceptors,
        }
    }

    /// A client whose endpoints are looked for when it first calls.
    pub(crate) fn discovered(
        seen: Arc<Service>,
        discovery: Discovery,
        interceptors: Interceptors,
    ) -> Self {
        Self { discovery: Some(discovery), ..Self::new(seen, Vec::new(), interceptors) }
    }

    /// Of a service whose methods are known.
    pub(crate) fn of_methods(self, methods: Option<KnownMethods>) -> Self {
        Self { methods, ..self }
    }

    pub(crate) fn service(&self) -> &str {
        self.seen.name()
    }
}

/// What the plan goes by: what discovery says of an endpoint, and what the policy makes of its labels.
fn placement(rules: &Rules, entry: &Entry, zone: Option<&str>) -> Placement {
    let labels = entry.about.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Placement { subset: rules.subset(labels), ..entry.placement(zone) }
}

/// What a generated client holds: a service that can be called, and the options of this value. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Channel {
    core: Arc<ClientCore>,
    options: Option<Arc<CallOptions>>,
}

impl Channel {
    pub(crate) fn new(core: ClientCore) -> Self {
        let core = Arc::new(core);
        let looked_at: Weak<ClientCore> = Arc::downgrade(&core);
        core.seen.add_client(looked_at);
        Self { core, options: None }
    }

    /// The same, by this policy.
    pub(crate) fn governed(core: ClientCore, policy: &Live) -> Self {
        let channel = Self::new(core);
        policy.join(&channel.core);
        channel
    }

    /// The same channel; these options hold for every call made through it.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self { core: Arc::clone(&self.core), options: Some(options.shared()) }
    }

    /// The service's name on the wire.
    pub fn service(&self) -> &str {
        self.core.service()
    }
}
