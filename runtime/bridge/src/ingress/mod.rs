//! Plain HTTP in: callers who do not speak sinew reach its services, on a port of the server's own process or in a router of
//! axum's.
//!
//! ```no_run
//! # use serde::{Deserialize, Serialize};
//! #[sinew::service]
//! pub trait Greeter {
//!     #[http(get = "/hello/{name}")]
//!     async fn hello(&self, name: String) -> String;
//! }
//! # struct Polite;
//! # impl Greeter for Polite { async fn hello(&self, name: String) -> String { name } }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mesh = sinew::Mesh::from_env().await?;
//! let server = mesh.server().serve(GreeterServer::new(Polite)).bind("127.0.0.1:7001").await?;
//! // curl http://127.0.0.1:8080/hello/World, and http://127.0.0.1:8080/try in a browser
//! let http = sinew_bridge::ingress(&server).bind("127.0.0.1:8080").await?;
//! tokio::join!(
//!     server.run_until(sinew::shutdown_signal()),
//!     http.run_until(sinew::shutdown_signal()),
//! );
//! # Ok(()) }
//! ```
//!
//! A call that comes in so has the same deadline, place among the calls at work, authorization, interceptors and metrics as any
//! other. What a request may look like, who may make it, and what it is answered is on `docs/ingress.md`.

mod activity;
mod answer;
mod arguments;
mod beside;
mod body;
mod callee;
mod callers;
mod coerce;
mod guard;
mod listen;
pub(crate) mod openapi;
mod page;
mod refusal;
pub(crate) mod route;
mod serve;
mod table;
mod tls;

use std::{fmt, net::SocketAddr, sync::Arc};

use sinew::{
    Mesh, Metrics, Server, TrustDomain, descriptor::Service, dynamic::DynamicClient, foreign::Door,
};
use sinew_core::limits;
use tokio::net::ToSocketAddrs;

pub use self::{
    answer::{Body, Broken},
    listen::Listening,
    serve::IngressService,
};
use self::{
    body::Bodies,
    callee::Callee,
    callers::Callers,
    route::Route,
    serve::Shared,
    table::Table,
    tls::{Client, Tls},
};

/// The way in for plain HTTP, before it listens. Made by [`ingress()`] and [`ingress_to`].
#[derive(Debug)]
#[must_use = "nothing listens before `bind`"]
pub struct Ingress {
    /// The server of this process, if that is what is called.
    door: Option<Door>,
    /// Services of the mesh.
    there: Vec<(Arc<Service>, DynamicClient)>,
    mesh: Option<Mesh>,
    title: String,
    callers: Result<Callers, IngressError>,
    tls: Option<Tls>,
    clients: Option<Vec<u8>>,
    has_pages: bool,
    metrics: Option<Metrics>,
    is_plain_anywhere: bool,
    bodies_max: usize,
}

