//! How calls are made and served: what a program says, and what whoever operates it says in a file.
//!
//! ```text
//!   document/   sinew.toml: read as a whole, every problem with its line
//!   terms.rs    what is said of a service, and what follows for its calls
//!   live.rs     what is in force, and who goes by it       watch.rs, key.rs   a file, a key of etcd, that is followed
//!                                                          kept.rs            what was in force last, on disk
//! ```
//!
//! # Invariants
//! 1. Nothing has to be said.
//! 2. Setters neither fail nor judge. Whoever builds the mesh hears of everything that is wrong, by service and field.

pub(crate) mod document;
mod kept;
#[cfg(feature = "etcd")]
pub(crate) mod key;
pub(crate) mod live;
pub(crate) mod terms;
pub(crate) mod watch;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    time::Duration,
};

use sinew_core::{
    limits::{self, ATTEMPTS_MAX, DEADLINE_MAX, SEND_MIN, SUBSETS_MAX},
    plan::client::Balance,
};

use self::{
    document::Document,
    terms::{Mirror, Terms, is_label},
};
pub use self::{
    document::Problem as PolicyProblem,
    live::{PolicyStatus, Steering},
};
use crate::error::millis;

/// How the clients of a mesh call one service; given to [`MeshBuilder::policy`](crate::MeshBuilder::policy), which checks
/// it when the mesh is built.
///
/// ```
/// use sinew::{Balance, Policy};
///
/// // A new version gets five of a hundred calls, however many servers run it.
/// let policy = Policy::new()
///     .balance(Balance::LeastRequest)
///     .label_weight("version=1", 95.0)
///     .label_weight("version=2", 5.0)
///     .attempts(2);
/// # let _ = sinew::Mesh::builder().policy("shop.Inventory", policy);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    terms: Terms,
}

impl Policy {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the endpoint of a call is chosen. Default [`Balance::PeakEwma`]. A call whose method has a key
    /// (`#[rpc(key = "..")]`) goes to the endpoint of its key in any case.
    #[must_use]
    pub fn balance(mut self, balance: Balance) -> Self {
        self.terms.balance = Some(balance);
        self
    }

    /// Gives endpoints with this label, written `name=value`, a share of the calls: this weight among all that are set
    /// for the service, however many endpoints have the label. One that has several of the labels belongs to the first.
    ///
    /// All calls of one trace go to one label, in every process; a call that is part of none is drawn by itself.
    ///
    /// What nobody who is well can take goes to the other labels. Endpoints that have none of the labels, and labels of
    /// weight 0, get calls only where nobody else can be asked. Accepted: up to 7 labels, each once, with weights from 0
    /// to 1,000,000, not all 0. Default: no split, labels make no difference.
    #[must_use]
    pub fn label_weight(mut self, label: impl Into<String>, weight: f64) -> Self {
        self.terms.weights.get_or_insert_default().push((label.into(), weight));
        self
    }

    /// Sends a copy of so many of a hundred calls to an endpoint with this label, written `name=value`, as well: of methods
    /// that are `#[rpc(idempotent)]` and do not stream. Of a trace all calls are copied, or none.
    ///
    /// A copy is sent when its call is on its way, and nobody waits for it: the caller is neither delayed nor told. It says
    /// that it is one ([`Context::is_shadow`](crate::Context::is_shadow)), is shed before anything else, has the time that its
    /// call has, is sent once, and counts in `sinew_client_mirrored_total` alone. At most 64 are out (`MIRRORED_MAX`), and none
    /// is sent while servers refuse calls, or more than half of the bulkhead is taken. Endpoints that are to get nothing but
    /// copies have a [weight](Self::label_weight) of 0.
    ///
    /// Default: no copies. Accepted: 0 to 100.
    #[must_use]
    pub fn mirror(mut self, label: impl Into<String>, percent: f64) -> Self {
        self.terms.mirror = Some(Mirror { to: label.into(), percent });
        self
    }

