//! The policy that was in force last, on disk: for a process that starts while the one it is to go by cannot be used.
//!
//! # Why
//! A restart is when nobody has time for a file. What keeps a running process on its policy while the file is broken, or
//! etcd gone, is its memory, and that ends with it. To start with the defaults instead would let in whoever the policy keeps out.

use std::path::{Path, PathBuf};

use sinew_core::{limits, sha256};

use super::{PolicyError, live::Live};
use crate::discovery::files;

/// Where it is kept, if anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Kept(Option<PathBuf>);

impl Kept {
    /// That of one source, in a runtime directory that was checked to be ours.
    pub(crate) fn new(source: &[u8], runtime: Option<&Path>) -> Self {
        Self(runtime.map(|runtime| {
            let hash = sha256::digest(source);
            let hex = |name: String, byte: &u8| format!("{name}{byte:02x}");
            let name = hash[..16].iter().fold(String::new(), hex);
            runtime.join("last-good").join(format!("policy-{name}.toml"))
        }))
    }

    /// Keeps what is in force now. Writes a file.
    pub(crate) fn save(&self, text: &str) {
        let Some(kept) = &self.0 else { return };
        if let Err(why) = files::write_whole(kept, text) {
            tracing::info!(
                "the policy is not kept for the next start: `{}`: {why}",
                kept.display()
            );
        }
    }

    /// Puts what was in force last in force again, because that of today cannot be used. Reads a file.
    ///
    /// # Errors
    /// Why that cannot be used, where there is nothing else.
    pub(crate) fn restore(&self, live: &Live, why: PolicyError) -> Result<(), PolicyError> {
        let Some(kept) = &self.0 else { return Err(why) };
        let Ok(text) = files::read_private(kept, limits::POLICY_FILE_MAX) else { return Err(why) };
        let source = format!("an earlier start (`{}`; delete it to begin without)", kept.display());
        if live.apply(&text, &source).is_err() {
            return Err(why);
        }
        tracing::warn!("{why}; what was in force at an earlier start is: `{}`", kept.display());
        live.still_refused(why);
        Ok(())
    }
}
