//! What a server writes of itself, as text: one `key value` per line.
//!
//! ```text
//!   sinew-announcement 1
//!   service shop.Inventory
//!   address 127.0.0.1:41873
//!   process 4711 98765 pid:[4026531836]@8f7e2c9a-..
//!   protocol sinew
//!   weight 2
//!   zone eu-1
//!   label version 2
//!   identity spiffe://prod.example/shop.Inventory
//!   end
//! ```
//! A text without its end says nothing: half of an address is another address.
//! The process is its number, when it began in ticks of its host, and the namespace in which the number counts; only
//! where the host tells. What is taken back says `withdrawn yes` beside. Lines with other keys are for later versions
//! and are passed over.

use std::{fmt::Write as _, io::ErrorKind, net::SocketAddr, sync::LazyLock};

use sinew_core::spiffe::SpiffeId;

use super::entry::{About, SINEW};

const FIRST: &str = "sinew-announcement 1";
const END: &str = "end";

/// A server's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Announcement {
    pub(super) service: String,
    pub(super) address: SocketAddr,
    pub(super) process: Option<Process>,
    pub(super) about: About,
    /// It is no longer to be called.
    pub(super) withdrawn: bool,
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
        let Self { service, address, process, about, withdrawn } = self;
        let mut text = format!("{FIRST}\nservice {service}\naddress {address}\n");
        if let Some(Process { pid, began, namespace }) = process {
            let _ = writeln!(text, "process {pid} {began} {namespace}");
        }
        let About { weight, zone, labels, identity } = about;
        let _ = writeln!(text, "protocol {SINEW}\nweight {weight}");
        if let Some(zone) = zone {
            let _ = writeln!(text, "zone {zone}");
        }
        for (key, value) in labels {
            let _ = writeln!(text, "label {key} {value}");
        }
        if let Some(identity) = identity {
            let _ = writeln!(text, "identity {identity}");
        }
        if *withdrawn {
            text.push_str("withdrawn yes\n");
        }
        text + END + "\n"
    }

    /// Reads what [`to_text`](Self::to_text) wrote; otherwise what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(format!("the first line is not `{FIRST}`"));
        }
        if lines.next_back() != Some(END) {
            return Err(format!("the last line is not `{END}`: it is not whole"));
        }
        let (mut service, mut address, mut process) = (None, None, None);
        let (mut about, mut withdrawn) = (About::default(), false);
        for line in lines {
            let Some((key, value)) = line.split_once(' ') else {
                return Err(format!("`{line}` is not `key value`"));
            };
            match key {
                "service" => service = Some(value.to_owned()),
                "address" => address = Some(parse::<SocketAddr>(value)?),
                "process" => process = Some(Process::parse(value)?),
                "protocol" if value != SINEW => return Err(unproven(value)),
                "weight" => about.weight = parse(value)?,
                "zone" => about.zone = Some(value.to_owned()),
                "label" => {
                    let (key, value) = value.split_once(' ').unwrap_or((value, ""));
                    about.labels.insert(key.to_owned(), value.to_owned());
                }
                "identity" => about.identity = Some(parse::<SpiffeId>(value)?),
                "withdrawn" => withdrawn = value == "yes",
                _ => {}
            }
        }
        about.check()?;
        if service.iter().any(|service: &String| service.contains(char::is_control)) {
            return Err("the service has control characters".to_owned());
        }
        Ok(Self {
            service: service.ok_or("there is no service")?,
            address: address.ok_or("there is no address")?,
            process,
            about,
            withdrawn,
        })
    }
}

/// Whoever can write where servers announce themselves must not take their calls to where nobody proves who he is.
fn unproven(protocol: &str) -> String {
    format!(
        "it speaks `{protocol}`, and only servers that prove who they are announce themselves; name it in a target, as \
         `{protocol}://host:port`, or in a file"
    )
}

fn parse<T>(value: &str) -> Result<T, String>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|why| format!("`{value}`: {why}"))
}

impl Process {
    /// This one, where the host tells.
    pub(super) fn own() -> Option<Self> {
        let pid = std::process::id();
        let began = began_by(&status_of(pid).ok()?)?;
        Some(Self { pid, began, namespace: namespace()? })
    }

