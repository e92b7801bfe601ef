//! What a service is, as data: its methods, the structure of their types, how they go over HTTP, their fingerprints.
//!
//! # Why
//! A service is a Rust trait, and its types are whatever serde makes of them. Whoever does not have its crate (another
//! team, a person at a shell, a check in CI) needs the same knowledge in a form of its own. A running server hands it
//! out, a test writes it beside the code, a generator makes Rust of it again, and two of them are compared.
//!
//! # Invariants
//! 1. The format has a number ([`FORMAT`]); within it, fields are only added, and each has a default.
//! 2. Structure is what crosses the wire, under the names on the wire: what a type is called in Rust, its modules and
//!    its newtypes' names mean nothing here, though names are kept for people.
//! 3. The [fingerprint](canonical::fingerprint) of a method is a function of its descriptor: who generates code can tell
//!    that it will speak bincode with the original before anything is compiled.
//!
//! # Not here
//! How a type is learnt (`sinew`), how Rust is made of it (`sinew-codegen`).

pub mod canonical;
mod check;
mod compare;
mod reads;
mod service;
#[cfg(feature = "json")]
mod text;
mod types;

pub use check::Problem;
pub use compare::{Change, Comparison, Verdict, compare};
pub use service::{
    Argument, Criticality, Hedge, Http, HttpBody, HttpContent, Input, Method, Service, Statuses,
    Streams,
};
#[cfg(feature = "json")]
pub use text::Unreadable;
pub use types::{Body, Field, Named, Type, Types, Variant};

use serde::{Deserialize, Serialize};

/// The number of the format. Another one cannot be read.
pub const FORMAT: u32 = 1;

/// Services, as data. As JSON it is an object whose `sinew_descriptor` is [`FORMAT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The number of the format.
    #[serde(rename = "sinew_descriptor")]
    pub format: u32,
    /// The services, sorted by name.
    pub services: Vec<Service>,
}

impl Descriptor {
    /// Of these services.
    pub fn new(mut services: Vec<Service>) -> Self {
        services.sort_by(|one, other| one.name.cmp(&other.name));
        Self { format: FORMAT, services }
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}
