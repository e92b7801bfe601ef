//! The connections of a mesh, to be looked at again when whom it trusts changes.
//!
//! # Why
//! A handshake asks whom we trust once, and a connection lives for an hour. Who is not trusted any more must not go on for so
//! long; and to verify every call would cost more than the call.
//!
//! # Invariants
//! 1. A connection whose handshake went by what was trusted before is looked at too, however the two came together.
//! 2. Nothing here keeps a connection open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sinew_core::wire::kinds;

use super::link::Link;
use crate::identity::{Identity, Side};

/// Those that are open, and which side the peer is on.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<Vec<(Weak<dyn Link>, Side)>>);

impl Links {
    fn all(&self) -> MutexGuard<'_, Vec<(Weak<dyn Link>, Side)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection whose handshake began when so much was known of the identity. One that is not trusted any more is
    /// closed.
    pub(crate) fn add(
        &self,
        link: &Arc<dyn Link>,
        side: Side,
        (identity, known): (&Identity, u64),
    ) {
        let mut all = self.all();
        // Only a list that would grow is looked through.
        if all.len() == all.capacity() {
            all.retain(|(link, _)| link.strong_count() > 0);
        }
        all.push((Arc::downgrade(link), side));
        drop(all);
        if identity.generation() != known {
            look(link, side, identity);
        }
    }

    /// Looks at all of them again. How many were closed.
    pub(crate) fn look(&self, identity: &Identity) -> usize {
        let all: Vec<_> = self.all().clone();
        let open = all.iter().filter_map(|(link, side)| Some((link.upgrade()?, *side)));
        open.filter(|(link, side)| look(link, *side, identity)).count()
    }
}

fn look(link: &Arc<dyn Link>, side: Side, identity: &Identity) -> bool {
    let Err(why) = identity.verify_again(&link.certificates(), side) else { return false };
    let peer = &link.peer().identity;
    tracing::warn!(%peer, "a connection is closed: its peer is not trusted any more: {why}");
    let why = format!("`{peer}` is not trusted any more: {why}");
    link.close(kinds::CLOSE_WRONG_IDENTITY, &why);
    true
}