    fn parse(value: &str) -> Result<Self, String> {
        let mut parts = value.splitn(3, ' ');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(pid), Some(began)) = (number(), number()) else {
            return Err(format!("`{value}` is no process"));
        };
        let pid = u32::try_from(pid).map_err(|_| format!("`{value}` is no process"))?;
        let namespace = parts.next().unwrap_or_default().trim_end().to_owned();
        Ok(Self { pid, began, namespace })
    }

    /// Whether it runs; `None` where that cannot be seen from here.
    pub(super) fn runs(&self) -> Option<bool> {
        if namespace().as_deref() != Some(&*self.namespace) {
            return None;
        }
        match status_of(self.pid) {
            Ok(status) => Some(began_by(&status) == Some(self.began)),
            // Gone, also while it was read (ESRCH). What else may be in the way says nothing of the process.
            Err(why) if why.kind() == ErrorKind::NotFound => Some(false),
            Err(why) if why.raw_os_error() == Some(NO_SUCH_PROCESS) => Some(false),
            Err(_) => None,
        }
    }

    /// Its number, where it runs.
    pub(super) const fn number(&self) -> u32 {
        self.pid
    }

    /// When it began, in clock ticks since the host did.
    pub(super) const fn began(&self) -> u64 {
        self.began
    }
}

/// `ESRCH`.
const NO_SUCH_PROCESS: i32 = 3;

fn status_of(pid: u32) -> std::io::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
}

/// When a process that runs began, in clock ticks since the host did, by its status: field 22, counted after the name,
/// which may hold anything (proc(5)). One that has ended and was not waited for (a zombie: its first thread is one, and
/// there is no other) runs no more.
fn began_by(status: &str) -> Option<u64> {
    let (_, after_name) = status.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let threads: u64 = fields.nth(16)?.parse().ok()?;
    let began = fields.nth(1)?.parse().ok()?;
    let is_over = matches!(state, "Z" | "X" | "x") && threads <= 1;
    (!is_over).then_some(began)
}

/// The namespace in which numbers of processes count: of this host, since it was started last. The first namespace has
/// the same number on every host.
fn namespace() -> Option<String> {
    static OWN: LazyLock<Option<String>> = LazyLock::new(|| {
        let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(format!("{}@{}", link.to_string_lossy(), boot.trim()))
    });
    OWN.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        Announcement {
            service: "shop.Inventory".to_owned(),
            address: ([127, 0, 0, 1], 4711).into(),
            process: Process::own(),
            about: About {
                weight: 0.1,
                zone: Some("eu-1".to_owned()),
                labels: [("version", "2"), ("note", "two words"), ("none", "")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                identity: Some(SpiffeId::new("spiffe://a.example/b").unwrap()),
            },
            withdrawn: false,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut announcement = announcement();
        assert_eq!(Announcement::parse(&announcement.to_text()), Ok(announcement.clone()));
        announcement.withdrawn = true;
        assert_eq!(Announcement::parse(&announcement.to_text()), Ok(announcement));
    }

    #[test]
    fn it_need_not_say_more_than_a_service_and_an_address() {
        let text = "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\nend\n";
        assert_eq!(Announcement::parse(text).unwrap().about, About::default());
    }

    #[test]
    fn a_part_of_one_is_none() {
        let text = announcement().to_text();
        for end in 0..text.len() - 1 {
            assert!(Announcement::parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }

    #[test]
    fn later_versions_may_say_more() {
        let text = announcement().to_text().replace("end\n", "mood good\nend\n");
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
            ("sinew-announcement 1\nprotocol https", "`https://host:port`"),
            ("sinew-announcement 1\nweight heavy", "`heavy`"),
            ("sinew-announcement 1\nweight 0", "WEIGHT_MIN"),
            ("sinew-announcement 1\nweight inf", "WEIGHT_MAX"),
            ("sinew-announcement 1\nzone a b", "ZONE_MAX"),
            ("sinew-announcement 1\nlabel a x\\y", "LABEL_VALUE_MAX"),
            ("sinew-announcement 1\nidentity me", "`me`"),
        ] {
            let error = Announcement::parse(&format!("{text}\nend\n")).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_is_not_there_is_gone_and_one_elsewhere_is_not_known() {
        let own = Process::own().unwrap();
        assert_eq!(own.runs(), Some(true));
        assert_eq!(Process { began: own.began + 1, ..own.clone() }.runs(), Some(false));
        assert_eq!(Process { pid: u32::MAX, ..own.clone() }.runs(), Some(false));
        let elsewhere = own.namespace.replace('@', "@0");
        assert_eq!(Process { pid: u32::MAX, namespace: elsewhere, ..own }.runs(), None);
    }
    #[test]
    fn a_zombie_is_gone_unless_threads_of_it_go_on() {
        let status = |state: &str, threads: u32| {
            format!("7 (a ) b) {state} 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0")
        };
        assert_eq!(began_by(&status("S", 9)), Some(4711));
        assert_eq!(began_by(&status("T", 9)), Some(4711), "frozen");
        assert_eq!(began_by(&status("Z", 1)), None);
        assert_eq!(began_by(&status("Z", 0)), None);
        assert_eq!(began_by(&status("Z", 2)), Some(4711), "only its first thread has ended");
        assert_eq!(began_by(&status("X", 1)), None);
        assert_eq!(began_by("7 (a"), None);
    }
}
