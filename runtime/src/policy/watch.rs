//! A file of policy, read at the start and looked at again and again.
//!
//! # Why
//! It is polled, not watched, for the reasons that a file of endpoints is. A file that was put in the place of another
//! is whole, and is taken at once; what was written in place is taken when it is the same twice, for its writer may be in
//! the middle.
//!
//! # Invariants
//! 1. Whatever is wrong with the file, what was in force stays, and the reason is said once.
//! 2. A file that is gone changes nothing. It is no wish for the defaults: `version = 1` alone is.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::SystemTime,
};

use sinew_core::limits;
use tokio::time::sleep;

use super::{PolicyError, kept::Kept, live::Live};
use crate::discovery::files::{self, Unusable};

/// Which file names the policy, where none is named by the program.
const CONFIG: &str = "SINEW_CONFIG";
/// Which one there may be.
const USUAL: &str = "sinew.toml";
/// What it says instead of a path where the policy is in the etcd of the mesh.
const ETCD: &str = "etcd:";

/// Where the policy is to be looked for.
#[derive(Debug, Clone, Default)]
pub(crate) enum Watched {
    /// Where the environment says, else where it usually is.
    #[default]
    Usual,
    /// There.
    At(PathBuf),
    /// In the etcd of the mesh.
    Etcd,
    /// There is none.
    Nowhere,
}

impl Watched {
    /// The same, with what the environment says.
    pub(crate) fn found(self) -> Self {
        let Self::Usual = self else { return self };
        match std::env::var_os(CONFIG) {
            Some(text) if text == ETCD => Self::Etcd,
            Some(path) => Self::At(path.into()),
            None if Path::new(USUAL).exists() => Self::At(USUAL.into()),
            None => Self::Nowhere,
        }
    }
}

/// Where the policy is.
#[derive(Debug, Clone)]
pub(crate) struct PolicyFile {
    path: PathBuf,
    kept: Kept,
    /// What it said at the start.
    first: Option<Result<String, String>>,
}

/// What a file looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    changed: Option<SystemTime>,
    size: u64,
    /// Which file it is: another number, another file.
    number: u64,
}

/// What was seen of a file so far.
#[derive(Debug, Default)]
struct Seen {
    look: Option<Look>,
    /// Read and not believed yet.
    pending: Option<Result<String, String>>,
    /// What was told last.
    told: Option<Result<String, String>>,
}

impl PolicyFile {
    /// In a runtime directory that was checked to be ours the last good one is kept.
    pub(crate) fn new(path: PathBuf, runtime: Option<&Path>) -> Self {
        let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let kept = Kept::new(whole.as_os_str().as_encoded_bytes(), runtime);
        Self { path, kept, first: None }
    }

    fn source(&self) -> String {
        format!("`{}`", self.path.display())
    }

    /// Puts the file in force, or else what was in force last, and follows it from here on.
    ///
    /// # Errors
    /// Neither can be used; why the file cannot.
    pub(crate) async fn begin(mut self, live: &Arc<Live>) -> Result<(), PolicyError> {
        let known = Arc::clone(live);
        let begun = tokio::task::spawn_blocking(move || self.load(&known).map(|()| self));
        let Ok(begun) = begun.await else { return Ok(()) };
        tokio::spawn(begun?.follow(Arc::downgrade(live)));
        Ok(())
    }

    fn load(&mut self, live: &Live) -> Result<(), PolicyError> {
        let said = read(&self.path);
        self.first = Some(said.clone());
        let why = match said {
            Ok(text) => match live.apply(&text, &self.source()) {
                Ok(_) => {
                    self.kept.save(&text);
                    return Ok(());
                }
                Err(why) => why,
            },
            Err(why) => live.unreadable(&self.source(), why),
        };
        self.kept.restore(live, why)
    }

    /// Looks at the file for as long as anybody goes by it.
    async fn follow(self, live: Weak<Live>) {
        let told = self.first.clone();
        let mut seen = Seen { told, ..Seen::default() };
        let file = Arc::new(self);
        loop {
            sleep(limits::POLICY_FILE_LOOK).await;
            let (live, file) = (live.clone(), Arc::clone(&file));
            let looked = tokio::task::spawn_blocking(move || {
                let live = live.upgrade()?;
                match seen.look(&file.path) {
                    Some(Ok(text)) if live.apply(&text, &file.source()).is_ok() => {
                        file.kept.save(&text)
                    }
                    Some(Err(why)) => _ = live.unreadable(&file.source(), why),
                    Some(Ok(_)) | None => {}
                }
                Some(seen)
            });
            // The mesh is gone, or the runtime shuts down.
            let Ok(Some(still)) = looked.await else { return };
            seen = still;
        }
    }
}

impl Seen {
    /// What the file says, if that is news.
    fn look(&mut self, path: &Path) -> Option<Result<String, String>> {
        let look = look(path);
        let replaced = match (&self.look, &look) {
            (Some(before), Ok(now)) => before.number != now.number,
            _ => false,
        };
        if look.as_ref().ok() == self.look.as_ref() && self.look.is_some() && self.pending.is_none()
        {
            return None;
        }
        let said = look.as_ref().map_err(String::clone).and_then(|_| read(path));
        self.look = look.ok();
        if !replaced && self.pending.as_ref() != Some(&said) {
            self.pending = Some(said);
            return None;
        }
        self.pending = None;
        if self.told.as_ref() == Some(&said) {
            return None;
        }
        self.told = Some(said.clone());
        Some(said)
    }
}

fn look(path: &Path) -> Result<Look, String> {
    let metadata = fs::metadata(path).map_err(|why| why.to_string())?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    // Without a number each change is one in place.
    #[cfg(not(unix))]
    let number = 0;
    Ok(Look { changed: metadata.modified().ok(), size: metadata.len(), number })
}

fn read(path: &Path) -> Result<String, String> {
    files::read_bounded(path, limits::POLICY_FILE_MAX).map_err(Unusable::into_words)
}

#[cfg(test)]
mod tests;
