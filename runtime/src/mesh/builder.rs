//! A mesh before it is made: what a program says of it, checked as a whole.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use sinew_core::{limits, spiffe::SpiffeId};

use super::{Inner, Mesh, MeshError, target::parse_target};
use crate::{
    discovery::{Board, Directory, Local, Place, check_zone},
    identity::Identity,
    interceptor::{Interceptor, Interceptors},
    metrics::Registry,
    policy::{
        Policies, Policy, Problem,
        live::Live,
        watch::{PolicyFile, Watched},
    },
    transport::{connect::Sockets, quic::Network, schemes::Schemes},
};

/// The zone that a process is in.
const ZONE: &str = "SINEW_ZONE";

/// A mesh before it is made. Setters neither fail nor do I/O; [`build`](Self::build) reports every problem at once.
#[derive(Debug, Default)]
#[must_use = "nothing is made before `build`"]
pub struct MeshBuilder {
    identity: Option<Identity>,
    interceptors: Interceptors,
    policies: Policies,
    policy_file: Watched,
    endpoints: Vec<(String, String)>,
    identities: Vec<(String, String)>,
    zone: Option<String>,
    directory: Option<Directory>,
    alone: bool,
    connection_age: Option<Duration>,
    schemes: Schemes,
    pub(super) network: Network,
}

impl MeshBuilder {
    /// Who this process is. Default: [`Identity::from_env`].
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Where a service is: a target as [`Mesh::client_at`] takes it. Several for one service, 16 at most, are merged: an
    /// address that two of them list is one endpoint.
    pub fn endpoints(mut self, service: impl Into<String>, target: impl Into<String>) -> Self {
        self.endpoints.push((service.into(), target.into()));
        self
    }

    /// Which identity a service's servers prove. Default: `spiffe://<own trust domain>/<service>`.
    ///
    /// It decides who may answer: discovery and DNS cannot widen it.
    pub fn server_identity(mut self, service: impl Into<String>, id: impl Into<String>) -> Self {
        self.identities.push((service.into(), id.into()));
        self
    }

