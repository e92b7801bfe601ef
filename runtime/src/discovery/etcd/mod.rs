//! etcd as the place where servers announce themselves and clients look for them, and as a source of endpoints.
//!
//! ```text
//!   settings.rs  which etcd              json.rs    questions and answers, as text
//!   tls.rs       \                       view.rs    what it holds, also while it was set back
//!   client.rs    / a question, asked     watcher.rs a range of keys as it changes
//!   announce.rs  a server's words        source.rs  who announces a service
//!                                        watched.rs what one key holds
//! ```
//!
//! # Why
//! What a server says of itself is the same text as on one machine (`announcement.rs`), under a key of its own:
//! `<prefix>/services/<service>/<id>`. A lease of [`ANNOUNCE_LEASE`](sinew_core::limits::ANNOUNCE_LEASE) stands for its
//! process. It is spoken to through its JSON gateway, because a client for its gRPC brings 67 crates and needs a
//! compiler for protobuf; the gateway is HTTP/1.1, and what speaks that is here anyway for whoever calls legacy services.
//!
//! # Invariants
//! 1. An etcd that is gone, slow, empty, old or wrong costs no call to an endpoint that lives.
//! 2. This folder is the only place of the crate that names hyper.

mod announce;
mod client;
#[cfg(test)]
mod gateway;
mod json;
mod settings;
mod source;
mod tls;
mod view;
mod watched;
pub(crate) use watched::KeyWatch;
mod watcher;

use std::{fmt, net::SocketAddr};

use sinew_core::limits;

use super::{About, Listing, announcement::Announcement};
use json::{Keys, Range};

pub(crate) use announce::Announced;
pub use settings::Etcd;
pub(crate) use settings::{Settings, variable};
pub(crate) use source::EtcdSource;

/// Reads any text as each of etcd's answers.
#[cfg(feature = "fuzzing")]
pub(super) fn read_any(text: &str) {
    let _ = json::read::<Range>(text.as_bytes());
    let _ = json::read_streamed::<json::News>(text.as_bytes());
    let _ = json::read_token(text.as_bytes());
    let _ = json::read_refusal(text.as_bytes());
}

/// An etcd, as servers and clients of a mesh use it.
#[derive(Clone)]
pub(crate) struct Store {
    client: client::Client,
    prefix: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.prefix).finish()
    }
}

impl Store {
    /// Nothing is asked before there is something to ask.
    pub(crate) fn new(settings: Settings) -> Self {
        let prefix = settings.prefix.clone();
        Self { client: client::Client::new(settings), prefix }
    }

    /// Says that a service is at an address, until what is returned is dropped.
    pub(crate) fn announce(&self, service: &str, address: SocketAddr, about: About) -> Announced {
        Announced::new(self.client.clone(), service, address, about)
    }

    /// Those who announce a service, as they come and go.
    pub(crate) fn source(&self, service: &str) -> EtcdSource {
        EtcdSource::new(self.client.clone(), &self.prefix, service)
    }

    /// What the key of this name holds, as it changes.
    pub(crate) fn watched(&self, name: &str) -> KeyWatch {
        KeyWatch::new(self.client.clone(), &self.path(name))
    }

    /// The whole of a key's name.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Whoever announces a service now, of whichever name: by service, those that began first before others.
    ///
    /// # Cancel safety
    /// Nothing is asked any more when the future is dropped.
    pub(crate) async fn announced(&self) -> Result<Vec<Listing>, String> {
        let below = format!("{}/services/", self.prefix);
        let question = Keys::below(&below).range(limits::ETCD_KEYS_MAX);
        let asked = self.client.range(question).await;
        let Range { mut items, .. } = asked.map_err(client::Failure::into_words)?;
        items.sort_by_key(|item| item.created);
        let mut living: Vec<Announcement> = items
            .iter()
            .filter_map(|item| {
                let (below, _) = item.key.rsplit_once('/')?;
                source::read(item, &format!("{below}/"), None).ok()
            })
            .filter(|announcement| !announcement.withdrawn)
            .collect();
        living.sort_by(|one, other| one.service.cmp(&other.service));
        let listing = |Announcement { service, address, about, .. }| {
            Listing::new(&service, address.to_string(), about)
        };
        Ok(living.into_iter().map(listing).collect())
    }
}
