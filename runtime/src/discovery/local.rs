//! The servers of one user on one machine find their callers, and the other way round, with nothing to run: a file per
//! server and service in the user's runtime directory.
//!
//! ```text
//!   <runtime directory>/services/<service>/<process>-<number>
//! ```
//!
//! # Why
//! Hello world needs two processes that find each other, and an operator who takes part of a system home needs the same.
//! The directory is the user's alone (the same one that holds the development authority), so that only he can put
//! something there; and who may answer is decided by certificates in any case.
//!
//! # Crashes
//! A file is there as long as its server says so: it is touched every 3 s, and who reads it waits for 10 s of its own
//! clock without a change, so that a wall clock that jumps removes nobody. Where the host tells (Linux), a process that
//! is gone is dropped at once.
//!
//! # Invariants
//! 1. A file appears whole or not at all.
//! 2. What is in the directory and is not ours to read (another user's, a link, too large, no announcement) is passed
//!    over, and said once.
//! 3. An empty directory empties nobody's list: the last good answer stays.
//!
//! # Cost
//! A look at a directory that did not change is one `stat` of 2 us, every 100 ms per client that is in use.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use sinew_core::limits;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    Entry,
    announcement::{Announcement, Process},
};

const UNFINISHED: &str = ".new-";

/// The directory in which servers announce themselves.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    services: PathBuf,
}

impl Local {
    /// In a runtime directory that was checked to be ours.
    pub(crate) fn in_directory(runtime: &Path) -> Self {
        Self { services: runtime.join("services") }
    }

    fn of(&self, service: &str) -> PathBuf {
        self.services.join(service.replace('/', "+"))
    }

    /// Says that a service is at an address, until what is returned is dropped. What stands in the way is tried again
    /// with every heartbeat, and never keeps a server from serving.
    pub(crate) fn announce(&self, service: &str, address: SocketAddr) -> Announced {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let announcement = Announcement {
            service: service.to_owned(),
            address: reachable(address),
            process: Process::own(),
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = self.of(service).join(format!("{}-{number}", std::process::id()));
        let (path, text) = (file.clone(), announcement.to_text());
        let mut said = tell(write(&path, &text), &path, false);
        let heartbeat = tokio::spawn(async move {
            let mut tick = tokio::time::interval(limits::ANNOUNCE_EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            tick.tick().await;
            loop {
                tick.tick().await;
                let (path, text) = (path.clone(), text.clone());
                let written = tokio::task::spawn_blocking(move || {
                    let written = write(&path, &text);
                    clean(&path);
                    (written, path)
                });
                if let Ok((written, path)) = written.await {
                    said = tell(written, &path, said);
                }
            }
        });
        Announced { file, heartbeat }
    }

    /// What is announced of a service, looked at again and again.
    pub(crate) fn look(&self, service: &str) -> Look {
        Look {
            service: service.to_owned(),
            directory: self.of(service),
            modified: None,
            looked: None,
            seen: BTreeMap::new(),
        }
    }
}

/// An announcement. Dropping it takes it back.
#[derive(Debug)]
pub(crate) struct Announced {
    file: PathBuf,
    heartbeat: JoinHandle<()>,
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.heartbeat.abort();
        if let Err(why) = fs::remove_file(&self.file) {
            tracing::debug!("`{}` is left where it is: {why}", self.file.display());
        }
    }
}

/// An address that callers on this machine can use: a server that listens everywhere is on loopback too.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, address.port()).into()
}

/// Whether a problem has been told: once, and once when it is over.
fn tell(written: io::Result<()>, path: &Path, said: bool) -> bool {
    match (&written, said) {
        (Err(why), false) => tracing::warn!(
            "this server cannot announce itself at `{}` ({why}); who was told its address finds it all the same",
            path.display()
        ),
        (Ok(()), true) => tracing::info!("this server is announced at `{}`", path.display()),
        _ => {}
    }
    written.is_err()
}

