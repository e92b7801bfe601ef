//! Plain HTTP for [sinew](https://docs.rs/sinew): legacy services through the same typed client, with the same deadline,
//! balancing, breaker, bulkhead, retries and reasons.
//!
//! ```no_run
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)] pub struct User { name: String }
//! # #[derive(Serialize, Deserialize)] pub struct Problem { title: String }
//! #[sinew::service]
//! pub trait Users {
//!     /// `GET /users/7`
//!     #[http(get = "/users/{id}")]
//!     async fn user(&self, id: u64) -> Result<Option<User>, Problem>;
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mesh = sinew::Mesh::builder().transport(sinew_bridge::http()).build().await?;
//! let users: UsersClient = mesh.client_at("http://legacy.internal:8080")?;
//! let user = users.user(7).await; // `Ok(None)` after a 404
//! # let _ = user; Ok(()) }
//! ```
//!
//! What `#[http(..)]` says, what an answer means, and what is refused is on `docs/bridge.md`. The other way round, plain HTTP
//! reaches services through [`ingress()`]: `docs/ingress.md`.
//!
//! # What it never does
//! - It follows no redirect, and connects to nothing but the addresses that configuration and discovery name.
//! - It forwards no header that frames a body or belongs to a connection: each request is written anew.
//! - It repeats nothing by itself: whether a call goes again is the mesh's decision, by what is known of it.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/bridge.md")]
mod page {}
#[cfg(doctest)]
#[doc = include_str!("../../../docs/ingress.md")]
mod ingress_page {}
#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrate.md")]
mod migrate_page {}

mod address;
mod answer;
mod codes;
mod connection;
mod described;
mod framing;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod ingress;
mod legacy;
mod migration;
mod request;
pub mod value;
mod words;

pub use crate::{
    ingress::{Ingress, IngressError, ingress, ingress_to},
    legacy::legacy,
    migration::{Difference, Guard, Migration, MigrationError, Report, Sample},
};

use std::{fmt, sync::Arc};

use sinew::{
    Code, Reason, Status,
    foreign::{BoxFuture, Inbound, Outbound, Pulse, Remote, Transport, rejected},
};
use sinew_core::limits;
use tokio::time::Instant;

use crate::{
    address::Address,
    answer::{Expected, receive},
    connection::{Pool, Sent, Tls, TlsOptions},
    request::{Prepared, prepare},
};

/// `http://` and `https://` for a mesh: `Mesh::builder().transport(sinew_bridge::http())`.
///
/// Over TLS it speaks HTTP/2 where the server does, else HTTP/1.1; without TLS HTTP/1.1.
pub fn http() -> Http {
    Http::default()
}

/// How HTTP is spoken. Made by [`http()`].
#[derive(Debug, Clone, Default)]
#[must_use = "it does nothing before a mesh has it: `MeshBuilder::transport`"]
pub struct Http {
    tls: TlsOptions,
    is_prior_knowledge: bool,
}

impl Http {
    /// Trusts these roots, in PEM, in place of the public ones (Mozilla's, as the crate `webpki-roots` has them). What cannot
    /// be read is told of the first `https://` address.
    pub fn roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots = Some(pem.into());
        self
    }

    /// Shows this certificate to servers that ask for one: its chain and its key, in PEM.
    pub fn client_certificate(
        mut self,
        chain_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.own = Some((chain_pem.into(), key_pem.into()));
        self
    }

    /// Speaks HTTP/2 to `http://` addresses at once, for servers that speak nothing else (`h2c`).
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.is_prior_knowledge = true;
        self
    }
}

impl Transport for Http {
    fn schemes(&self) -> &'static [&'static str] {
        &["http", "https"]
    }

    fn remote(&self, address: &str) -> Result<Arc<dyn Remote>, String> {
        let address = Address::parse(address)?;
        let tls = if address.is_tls { Some(Tls::new(&self.tls)?) } else { None };
        let is_prior_knowledge = self.is_prior_knowledge && !address.is_tls;
        Ok(Arc::new(Endpoint(Arc::new(Pool::new(address, tls, is_prior_knowledge)))))
    }
}

/// A legacy server.
struct Endpoint(Arc<Pool>);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Remote for Endpoint {
    fn connect(&self) -> BoxFuture<'_, Result<(), Status>> {
        Box::pin(self.0.warm())
    }

    fn call(&self, mut outbound: Outbound<'_>) -> BoxFuture<'static, Result<Inbound, Status>> {
        let has_input = outbound.method().shape().has_input();
        let Prepared { request, binding } = match prepare(&mut outbound, self.0.address()) {
            Ok(prepared) => prepared,
            Err(status) => return Box::pin(std::future::ready(Err(status))),
        };
        let expected = Expected {
            binding,
            is_stream: outbound.method().shape().has_output_stream(),
            has_input,
            wants_metadata: outbound.wants_metadata(),
            deadline: outbound.deadline().map(Instant::from_std),
            idle: outbound.idle(),
            pulse: outbound.pulse().clone(),
        };
        let pool = Arc::clone(&self.0);
        Box::pin(async move {
            let mut request = request;
            // One that waited may be closed, and the next may be too; no server refuses for ever.
            for _ in 0..limits::HTTP_IDLE_MAX {
                let lease = pool.lease().await?;
                match lease.send(request).await {
                    Sent::Answered(response, lease) => {
                        return receive(response, lease, expected).await;
                    }
                    Sent::Unwritten(unwritten) => request = unwritten,
                    Sent::Failed(status) => return Err(status),
                }
            }
            let words = "each connection was closed, or refused the request, before it was read";
            Err(rejected(Code::Unavailable, Reason::Draining, words))
        })
    }

    fn ask(&self, pulse: Pulse) -> BoxFuture<'static, ()> {
        let pool = Arc::clone(&self.0);
        Box::pin(async move {
            if pool.is_alive().await {
                pulse.heard();
            }
        })
    }
}
