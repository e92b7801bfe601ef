//! The serving side: [`stack`] is the whole serve path in order; [`accept`] brings the connections in.

mod accept;
mod dispatch;
mod governed;
mod health;
mod reflection;
mod shares;
pub(crate) mod stack;

use std::{fmt, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use sinew_core::{limits, plan::server::Concurrency};
use tokio::net::ToSocketAddrs;

pub(crate) use dispatch::HandlerRequest;
pub use dispatch::{Handler, Service};
pub(crate) use dispatch::{
    bidirectional_handler, client_streaming_handler, server_streaming_handler, unary_handler,
};
pub use health::{Health, UnknownService};

use self::shares::Shares;
use crate::{
    discovery::{About, Announced, Board},
    identity::{Identity, IdentityError},
    interceptor::{Chain, Interceptor},
    metrics::Registry,
    policy::live::Live,
    transport::{links::Links, quic::Network},
};

pub(crate) use stack::ServerCore;

/// What a server has of its mesh.
#[derive(Debug)]
pub(crate) struct OfMesh {
    pub(crate) metrics: Arc<Registry>,
    pub(crate) policy: Arc<Live>,
    pub(crate) links: Arc<Links>,
    pub(crate) network: Network,
}

/// A server before it listens: a list of services.
#[derive(Debug)]
#[must_use = "nothing listens before `bind`"]
pub struct ServerBuilder {
    identity: Identity,
    services: Vec<Service>,
    interceptors: Chain,
    grace: Duration,
    connections: u32,
    board: Option<Board>,
    about: About,
    metrics: Arc<Registry>,
    policy: Arc<Live>,
    links: Arc<Links>,
    advertised: Option<SocketAddr>,
    reflects: bool,
    concurrency: Concurrency,
    network: Network,
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// There is nothing to serve.
    #[error("a server needs a service; add one with `.serve(..)`")]
    NoService,
    /// Two services, or two methods of them, cannot be told apart on the wire.
    #[error(
        "`{first}` and `{second}` cannot be told apart on the wire; give one of them another `name`"
    )]
    Collision {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// The address cannot be used.
    #[error("cannot listen on `{address}`")]
    Address {
        /// The address that was asked for.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What it is to say of itself breaks a bound.
    #[error("a server cannot say this of itself: {problem}")]
    About {
        /// What, and which bound.
        problem: String,
    },
    /// This process cannot prove who it is, or may not at this address.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl ServerBuilder {
    pub(crate) fn new(
        identity: Identity,
        board: Option<Board>,
        about: About,
        OfMesh { metrics, policy, links, network }: OfMesh,
    ) -> Self {
        Self {
            identity,
            services: Vec::new(),
            interceptors: Chain::default(),
            grace: limits::DRAIN_GRACE,
            connections: limits::CONNECTIONS_MAX,
            board,
            about,
            metrics,
            policy,
            links,
            advertised: None,
            reflects: true,
            concurrency: Concurrency::default(),
            network,
        }
    }

    /// Adds a service: `.serve(InventoryServer::new(warehouse))`. Many may share a port.
    pub fn serve(mut self, service: impl Into<Service>) -> Self {
        self.services.push(service.into());
        self
    }

    /// Adds an interceptor around every call, inside of those added before.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Does not tell callers what its services look like. By default whoever may call may ask, which is what `sinew
    /// describe` and `sinew call` do.
    pub fn without_reflection(mut self) -> Self {
        self.reflects = false;
        self
    }

    /// How long calls in flight may take to finish when the server is told to stop. Default 30 s.
    pub fn drain_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How many calls it works on at once. By default as many as it finds that it can: it begins with 64, learns what calls
    /// take where there is little to do, takes more while they take no longer, and fewer when they hold each other up;
    /// from twice the number of cores to 4,096. Further ones wait, for at most 100 ms, and are then refused as not
    /// processed, least critical first.
    ///
    /// A fixed number fits a resource of a known size, like a pool of connections. With [`Concurrency::Unlimited`] nothing
    /// is refused and nothing protected: for handlers that wait for something of their own most of the time, as long polls
    /// do. Methods that take a stream never need a place.
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How many authenticated connections there may be, of which one identity may have half of what the others leave
    /// free. Default, and most: 10,000. Whoever comes too late is told so, and goes elsewhere.
    pub fn max_connections(mut self, most: u32) -> Self {
        self.connections = most.min(limits::CONNECTIONS_MAX);
        self
    }

    /// Its share of the calls among its peers, from 0.01 to 1,000: one of weight 2 gets twice as many as one of weight 1.
    /// Default 1.
    pub fn weight(mut self, weight: f64) -> Self {
        self.about.weight = weight;
        self
    }

    /// The zone that it is in. Default: that of its mesh.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.about.zone = Some(zone.into());
        self
    }

    /// Something that callers may choose it by: `.label("version", "2")`. A key has up to 64 of `a-z A-Z 0-9 . - _ / :`, a
    /// value up to 128 printable ASCII characters without `"` and `\`; there are 32 at most.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.about.labels.insert(key.into(), value.into());
        self
    }

    /// Where callers are told to go, if that is not where it listens: behind NAT or a forwarder of packets, or in a
    /// container that has a port of its host. Default: the address that it listens at. Port 0 stands for the port that
    /// it listens at.
    ///
    /// It changes nothing of who may answer: certificates decide that, whatever is at the address. Nothing is sent there
    /// to see whether it leads here; callers that get nowhere leave it like any endpoint that is dead. With the
    /// development CA only loopback addresses are accepted, when the server is bound.
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertised = Some(address);
        self
    }

    /// Listens. Connections are accepted from here on, until the server is dropped or drained.
    ///
    /// With the development CA only loopback addresses are accepted.
    ///
    /// # Errors
    /// Every [`BindError`].
    ///
    /// # Cancel safety
    /// When the future is dropped nothing listens.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn bind(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Server, BindError> {
        let text = format!("{address:?}").trim_matches('"').to_owned();
        let io = |source| BindError::Address { address: text.clone(), source };
        let nowhere =
            || std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        self.about.check().map_err(|problem| BindError::About { problem })?;
        let address = tokio::net::lookup_host(address)
            .await
            .map_err(io)?
            .next()
            .ok_or_else(nowhere)
            .map_err(io)?;
        for address in self.advertised.iter().chain([&address]) {
            self.identity.allows_address(*address)?;
        }
        let core = {
            let how = (self.reflects, self.concurrency);
            ServerCore::new(self.services, self.interceptors, self.metrics, how)?
        };
        let core = Arc::new(core);
        self.policy.join(&core);
        let ruled = if core.governed().has_rules() {
            "those whom its policy allows"
        } else {
            "every verified identity of the trust domain"
        };
        let health = core.health().clone();
        let names: Vec<String> = core.service_names().map(str::to_owned).collect();
        let tls =
            self.identity.server_config(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let shares = Shares::new(self.connections);
        let governed = Arc::clone(&core);
        let trusts = accept::Trusts { identity: self.identity.clone(), links: self.links };
        let place = (address, &self.network);
        let accepting = accept::listen(place, tls, trusts, core, shares).map_err(io)?;
        tracing::info!(
            address = %accepting.local_addr(),
            services = names.join(", "),
            callers = %self.identity.trust_domain(),
            "listening; {ruled} may call"
        );
        let mut address = self.advertised.unwrap_or(accepting.local_addr());
        if address.port() == 0 {
            address.set_port(accepting.local_addr().port());
        }
        let announced = names.iter().filter_map(|name| {
            let identity = self.identity.of_server(name);
            let about = About { identity, ..self.about.clone() };
            Some(self.board.as_ref()?.announce(name, address, about))
        });
        Ok(Server {
            announced: announced.collect(),
            accepting,
            grace: self.grace,
            governed,
            health,
            #[cfg(feature = "foreign")]
            own: self.identity.id(),
        })
    }
}

