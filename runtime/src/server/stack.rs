//! The whole path of a request on a server, in order. The mirror of the client's `stack.rs`.
//!
//! ```text
//!   0  connection   the peer's certificate was verified before any byte of it was read: `accept.rs`
//!   1  place        calls in flight per connection; refused while draining (in the transport, where the place is held)
//!   2  deadline     already past, or zero: the handler never hears of it
//!   3  method       resolved once, by its id; what comes later sees the method and not a name
//!   4  authorized   may this caller call it, by the policy: `governed.rs`
//!   5  codec        what the caller encoded must be what is spoken here
//!   6  turn         is there a place for it, or may it wait for one: `sinew_core::plan::server`; asked for in the
//!                   transport, once there is room for its answer: `transport/turn.rs`
//!   7  context      deadline, criticality, peer, trace and baggage, for everything below
//!   8  interceptors per call
//!   9  dispatch     decode, handler, encode: `dispatch.rs`; its time and its panics: `transport/frames/served.rs`
//! ```
//!
//! # Invariants
//! 1. Refusals 1 to 6 come before the body is decoded, and say that the handler did not run.
//! 2. A deadline that the wire brought is only ever made smaller.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU16, Ordering},
    },
};

use super::{
    BindError, Handler, HandlerRequest, Service, dispatch::Table, governed::Governed,
    health::Health, reflection,
};
use crate::{
    call::{
        context::{Context, Inherited, Peer},
        types::{self, Types},
    },
    codec,
    error::{Status, millis},
    interceptor::{Chain, Outcome, Request, Response},
    metrics::Registry,
    transport::{Begun, BoxFuture, Incoming, Reply, Serve, Unwell, turn::Turn},
};
use sinew_core::{
    codes::{Code, Reason},
    plan::server::{Asks, Concurrency, Config, Group, ServerPlan},
    spiffe::SpiffeId,
    wire::{answer::AdmissionCut, request::RequestHead, settings::Settings},
};
use tokio::{sync::watch, time::Instant};

/// What all connections of one server share.
#[derive(Debug)]
pub(crate) struct ServerCore {
    services: Vec<Service>,
    table: Table,
    interceptors: Chain,
    health: Health,
    metrics: Arc<Registry>,
    plan: Arc<ServerPlan>,
    /// Who calls, as long as somebody of that identity is connected.
    callers: Mutex<BTreeMap<SpiffeId, Weak<Group>>>,
    governed: Governed,
    /// For calls of which nobody says whom they are for.
    spread: AtomicU16,
}

impl ServerCore {
    pub(crate) fn new(
        services: Vec<Service>,
        interceptors: Chain,
        metrics: Arc<Registry>,
        (reflects, concurrency): (bool, Concurrency),
    ) -> Result<Self, BindError> {
        if services.is_empty() {
            return Err(BindError::NoService);
        }
        let reflection = reflects.then(|| reflection::service(&services));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let config = Config {
            concurrency,
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            ..Config::default()
        };
        let plan = Arc::new(ServerPlan::new(config, Instant::now().into_std()));
        let table = Table::new(services.iter().chain(&reflection), &metrics, &plan)?;
        let health = Health::new(services.iter().map(|service| service.name().to_owned()));
        metrics.add_plan(Arc::downgrade(&plan));
        let (callers, spread) = (Mutex::default(), AtomicU16::new(0));
        let governed = Governed::new(concurrency);
        Ok(Self { services, table, interceptors, health, metrics, plan, callers, governed, spread })
    }

    /// What the policy says of it.
    pub(super) fn governed(&self) -> &Governed {
        &self.governed
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn set_concurrency(&self, concurrency: Concurrency) {
        self.plan.set_concurrency(concurrency);
    }

    /// What each caller has of the places is as the policy says now.
    pub(super) fn share_anew(&self) {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        for (caller, group) in callers.iter() {
            if let Some(group) = group.upgrade() {
                group.set_share(self.governed.share(caller));
            }
        }
    }

    /// What it serves, and what is known of the types of that.
    #[cfg(feature = "foreign")]
    pub(super) fn services(&self) -> Vec<(&'static str, Vec<&'static Types>)> {
        self.services.iter().map(|service| (service.name(), service.types())).collect()
    }

    /// Where it is counted.
    pub(super) fn metrics(&self) -> &Arc<Registry> {
        &self.metrics
    }

    pub(crate) fn service_names(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().map(Service::name)
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// 6: what it needs to ask for a place; none for a method that does not need one.
    fn turn(
        &self,
        handler: &Handler,
        caller: Arc<Group>,
        head: &RequestHead,
        deadline: Option<Instant>,
    ) -> Option<Turn> {
        let admission = Arc::clone(handler.admission()?);
        let asks = Asks {
            class: head.criticality,
            // The golden ratio: any run of calls for nobody in particular is spread evenly.
            key: head
                .shed_hash()
                .unwrap_or_else(|| self.spread.fetch_add(0x9e37, Ordering::Relaxed)),
            deadline: deadline.map(Instant::into_std),
        };
        Some(Turn::new(admission, caller, asks))
    }

    /// 8 and 9: what is run once the request has its turn.
    fn work(
        &self,
        handler: &Handler,
        context: &Context,
        request: HandlerRequest,
    ) -> BoxFuture<'static, Reply> {
        if self.interceptors.is_empty() {
            return handler.run(context.clone(), request);
        }
        let seen = Request {
            method: handler.method(),
            metadata: context.metadata().clone(),
            deadline: context.inner().deadline,
            peer: context.inner().peer.clone(),
            endpoint: None,
            entry: None,
            attempt: 0,
            shadow: context.is_shadow(),
            codec: request.codec,
            body: request.body.clone(),
        };
        let handler = handler.clone();
        let chain = self.interceptors.clone();
        let own = context.clone();
        let run = async move {
            let last = move |_: Request| -> BoxFuture<'static, Response> {
                let work = handler.run(own, request);
                Box::pin(async move { Response(Outcome::Reply(work.await)) })
            };
            chain.run(seen, last).await.into_reply()
        };
        Box::pin(context.clone().scope(run))
    }
}

