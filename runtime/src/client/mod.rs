//! The calling side: [`stack`] is the whole call path in request order; start reading there.

pub(crate) mod answer;
mod attempt;
mod call;
mod endpoint;
mod intercepted;
pub(crate) mod stack;

use std::sync::{Arc, Mutex, PoisonError};

use sinew_core::plan::client::{ClientPlan, Turn};

pub(crate) use endpoint::Endpoint;

use crate::{call::options::CallOptions, interceptor::Interceptors};

/// What every client of one service shares: its endpoints, and where the next call begins.
#[derive(Debug)]
pub(crate) struct ClientCore {
    service: String,
    endpoints: Vec<Endpoint>,
    plan: Mutex<ClientPlan>,
    interceptors: Interceptors,
}

impl ClientCore {
    pub(crate) fn new(service: &str, endpoints: Vec<Endpoint>, interceptors: Interceptors) -> Self {
        Self {
            service: service.to_owned(),
            plan: Mutex::new(ClientPlan::new(endpoints.len())),
            endpoints,
            interceptors,
        }
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// The endpoint of this turn, or another that is ready where that one is not; then that one is made ready beside
    /// the call.
    fn endpoint(&self, turn: &mut Turn) -> &Endpoint {
        if self.endpoints.len() > 1 {
            let own = turn.endpoint();
            turn.prefer(|at| self.endpoints[at].ready().is_some());
            if turn.endpoint() != own {
                self.endpoints[own].warm();
            }
        }
        &self.endpoints[turn.endpoint()]
    }

    fn begin(&self, attempts: u8) -> Option<Turn> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).begin(attempts)
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