/// Writes a file whole: elsewhere first, then under its name. One that is there as it should be is only touched.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let touched = OpenOptions::new().append(true).open(file).and_then(|known| {
        if known.metadata()?.len() == text.len() as u64 {
            return known.set_modified(SystemTime::now());
        }
        Err(io::ErrorKind::InvalidData.into())
    });
    if touched.is_ok() {
        return Ok(());
    }
    let directory = file.parent().unwrap_or(file);
    private(directory)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.join(format!("{UNFINISHED}{name}"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&unfinished).and_then(|mut new| new.write_all(text.as_bytes()));
    let moved = written.and_then(|()| fs::rename(&unfinished, file));
    if moved.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

/// Makes the directories for us alone.
fn private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Takes away what killed processes left beside `own`.
fn clean(own: &Path) {
    let Some(files) = own.parent().and_then(|directory| fs::read_dir(directory).ok()) else {
        return;
    };
    for file in files.flatten().take(limits::ANNOUNCEMENTS_MAX) {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if file.path() != own && age.is_some_and(|age| age > limits::ANNOUNCEMENT_LEFT) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Looks at what is announced of one service.
#[derive(Debug)]
pub(crate) struct Look {
    service: String,
    directory: PathBuf,
    modified: Option<SystemTime>,
    looked: Option<Instant>,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    modified: SystemTime,
    /// When we saw it change last.
    changed: Instant,
    /// Already too old when we saw it first.
    stale: bool,
    announcement: Option<Announcement>,
}

impl Look {
    /// What is announced now, in a fixed order; `None` where nothing can have changed since the last look.
    pub(crate) fn again(&mut self, now: Instant) -> Option<Vec<Entry>> {
        let modified = fs::metadata(&self.directory).and_then(|found| found.modified()).ok();
        let recent = self.looked.is_some_and(|at| now - at < limits::DISCOVERY_LOOK);
        if recent && modified == self.modified {
            return None;
        }
        self.modified = modified;
        self.looked = Some(now);
        let files = fs::read_dir(&self.directory).ok()?;
        let mut there = BTreeMap::new();
        for file in files.flatten().take(limits::ANNOUNCEMENTS_MAX) {
            let name = file.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.')
                && let Some(seen) = self.see(&name, &file.path(), now)
            {
                there.insert(name, seen);
            }
        }
        self.seen = there;
        Some(self.entries(now))
    }

    fn entries(&self, now: Instant) -> Vec<Entry> {
        let lives = |seen: &&Seen| {
            let silent = seen.stale || now - seen.changed > limits::ANNOUNCE_LEASE;
            let process = seen.announcement.as_ref().and_then(|known| known.process.as_ref());
            // A process that is there is not dropped because its heartbeat is late.
            match process {
                Some(process) if cfg!(target_os = "linux") => !process.is_gone(),
                _ => !silent,
            }
        };
        let entry = |(name, seen): (&String, &Seen)| {
            let announcement = seen.announcement.as_ref()?;
            Some(Entry { id: name.clone(), address: announcement.address.to_string() })
        };
        self.seen.iter().filter(|(_, seen)| lives(seen)).filter_map(entry).collect()
    }

    /// One file, read if it has changed; `None` where it is gone or not to be trusted.
    fn see(&mut self, name: &str, path: &Path, now: Instant) -> Option<Seen> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let modified = metadata.modified().ok()?;
        if let Some(known) = self.seen.remove(name) {
            if known.modified == modified {
                return Some(known);
            }
            let announcement = self.read(path, &metadata, known.announcement.is_none());
            return Some(Seen { modified, changed: now, stale: false, announcement });
        }
        let age = SystemTime::now().duration_since(modified).unwrap_or(Duration::ZERO);
        let announcement = self.read(path, &metadata, false);
        Some(Seen { modified, changed: now, stale: age > limits::ANNOUNCE_LEASE, announcement })
    }

    fn read(&self, path: &Path, metadata: &fs::Metadata, said: bool) -> Option<Announcement> {
        let read = || -> Result<Announcement, String> {
            self.may_be_read(metadata)?;
            let mut text = String::new();
            let file = fs::File::open(path).map_err(|why| why.to_string())?;
            let mut limited = file.take(limits::ANNOUNCEMENT_MAX);
            limited.read_to_string(&mut text).map_err(|why| why.to_string())?;
            let announcement = Announcement::parse(&text)?;
            if announcement.service == self.service {
                return Ok(announcement);
            }
            Err(format!("it is of `{}`", announcement.service))
        };
        match read() {
            Ok(announcement) => Some(announcement),
            Err(why) => {
                if !said {
                    tracing::warn!(
                        "`{}` is no announcement and is passed over: {why}",
                        path.display()
                    );
                }
                None
            }
        }
    }

    fn may_be_read(&self, metadata: &fs::Metadata) -> Result<(), String> {
        if !metadata.is_file() {
            return Err("it is no ordinary file".to_owned());
        }
        if metadata.len() > limits::ANNOUNCEMENT_MAX {
            return Err(format!("it has more than {} bytes", limits::ANNOUNCEMENT_MAX));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let owner = fs::metadata(&self.directory).map(|directory| directory.uid());
            if owner.ok() != Some(metadata.uid()) || metadata.mode() & 0o022 != 0 {
                return Err("others may have written it".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
