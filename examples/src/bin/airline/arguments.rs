//! The command line: what a user may say, and what this program says to its own children.

use std::{path::PathBuf, time::Duration};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: airline [--seconds N] [--travellers N] [--no-chaos] [--overload] [--discovery local|etcd] [--json]

Starts an airline of five services, three servers of each, and sends travellers through it: they
look for flights, and some of them book. Two of the servers of fares are nginx (or Python's
http.server) with static files over plain HTTP, where this machine has one. Meanwhile servers are killed, frozen, slowed down, made to
fail, cut off and replaced; the policy of all is changed twice a second, and the authority of their
certificates renewed. At the end the books must balance, and no call have failed that may be
repeated or surely did not run. The summary says of each fault how many calls there were meanwhile,
how many failed or were tried again, and how long the callers of the bad server took to leave it,
and to use it again afterwards: those times depend on the machine and decide nothing.

  --seconds N      how long the travellers travel, 1 to 3600; default 20. Longer where the faults
                   take longer, because the machine is busy and a process starts slowly
  --travellers N   how many travel at the same time, 1 to 900; default 300
  --no-chaos       nothing is done to the servers; nor is it in less than 10 s
  --overload       at the end, a flood of calls that nobody waits for, and a service that stands still for
                   3 s; what the calls that matter saw is told, and decides nothing. Some 20 s more
  --discovery etcd the processes find each other in an etcd, which is started with them (Debian: etcd-server), killed
                   as one more of the faults, and comes back; default local: in a directory of this machine
  --json           the last line on stdout is one JSON object; the summary goes to stderr
  --help           this text

Exits with 0 when the books balance, no call failed and no handler began after its deadline; with 1
when that does not hold or a process cannot be started; with 2 on wrong usage.
";

/// The name under which a service is served, which is the name of its trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Schedule,
    Fares,
    Search,
    Seats,
    Gateway,
}

/// How many servers each service has.
pub(crate) const REPLICAS: usize = 3;

impl Role {
    /// In this order each finds running whom it calls.
    pub(crate) const ALL: [Self; 5] =
        [Self::Schedule, Self::Fares, Self::Search, Self::Seats, Self::Gateway];

    /// The service's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Schedule => "Schedule",
            Self::Fares => "Fares",
            Self::Search => "Search",
            Self::Seats => "Seats",
            Self::Gateway => "Gateway",
        }
    }

    /// Who calls it with unary calls; `None` for those that this process calls.
    pub(crate) fn caller(self) -> Option<Self> {
        match self {
            Self::Schedule | Self::Fares => Some(Self::Search),
            Self::Search | Self::Seats => Some(Self::Gateway),
            Self::Gateway => None,
        }
    }

    /// Whether its servers can be cut off from their callers.
    pub(crate) fn is_behind_a_forwarder(self) -> bool {
        self == Self::Search
    }

    fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.ok_or_else(|| format!("`{name}` is no service of this airline"))
    }
}

/// What the user wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How long the travellers travel.
    pub(crate) length: Duration,
    /// How many at the same time.
    pub(crate) travellers: u32,
    /// Whether something is done to the servers.
    pub(crate) chaos: bool,
    /// Whether it is overloaded at the end.
    pub(crate) overload: bool,
    /// Whether the processes find each other in an etcd.
    pub(crate) etcd: bool,
    /// Whether to end with a line for programs.
    pub(crate) json: bool,
}

/// Less is not enough for a fault to be noticed and to pass.
const CHAOS_FROM: Duration = Duration::from_secs(10);

/// What a child is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Child {
    /// What it serves.
    pub(crate) role: Role,
    /// Where the books of the seats are.
    pub(crate) books: PathBuf,
    /// Where servers of fares are that do not announce themselves.
    pub(crate) legacy: Option<String>,
}

/// What this process was started for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    Help,
    Drive(Options),
    /// `--serve SERVICE --books DIRECTORY [--legacy TARGET]`, which is not for users.
    Serve(Child),
}

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let length = Duration::from_secs(20);
        let (travellers, chaos, overload, etcd, json) = (300, true, false, false, false);
        let mut options = Options { length, travellers, chaos, overload, etcd, json };
        let (mut role, mut books, mut legacy) = (None, None, None);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("`{argument}` needs a value"))
            };
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--json" => options.json = true,
                "--no-chaos" => options.chaos = false,
                "--overload" => options.overload = true,
                "--discovery" => options.etcd = is_etcd(&value()?)?,
                "--seconds" => {
                    options.length = Duration::from_secs(number(&value()?, 3_600)?.into());
                }
                "--travellers" => options.travellers = number(&value()?, 900)?,
                "--serve" => role = Some(Role::named(&value()?)?),
                "--books" => books = Some(PathBuf::from(value()?)),
                "--legacy" => legacy = Some(value()?),
                _ => return Err(format!("unknown argument `{argument}`")),
            }
        }
        match (role, books) {
            (Some(role), Some(books)) => Ok(Self::Serve(Child { role, books, legacy })),
            (None, None) => {
                options.chaos &= options.length >= CHAOS_FROM;
                Ok(Self::Drive(options))
            }
            _ => Err("`--serve` needs `--books`, and the other way round".to_owned()),
        }
    }
}

fn is_etcd(text: &str) -> Result<bool, String> {
    match text {
        "etcd" => Ok(true),
        "local" => Ok(false),
        other => Err(format!("`{other}` is neither `local` nor `etcd`")),
    }
}

fn number(text: &str, max: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("`{text}` is no whole number from 1 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_a_user_says_is_understood() {
        let options = |seconds, travellers, chaos, json| {
            let length = Duration::from_secs(seconds);
            let (overload, etcd) = (false, false);
            Ok(Arguments::Drive(Options { length, travellers, chaos, overload, etcd, json }))
        };
        assert_eq!(parse(""), options(20, 300, true, false));
        assert_eq!(parse("--no-chaos"), options(20, 300, false, false));
        assert_eq!(parse("--json --seconds 4 --travellers 7"), options(4, 7, false, true));
        assert_eq!(parse("--seconds 4 --help"), Ok(Arguments::Help));
        let Ok(Arguments::Drive(options)) = parse("--overload") else { panic!() };
        assert!(options.overload && !options.etcd);
        let Ok(Arguments::Drive(options)) = parse("--discovery etcd") else { panic!() };
        assert!(options.etcd);
        let Ok(Arguments::Drive(options)) = parse("--discovery local") else { panic!() };
        assert!(!options.etcd);
    }

    #[test]
    fn a_child_is_told_what_it_serves() {
        let legacy = Some("static:http://a:1".to_owned());
        let child = Child { role: Role::Search, books: "/tmp/books".into(), legacy };
        let line = "--serve Search --books /tmp/books --legacy static:http://a:1";
        assert_eq!(parse(line), Ok(Arguments::Serve(child)));
    }

    #[test]
    fn wrong_usage_is_named() {
        for (line, word) in [
            ("--seconds", "needs a value"),
            ("--seconds 0", "`0`"),
            ("--seconds 1.5", "`1.5`"),
            ("--travellers 901", "1 to 900"),
            ("--fast", "`--fast`"),
            ("--discovery zookeeper", "`zookeeper`"),
            ("extra", "`extra`"),
            ("--serve Bar", "`Bar`"),
            ("--serve Search", "`--books`"),
        ] {
            let problem = parse(line).unwrap_err();
            assert!(problem.contains(word), "{line}: {problem}");
        }
    }
}
