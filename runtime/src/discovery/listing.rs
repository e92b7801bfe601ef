//! What discovery says of an endpoint, for people and tools.

use std::collections::BTreeMap;

use sinew_core::spiffe::SpiffeId;

use super::{About, Doubt, Source};

/// An endpoint as discovery lists it. What it says of itself lets nobody answer: that is up to its certificate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Listing {
    /// The service that it is listed for.
    pub service: String,
    /// `host:port`, or `scheme://host:port` where it speaks something else than sinew.
    pub address: String,
    /// The number of its process, where it announced itself on this machine and the host tells.
    pub process: Option<u32>,
    /// Its share among its peers, 1 for all equal.
    pub weight: f64,
    /// The zone that it is in.
    pub zone: Option<String>,
    /// What else it says of itself.
    pub labels: BTreeMap<String, String>,
    /// Who it says it is.
    pub identity: Option<SpiffeId>,
}

impl Listing {
    /// Of an address that says this of itself.
    pub(super) fn new(service: &str, address: String, about: About) -> Self {
        let About { weight, zone, labels, identity } = about;
        let service = service.to_owned();
        Self { service, address, process: None, weight, zone, labels, identity }
    }
}

/// What a source lists of a service when it is asked once; otherwise why that is not known.
///
/// # Cancel safety
/// When the future is dropped, the source is not asked any more.
pub(crate) async fn listed(
    mut source: Box<dyn Source>,
    service: &str,
) -> Result<Vec<Listing>, String> {
    let mut doubts = Doubt::new().heard();
    let snapshot = source.next(&mut doubts).await?;
    let listing = |entry: super::Entry| Listing::new(service, entry.address, entry.about);
    Ok(snapshot.endpoints.into_iter().map(listing).collect())
}
