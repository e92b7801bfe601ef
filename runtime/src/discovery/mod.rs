//! Where the servers of a service are: who says so, and who hears it.
//!
//! ```text
//!   target.rs   what a target means
//!   fixed.rs    static:host:port     \
//!   local.rs    sinew:name            \   Source: all that it lists,     follow.rs             client/members.rs
//!   file.rs     file:endpoints.toml   /   again when that has changed -> one roster of all -> the client's endpoints
//!   dns.rs      dns:host:port       |                                     |
//!   etcd/       etcd:name           /                                     |
//!                                                                     last_good.rs  on disk, for the next start
//!   board.rs    where servers announce themselves: local.rs, or etcd/
//!   listing.rs  what is listed now, for people
//! ```
//!
//! # Why
//! Membership is a hint. What is said here is where one may try; whether an endpoint is used is decided by what its
//! connection and its answers show, and who may answer by its certificate. So an answer that is late, partial or wrong
//! costs a failed handshake at most, and the last good one stays: nothing that is here empties a client. What stays and
//! what goes is decided in [`sinew_core::policy::roster`].

mod announcement;
mod board;
#[cfg(feature = "dns")]
mod dns;
mod endpoints;
mod entry;
#[cfg(feature = "etcd")]
mod etcd;
mod file;
pub(crate) mod files;
mod fixed;
mod follow;
mod last_good;
mod listing;
mod local;
#[cfg(test)]
pub(crate) mod scratch;
#[cfg(feature = "fuzzing")]
mod scripted;
mod target;

use std::pin::Pin;

use sinew_core::policy::roster::Snapshot;
use tokio::sync::watch;

pub use board::Directory;
pub(crate) use board::{Announced, Board, VARIABLE};
#[cfg(feature = "dns")]
pub(crate) use dns::Dns;
pub(crate) use entry::{About, Entry, check_zone};
#[cfg(feature = "etcd")]
pub use etcd::Etcd;
#[cfg(feature = "etcd")]
pub(crate) use etcd::{KeyWatch, Store};
pub(crate) use file::EndpointsFile;
pub(crate) use fixed::Fixed;
pub(crate) use follow::{News, Sources, follow};
pub(crate) use last_good::LastGood;
pub use listing::Listing;
pub(crate) use listing::listed;
pub(crate) use local::Local;
#[cfg(feature = "fuzzing")]
pub use scripted::Script;
pub(crate) use target::Place;

/// Somewhere that endpoints come from.
pub(crate) trait Source: Send + 'static {
    /// As people name it: the target that it was made of.
    fn name(&self) -> String;

    /// Whether what it lists is kept on disk, for a start at which it cannot be asked.
    fn is_kept(&self) -> bool {
        false
    }

    /// All that it lists: the first time as soon as it is known, then when it has changed. Otherwise why that is not
    /// known, for people; what it listed last stays in force.
    ///
    /// It goes on being asked after a failure, so it has to wait by itself before it tries again.
    fn next<'a>(&'a mut self, doubts: &'a mut Doubts) -> Hearing<'a>;
}

/// What a source says next.
pub(crate) type Hearing<'a> =
    Pin<Box<dyn Future<Output = Result<Snapshot<Entry>, String>> + Send + 'a>>;

/// The client has reason to believe that what it was told is out of date: an endpoint cannot be reached.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(any(feature = "dns", feature = "etcd")),
    expect(dead_code, reason = "name servers and etcd are the sources that can be asked again")
)]
pub(crate) struct Doubts(watch::Receiver<()>);

/// Where they are raised.
#[derive(Debug)]
pub(crate) struct Doubt(watch::Sender<()>);

impl Doubt {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Costs next to nothing where nobody listens.
    pub(crate) fn raise(&self) {
        self.0.send_replace(());
    }

    pub(crate) fn heard(&self) -> Doubts {
        Doubts(self.0.subscribe())
    }
}

#[cfg(any(feature = "dns", feature = "etcd"))]
impl Doubts {
    /// Until there is one that was not heard yet.
    async fn raised(&mut self) {
        if self.0.changed().await.is_err() {
            forever().await;
        }
    }
}

/// Reads any text as each of the formats that are read here. What is understood is written and read again as the same.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_any(text: &str) {
    if let Ok(known) = announcement::Announcement::parse(text) {
        assert_eq!(announcement::Announcement::parse(&known.to_text()), Ok(known));
    }
    if let Ok(known) = endpoints::read(text, "a") {
        let again = endpoints::read(&endpoints::write(&known.entries), "a");
        assert_eq!(again.map(|again| again.entries), Ok(known.entries));
    }
    let _ = Place::parse(text);
    #[cfg(feature = "etcd")]
    etcd::read_any(text);
}

/// Nothing more is to be said.
async fn forever() -> ! {
    loop {
        std::future::pending::<()>().await;
    }
}