impl Serve for ServerCore {
    fn caller(&self, peer: &Peer) -> Arc<Group> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = callers.get(peer.identity()).and_then(Weak::upgrade) {
            return known;
        }
        callers.retain(|_, known| known.strong_count() > 0);
        let caller = self.plan.caller();
        caller.set_share(self.governed.share(peer.identity()));
        callers.insert(peer.identity().clone(), Arc::downgrade(&caller));
        caller
    }

    fn cut(&self, caller: &Group) -> Option<AdmissionCut> {
        self.plan.cut_of(caller)
    }

    fn begin(&self, request: Incoming) -> Result<Begun, Status> {
        // 2
        if request.invalid_deadline {
            return Err(Status::rejected(
                Code::InvalidArgument,
                Reason::InvalidDeadline,
                "the call says that no time is left; one without a deadline says so by a flag",
            ));
        }
        if let Some(deadline) = request.deadline {
            // By the clock of the batch: the handler's own turn looks at the clock again.
            let now = request.read_at;
            if deadline <= now {
                return Err(Status::rejected(
                    Code::DeadlineExceeded,
                    Reason::ExpiredOnArrival,
                    format!(
                        "the deadline had passed {} before the call was read",
                        millis(now - deadline)
                    ),
                ));
            }
        }
        // 3
        let Some(handler) = self.table.get(request.head.method) else {
            return Err(self.unknown_method(request.head.method.0));
        };
        let method = handler.method();
        // 4
        self.governed.authorize(handler, request.peer.identity())?;
        // 5
        if !request.is_foreign {
            agreed(handler.types(), &request.head)?;
        }
        types::used(request.head.codec);
        // 6
        let turn = self.turn(handler, request.caller, &request.head, request.deadline);
        // 7
        let context = Context::new(Inherited {
            deadline: request.deadline,
            criticality: Some(request.head.criticality),
            no_retry: request.head.no_retry,
            shadow: request.head.shadow,
            shed_key: request.head.shed_key,
            trace: request.head.trace,
            method: method.path(),
            peer: Some(request.peer),
            caller_rtt: request.caller_rtt,
            metadata: request.head.metadata,
        });
        let request = HandlerRequest {
            codec: request.head.codec,
            theirs: request.head.fingerprint,
            body: request.body,
            input: request.input,
        };
        let work = self.work(handler, &context, request);
        Ok(Begun { context, work, kept: Arc::clone(handler.kept()), turn })
    }

    fn refused(&self, status: &Status) {
        self.metrics.refused(status.reason());
    }

    fn settings(&self) -> Settings {
        Settings {
            services: self.service_names().map(str::to_owned).collect(),
            fingerprints: self.table.fingerprints(),
            ..codec::settings()
        }
    }

    fn health(&self) -> watch::Receiver<Unwell> {
        self.health.subscribe()
    }
}

/// 5: bincode only between types that are known to be the same.
///
/// A caller that says no fingerprint has compared with the one in our settings.
fn agreed(types: &Types, head: &RequestHead) -> Result<(), Status> {
    let method = types.method();
    match (head.codec, method.is_raw()) {
        (codec::RAW, true) => Ok(()),
        (codec::MESSAGEPACK, false) => types.can_be_named().map_err(|why| {
            Status::rejected(Code::FailedPrecondition, Reason::WrongFingerprint, why)
        }),
        (codec::BINCODE, false) => match (types.fingerprint(), head.fingerprint) {
            (Some(_), None) => Ok(()),
            (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
            (ours, theirs) => Err(Status::rejected(
                Code::FailedPrecondition,
                Reason::WrongFingerprint,
                format!(
                    "`{}` in bincode: {}; MessagePack is understood",
                    method.path(),
                    types::sides(("the caller's build", theirs), ("this server's", ours))
                ),
            )),
        },
        (codec, _) => Err(Status::rejected(
            Code::Unimplemented,
            Reason::UnknownCodec,
            format!("`{}` is not spoken in {} here", method.path(), codec::name(codec)),
        )),
    }
}

impl ServerCore {
    fn unknown_method(&self, id: u64) -> Status {
        let served: Vec<&str> = self.service_names().collect();
        Status::rejected(
            Code::Unimplemented,
            Reason::UnknownMethod,
            format!(
                "no method with id {id:016x} is served here; this server has `{}`",
                served.join("`, `")
            ),
        )
    }
}

/// One server in process: what `Client::local` talks to.
pub(crate) fn in_process(service: Service) -> Result<Arc<ServerCore>, BindError> {
    let how = (false, Concurrency::default());
    ServerCore::new(vec![service], Chain::default(), Arc::default(), how).map(Arc::new)
}
