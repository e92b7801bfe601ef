//! The calling side: [`stack`] is the whole call path in request order; start reading there.

pub(crate) mod answer;
mod attempt;
mod bulkhead;
mod call;
mod endpoint;
mod hedged;
mod intercepted;
mod members;
mod noted;
mod route;
pub(crate) mod stack;

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use sinew_core::plan::client::{ClientPlan, Config, Placement};
use tokio::time::Instant;

use bulkhead::Places;
pub(crate) use endpoint::{Endpoint, Target};
use members::Discovery;
pub(crate) use members::Reach;

use crate::{
    call::options::CallOptions, discovery::Look, interceptor::Interceptors, metrics::Service,
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
    interceptors: Interceptors,
}

impl ClientCore {
    pub(crate) fn new(
        seen: Arc<Service>,
        targets: Vec<Target>,
        interceptors: Interceptors,
    ) -> Self {
        let now = Instant::now().into_std();
        let config = Config { stripes: stripe::count(), ..Config::default() };
        let plan = ClientPlan::new(config, now);
        let endpoints = targets.into_iter().map(|target| {
            let id = target.name.clone();
            Endpoint::new(target, id, plan.member(Placement::default(), false, now), &seen)
        });
        let endpoints = endpoints.collect();
        Self {
            seen,
            told: noted::Told::default(),
            endpoints: ArcSwap::from_pointee(endpoints),
            plan,
            discovery: None,
            places: Places::default(),
            interceptors,
        }
    }

    /// A client whose endpoints are looked for when it first calls.
    pub(crate) fn discovered(
        seen: Arc<Service>,
        look: Look,
        reach: Reach,
        interceptors: Interceptors,
    ) -> Self {
        let discovery = Some(Discovery::new(look, reach));
        Self { discovery, ..Self::new(seen, Vec::new(), interceptors) }
    }

    pub(crate) fn service(&self) -> &str {
        self.seen.name()
    }
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
