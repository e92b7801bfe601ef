//! What a server writes of itself, as text: one `key value` per line.
//!
//! ```text
//!   sinew-announcement 1
//!   service shop.Inventory
//!   address 127.0.0.1:41873
//!   process 4711 98765 pid:[4026531836]
//! ```
//! The process is its number, when it began in ticks of its host, and the namespace in which the number counts; only
//! where the host tells. Lines with other keys are for later versions and are passed over.

use std::{fmt::Write as _, net::SocketAddr};

const FIRST: &str = "sinew-announcement 1";

/// A server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) service: String,
    pub(super) address: SocketAddr,
    pub(super) process: Option<Process>,
}

/// A process of this host, not to be mistaken for a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    began: u64,
    namespace: String,
}

impl Announcement {
    pub(super) fn to_text(&self) -> String {
        let Self { service, address, process } = self;
        let mut text = format!("{FIRST}\nservice {service}\naddress {address}\n");
        if let Some(Process { pid, began, namespace }) = process {
            let _ = writeln!(text, "process {pid} {began} {namespace}");
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote; otherwise what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(format!("the first line is not `{FIRST}`"));
        }
        let (mut service, mut address, mut process) = (None, None, None);
        for line in lines {
            let Some((key, value)) = line.split_once(' ') else {
                return Err(format!("`{line}` is not `key value`"));
            };
            match key {
                "service" => service = Some(value.to_owned()),
                "address" => {
                    let parsed = value.parse().map_err(|why| format!("`{value}`: {why}"))?;
                    address = Some(parsed);
                }
                "process" => process = Some(Process::parse(value)?),
                _ => {}
            }
        }
        Ok(Self {
            service: service.ok_or("there is no service")?,
            address: address.ok_or("there is no address")?,
            process,
        })
    }
}

impl Process {
    /// This one, where the host tells.
    pub(super) fn own() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { pid, began: began(pid)?, namespace: namespace()? })
    }

    fn parse(value: &str) -> Result<Self, String> {
        let mut parts = value.splitn(3, ' ');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(pid), Some(began)) = (number(), number()) else {
            return Err(format!("`{value}` is no process"));
        };
        let pid = u32::try_from(pid).map_err(|_| format!("`{value}` is no process"))?;
        Ok(Self { pid, began, namespace: parts.next().unwrap_or_default().to_owned() })
    }

    /// Whether it is known to be gone: it would be seen here, and is not.
    pub(super) fn is_gone(&self) -> bool {
        namespace().is_some_and(|ours| ours == self.namespace)
            && began(self.pid) != Some(self.began)
    }
}

/// When a process began, in clock ticks since the host did: field 22 of its status, counted after the name, which may
/// hold anything (proc(5)).
fn began(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = status.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

/// The namespace in which numbers of processes count.
fn namespace() -> Option<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        Announcement {
            service: "shop.Inventory".to_owned(),
            address: ([127, 0, 0, 1], 4711).into(),
            process: Process::own(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let announcement = announcement();
        assert_eq!(Announcement::parse(&announcement.to_text()), Ok(announcement));
    }

    #[test]
    fn later_versions_may_say_more() {
        let text = announcement().to_text() + "zone eu-1\n";
        assert_eq!(Announcement::parse(&text), Ok(announcement()));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, why) in [
            ("", "the first line"),
            ("hello", "the first line"),
            ("sinew-announcement 1\naddress 127.0.0.1:1", "no service"),
            ("sinew-announcement 1\nservice a", "no address"),
            ("sinew-announcement 1\nservice a\naddress nowhere", "`nowhere`"),
            ("sinew-announcement 1\nservice", "`service` is not"),
            ("sinew-announcement 1\nprocess one 2", "`one 2` is no process"),
            ("sinew-announcement 1\nprocess 99999999999 2", "is no process"),
        ] {
            let error = Announcement::parse(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_is_not_there_is_gone_and_one_elsewhere_is_not_known() {
        let own = Process::own().unwrap();
        assert!(!own.is_gone());
        assert!(Process { began: own.began + 1, ..own.clone() }.is_gone());
        assert!(Process { pid: u32::MAX, ..own.clone() }.is_gone());
        assert!(!Process { pid: u32::MAX, namespace: "pid:[1]".to_owned(), ..own }.is_gone());
    }
}
