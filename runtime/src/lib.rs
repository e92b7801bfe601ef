//! Async RPC over QUIC with the service mesh built in.
//!
#![doc = include_str!("../../README.md")]
//!
//! # Table of contents
//! | to | see |
//! |---|---|
//! | define a service | [`service`] |
//! | call it, serve it | [`Mesh`], [`ServerBuilder`] |
//! | bound and shape a call | [`CallOptions`], [`Context`] |
//! | stream | [`Streaming`] |
//! | understand a failure | [`CallError`], [`Status`] |
//! | see what it does | [`Mesh::metrics`], [`Mesh::decisions`] |
//! | work beside a call | [`spawn`], [`detach`], [`root`] |
//! | run around calls | [`Interceptor`] |
//! | choose how a service is called | [`Policy`], [`Balance`], `sinew.toml`: [`check_policy`], [`Mesh::apply_policy`] |

// The pages are tested like everything else that shows code.
#[cfg(doctest)]
#[doc = include_str!("../../docs/balance.md")]
mod balance_page {}
#[cfg(doctest)]
#[doc = include_str!("../../docs/deadline.md")]
mod deadline_page {}
#[cfg(doctest)]
#[doc = include_str!("../../docs/discovery.md")]
mod discovery_page {}
#[cfg(doctest)]
#[doc = include_str!("../../docs/identity.md")]
mod identity_page {}

#[cfg(doctest)]
#[doc = include_str!("../../docs/versions.md")]
mod versions_page {}
#[cfg(doctest)]
#[doc = include_str!("../../docs/metrics.md")]
mod metrics_page {}

mod call;
mod chance;
mod client;
mod codec;
mod discovery;
pub mod dynamic;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod interceptor;
mod mesh;
mod metrics;
mod mirrored;
#[cfg(feature = "fuzzing")]
mod planted;
mod policy;
#[doc(hidden)]
pub mod private;
mod reflect;
mod schema;
mod server;
mod signal;
mod stripe;
pub mod test;
mod transport;

#[doc(no_inline)]
pub use bytes::Bytes;
pub use sinew_core::{
    codes::{CancelReason, Code, Criticality, Directive, Disposition, Origin, Ran, Reason},
    ledger::{LedgerAttempt, LedgerCall, LedgerServer},
    metadata::{Metadata, MetadataError},
    plan::{client::Balance, server::Concurrency},
    spiffe::{SpiffeError, SpiffeId, TrustDomain},
    wire::trace::TraceContext,
};
#[doc(inline)]
pub use sinew_descriptor as descriptor;
pub use sinew_macros::service;

#[cfg(feature = "etcd")]
pub use crate::discovery::Etcd;
#[cfg(feature = "foreign")]
pub use crate::transport::foreign;
pub use crate::{
    call::{
        context::{Context, Peer, lost_contexts},
        method::{Method, Shape},
        options::{AnswerMetadata, CallOptions, Hedge},
        streaming::{ReaderGone, StreamWriter, Streaming},
        task::{detach, root, spawn},
        types::{CodecCounts, codec_counts},
    },
    discovery::{Directory, Listing},
    error::{Account, CallError, Decision, Explanation, Fault, Happening, Pick, Relay, Status},
    identity::{
        DevelopmentAuthority, DevelopmentCa, DevelopmentLeaf, DevelopmentStanding, Identity,
        IdentityError,
    },
    interceptor::{Interceptor, Next, Request, Response},
    mesh::{Mesh, MeshBuilder, MeshError, ServiceClient, describe},
    metrics::Metrics,
    mirrored::{Mirrored, MirroredAnswer},
    policy::{Policy, PolicyError, PolicyProblem, PolicyStatus, Steering, check_policy},
    server::{BindError, Health, Server, ServerBuilder, UnknownService},
    signal::shutdown_signal,
};
