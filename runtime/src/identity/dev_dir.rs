//! The directory of the development certificate authority: who may look in, and how one file wins
//! over another.
//!
//! # Why
//! Every process of a user on a machine has to find the same authority, started at the same moment
//! or not, and one that was killed while it made it must not be in the way of the next. So there is
//! no lock that could be left behind: authorities are numbered files, written elsewhere and then
//! linked under the next free number, which the file system lets succeed once. Who comes second
//! finds the file of the first.
//!
//! # Invariants
//! 1. The directory is ours alone (owner and mode), and neither it nor a file in it is a symbolic
//!    link.
//! 2. A file appears whole or not at all, and is never written again.
//! 3. The highest number is never taken away.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use sinew_core::limits;

use super::error::IdentityError;

const PREFIX: &str = "dev-ca.";
const SUFFIX: &str = ".pem";
const UNFINISHED: &str = ".new-";

/// A directory that was checked to be ours alone.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
    #[cfg(unix)]
    owner: u32,
}

impl Directory {
    /// The user's: `$XDG_RUNTIME_DIR/sinew`, else `sinew-<uid>` under the temporary directory.
    pub(super) fn open_default() -> Result<Self, IdentityError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        Self::open(&default_path(runtime, &std::env::temp_dir())?)
    }

    /// Makes the directory where it is missing, and checks it.
    pub(super) fn open(path: &Path) -> Result<Self, IdentityError> {
        let fault = |why: String| IdentityError::Development { path: path.to_owned(), why };
        match private_builder().create(path) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fault(format!("the directory cannot be made ({why})")));
            }
            _ => {}
        }
        let metadata = fs::symlink_metadata(path).map_err(|why| fault(why.to_string()))?;
        if !metadata.is_dir() {
            return Err(fault("it is a symbolic link or a file: remove it".to_owned()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let mode = metadata.mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(fault(format!(
                    "others may use it (mode {mode:o}): remove it, or `chmod 700` it if you made it"
                )));
            }
            let owner =
                own_user(path).map_err(|why| fault(format!("it cannot be used ({why})")))?;
            if metadata.uid() != owner {
                return Err(fault(format!(
                    "it belongs to user {} and this process is user {owner}: remove it, or set \
                     `XDG_RUNTIME_DIR` to a directory of yours",
                    metadata.uid()
                )));
            }
            Ok(Self { path: path.to_owned(), owner })
        }
        #[cfg(not(unix))]
        Ok(Self { path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{PREFIX}{number}{SUFFIX}"))
    }

    /// The numbers of the files that are there, ascending.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, IdentityError> {
        let mut numbers = Vec::new();
        for name in self.names()? {
            let number = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn names(&self) -> Result<Vec<String>, IdentityError> {
        let list = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.path)?;
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        list().map_err(|why| self.fault(format!("it cannot be listed ({why})")))
    }

    /// The contents of a file: `None` where it is gone, text where it must not be used.
    pub(super) fn read(&self, number: u64) -> Result<Option<Vec<u8>>, String> {
        let path = self.file(number);
        let read = || -> io::Result<Result<Vec<u8>, String>> {
            if !fs::symlink_metadata(&path)?.is_file() {
                return Ok(Err("it is no ordinary file".to_owned()));
            }
            let file = File::open(&path)?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                let metadata = file.metadata()?;
                if metadata.uid() != self.owner || metadata.mode() & 0o077 != 0 {
                    return Ok(Err("others may use it".to_owned()));
                }
            }
            let mut bytes = Vec::new();
            file.take(limits::DEV_FILE_MAX).read_to_end(&mut bytes)?;
            Ok(Ok(bytes))
        };
        match read() {
            Ok(contents) => contents.map(Some),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Puts a file under `number`, unless there is one already: then the contents are dropped.
    pub(super) fn publish(&self, number: u64, contents: &[u8]) -> Result<(), IdentityError> {
        let write = || -> io::Result<()> {
            let (path, mut file) = unfinished(&self.path)?;
            let linked = file
                .write_all(contents)
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::hard_link(&path, self.file(number)));
            let removed = fs::remove_file(&path);
            match linked {
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => removed,
                linked => linked.and(removed),
            }
        };
        write().map_err(|why| self.fault(format!("no file can be put there ({why})")))
    }

    /// Takes a file away. Someone else may have done so.
    pub(super) fn remove(&self, number: u64) {
        remove_quietly(&self.file(number));
    }

    /// Takes away what killed processes left unfinished.
    pub(super) fn clean(&self) {
        let names = self.names().unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = self.path.join(name);
            let changed = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
            let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > limits::DEV_UNFINISHED_MAX) {
                remove_quietly(&path);
            }
        }
    }

    pub(super) fn fault(&self, why: String) -> IdentityError {
        IdentityError::Development { path: self.path.clone(), why }
    }
}

fn remove_quietly(path: &Path) {
    if let Err(why) = fs::remove_file(path) {
        tracing::debug!("`{}` is left where it is: {why}", path.display());
    }
}

/// A new empty file of a name that nobody else has, for us alone.
fn unfinished(directory: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{UNFINISHED}{}-{next}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            // Left by a killed process that had our number.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((path, opened?)),
        }
    }
}

fn private_builder() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the mode is set on Unix only"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// The number of the user that owns what this process makes, found by making something.
#[cfg(unix)]
fn own_user(directory: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    let (path, file) = unfinished(directory)?;
    let user = file.metadata().map(|metadata| metadata.uid());
    fs::remove_file(&path)?;
    user
}

/// Where the directory is unless someone says otherwise.
pub(super) fn default_path(
    runtime: Option<PathBuf>,
    temporary: &Path,
) -> Result<PathBuf, IdentityError> {
    match runtime.filter(|path| path.is_absolute() && is_ours(path)) {
        Some(runtime) => Ok(runtime.join("sinew")),
        None => Ok(temporary.join(temporary_name(temporary)?)),
    }
}

/// A change of user often keeps the variables: what is made for the other would be in the way of
/// the first.
#[cfg(unix)]
fn is_ours(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(directory).map(|metadata| metadata.uid());
    matches!((owner, own_user(directory)), (Ok(owner), Ok(user)) if owner == user)
}

#[cfg(not(unix))]
fn is_ours(directory: &Path) -> bool {
    directory.is_dir()
}

#[cfg(unix)]
fn temporary_name(temporary: &Path) -> Result<String, IdentityError> {
    match own_user(temporary) {
        Ok(user) => Ok(format!("sinew-{user}")),
        Err(why) => Err(IdentityError::Development {
            path: temporary.to_owned(),
            why: format!("no file can be made there ({why}): set `XDG_RUNTIME_DIR` or `TMPDIR`"),
        }),
    }
}

/// Elsewhere the temporary directory is the user's own.
#[cfg(not(unix))]
fn temporary_name(_temporary: &Path) -> Result<String, IdentityError> {
    Ok("sinew".to_owned())
}
