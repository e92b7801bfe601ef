//! Who announces a service: its directory, looked at again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sinew_core::{
    limits,
    policy::roster::{Snapshot, Withdrawn},
};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        Doubts, Entry, Hearing, Source,
        announcement::{Announcement, Process},
        files::{Unusable, read_private},
        forever,
    },
    directory_name,
};

/// `sinew:name`, on this machine.
#[derive(Debug)]
pub(crate) struct LocalSource {
    /// Away while it looks.
    look: Option<Look>,
    service: String,
    /// What was said last.
    said: Option<Result<Snapshot<Entry>, String>>,
}

impl LocalSource {
    pub(super) fn new(service: &str, directory: PathBuf) -> Self {
        let look = Some(Look::new(service, directory));
        Self { look, service: service.to_owned(), said: None }
    }
}

impl Source for LocalSource {
    fn name(&self) -> String {
        format!("sinew:{}", self.service)
    }

    fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            loop {
                if self.said.is_some() {
                    sleep(limits::DISCOVERY_TICK).await;
                }
                let Some(mut look) = self.look.take() else { forever().await };
                let looked = tokio::task::spawn_blocking(move || {
                    let heard = look.again(Instant::now());
                    (look, heard)
                });
                // The runtime is shutting down.
                let Ok((look, heard)) = looked.await else { forever().await };
                self.look = Some(look);
                if let Some(heard) = heard
                    && self.said.as_ref() != Some(&heard)
                {
                    self.said = Some(heard.clone());
                    return heard;
                }
            }
        })
    }
}

/// Looks at what is announced of one service.
#[derive(Debug)]
pub(super) struct Look {
    /// `None`: whichever service its directory is of.
    service: Option<String>,
    directory: PathBuf,
    modified: Option<SystemTime>,
    looked: Option<Instant>,
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// The file's; `None` where it is gone and its process may not be.
    modified: Option<SystemTime>,
    /// When we saw it change last.
    changed: Instant,
    /// Already too old when we saw it first.
    stale: bool,
    announcement: Option<Announcement>,
}

/// What is known of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Lives,
    /// Taken back, or its process is known to be gone.
    Withdrawn,
    /// Nobody knows.
    Lost,
}

impl Seen {
    fn standing(&self, now: Instant) -> Standing {
        let Some(announcement) = &self.announcement else { return Standing::Lost };
        let runs = announcement.process.as_ref().and_then(Process::runs);
        let silent = self.stale || now - self.changed > limits::ANNOUNCE_LEASE;
        match runs {
            _ if announcement.withdrawn => Standing::Withdrawn,
            Some(false) => Standing::Withdrawn,
            _ if self.modified.is_none() => Standing::Lost,
            // A process that is there is not dropped because its heartbeat is late.
            Some(true) => Standing::Lives,
            None if silent => Standing::Lost,
            None => Standing::Lives,
        }
    }
}

impl Look {
    pub(super) fn new(service: &str, directory: PathBuf) -> Self {
        Self { service: Some(service.to_owned()), ..Self::at(directory) }
    }

