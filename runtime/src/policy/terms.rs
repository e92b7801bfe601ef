//! What somebody says of how a service is called, and what follows from all that is said.
//!
//! ```text
//!   the library's defaults  <  [defaults] of the file  <  Policy of the program  <  [service."..."] of the file
//! ```
//!
//! # Why
//! What is said of one service is more than what is said of all; and who operates a program may change what its author
//! wrote. Each value is taken from whoever says most about it, by itself.

use std::{collections::BTreeMap, time::Duration};

use sinew_core::{
    codes::{Code, Criticality},
    ids::MethodId,
    limits::{self, SUBSETS_MAX},
    plan::client::{Balance, Config, Terms as PlanTerms},
    policy::{breaker, rendezvous, retry, throttle},
    spiffe::SpiffeId,
};

use crate::call::options::Hedge;

macro_rules! terms {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)+) => {
        /// What is said of a service; what is not said is `None`.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub(crate) struct Terms {
            $($(#[$doc])* pub(crate) $field: Option<$kind>,)+
            /// Of single methods, by their names.
            pub(crate) methods: BTreeMap<String, MethodTerms>,
        }

        impl Terms {
            /// These, and where they are silent what `general` says.
            pub(super) fn over(&self, general: &Self) -> Self {
                let mut methods = general.methods.clone();
                methods.extend(self.methods.clone());
                Self { $($field: self.$field.clone().or_else(|| general.$field.clone()),)+ methods }
            }
        }
    };
}

terms! {
    timeout: Duration,
    criticality: Criticality,
    /// Who may answer.
    identity: SpiffeId,
    balance: Balance,
    /// Shares of the calls, by label.
    weights: Vec<(String, f64)>,
    /// Who gets copies of the calls.
    mirror: Mirror,
    /// Endpoints that a client uses at most.
    aperture: usize,
    attempts: u8,
    /// How long one of several attempts may take.
    per_attempt: Duration,
    /// What idempotent methods are called again for besides.
    retry_on: Vec<Code>,
    backoff_base: Duration,
    backoff_max: Duration,
    budget_ratio: f64,
    budget_overload: f64,
    budget_reserve: u32,
    hedge: Hedge,
    hedge_extra: f64,
    breaker_consecutive: u32,
    breaker_rate: f64,
    breaker_requests: u32,
    breaker_open: Duration,
    breaker_open_max: Duration,
    ejected_max: f64,
    bulkhead_max: u32,
    bulkhead_queue: u32,
    /// The share of its time that a call waits for a place.
    bulkhead_wait: f64,
    throttle_k: f64,
    throttle_drop: f64,
}

/// Copies of some calls go to endpoints with a label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mirror {
    /// `name=value`.
    pub(crate) to: String,
    /// Of a hundred calls.
    pub(crate) percent: f64,
}

/// What is said of a method.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MethodTerms {
    /// Where it is said.
    pub(crate) line: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) criticality: Option<Criticality>,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) max_in_flight: Option<u32>,
    pub(crate) mirror: Option<Mirror>,
    /// It may not be repeated, whatever its trait says.
    pub(crate) once: bool,
}

/// What a call goes by; taken once, when it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallRules {
    /// Of its method, before what its trait says.
    pub(crate) own_timeout: Option<Duration>,
    /// Where neither its options, nor its method have one.
    pub(crate) timeout: Duration,
    pub(crate) own_criticality: Option<Criticality>,
    pub(crate) criticality: Option<Criticality>,
    /// It may not be repeated, whatever its trait says.
    pub(crate) once: bool,
    pub(crate) later: Later,
}

/// What of it a call keeps: it is asked for after its first step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Later {
    pub(crate) attempts: u8,
    /// How long an attempt may take that another may follow.
    pub(crate) per_attempt: Option<Duration>,
    /// Of its method, before what its trait says.
    pub(crate) own_hedge: Option<Hedge>,
    pub(crate) hedge: Option<Hedge>,
    /// Calls of its method that may be out.
    pub(crate) most: u32,
    /// Calls that may wait for a place, and for which share of their time.
    pub(crate) waiting_max: u32,
    pub(crate) wait: f32,
    /// The share of them that is copied, 0 where none is.
    pub(crate) mirror: f32,
}

/// What is in force for the clients of one service.
#[derive(Debug)]
pub(crate) struct Rules {
    general: CallRules,
    /// Sorted by the id of the method.
    methods: Vec<(MethodId, CallRules)>,
    pub(crate) plan: Config,
    pub(crate) bulkhead_max: u32,
    /// Endpoints of each part that a client uses at most.
    pub(crate) aperture: usize,
    weights: Vec<(String, f64)>,
    /// Who gets copies: of all methods, and of those that have a rule of their own, sorted.
    mirror: Option<Mirror>,
    mirrors: Vec<(MethodId, Mirror)>,
}

