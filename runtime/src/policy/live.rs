//! The policy that is in force, and what changes it.
//!
//! ```text
//!   a file (watch.rs)       \   parse: is it right by itself?     fits: does it suit what      follow: each client and
//!   Mesh::apply_policy      /   every problem with its line   ->  is known of the services? -> server goes by it
//! ```
//!
//! # Invariants
//! 1. A document is in force as a whole or not at all, and the one before it stays until then.
//! 2. Documents take turns: who follows them sees them in one order, and none is skipped half way.
//! 3. A call takes what it goes by once, when it begins. What its service's calls share (the budget, breakers, places)
//!    goes on where it stands, by other numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use sinew_core::spiffe::SpiffeId;

use super::{
    Policy, PolicyError,
    document::{Document, Problem},
    terms::Terms,
};
use crate::metrics::{PolicyLoad, Registry};

/// Whoever goes by the policy.
pub(crate) trait Follows: Send + Sync {
    /// Why a document does not suit what is known here.
    fn unfit(&self, policy: &InForce) -> Vec<Problem>;

    /// Goes by it from here on.
    fn follow(&self, policy: &InForce);

    /// The services that it calls or serves.
    fn services(&self) -> Vec<String>;
}

/// What is in force. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct InForce {
    pub(crate) document: Arc<Document>,
    /// What the program itself says.
    program: Arc<BTreeMap<String, Terms>>,
    /// What it says while it runs, above all others.
    steered: Arc<BTreeMap<String, Terms>>,
    version: u64,
}

impl InForce {
    /// What is said of a service, by everybody together.
    pub(crate) fn terms(&self, service: &str) -> Terms {
        static SILENT: std::sync::LazyLock<Terms> = std::sync::LazyLock::new(Terms::default);
        let terms = self.document.terms(service, self.program.get(service).unwrap_or(&SILENT));
        match self.steered.get(service) {
            Some(steered) => {
                let mut terms = steered.over(&terms);
                // Whoever moves the copies of a service moves those of all of its methods.
                if steered.mirror.is_some() {
                    terms.methods.values_mut().for_each(|method| method.mirror = None);
                }
                terms
            }
            None => terms,
        }
    }
}

/// The hand that a program has on the calls of one service while they run: it stands above the policy, until it is let go.
/// Made by [`Mesh::steering`](crate::Mesh::steering). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Steering {
    service: String,
    live: Arc<Live>,
}

impl Steering {
    pub(crate) fn new(service: &str, live: Arc<Live>) -> Self {
        Self { service: service.to_owned(), live }
    }

    /// Whose calls it moves.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// What this policy says holds from here on, in place of what any other says of the same; where it is silent the others hold
    /// as before. It replaces what was said here before. A call that has begun goes on by what it began with.
    ///
    /// # Errors
    /// What it says is out of range; nothing changes then.
    pub fn steer(&self, policy: &Policy) -> Result<(), PolicyError> {
        let problems = policy.problems().into_iter();
        let problems = problems.map(|(field, what)| Problem {
            line: 0,
            key: field.to_owned(),
            what: format!("`{field}` {what}"),
        });
        let problems: Vec<_> = problems.collect();
        if !problems.is_empty() {
            return Err(PolicyError::new(&format!("the hand on `{}`", self.service), problems));
        }
        self.live.steer(&self.service, Some(policy.terms.clone()));
        Ok(())
    }

    /// The policy alone holds again.
    pub fn release(&self) {
        self.live.steer(&self.service, None);
    }
}

/// The policy of a mesh.
pub(crate) struct Live {
    metrics: Arc<Registry>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    policy: InForce,
    /// Where it came from.
    source: String,
    /// Why what came last is not in force.
    refused: Option<PolicyError>,
    followers: Vec<Weak<dyn Follows>>,
}

/// How the policy of a mesh stands: [`Mesh::policy_status`](crate::Mesh::policy_status).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// How many documents have been in force so far; 0 while there are only the defaults and what the program says.
    pub version: u64,
    /// Where the one in force came from; empty while there is none.
    pub source: String,
    /// Why what came last is not in force; `None` where it is.
    pub refused: Option<PolicyError>,
    /// Services that it has a table for and that nobody here calls or serves: a name that was mistyped, or not used yet.
    pub unused: Vec<String>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Live").field("version", &state.policy.version).finish_non_exhaustive()
    }
}

