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
//! is gone is dropped at once, and one that is there is not dropped because its heartbeat is late.
//!
//! # Invariants
//! 1. A file appears whole or not at all.
//! 2. What is in the directory and is not ours to read (another user's, a link, too large, no announcement, an address
//!    that is not of this machine) is passed over, and said once.
//! 3. A server that stops says so in its file before it drains; a file that is merely gone says nothing.
//!
//! # Cost
//! A look at a directory that did not change is one `stat` of 2 us, every 100 ms per client.

mod look;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, OpenOptions},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use sinew_core::{limits, sha256};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    About, Listing,
    announcement::{Announcement, Process},
    files::{read_private, write_whole},
};

pub(crate) use look::LocalSource;
use look::Look;

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
        self.services.join(directory_name(service))
    }

    /// Says that a service is at an address, until what is returned is dropped. What stands in the way is tried again
    /// with every heartbeat, and never keeps a server from serving.
    pub(crate) fn announce(&self, service: &str, address: SocketAddr, about: About) -> Announced {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let announcement = Announcement {
            service: service.to_owned(),
            address: reachable(address),
            process: Process::own(),
            about,
            withdrawn: false,
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = self.of(service).join(format!("{}-{number}", std::process::id()));
        let state = State { text: announcement.to_text(), is_over: false, said: false };
        let words = Arc::new(Words { file, state: Mutex::new(state) });
        words.write();
        let heartbeat = tokio::spawn(keep_saying(Arc::clone(&words)));
        Announced { announcement, words, heartbeat }
    }

    /// Whoever announces a service now, of whichever name: by service, those that began first before others.
    pub(crate) fn announced(&self) -> io::Result<Vec<Listing>> {
        let directories = match fs::read_dir(&self.services) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            directories => directories?,
        };
        let now = Instant::now();
        let mut living = Vec::new();
        for directory in directories.flatten().take(limits::ANNOUNCEMENTS_MAX) {
            match Look::at(directory.path()).living(now) {
                Ok(mut known) => living.append(&mut known),
                // Taken away meanwhile, or no directory.
                Err(why) => tracing::debug!("`{}`: {why}", directory.path().display()),
            }
        }
        let order = |one: &Announcement| {
            (one.service.clone(), one.process.as_ref().map(Process::began), one.address)
        };
        living.sort_by_cached_key(order);
        Ok(living.into_iter().map(listing).collect())
    }

    /// Those who announce a service, as they come and go.
    pub(crate) fn source(&self, service: &str) -> LocalSource {
        LocalSource::new(service, self.of(service))
    }
}

fn listing(announcement: Announcement) -> Listing {
    let Announcement { service, address, process, about, withdrawn: _ } = announcement;
    let process = process.map(|process| process.number());
    Listing { process, ..Listing::new(&service, address.to_string(), about) }
}

/// The directory of a service, and what stands for it in keys: its name, or what stands for one that cannot be a directory's.
pub(super) fn directory_name(service: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if service.len() <= 200 && service.chars().all(sound) && !service.starts_with('.') {
        return service.to_owned();
    }
    let digest = sha256::digest(service.as_bytes());
    digest.iter().fold("+".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// An announcement. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Announced {
    announcement: Announcement,
    words: Arc<Words>,
    heartbeat: JoinHandle<()>,
}

/// What is in the file, and what is to be.
#[derive(Debug)]
struct Words {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    text: String,
    /// The file is removed, and not written again by a heartbeat that was under way.
    is_over: bool,
    /// It was told that it cannot be written.
    said: bool,
}

impl Announced {
    /// Says that the server is no longer to be called; the file stays until this is dropped, so that all may read it.
    pub(crate) fn withdraw(&self) {
        let withdrawn = Announcement { withdrawn: true, ..self.announcement.clone() };
        self.words.lock().text = withdrawn.to_text();
        if !self.words.write() {
            // The disk is full: there is no room for a word, but none is needed for saying nothing.
            let _ = fs::remove_file(&self.words.file);
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.heartbeat.abort();
        self.words.lock().is_over = true;
        if let Err(why) = fs::remove_file(&self.words.file) {
            tracing::debug!("`{}` is left where it is: {why}", self.words.file.display());
        }
    }
}

impl Words {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file, or touches it where it is as it should be; whether that went well.
    fn write(&self) -> bool {
        let mut state = self.lock();
        if state.is_over {
            return true;
        }
        let written = write(&self.file, &state.text);
        state.said = tell(&written, &self.file, state.said);
        written.is_ok()
    }
}

/// Touches the file for as long as it is announced, and cleans up beside it.
async fn keep_saying(words: Arc<Words>) {
    let mut tick = tokio::time::interval(limits::ANNOUNCE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    let mut leftovers = Leftovers::default();
    loop {
        tick.tick().await;
        let words = Arc::clone(&words);
        let cleaned = tokio::task::spawn_blocking(move || {
            words.write();
            leftovers.clean(&words.file, Instant::now());
            leftovers
        });
        leftovers = cleaned.await.unwrap_or_default();
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
fn tell(written: &io::Result<()>, path: &Path, said: bool) -> bool {
    match (written, said) {
        (Err(why), false) => tracing::warn!(
            "this server cannot announce itself at `{}` ({why}); who was told its address finds it all the same",
            path.display()
        ),
        (Ok(()), true) => tracing::info!("this server is announced at `{}`", path.display()),
        _ => {}
    }
    written.is_err()
}

/// Writes a file whole. One that is there as it should be is only touched.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let known = fs::read_to_string(file).is_ok_and(|known| known == text);
    let touch = || OpenOptions::new().append(true).open(file)?.set_modified(SystemTime::now());
    if known && touch().is_ok() {
        return Ok(());
    }
    write_whole(file, text)
}

/// What killed processes left behind, and since when nobody has touched it.
#[derive(Debug, Default)]
struct Leftovers(BTreeMap<OsString, (SystemTime, Instant)>);

impl Leftovers {
    /// Takes away what lies beside `own` and was not touched for long, as far as its process does not run.
    fn clean(&mut self, own: &Path, now: Instant) {
        let Some(files) = own.parent().and_then(|directory| fs::read_dir(directory).ok()) else {
            return;
        };
        let mut there = BTreeMap::new();
        for file in files.flatten().take(limits::ANNOUNCEMENTS_MAX) {
            let Ok(modified) = file.metadata().and_then(|metadata| metadata.modified()) else {
                continue;
            };
            let since = match self.0.get(&file.file_name()) {
                Some((known, since)) if *known == modified => *since,
                _ => now,
            };
            let old = now - since > limits::ANNOUNCEMENT_LEFT;
            if old && file.path() != own && !runs(&file.path()) {
                let _ = fs::remove_file(file.path());
            } else {
                there.insert(file.file_name(), (modified, since));
            }
        }
        self.0 = there;
    }
}

/// Whether this is the announcement of a process that runs: it is frozen, and will touch it again.
fn runs(file: &Path) -> bool {
    let text = read_private(file, limits::ANNOUNCEMENT_MAX);
    let announcement = text.ok().and_then(|text| Announcement::parse(&text).ok());
    let process = announcement.and_then(|announcement| announcement.process);
    process.and_then(|process| process.runs()) == Some(true)
}

#[cfg(test)]
mod tests;
