//! The calling side: [`stack`] is the whole call path in request order; start reading there.

pub(crate) mod answer;
mod attempt;
mod bulkhead;
mod call;
mod endpoint;
mod intercepted;
mod route;
pub(crate) mod stack;

use std::sync::Arc;

use arc_swap::ArcSwap;
use sinew_core::plan::client::{ClientPlan, Config};
use tokio::time::Instant;

use bulkhead::Places;
pub(crate) use endpoint::{Endpoint, Target};

use crate::{call::options::CallOptions, interceptor::Interceptors};

/// What every client of one service shares: its endpoints, and what is known of them.
#[derive(Debug)]
pub(crate) struct ClientCore {
    service: String,
    plan: ClientPlan,
    endpoints: ArcSwap<Vec<Endpoint>>,
    places: Places,
    interceptors: Interceptors,
}

impl ClientCore {
    pub(crate) fn new(service: &str, targets: Vec<Target>, interceptors: Interceptors) -> Self {
        let now = Instant::now().into_std();
        let plan = ClientPlan::new(Config::default(), now);
        let endpoints =
            targets.into_iter().map(|target| Endpoint::new(target, plan.member(1.0, false, now)));
        Self {
            service: service.to_owned(),
            endpoints: ArcSwap::from_pointee(endpoints.collect()),
            plan,
            places: Places::default(),
            interceptors,
        }
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