    /// How many attempts a call has at most, the first included, if its
    /// [`CallOptions`](crate::CallOptions::attempts) do not say. Default 3; accepted 1 to 5.
    #[must_use]
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.terms.attempts = Some(attempts);
        self
    }

    /// How long a unary call may take, all attempts together, if neither its [`CallOptions`](crate::CallOptions::timeout)
    /// nor its method says so. Default 10 s; accepted 1 ms to 5 min.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = Some(timeout);
        self
    }

    /// How many of the endpoints of a service a client uses at most: its aperture, another one for each client, of which
    /// little changes when endpoints come and go. With labels and zones it is so many of each label, in the caller's zone
    /// and elsewhere. A call whose method has a key goes to the endpoint of its key, inside or not. Endpoints that are
    /// named at [`MeshBuilder::endpoints`](crate::MeshBuilder::endpoints) count as any other.
    ///
    /// Default 100; accepted 10 to 1,024, or [`all_endpoints`](Self::all_endpoints).
    #[must_use]
    pub fn aperture(mut self, endpoints: usize) -> Self {
        self.terms.aperture = Some(endpoints);
        self
    }

    /// A client uses all endpoints of the service, however many there are: [`aperture`](Self::aperture).
    #[must_use]
    pub fn all_endpoints(self) -> Self {
        self.aperture(limits::ENDPOINTS_MAX)
    }

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(attempts) = self.terms.attempts
            && !(1..=ATTEMPTS_MAX).contains(&attempts)
        {
            let words = format!("is {attempts}; 1 to {ATTEMPTS_MAX} are accepted (ATTEMPTS_MAX)");
            problems.push(("attempts", words));
        }
        if let Some(timeout) = self.terms.timeout
            && !(SEND_MIN..=DEADLINE_MAX).contains(&timeout)
        {
            let words = format!(
                "is {}; {} to {} are accepted (DEADLINE_MAX)",
                millis(timeout),
                millis(SEND_MIN),
                millis(DEADLINE_MAX)
            );
            problems.push(("timeout", words));
        }
        if let Some(aperture) = self.terms.aperture
            && !(limits::APERTURE_MIN..=limits::ENDPOINTS_MAX).contains(&aperture)
        {
            let (least, most) = (limits::APERTURE_MIN, limits::ENDPOINTS_MAX);
            let words = format!(
                "is {aperture}; {least} to {most} are accepted (APERTURE_MIN, ENDPOINTS_MAX)"
            );
            problems.push(("aperture", words));
        }
        if let Some(Mirror { to, percent }) = &self.terms.mirror {
            if !is_label(to) {
                problems.push(("mirror", format!("goes to `{to}`, which is not `name=value`")));
            }
            if !(0.0..=100.0).contains(percent) {
                problems.push(("mirror", format!("copies {percent} %; 0 to 100 are accepted")));
            }
        }
        problems.extend(self.label_problems().into_iter().map(|words| ("label_weight", words)));
        problems
    }

    fn label_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let Some(labels) = &self.terms.weights else { return problems };
        for (at, (label, weight)) in labels.iter().enumerate() {
            if !is_label(label) {
                problems.push(format!("names `{label}`, which is not `name=value`"));
            }
            if labels[..at].iter().any(|(other, _)| other == label) {
                problems.push(format!("names `{label}` twice"));
            }
            if !(0.0..=limits::LABEL_WEIGHT_MAX).contains(weight) {
                let most = limits::LABEL_WEIGHT_MAX;
                problems.push(format!(
                    "of `{label}` is {weight}; 0 to {most} are accepted (LABEL_WEIGHT_MAX)"
                ));
            }
        }
        if labels.len() >= SUBSETS_MAX {
            let most = SUBSETS_MAX - 1;
            let many = labels.len();
            problems.push(format!("names {many} labels; {most} are accepted (SUBSETS_MAX)"));
        }
        if labels.iter().all(|(_, weight)| *weight == 0.0) {
            problems.push("gives every label the weight 0, so that none has a share".to_owned());
        }
        problems
    }
}

/// A document of policy that is not used, and everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    of: String,
    problems: Vec<PolicyProblem>,
}

