//! The endpoints that were known last, on disk: for a client that starts while their source cannot be asked.
//!
//! ```text
//!   <runtime directory>/last-good/<SHA-256 of service, target and who may answer>.toml
//! ```
//!
//! # Why
//! What keeps a running client alive when name servers or files are gone (its memory) is lost with its process, and
//! processes are restarted when something is wrong, all at once.
//!
//! # Invariants
//! 1. A file appears whole or not at all, is this user's alone and not too large; any other is passed over, and said.
//! 2. It says where one may try. Who may answer is in its name, not in it: a client that expects another never reads it.
//! 3. Whatever is wrong here costs no call: it is the memory of a memory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sinew_core::{limits, sha256::Sha256, spiffe::SpiffeId};

use super::{
    Entry, endpoints,
    files::{Unusable, read_private, write_whole},
};

/// Where the last good lists of one client are.
#[derive(Debug, Clone)]
pub(crate) struct LastGood {
    directory: PathBuf,
    service: String,
    expected: SpiffeId,
}

impl LastGood {
    /// In a runtime directory that was checked to be ours.
    pub(crate) fn in_directory(runtime: &Path, service: &str, expected: &SpiffeId) -> Self {
        let directory = runtime.join("last-good");
        Self { directory, service: service.to_owned(), expected: expected.clone() }
    }

    fn file(&self, source: &str) -> PathBuf {
        let mut hash = Sha256::new();
        for part in [&*self.service, source, self.expected.as_str()] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let name =
            hash.finish().iter().fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
        self.directory.join(name + ".toml")
    }

    /// What a source listed last, as far as anybody knows.
    pub(crate) fn load(&self, source: &str) -> Vec<Entry> {
        let file = self.file(source);
        let text = match read_private(&file, limits::ENDPOINTS_FILE_MAX) {
            Ok(text) => text,
            // Not there, most likely.
            Err(Unusable::Unread(why)) => {
                tracing::debug!("`{}` is not read: {why}", file.display());
                return Vec::new();
            }
            Err(Unusable::Wrong(why)) => return passed_over(&file, &why),
        };
        match endpoints::read(&text, &self.service) {
            Ok(listed) => listed.entries,
            Err(why) => passed_over(&file, &why),
        }
    }

    /// Keeps what a source lists now.
    pub(crate) fn save(&self, source: &str, entries: &[Entry]) {
        let file = self.file(source);
        let kept =
            if entries.is_empty() { remove(&file) } else { self.write(&file, source, entries) };
        if let Err(why) = kept {
            tracing::info!(
                "the endpoints of `{}` are not kept for the next start: `{}`: {why}",
                self.service,
                file.display()
            );
        }
    }

    fn write(&self, file: &Path, source: &str, entries: &[Entry]) -> std::io::Result<()> {
        let known = fs::read_dir(&self.directory).map_or(0, |files| files.take(MOST + 1).count());
        if known >= MOST && !file.exists() {
            let why = format!("there are {MOST} others (LAST_GOOD_FILES_MAX)");
            return Err(std::io::Error::other(why));
        }
        // For people; the target is not read back.
        let whose = source.replace(char::is_control, " ");
        write_whole(
            file,
            &format!("# {}, from {whose}\n{}", self.service, endpoints::write(entries)),
        )
    }
}

const MOST: usize = limits::LAST_GOOD_FILES_MAX;

fn passed_over(file: &Path, why: &str) -> Vec<Entry> {
    tracing::warn!("`{}` is no list of endpoints and is passed over: {why}", file.display());
    Vec::new()
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
