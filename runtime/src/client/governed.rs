//! A client goes by the policy: what is in force now is its own, until something else is.
//!
//! # Invariants
//! 1. A call takes its rules once, when it begins. What changes while it is out changes nothing of it.
//! 2. What was learnt of endpoints, and saved for retries, stays.

use std::{collections::BTreeMap, sync::Arc};

use sinew_core::{ids::MethodId, plan::client::Config};
use tokio::time::Instant;

use super::{ClientCore, placement};
use crate::{
    call::method::Method,
    policy::{
        PolicyProblem,
        document::joined,
        live::{Follows, InForce},
        terms::{CallRules, MethodTerms, Rules},
    },
    stripe,
};

impl ClientCore {
    /// What a call of this method goes by.
    #[inline]
    pub(super) fn rules(&self, method: MethodId) -> CallRules {
        self.rules.load().of(method)
    }
}

impl Follows for ClientCore {
    fn unfit(&self, policy: &InForce) -> Vec<PolicyProblem> {
        let said = policy.document.services.get(self.service());
        let Some(said) = said.filter(|said| !said.methods.is_empty()) else { return Vec::new() };
        let Some(methods) = self.methods else { return Vec::new() };
        let known: BTreeMap<&str, &Method> =
            methods().into_iter().map(|types| (types.method().name(), types.method())).collect();
        let problem = |(name, terms): (&String, &MethodTerms)| {
            let what = unfit(terms, known.get(&**name).copied(), &known)?;
            let service = joined("service", self.service());
            let key = joined(&joined(&service, "method"), name);
            Some(PolicyProblem { line: terms.line, key, what })
        };
        said.methods.iter().filter_map(problem).collect()
    }

    fn follow(&self, policy: &InForce) {
        let rules = Arc::new(Rules::new(self.service(), &policy.terms(self.service())));
        self.rules.store(Arc::clone(&rules));
        self.places.resize(rules.bulkhead_max);
        let endpoints = self.endpoints.load();
        if self.discovery.is_none() {
            for endpoint in endpoints.iter() {
                endpoint.member().set_placement(placement(&rules, &endpoint.entry(), None));
            }
        }
        let config = Config { stripes: stripe::count(), ..rules.plan };
        self.plan.configure(config, &endpoints, Instant::now().into_std());
        self.place_anew();
        self.note_panic();
    }

    fn services(&self) -> Vec<String> {
        vec![self.service().to_owned()]
    }
}

/// Why what is said of a method cannot be.
fn unfit(
    terms: &MethodTerms,
    method: Option<&Method>,
    known: &BTreeMap<&str, &Method>,
) -> Option<String> {
    let Some(method) = method else {
        let names: Vec<_> = known.keys().map(|name| format!("`{name}`")).collect();
        return Some(format!("is no method of the service; it has {}", names.join(", ")));
    };
    if terms.mirror.as_ref().is_some_and(|mirror| mirror.percent > 0.0) {
        if method.shape().streams() {
            return Some("mirrors a stream, of which there is no copy".to_owned());
        }
        if terms.once || !method.is_idempotent() {
            return Some(
                "mirrors a method that is not idempotent: a copy runs the call twice; where that is harmless, write \
                 `#[rpc(idempotent)]` on the method of the trait"
                    .to_owned(),
            );
        }
    }
    match terms.hedge.filter(|hedge| *hedge != crate::Hedge::Off) {
        Some(_) if method.shape().streams() => {
            Some("hedges a stream, which has one attempt".to_owned())
        }
        Some(_) if terms.once || !method.is_idempotent() => Some(
            "hedges a method that is not idempotent: a hedge runs the call twice; where that is harmless, write \
             `#[rpc(idempotent)]` on the method of the trait"
                .to_owned(),
        ),
        Some(_) | None => None,
    }
}