impl PolicyError {
    pub(crate) fn new(of: &str, problems: Vec<PolicyProblem>) -> Self {
        Self { of: of.to_owned(), problems }
    }

    /// What is wrong, in the order of the lines; never empty, 100 at most (`POLICY_PROBLEMS_MAX`).
    pub fn problems(&self) -> &[PolicyProblem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy of {} is not used: ", self.of)?;
        for (at, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// Checks a document of policy by itself, as `sinew policy check` does: keys, values, ranges, and what must fit together.
/// What has to fit the services that a program has is checked where the program runs.
///
/// # Errors
/// Everything that is wrong with it.
///
/// ```
/// let error = sinew::check_policy("version = 1\n[defaults]\ntimout = \"2s\"\n").unwrap_err();
/// assert_eq!(error.problems()[0].line, 3);
/// assert!(error.to_string().contains("did you mean `timeout`?"));
/// ```
pub fn check_policy(text: &str) -> Result<(), PolicyError> {
    match Document::parse(text) {
        Ok(_) => Ok(()),
        Err(problems) => Err(PolicyError::new("this text", problems)),
    }
}

/// Something that is wrong with a policy of the program.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) service: String,
    /// The name of its setter.
    pub(crate) field: &'static str,
    pub(crate) what: String,
}

/// The policies of a mesh, by service.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    by_service: BTreeMap<String, Policy>,
    twice: Vec<String>,
}

impl Policies {
    pub(crate) fn add(&mut self, service: String, policy: Policy) {
        match self.by_service.entry(service) {
            Entry::Occupied(known) => self.twice.push(known.key().clone()),
            Entry::Vacant(free) => _ = free.insert(policy),
        }
    }

    /// What they say, by service.
    pub(crate) fn into_terms(self) -> BTreeMap<String, Terms> {
        let terms = self.by_service.into_iter().map(|(service, policy)| (service, policy.terms));
        terms.collect()
    }

    /// Everything that is wrong with them.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let of = |service: &String, field, what| Problem { service: service.clone(), field, what };
        let twice = self.twice.iter().map(|service| {
            of(service, "policy", "is given twice; put what the two say into one".to_owned())
        });
        let others = self.by_service.iter().flat_map(|(service, policy)| {
            let problems = policy.problems().into_iter();
            problems.map(move |(field, problem)| of(service, field, problem))
        });
        twice.chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_said_with_its_service_and_field() {
        let mut policies = Policies::default();
        let policy = Policy::new()
            .attempts(9)
            .timeout(Duration::ZERO)
            .aperture(9)
            .mirror("new", -1.0)
            .label_weight("version", 1.0)
            .label_weight("zone=a", f64::NAN)
            .label_weight("zone=a", 1.0);
        policies.add("shop.Inventory".into(), policy);
        policies.add("shop.Inventory".into(), Policy::new());
        policies.add("Users".into(), Policy::new().label_weight("a=b", 0.0));
        let said =
            |problem: Problem| format!("{}: {} {}", problem.service, problem.field, problem.what);
        let words: Vec<String> = policies.problems().into_iter().map(said).collect();
        for (word, said) in [
            "shop.Inventory: policy is given twice",
            "Users: label_weight gives every label the weight 0",
            "shop.Inventory: attempts is 9; 1 to 5",
            "timeout is 0",
            "aperture is 9; 10 to 1024",
            "mirror goes to `new`, which is not `name=value`",
            "mirror copies -1 %; 0 to 100",
            "label_weight names `version`, which is not `name=value`",
            "label_weight of `zone=a` is NaN; 0 to",
            "label_weight names `zone=a` twice",
        ]
        .iter()
        .zip(&words)
        {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(words.len(), 10, "{words:?}");
        let many =
            (0..8).fold(Policy::new(), |policy, at| policy.label_weight(format!("a={at}"), 1.0));
        assert!(many.problems()[0].1.contains("names 8 labels; 7"), "{:?}", many.problems());
        assert!(Policy::new().problems().is_empty());
    }
}