/// Why HTTP is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngressError {
    /// Two methods have one path.
    #[error("`{first}` and `{second}` are both served at `{route}`; give one of them another path")]
    Conflict {
        /// The verb and the path.
        route: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// How a method goes over HTTP cannot be understood.
    #[error("`{method}` cannot be served over HTTP: {problem}")]
    Binding {
        /// `Service/method`.
        method: String,
        /// Why.
        problem: String,
    },
    /// An identity, or what proves it, is none.
    #[error("`{id}` cannot be who calls: {problem}")]
    Identity {
        /// As it was given.
        id: String,
        /// Why.
        problem: String,
    },
    /// The certificate, the key or the roots cannot be used.
    #[error("TLS cannot be spoken: {problem}")]
    Tls {
        /// Which of them, and why.
        problem: String,
    },
    /// Others than this machine would reach it, and nothing protects it.
    #[error("HTTP is not served at {address}: {problem}")]
    Unprotected {
        /// Where it would listen.
        address: SocketAddr,
        /// What is missing, and what to write.
        problem: String,
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
}

/// HTTP for the services of this server: on a port, or as a `tower` service.
pub fn ingress(server: &Server) -> Ingress {
    let door = server.door();
    let domain = door.own_identity().trust_domain();
    Ingress { door: Some(door), ..Ingress::new(&domain) }
}

/// HTTP for services of this mesh, whoever has them: [`reach`](Ingress::reach) says which. What a gateway is made of.
pub fn ingress_to(mesh: &Mesh) -> Ingress {
    Ingress { mesh: Some(mesh.clone()), ..Ingress::new(mesh.identity().trust_domain()) }
}

impl Ingress {
    fn new(domain: &TrustDomain) -> Self {
        Self {
            door: None,
            there: Vec::new(),
            mesh: None,
            title: "Services".to_owned(),
            callers: Callers::new(domain),
            tls: None,
            clients: None,
            has_pages: true,
            metrics: None,
            is_plain_anywhere: false,
            bodies_max: limits::HTTP_BODIES_MAX,
        }
    }

    /// Passes calls of this service on through this client. The service is known by its descriptor; its server sees who
    /// this process is, and not who called: rules of this process's policy (`[[allow]]`) say who of those may call what.
    pub fn reach(mut self, service: Service, client: DynamicClient) -> Self {
        self.there.push((Arc::new(service), client));
        self
    }

    /// What the document at `/openapi.json` is called. Default: `Services`.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Serves neither `/openapi.json` nor the page at `/try`. By default whoever reaches the listener may read both.
    pub fn without_pages(mut self) -> Self {
        self.has_pages = false;
        self
    }

    /// Answers `GET /metrics` with what a mesh counts, as Prometheus reads it. Whoever reaches the listener may read it, and it
    /// names services and endpoints: give it a listener of its own where that is not for callers.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Whoever sends `authorization: Bearer <secret>` is this identity, `spiffe://` in the server's trust domain: rules of the
    /// policy name it. Once there is a token, requests without one are answered with 401. A secret has 32 printable
    /// characters or more.
    pub fn bearer_token(mut self, secret: impl Into<String>, identity: &str) -> Self {
        if let Ok(callers) = &mut self.callers
            && let Err(error) = callers.add_token(secret.into(), identity)
        {
            self.callers = Err(error);
        }
        self
    }

    /// Speaks TLS, with this certificate and key in PEM: HTTP/2 and HTTP/1.1.
    pub fn tls(mut self, chain_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        self.tls = Some(Tls { chain: chain_pem.into(), key: key_pem.into().into() });
        self
    }

    /// Asks clients for a certificate under these roots, in PEM. Whoever shows one is the SPIFFE id in it, which must be of the
    /// server's trust domain; whoever shows none needs a token, or is refused in the handshake where there are no tokens.
    ///
    /// An authority under these roots can vouch for anybody of the trust domain, its services among them: name those that you
    /// run. Others get tokens.
    pub fn client_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.clients = Some(pem.into());
        if let Ok(callers) = &mut self.callers {
            callers.asks = true;
        }
        self
    }

    /// Callers are within, or a proxy in front speaks for them and lets nothing through that they claim: `x-sinew-identity`
    /// says who calls, `x-request-timeout-ms`, `x-envoy-expected-rq-timeout-ms` and `grpc-timeout` how long they wait, and
    /// errors tell what is behind. By default none of that holds: whoever can reach the listener could be anybody.
    pub fn trusted(mut self) -> Self {
        if let Ok(callers) = &mut self.callers {
            callers.trusts = true;
        }
        self
    }

    /// Lets in who proves nothing, as `spiffe://<trust domain>/http/anonymous`, beside those with a token or a certificate, and
    /// from anywhere. By default that is so only on loopback addresses, and only where nothing is asked for.
    pub fn let_in_anybody(mut self) -> Self {
        if let Ok(callers) = &mut self.callers {
            callers.lets_in_anybody = true;
        }
        self
    }

    /// Speaks HTTP without TLS on addresses that are not loopback: behind a proxy that ends TLS, on a network that nobody
    /// listens to. Tokens and answers cross it in the clear.
    pub fn insecure_plain_http(mut self) -> Self {
        self.is_plain_anywhere = true;
        self
    }

    /// How many bytes of bodies are held at once, of all requests that are not answered: what would be more is refused with 429.
    /// Default: 64 MiB.
    pub fn bodies_max(mut self, bytes: usize) -> Self {
        self.bodies_max = bytes;
        self
    }

    /// Listens. Requests are served from here on, until what is returned is dropped or drained.
    ///
    /// # Errors
    /// Every [`IngressError`].
    ///
    /// # Cancel safety
    /// When the future is dropped nothing listens.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn bind(
        self,
        address: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Listening, IngressError> {
        let how = (self.server_tls()?, self.is_plain_anywhere);
        let shared = self.shared()?;
        listen::listen(address, how, shared).await
    }

    /// A `tower` service: `Router::new().fallback_service(ingress.service()?)` in axum. What it stands behind decides who
    /// reaches it; its callers are those with a token, or nobody in particular.
    ///
    /// # Errors
    /// Every [`IngressError`] but those of an address; `Tls` where it was given a certificate or roots, of which a service can
    /// make nothing.
    pub fn service(self) -> Result<IngressService, IngressError> {
        if self.tls.is_some() || self.clients.is_some() {
            let problem =
                "a service does not begin connections: leave `tls` and `client_roots` out";
            return Err(IngressError::Tls { problem: problem.to_owned() });
        }
        self.shared().map(|shared| IngressService::new(Arc::new(shared)))
    }

    fn server_tls(&self) -> Result<tls::Acceptor, IngressError> {
        let callers = self.callers.as_ref();
        let may_lack = callers.is_ok_and(|callers| callers.has_tokens() || callers.lets_in_anybody);
        let clients = self.clients.as_ref().map(|roots| Client { roots, may_lack });
        match (&self.tls, clients) {
            (Some(tls), clients) => tls::acceptor(tls, clients),
            (None, None) => Ok(tls::Acceptor::none()),
            (None, Some(_)) => Err(IngressError::Tls {
                problem: "clients show certificates in TLS only: add `.tls(chain, key)`".to_owned(),
            }),
        }
    }

    /// Leaves out each service of [`reach`](Self::reach) that cannot be served beside those before it, as when a path of it is
    /// taken; their names, and why. Without it such a service fails the whole.
    pub fn leave_out_conflicts(&mut self) -> Vec<(String, IngressError)> {
        let mut left_out = Vec::new();
        if self.table().is_ok() {
            return left_out;
        }
        for one in std::mem::take(&mut self.there) {
            let name = one.0.name.clone();
            self.there.push(one);
            if let Err(why) = self.table() {
                self.there.pop();
                left_out.push((name, why));
            }
        }
        left_out
    }

    /// All that is served.
    fn table(&self) -> Result<Table, IngressError> {
        let mut routes = Vec::new();
        for service in self.door.iter().flat_map(Door::services) {
            let types: Arc<[_]> = service.types.clone().into();
            for method in &service.methods {
                let Some(door) = &self.door else { continue };
                let Some(entrance) = door.entrance(&service.name, &method.name) else { continue };
                let callee = Callee::Here { door: door.clone(), entrance };
                routes.push(Route::new(&service, method, (Arc::clone(&types), callee))?);
            }
        }
        for (service, client) in &self.there {
            let types: Arc<[_]> = service.types.clone().into();
            for (at, method) in service.methods.iter().enumerate() {
                let callee = Callee::there(client.clone(), Arc::clone(service), at);
                routes.push(Route::new(service, method, (Arc::clone(&types), callee))?);
            }
        }
        Table::new(routes)
    }

    fn shared(self) -> Result<Shared, IngressError> {
        let table = self.table()?;
        let services = || {
            let here = self.door.iter().flat_map(Door::services);
            here.chain(self.there.iter().map(|(service, _)| Service::clone(service)))
        };
        let document = self.has_pages.then(|| {
            let services: Vec<Service> = services().collect();
            openapi::document(&services, &self.title).to_string()
        });
        Ok(Shared {
            table,
            callers: self.callers?,
            door: self.door,
            metrics: self.metrics,
            checks_host: false,
            bodies: Bodies::new(self.bodies_max),
            mesh: self.mesh,
            document: document.map(Into::into),
        })
    }
}