impl Rules {
    /// What follows for a service of what is said of it.
    pub(crate) fn new(service: &str, terms: &Terms) -> Self {
        let general = CallRules {
            own_timeout: None,
            timeout: terms.timeout.unwrap_or(limits::DEADLINE_DEFAULT),
            own_criticality: None,
            criticality: terms.criticality,
            once: false,
            later: Later {
                attempts: terms.attempts.unwrap_or(limits::ATTEMPTS),
                per_attempt: terms.per_attempt,
                own_hedge: None,
                hedge: terms.hedge,
                most: u32::MAX,
                waiting_max: terms.bulkhead_queue.unwrap_or(limits::BULKHEAD_WAITING_MAX),
                wait: terms.bulkhead_wait.unwrap_or(limits::BULKHEAD_WAIT_SHARE) as f32,
                mirror: terms.mirror.as_ref().map_or(0.0, Mirror::share),
            },
        };
        let of = |(name, own): (&String, &MethodTerms)| {
            let rules = CallRules {
                own_timeout: own.timeout,
                own_criticality: own.criticality,
                once: own.once,
                later: Later {
                    own_hedge: own.hedge,
                    most: own.max_in_flight.unwrap_or(u32::MAX),
                    mirror: own.mirror.as_ref().map_or(general.later.mirror, Mirror::share),
                    ..general.later
                },
                ..general
            };
            (MethodId::of(service, name), rules)
        };
        let mut methods: Vec<_> = terms.methods.iter().map(of).collect();
        methods.sort_by_key(|(id, _)| *id);
        let mirror = |(name, own): (&String, &MethodTerms)| {
            Some((MethodId::of(service, name), own.mirror.clone()?))
        };
        let mut mirrors: Vec<_> = terms.methods.iter().filter_map(mirror).collect();
        mirrors.sort_by_key(|(id, _)| *id);
        Self {
            general,
            methods,
            plan: plan(terms),
            bulkhead_max: terms.bulkhead_max.unwrap_or(limits::BULKHEAD_MAX),
            aperture: terms.aperture.unwrap_or(limits::APERTURE),
            weights: terms.weights.clone().unwrap_or_default(),
            mirror: terms.mirror.clone(),
            mirrors,
        }
    }

    /// The label, name and value, of those that get copies of this method's calls.
    pub(crate) fn mirrored_to(&self, method: MethodId) -> Option<(&str, &str)> {
        let own = self.mirrors.binary_search_by_key(&method, |(id, _)| *id);
        let mirror = own.map_or(self.mirror.as_ref(), |at| Some(&self.mirrors[at].1));
        mirror.filter(|mirror| mirror.percent > 0.0)?.to.split_once('=')
    }

    /// What a call of this method goes by.
    #[inline]
    pub(crate) fn of(&self, method: MethodId) -> CallRules {
        if self.methods.is_empty() {
            return self.general;
        }
        let own = self.methods.binary_search_by_key(&method, |(id, _)| *id);
        own.map_or(self.general, |at| self.methods[at].1)
    }

    /// Where an endpoint with these labels belongs: [`Placement::subset`](sinew_core::plan::client::Placement::subset).
    /// To the first label that it has, and to those without one otherwise.
    pub(crate) fn subset<'a>(
        &self,
        labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> u8 {
        let has = |wanted: &str| {
            wanted.split_once('=').is_some_and(|wanted| labels.clone().any(|label| label == wanted))
        };
        let place = self.weights.iter().position(|(label, _)| has(label));
        place.unwrap_or(self.weights.len()) as u8
    }
}

/// Whether a text is the label of an endpoint, as `name=value`.
pub(crate) fn is_label(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty())
}

impl Mirror {
    fn share(&self) -> f32 {
        (self.percent / 100.0) as f32
    }
}

