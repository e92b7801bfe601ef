//! Which protocols a mesh speaks beside its own, by the schemes of addresses: `http` for `http://legacy.internal:8080`.
//!
//! # Why
//! `sinew` does not know them: each is a crate of its own, and whoever needs one hands it to the mesh. An address of which
//! no transport is known is not lost, it says what is missing.

use std::sync::Arc;

use sinew_core::codes::{Code, Reason};

#[cfg(feature = "foreign")]
use super::foreign::{ForeignConnector, Pulses, Transport};
use super::{BoxFuture, Connector, Session};
use crate::error::Status;

/// The transports of a mesh.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemes {
    #[cfg(feature = "foreign")]
    known: Vec<Arc<dyn Transport>>,
}

/// What the endpoints of one service have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    #[cfg(feature = "foreign")]
    pulses: Pulses,
}

/// The scheme of an address; `None` for `host:port`, where sinew itself is spoken.
pub(crate) fn scheme(address: &str) -> Option<&str> {
    address.split_once("://").map(|(scheme, _)| scheme)
}

impl Schemes {
    #[cfg(feature = "foreign")]
    pub(crate) fn add(&mut self, transport: Arc<dyn Transport>) {
        self.known.push(transport);
    }

    /// What is wrong with an address that has a scheme.
    pub(crate) fn check(&self, address: &str) -> Result<(), String> {
        self.connector(address, &Shared::default()).map(drop)
    }

    /// How to get to an address that has a scheme.
    #[cfg(feature = "foreign")]
    fn connector(&self, address: &str, shared: &Shared) -> Result<Box<dyn Connector>, String> {
        let scheme = scheme(address).unwrap_or_default();
        // The last one that was added speaks for a scheme that several have.
        let transport = self.known.iter().rev().find(|known| known.schemes().contains(&scheme));
        let transport = transport.ok_or_else(|| missing(scheme))?;
        let remote = transport.remote(address)?;
        Ok(Box::new(ForeignConnector::new(remote, &shared.pulses)))
    }

    #[cfg(not(feature = "foreign"))]
    #[expect(clippy::unused_self, reason = "it has transports where the feature is on")]
    fn connector(&self, address: &str, _: &Shared) -> Result<Box<dyn Connector>, String> {
        Err(missing(scheme(address).unwrap_or_default()))
    }

    /// The same; an address that cannot be reached says so to every call.
    pub(crate) fn connector_or_why(&self, address: &str, shared: &Shared) -> Box<dyn Connector> {
        self.connector(address, shared).unwrap_or_else(|why| {
            tracing::error!(address, why, "an endpoint cannot be used");
            Box::new(Unusable { why })
        })
    }
}

/// What to add for an endpoint of this scheme.
fn missing(scheme: &str) -> String {
    match scheme {
        "http" | "https" => format!(
            "`{scheme}` is spoken by the crate `sinew-bridge`: add it, and \
             `.transport(sinew_bridge::http())` to the builder of the mesh"
        ),
        _ => format!(
            "no transport of this mesh speaks `{scheme}`; `MeshBuilder::transport` adds one, and `host:port` is sinew's own"
        ),
    }
}

/// An endpoint that no call can go to.
#[derive(Debug)]
struct Unusable {
    why: String,
}

impl Connector for Unusable {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        let status = Status::not_sent(Code::Unavailable, Reason::NoEndpoints, self.why.clone());
        Box::pin(std::future::ready(Err(status)))
    }
}
