//! A server goes by the policy: who may call what, how much at once, and whose calls count together.
//!
//! # Invariants
//! 1. Authorization sees the method that dispatch resolved, and the identity that the connection proved: once per call.
//! 2. Without rules whoever is verified may call all; with rules, even none, what no rule allows is denied.
//! 3. Who may call nothing any more is not connected for long: his next call is denied, and his connections are closed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use sinew_core::{
    codes::{Code, Reason},
    ids::MethodId,
    limits::{CALLER_SHARE, METHOD_SHARE},
    plan::server::Concurrency,
    policy::authorize::{Allow, Allowed, Callers, Methods},
    spiffe::SpiffeId,
};
use tokio::sync::watch;

use super::{Handler, stack::ServerCore};
use crate::{
    error::Status,
    policy::{
        PolicyProblem,
        document::{Document, Whose},
        live::{Follows, InForce},
    },
};

/// What the policy says of a server.
#[derive(Debug)]
pub(super) struct Governed {
    /// Who may call each method, sorted by its id; `None` where nothing is said.
    allowed: ArcSwap<Option<Vec<(MethodId, Allowed)>>>,
    /// What each identity that fits has of the places.
    shares: ArcSwap<Vec<(Callers, f64)>>,
    grace: Mutex<Option<Duration>>,
    /// What the program says.
    concurrency: Concurrency,
    changed: watch::Sender<()>,
}

impl Governed {
    pub(super) fn new(concurrency: Concurrency) -> Self {
        Self {
            allowed: ArcSwap::from_pointee(None),
            shares: ArcSwap::default(),
            grace: Mutex::default(),
            concurrency,
            changed: watch::Sender::new(()),
        }
    }

    /// How long calls may take to finish when the server stops, if the policy says so.
    pub(super) fn grace(&self) -> Option<Duration> {
        *self.grace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an identity has of the places while others wait.
    pub(super) fn share(&self, caller: &SpiffeId) -> f64 {
        let shares = self.shares.load();
        let share = shares.iter().find(|(callers, _)| callers.has(caller));
        share.map_or(CALLER_SHARE, |(_, share)| *share)
    }

    /// Whether a caller may call a method.
    #[inline]
    pub(super) fn authorize(&self, handler: &Handler, caller: &SpiffeId) -> Result<(), Status> {
        let allowed = self.allowed.load();
        let Some(allowed) = &**allowed else { return Ok(()) };
        let id = handler.types().id();
        let at = allowed.binary_search_by_key(&id, |(id, _)| *id);
        if at.is_ok_and(|at| allowed[at].1.has(caller)) {
            return Ok(());
        }
        Err(denied(handler, caller))
    }

    /// Whether it is said who may call.
    pub(super) fn has_rules(&self) -> bool {
        self.allowed.load().is_some()
    }

    /// Whether a caller may call anything.
    fn knows(&self, caller: &SpiffeId) -> bool {
        let allowed = self.allowed.load();
        let allows = |allowed: &Vec<(MethodId, Allowed)>| {
            allowed.iter().any(|(_, allowed)| allowed.has(caller))
        };
        (**allowed).as_ref().is_none_or(allows)
    }

    /// Resolves when a caller may call something, or nothing any more.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn becomes(&self, known: bool, caller: &SpiffeId) {
        let mut changed = self.changed.subscribe();
        while self.knows(caller) != known {
            // Who changes it is held by whoever waits here.
            let _ = changed.changed().await;
        }
    }
}

#[cold]
fn denied(handler: &Handler, caller: &SpiffeId) -> Status {
    let path = handler.method().path();
    tracing::info!(%caller, method = path, "a call was denied: no rule of the policy allows it");
    Status::rejected(
        Code::PermissionDenied,
        Reason::NotAllowed,
        format!(
            "`{caller}` may not call `{path}` on this server: no `[[allow]]` of its policy says so"
        ),
    )
}

impl ServerCore {
    fn handlers(&self) -> impl Iterator<Item = &Handler> {
        self.table().handlers()
    }

    /// Why a method of a service that is served here is none.
    fn is_none(&self, path: &str) -> Option<String> {
        let (service, _) = path.split_once('/')?;
        let of: Vec<_> =
            self.handlers().map(Handler::method).filter(|of| of.service() == service).collect();
        if of.is_empty() || of.iter().any(|method| method.path() == path) {
            return None;
        }
        let names: Vec<_> = of.iter().map(|method| format!("`{}`", method.path())).collect();
        Some(format!(
            "names `{path}`, and the service has no such method; it has {}",
            names.join(", ")
        ))
    }
}

impl Follows for ServerCore {
    fn unfit(&self, policy: &InForce) -> Vec<PolicyProblem> {
        let Document { allow, server, .. } = &*policy.document;
        let rules = allow.iter().flatten().enumerate().filter_map(|(at, rule)| {
            let Methods::One(path) = &rule.allow.methods else { return None };
            let key = format!("allow[{at}].method");
            Some(PolicyProblem { line: rule.line, key, what: self.is_none(path)? })
        });
        let partitions = server.partitions.iter().enumerate().filter_map(|(at, partition)| {
            let Whose::Method(path) = &partition.whose else { return None };
            let key = format!("server.partition[{at}].method");
            Some(PolicyProblem { line: partition.line, key, what: self.is_none(path)? })
        });
        rules.chain(partitions).collect()
    }

    fn follow(&self, policy: &InForce) {
        let Document { allow, server, .. } = &*policy.document;
        let governed = self.governed();
        let rules = allow.as_ref().map(|rules| {
            let rules: Vec<Allow> = rules.iter().map(|rule| rule.allow.clone()).collect();
            let of = |handler: &Handler| {
                let method = handler.method();
                let allowed = Allowed::for_method(&rules, method.service(), method.path());
                (handler.types().id(), allowed)
            };
            // The table is sorted by id.
            self.handlers().map(of).collect()
        });
        governed.allowed.store(Arc::new(rules));
        let callers = server.partitions.iter().filter_map(|partition| match &partition.whose {
            Whose::Callers(callers) => Some((callers.clone(), partition.share)),
            Whose::Method(_) => None,
        });
        governed.shares.store(Arc::new(callers.collect()));
        self.share_anew();
        for handler in self.handlers() {
            let Some(admission) = handler.admission() else { continue };
            let is = |whose: &Whose| matches!(whose, Whose::Method(path) if path == handler.method().path());
            let own = server.partitions.iter().find(|partition| is(&partition.whose));
            admission.method.set_share(own.map_or(METHOD_SHARE, |partition| partition.share));
        }
        self.set_concurrency(server.concurrency.unwrap_or(governed.concurrency));
        *governed.grace.lock().unwrap_or_else(PoisonError::into_inner) = server.drain_grace;
        governed.changed.send_replace(());
    }

    fn services(&self) -> Vec<String> {
        self.service_names().map(str::to_owned).collect()
    }
}