/// What the plan has to know of it.
fn plan(terms: &Terms) -> Config {
    let defaults = Config::default();
    let (mut subsets, mut labels) = (defaults.subsets, defaults.labels);
    if let Some(weights) = terms.weights.as_ref().filter(|weights| !weights.is_empty()) {
        // Those without a label come after the last one, and have no weight.
        subsets = [0.0; SUBSETS_MAX];
        for (at, (label, weight)) in weights.iter().enumerate().take(SUBSETS_MAX) {
            (subsets[at], labels[at]) = (*weight, rendezvous::hash(label.as_bytes()));
        }
    }
    let (breaker, retry) = (breaker::Terms::default(), retry::Terms::default());
    let (throttle, plan) = (throttle::Terms::default(), PlanTerms::default());
    Config {
        balance: terms.balance.unwrap_or_default(),
        budget: Some(terms.budget_ratio.unwrap_or(limits::BUDGET_SHARE)),
        hedge_extra: Some(terms.hedge_extra.unwrap_or(limits::HEDGE_EXTRA)),
        subsets,
        labels,
        terms: PlanTerms {
            budget_overload: terms.budget_overload.unwrap_or(plan.budget_overload),
            budget_reserve_per_s: terms.budget_reserve.unwrap_or(plan.budget_reserve_per_s),
            retry: retry::Terms {
                first: terms.backoff_base.unwrap_or(retry.first),
                max: terms.backoff_max.unwrap_or(retry.max),
                also: terms.retry_on.iter().flatten().copied().collect(),
            },
            breaker: breaker::Terms {
                in_a_row: terms.breaker_consecutive.unwrap_or(breaker.in_a_row),
                rate: terms.breaker_rate.unwrap_or(breaker.rate),
                rate_calls: terms.breaker_requests.unwrap_or(breaker.rate_calls),
                open_first: terms.breaker_open.unwrap_or(breaker.open_first),
                open_max: terms.breaker_open_max.unwrap_or(breaker.open_max),
            },
            ejected_max: terms.ejected_max.unwrap_or(plan.ejected_max),
            throttle: throttle::Terms {
                k: terms.throttle_k.unwrap_or(throttle.k),
                drop_max: terms.throttle_drop.unwrap_or(throttle.drop_max),
            },
        },
        ..defaults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_defaults() {
        let rules = Rules::new("S", &Terms::default());
        assert_eq!(rules.plan, Config::default());
        assert_eq!(rules.bulkhead_max, limits::BULKHEAD_MAX);
        assert_eq!(rules.general.timeout, limits::DEADLINE_DEFAULT);
        assert_eq!(rules.general.later.attempts, limits::ATTEMPTS);
        assert_eq!(rules.subset([("version", "2")].into_iter()), 0);
    }

    #[test]
    fn who_says_more_of_a_value_is_heard_value_by_value() {
        let seconds = |s| Some(Duration::from_secs(s));
        let general = Terms { timeout: seconds(1), attempts: Some(2), ..Terms::default() };
        let special = Terms { timeout: seconds(3), throttle_k: Some(4.0), ..Terms::default() };
        let both = special.over(&general);
        assert_eq!(both.timeout, seconds(3));
        assert_eq!(both.attempts, Some(2));
        assert_eq!(both.throttle_k, Some(4.0));
        assert_eq!(both.balance, None);
    }

    #[test]
    fn an_endpoint_belongs_to_the_first_label_that_it_has_and_to_the_rest_without_one() {
        let weights = [("version=2", 5.0), ("canary=yes", 95.0)];
        let weights = weights.map(|(label, weight)| (label.to_owned(), weight)).to_vec();
        let rules = Rules::new("S", &Terms { weights: Some(weights), ..Terms::default() });
        let subset = |labels: &[(&str, &str)]| rules.subset(labels.iter().copied());
        assert_eq!(subset(&[("version", "2")]), 0);
        assert_eq!(subset(&[("canary", "yes"), ("version", "1")]), 1);
        assert_eq!(subset(&[("canary", "yes"), ("version", "2")]), 0);
        assert_eq!(subset(&[("version", "1")]), 2);
        assert_eq!(subset(&[]), 2);
        assert_eq!(rules.plan.subsets[..3], [5.0, 95.0, 0.0]);
        // What a side is found by is the label's own, wherever it is written.
        let turned = [("canary=yes", 95.0), ("version=2", 5.0)];
        let turned = turned.map(|(label, weight)| (label.to_owned(), weight)).to_vec();
        let turned = Rules::new("S", &Terms { weights: Some(turned), ..Terms::default() });
        let labels = rules.plan.labels;
        assert_eq!(turned.plan.labels[..2], [labels[1], labels[0]]);
    }

    #[test]
    fn a_method_is_copied_as_it_says_itself_and_else_as_its_service() {
        let mirror = |to: &str, percent| Some(Mirror { to: to.to_owned(), percent });
        let method = |mirror| MethodTerms { mirror, ..MethodTerms::default() };
        let methods = BTreeMap::from([
            ("own".to_owned(), method(mirror("canary=yes", 100.0))),
            ("off".to_owned(), method(mirror("canary=yes", 0.0))),
            ("silent".to_owned(), method(None)),
        ]);
        let terms = Terms { mirror: mirror("version=2", 25.0), methods, ..Terms::default() };
        let rules = Rules::new("S", &terms);
        for (name, share, to) in [
            ("own", 1.0, Some(("canary", "yes"))),
            ("off", 0.0, None),
            ("silent", 0.25, Some(("version", "2"))),
            ("other", 0.25, Some(("version", "2"))),
        ] {
            let id = MethodId::of("S", name);
            assert_eq!((rules.of(id).later.mirror, rules.mirrored_to(id)), (share, to), "{name}");
        }
    }

    #[test]
    fn a_method_has_what_is_said_of_it_and_the_rest_of_its_service() {
        let own = MethodTerms {
            timeout: Some(Duration::from_millis(5)),
            once: true,
            ..MethodTerms::default()
        };
        let methods = BTreeMap::from([("stock".to_owned(), own)]);
        let terms = Terms { attempts: Some(2), methods, ..Terms::default() };
        let rules = Rules::new("S", &terms);
        let (stock, other) =
            (rules.of(MethodId::of("S", "stock")), rules.of(MethodId::of("S", "other")));
        assert_eq!(
            (stock.own_timeout, stock.once, stock.later.attempts),
            (Some(Duration::from_millis(5)), true, 2)
        );
        assert_eq!((other.own_timeout, other.once, other.later.attempts), (None, false, 2));
    }
}
