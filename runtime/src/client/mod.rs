//! The calling side: [`stack`] is the whole call path in request order; start reading there.

pub(crate) mod answer;
mod attempt;
mod bulkhead;
mod call;
mod endpoint;
mod hedged;
mod intercepted;
mod members;
mod route;
pub(crate) mod stack;

use std::sync::Arc;

use arc_swap::ArcSwap;
use sinew_core::plan::client::{ClientPlan, Config};
use tokio::time::Instant;

use bulkhead::Places;
pub(crate) use endpoint::{Endpoint, Target};
pub(crate) use members::Discovery;

use crate::{call::options::CallOptions, discovery::Entry, interceptor::Interceptors, stripe};

/// What every client of one service shares: its endpoints, and what is known of them.
#[derive(Debug)]
pub(crate) struct ClientCore {
    service: String,
    plan: ClientPlan,
    endpoints: ArcSwap<Vec<Endpoint>>,
    /// Where the endpoints come from, unless they were named.
    discovery: Option<Discovery>,
    places: Places,
    interceptors: Interceptors,
}

impl ClientCore {
    pub(crate) fn new(service: &str, targets: Vec<Target>, interceptors: Interceptors) -> Self {
        let now = Instant::now().into_std();
        let config = Config { stripes: stripe::count(), ..Config::default() };
        let plan = ClientPlan::new(config, now);
        let endpoints = targets.into_iter().map(|target| {
            let entry = Entry::at(&*target.name);
            let member = plan.member(entry.placement(None), false, now);
            Endpoint::new(service, target, entry, member)
        });
        Self {
            service: service.to_owned(),
            endpoints: ArcSwap::from_pointee(endpoints.collect()),
            plan,
            discovery: None,
            places: Places::default(),
            interceptors,
        }
    }

    /// A client whose endpoints are looked for when it first calls.
    pub(crate) fn discovered(
        service: &str,
        discovery: Discovery,
        interceptors: Interceptors,
    ) -> Self {
        Self { discovery: Some(discovery), ..Self::new(service, Vec::new(), interceptors) }
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
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
        Self { core: Arc::new(core), options: None }
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