    /// Whatever service is announced in this directory.
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { service: None, directory, modified: None, looked: None, seen: BTreeMap::new() }
    }

    /// All that live, by one look.
    pub(super) fn living(mut self, now: Instant) -> io::Result<Vec<Announcement>> {
        self.list(now)?;
        let lives = self.seen.into_values().filter(|seen| seen.standing(now) == Standing::Lives);
        Ok(lives.filter_map(|seen| seen.announcement).collect())
    }

    /// What is announced now; `None` where nothing can have changed since the last look.
    pub(super) fn again(&mut self, now: Instant) -> Option<Result<Snapshot<Entry>, String>> {
        let modified = fs::metadata(&self.directory).and_then(|found| found.modified()).ok();
        let recent = self.looked.is_some_and(|at| now - at < limits::DISCOVERY_LOOK);
        if recent && modified == self.modified {
            return None;
        }
        self.modified = modified;
        self.looked = Some(now);
        match self.list(now) {
            Ok(()) => {}
            // No directory: nobody has ever announced it, or somebody tidied up.
            Err(why) if why.kind() == io::ErrorKind::NotFound => self.miss(BTreeMap::new()),
            Err(why) => {
                let directory = self.directory.display();
                return Some(Err(format!("`{directory}` cannot be read: {why}")));
            }
        }
        Some(Ok(self.snapshot(now)))
    }

    fn list(&mut self, now: Instant) -> io::Result<()> {
        let files = fs::read_dir(&self.directory)?;
        let mut there = BTreeMap::new();
        for file in files.flatten().take(limits::ANNOUNCEMENTS_MAX) {
            let name = file.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.')
                && let Some(seen) = self.see(&name, &file.path(), now)
            {
                there.insert(name, seen);
            }
        }
        self.miss(there);
        Ok(())
    }

    /// These files are there. Of what is missing, the processes are watched on.
    fn miss(&mut self, mut there: BTreeMap<String, Seen>) {
        for (name, mut seen) in std::mem::take(&mut self.seen) {
            let has_process =
                seen.announcement.as_ref().is_some_and(|known| known.process.is_some());
            if has_process && there.len() < 2 * limits::ANNOUNCEMENTS_MAX {
                seen.modified = None;
                there.entry(name).or_insert(seen);
            }
        }
        self.seen = there;
    }

    /// All that live, in the order in which their processes began; and who does not.
    fn snapshot(&mut self, now: Instant) -> Snapshot<Entry> {
        let (mut endpoints, mut withdrawn) = (Vec::new(), BTreeSet::new());
        self.seen.retain(|name, seen| {
            let standing = seen.standing(now);
            match (standing, &seen.announcement) {
                (Standing::Lives, Some(announcement)) => {
                    let began = announcement.process.as_ref().map(Process::began);
                    let address = announcement.address.to_string();
                    let about = announcement.about.clone();
                    endpoints.push((began, Entry { id: name.clone(), address, about }));
                }
                (Standing::Withdrawn, _) => _ = withdrawn.insert(name.clone()),
                (Standing::Lives | Standing::Lost, _) => {}
            }
            // What is gone for good and was told needs no watching.
            seen.modified.is_some() || standing != Standing::Withdrawn
        });
        endpoints.sort_by_key(|(began, _)| *began);
        let endpoints = endpoints.into_iter().map(|(_, entry)| entry).collect();
        Snapshot { endpoints, withdrawn: Withdrawn::Ids(withdrawn) }
    }

    fn is_of(&self, service: &str) -> bool {
        match &self.service {
            Some(expected) => service == expected,
            None => self.directory.file_name() == Some(directory_name(service).as_ref()),
        }
    }

    /// One file, read if it has changed; `None` where it is gone.
    fn see(&mut self, name: &str, path: &Path, now: Instant) -> Option<Seen> {
        let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()?;
        if let Some(known) = self.seen.remove(name) {
            if known.modified == Some(modified) {
                return Some(known);
            }
            let said = known.announcement.is_none() && known.modified.is_some();
            let announcement = self.read(path, said, known.announcement);
            return Some(Seen {
                modified: Some(modified),
                changed: now,
                stale: false,
                announcement,
            });
        }
        let age = SystemTime::now().duration_since(modified).unwrap_or(Duration::ZERO);
        let announcement = self.read(path, false, None);
        let stale = age > limits::ANNOUNCE_LEASE;
        Some(Seen { modified: Some(modified), changed: now, stale, announcement })
    }

    /// What a file says; what was `known` where it cannot be read this time.
    fn read(&self, path: &Path, said: bool, known: Option<Announcement>) -> Option<Announcement> {
        let read = || -> Result<Announcement, Unusable> {
            let text = read_private(path, limits::ANNOUNCEMENT_MAX)?;
            let announcement = Announcement::parse(&text).map_err(Unusable::Wrong)?;
            if !self.is_of(&announcement.service) {
                return Err(Unusable::Wrong(format!("it is of `{}`", announcement.service)));
            }
            if !is_here(announcement.address) {
                let address = announcement.address;
                return Err(Unusable::Wrong(format!("{address} is no address of this machine")));
            }
            Ok(announcement)
        };
        let why = match read() {
            Ok(announcement) => return Some(announcement),
            Err(Unusable::Unread(_)) if known.is_some() => return known,
            Err(Unusable::Unread(why) | Unusable::Wrong(why)) => why,
        };
        if !said {
            tracing::warn!("`{}` is no announcement and is passed over: {why}", path.display());
        }
        None
    }
}

/// Whether an address is one of this machine: loopback, or one that a socket can have here.
fn is_here(address: SocketAddr) -> bool {
    let ip = address.ip();
    if address.port() == 0 || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    ip.to_canonical().is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}