    /// The zone that this process is in: what its servers say of themselves, and which endpoints are near to its clients.
    /// Up to 64 of `a-z A-Z 0-9 . - _ / :`. Default: `SINEW_ZONE`, else none; whoever is in none is near to all.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// A file of policy: see `docs/policy.md`. It is followed: what changes in it is in force within a fraction of a second,
    /// and a file that is wrong, or gone, changes nothing. Default: the one that `SINEW_CONFIG` names, else `./sinew.toml` if
    /// it is there when the mesh is built.
    pub fn policy_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.policy_file = Watched::At(path.into());
        self
    }

    /// The policy is in the etcd of this mesh, under `/sinew/policy`, and followed there: one text for all processes. A process
    /// that starts while it cannot be read goes on with what it went by last, and not at all where there is nothing. The same
    /// as `SINEW_CONFIG=etcd:`.
    #[cfg(feature = "etcd")]
    pub fn policy_in_etcd(mut self) -> Self {
        self.policy_file = Watched::Etcd;
        self
    }

    /// Follows no file of policy, whatever the environment says.
    pub fn without_policy_file(mut self) -> Self {
        self.policy_file = Watched::Nowhere;
        self
    }

    /// How the clients of this mesh call a service: see [`Policy`]. Once per service. What the file of policy says of the
    /// same service goes before.
    pub fn policy(mut self, service: impl Into<String>, policy: Policy) -> Self {
        self.policies.add(service.into(), policy);
        self
    }

    /// Where the servers of this mesh announce themselves and its clients look for others: `"etcd://127.0.0.1:2379"`, an
    /// `Etcd` with whatever has to be said of it (feature `etcd`), or `"local"`. Default: what `SINEW_DISCOVERY` says as
    /// text, else this machine. See [`Directory`]; who may answer is decided by certificates in any case.
    pub fn discovery(mut self, directory: impl Into<Directory>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Neither announces the servers of this mesh on this machine nor looks for others there. By default both happen, in
    /// the user's runtime directory, unless [`discovery`](Self::discovery) names another place: who may answer is decided
    /// by certificates in any case.
    pub fn without_local_discovery(mut self) -> Self {
        self.alone = true;
        self
    }

    /// How old a connection becomes before calls move to a new one, give or take a tenth; calls in flight end where they
    /// are. From 1 s to 24 h, default 1 h: long enough to cost nothing, short enough that a new certificate, or a new
    /// server behind an address, is used the same day. Shorter and longer ones are taken for these bounds.
    pub fn connection_age(mut self, age: Duration) -> Self {
        self.connection_age =
            Some(age.clamp(limits::CONNECTION_AGE_MIN, limits::CONNECTION_AGE_MAX));
        self
    }

    /// Speaks another protocol to the endpoints whose addresses have one of its schemes: `sinew_bridge::http()` teaches the
    /// mesh `http://` and `https://`. Where two transports have a scheme, the one that was added last speaks it.
    #[cfg(feature = "foreign")]
    pub fn transport(mut self, transport: impl crate::transport::foreign::Transport) -> Self {
        self.schemes.add(Arc::new(transport));
        self
    }

    /// Runs around every call that a client of this mesh makes, inside of those added before.
    pub fn intercept_calls(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.per_call.push(Arc::new(interceptor));
        self
    }

    /// Runs around every attempt of such a call.
    pub fn intercept_attempts(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.per_attempt.push(Arc::new(interceptor));
        self
    }

    /// Runs around every attempt at this service, inside of those around all: attempts at others go without it, and do not pay
    /// for it.
    pub fn intercept_attempts_of(
        mut self,
        service: impl Into<String>,
        interceptor: impl Interceptor,
    ) -> Self {
        self.interceptors.push_of(service.into(), Arc::new(interceptor));
        self
    }

    /// Hands `compare` every call that was copied ([`Policy::mirror`](crate::Policy::mirror)) when both it and its copy are
    /// over; not one whose caller went away. It runs beside the callers, on the task of the copy, which counts as out until it
    /// returns: what takes long belongs into another task. Default: nobody compares, and no answer is kept.
    pub fn compare_mirrored(
        mut self,
        compare: impl Fn(crate::Mirrored) + Send + Sync + 'static,
    ) -> Self {
        self.interceptors.compares = Some(crate::mirrored::Observer::new(compare));
        self
    }

    /// Makes the mesh.
    ///
    /// # Errors
    /// Every problem with what was set, and with the identity.
    ///
    /// # Cancel safety
    /// Nothing is left behind when the future is dropped.
    pub async fn build(self) -> Result<Mesh, MeshError> {
        let of_policies = self.policies.problems().into_iter();
        let mut problems: Vec<MeshError> = of_policies
            .map(|Problem { service, field, what }| MeshError::Policy {
                service,
                field,
                problem: what,
            })
            .collect();
        let elsewhere = self.elsewhere(&mut problems);
        let endpoints = self.places(elsewhere.as_ref(), &mut problems);
        let zone = self.own_zone(&mut problems);
        let mut identities = BTreeMap::new();
        for (service, id) in self.identities {
            match SpiffeId::new(&id) {
                Ok(id) => {
                    identities.insert(service, id);
                }
                Err(source) => problems.push(MeshError::ServerId { service, id, source }),
            }
        }
        let identity = match self.identity.map_or_else(Identity::from_env, Ok) {
            Ok(identity) => Some(identity),
            Err(error) => {
                problems.push(error.into());
                None
            }
        };
        let metrics: Arc<Registry> = Arc::default();
        let policy = Arc::new(Live::new(self.policies.into_terms(), Arc::clone(&metrics)));
        let runtime = identity.as_ref().and_then(Identity::runtime_directory);
        let runtime_path = runtime.as_deref();
        let begun = match self.policy_file.found() {
            Watched::Usual | Watched::Nowhere => Ok(()),
            Watched::At(path) => {
                let begun = PolicyFile::new(path, runtime_path).begin(&policy).await;
                begun.map_err(MeshError::PolicyFile)
            }
            Watched::Etcd => in_etcd(elsewhere.as_ref(), runtime_path, &policy).await,
        };
        problems.extend(begun.err());
        match (identity, problems.len()) {
            (Some(identity), 0) => Ok(Mesh::new(Inner {
                board: elsewhere.or_else(|| {
                    let here = runtime.filter(|_| !self.alone);
                    here.map(|path| Board::Local(Local::in_directory(&path)))
                }),
                zone,
                identity,
                sockets: Arc::new(Sockets::of(self.network.clone())),
                network: self.network,
                links: Arc::default(),
                interceptors: self.interceptors,
                policy,
                endpoints,
                identities,
                connection_age: self.connection_age.unwrap_or(limits::CONNECTION_AGE),
                schemes: self.schemes,
                metrics,
            })),
            (_, 1) => Err(problems.remove(0)),
            _ => Err(MeshError::Several(problems)),
        }
    }

    /// An etcd, where one was set or the environment names one.
    fn elsewhere(&self, problems: &mut Vec<MeshError>) -> Option<Board> {
        let directory = self.directory.clone().or_else(Directory::from_env)?;
        directory.elsewhere().unwrap_or_else(|problem| {
            problems.push(MeshError::Discovery { problem });
            None
        })
    }

    fn places(
        &self,
        board: Option<&Board>,
        problems: &mut Vec<MeshError>,
    ) -> BTreeMap<String, Vec<Place>> {
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (service, target) in &self.endpoints {
            let known = places.entry(service.clone()).or_default();
            match parse_target(target, &self.schemes, board) {
                Ok(_) if known.len() >= limits::SOURCES_MAX => problems.push(MeshError::Target {
                    target: target.clone(),
                    problem: format!("`{service}` has {} already (SOURCES_MAX)", known.len()),
                }),
                Ok(place) => known.push(place),
                Err(problem) => problems.push(problem),
            }
        }
        places
    }

    /// The zone that was set, else that of the environment.
    fn own_zone(&self, problems: &mut Vec<MeshError>) -> Option<String> {
        let named = || {
            let zone = std::env::var_os(ZONE)?;
            Some(zone.to_string_lossy().into_owned())
        };
        let zone = self.zone.clone().or_else(named)?;
        if let Err(problem) = check_zone(&zone) {
            problems.push(MeshError::Zone { problem });
        }
        Some(zone)
    }
}

/// Puts the policy in force that is in etcd.
#[cfg(feature = "etcd")]
async fn in_etcd(
    board: Option<&Board>,
    runtime: Option<&std::path::Path>,
    policy: &Arc<Live>,
) -> Result<(), MeshError> {
    let Some(Board::Etcd(store)) = board else { return Err(no_etcd()) };
    let key = crate::policy::key::PolicyKey::new(store, runtime);
    key.begin(policy).await.map_err(MeshError::PolicyFile)
}

/// Nothing is there.
#[cfg(not(feature = "etcd"))]
async fn in_etcd(
    _: Option<&Board>,
    _: Option<&std::path::Path>,
    _: &Arc<Live>,
) -> Result<(), MeshError> {
    Err(no_etcd())
}

fn no_etcd() -> MeshError {
    let problem =
        "the policy is to be in etcd (`SINEW_CONFIG=etcd:`), and this mesh has none".to_owned();
    MeshError::Discovery { problem }
}