/// A server that listens. Dropping it closes its connections at once; [`run_until`](Self::run_until) drains them.
#[derive(Debug)]
#[must_use = "dropping a server stops it"]
pub struct Server {
    /// First, so that it is taken back before anything ends.
    announced: Vec<Announced>,
    accepting: accept::Accepting,
    grace: Duration,
    governed: Arc<ServerCore>,
    health: Health,
    #[cfg(feature = "foreign")]
    own: sinew_core::spiffe::SpiffeId,
}

impl Server {
    /// Where it listens: the port that the system chose, if it was asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.accepting.local_addr()
    }

    /// Says to callers which of its services can do their work; lives on while the server does.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// The way to its services for callers of another protocol: what a bridge opens.
    #[cfg(feature = "foreign")]
    pub fn door(&self) -> crate::transport::foreign::Door {
        let services = self.governed.services();
        crate::transport::foreign::Door::new(
            Arc::clone(&self.governed) as _,
            services,
            self.own.clone(),
        )
    }

    /// Serves until `shutdown` is ready, then drains: takes its announcement back, asks callers for no more calls, refuses those that come all the
    /// same as not processed, lets the calls in flight finish for at most the grace, and closes.
    ///
    /// # Cancel safety
    /// When the future is dropped the server stops at once.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.announced.iter().for_each(Announced::withdraw);
        let grace = self.governed.governed().grace().unwrap_or(self.grace);
        let withdrawn = async {
            for announced in &self.announced {
                announced.withdrawn().await;
            }
        };
        tokio::join!(self.accepting.drain(grace), withdrawn);
    }
}
