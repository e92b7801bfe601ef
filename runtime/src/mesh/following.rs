//! Files of certificates are followed, for as long as the mesh lives.
//!
//! # Why
//! Certificates last a day and are renewed at 60 % of it, by whoever issues them, in their files. A program that had to be
//! told would be told too late, or not at all.
//!
//! # Invariants
//! 1. What is wrong with the files changes nothing, and is said once: the three are not written in one moment, so it is
//!    said when it is the same twice.

use std::sync::{Arc, Weak};

use sinew_core::limits;
use tokio::time::sleep;

use super::Inner;
use crate::metrics::IdentityLoad;

/// Looks at the files of an identity again and again.
pub(super) async fn follow(mesh: Weak<Inner>) {
    let mut last: Option<(String, bool)> = None;
    loop {
        sleep(limits::IDENTITY_FILES_LOOK).await;
        let mesh = mesh.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mesh = mesh.upgrade()?;
            last = look(&mesh, last);
            Some(last)
        });
        // The mesh is gone, or the runtime shuts down.
        let Ok(Some(still)) = looked.await else { return };
        last = still;
    }
}

/// What is wrong with the files now, and whether it was said.
fn look(mesh: &Arc<Inner>, last: Option<(String, bool)>) -> Option<(String, bool)> {
    let why = match mesh.identity.reload() {
        Ok(true) => {
            let closed = mesh.links.look(&mesh.identity);
            mesh.metrics.identity_loaded(IdentityLoad::Renewed);
            tracing::info!(identity = %mesh.identity.id(), closed, "certificates were renewed");
            return None;
        }
        Ok(false) => {
            if last.is_some_and(|(_, said)| said) {
                mesh.metrics.identity_is_well();
            }
            return None;
        }
        Err(why) => why.to_string(),
    };
    match last {
        Some((known, said)) if known == why => {
            if !said {
                mesh.metrics.identity_loaded(IdentityLoad::Refused);
                tracing::warn!("new certificates are not used, and those before stay: {why}");
            }
            Some((why, true))
        }
        _ => Some((why, false)),
    }
}