impl Live {
    /// What the program says, and nobody else.
    pub(crate) fn new(program: BTreeMap<String, Terms>, metrics: Arc<Registry>) -> Self {
        let policy = InForce { program: Arc::new(program), ..InForce::default() };
        Self { metrics, state: Mutex::new(State { policy, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force.
    pub(crate) fn now(&self) -> InForce {
        self.state().policy.clone()
    }

    /// Whether the rules let this caller call this method; without rules all may.
    pub(crate) fn allows(&self, caller: &SpiffeId, service: &str, path: &str) -> bool {
        let document = Arc::clone(&self.state().policy.document);
        let Some(rules) = &document.allow else { return true };
        rules.iter().any(|rule| rule.allow.lets(caller, service, path))
    }

    /// Somebody who goes by it, from what is in force now on. What of it does not suit him is said, and left out by him.
    pub(crate) fn join<F: Follows + 'static>(&self, follower: &Arc<F>) {
        let mut state = self.state();
        for problem in follower.unfit(&state.policy) {
            tracing::warn!("the policy of {}: {problem}; this entry is not in force", state.source);
        }
        follower.follow(&state.policy);
        state.followers.retain(|known| known.strong_count() > 0);
        let follower: Weak<F> = Arc::downgrade(follower);
        state.followers.push(follower);
    }

    /// Puts a document in force, all of it, or says why not. Returns how many have been.
    pub(crate) fn apply(&self, text: &str, source: &str) -> Result<u64, PolicyError> {
        let parsed = Document::parse(text);
        let mut state = self.state();
        let document = match parsed {
            Ok(document) => document,
            Err(problems) => {
                return Err(self.refuse(&mut state, PolicyLoad::Invalid, source, problems));
            }
        };
        let version = state.policy.version + 1;
        let policy = InForce { document: Arc::new(document), version, ..state.policy.clone() };
        let followers: Vec<_> = state.followers.iter().filter_map(Weak::upgrade).collect();
        let unfit: Vec<_> = followers.iter().flat_map(|follower| follower.unfit(&policy)).collect();
        if !unfit.is_empty() {
            return Err(self.refuse(&mut state, PolicyLoad::Unfit, source, unfit));
        }
        followers.iter().for_each(|follower| follower.follow(&policy));
        let was_refused = state.refused.take().is_some();
        state.policy = policy;
        source.clone_into(&mut state.source);
        self.metrics.policy_loaded(PolicyLoad::Applied, version);
        if was_refused || version == 1 {
            tracing::info!(version, "the policy of {source} is in force");
        } else {
            tracing::debug!(version, "the policy of {source} is in force");
        }
        Ok(version)
    }

    /// What a program says of a service from here on, above all others, or nothing any more.
    fn steer(&self, service: &str, terms: Option<Terms>) {
        let mut state = self.state();
        let mut steered = BTreeMap::clone(&state.policy.steered);
        match terms {
            Some(terms) => steered.insert(service.to_owned(), terms),
            None => steered.remove(service),
        };
        state.policy.steered = Arc::new(steered);
        let followers: Vec<_> = state.followers.iter().filter_map(Weak::upgrade).collect();
        followers.iter().for_each(|follower| follower.follow(&state.policy));
    }

    /// There is something, and it cannot be read.
    pub(crate) fn unreadable(&self, source: &str, why: String) -> PolicyError {
        let problem = Problem { line: 0, key: String::new(), what: why };
        self.refuse(&mut self.state(), PolicyLoad::Unreadable, source, vec![problem])
    }

    fn refuse(
        &self,
        state: &mut State,
        why: PolicyLoad,
        source: &str,
        problems: Vec<Problem>,
    ) -> PolicyError {
        let error = PolicyError::new(source, problems);
        self.metrics.policy_loaded(why, state.policy.version);
        if state.refused.as_ref() != Some(&error) {
            tracing::warn!("{error}; what was in force stays (version {})", state.policy.version);
        }
        state.refused = Some(error.clone());
        error
    }

    /// What is in force now is not what ought to be, for this.
    pub(crate) fn still_refused(&self, why: PolicyError) {
        self.metrics.policy_is_refused();
        self.state().refused = Some(why);
    }

    pub(crate) fn status(&self) -> PolicyStatus {
        let state = self.state();
        let followers = state.followers.iter().filter_map(Weak::upgrade);
        let used: BTreeSet<String> = followers.flat_map(|follower| follower.services()).collect();
        let named = state.policy.document.services.keys();
        PolicyStatus {
            version: state.policy.version,
            source: state.source.clone(),
            refused: state.refused.clone(),
            unused: named.filter(|name| !used.contains(*name)).cloned().collect(),
        }
    }
}
