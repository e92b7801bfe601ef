//! A relay as words of a command line: what `src/bin/relay.rs` understands.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use super::{Burst, Conditions, DELAY_MAX, Direction, conditions::Way};

/// What is said to somebody who got it wrong.
pub const USAGE: &str = "\
usage: relay --to ADDRESS [--listen ADDRESS] [--seed NUMBER] [condition ..] [--blackhole DIRECTION]
  --delay 20ms  --jitter 5ms  --loss 2%  --burst ENTER:LEAVE:LOSS (1%:30%:50%)
  --reorder 1%  --reorder-by 10ms  --duplicate 1%  --corrupt 1%
  --rate 10MB (a second)  --queue 256KiB
A condition is for both directions, or for one: --to-server-loss 2%, --to-client-delay 1s.
DIRECTION: to-server, to-client or both. Of two words about the same, the last one counts.";

/// Loopback, at a port that the system picks.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A relay that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The server.
    pub to: SocketAddr,
    /// Where clients send to; any loopback port unless set.
    pub listen: SocketAddr,
    /// What all chances come from; 0 unless set.
    pub seed: u64,
    /// Towards the server.
    pub to_server: Conditions,
    /// Towards clients.
    pub to_client: Conditions,
}

/// What is wrong with a command line: the option and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Options {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// An option does not exist, lacks its value, or has one that it cannot have; or `--to` is missing.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Wrong> {
        let mut to = None;
        let mut options = Self {
            to: ANYWHERE,
            listen: ANYWHERE,
            seed: 0,
            to_server: Conditions::perfect(),
            to_client: Conditions::perfect(),
        };
        let mut words = words.into_iter();
        while let Some(option) = words.next() {
            let text = words.next().ok_or_else(|| match options.set(&option, "") {
                Some(_) => Wrong(format!("`{option}` wants a value")),
                None => unknown(&option),
            })?;
            let done = match option.as_str() {
                "--to" => parsed(&text, "an address, as in 127.0.0.1:7001").map(|at| to = Some(at)),
                _ => options.set(&option, &text).ok_or_else(|| unknown(&option))?,
            };
            done.map_err(|why| Wrong(format!("`{option} {text}`: {why}")))?;
        }
        let to = to.ok_or_else(|| Wrong("`--to` is missing: the address of the server".into()))?;
        Ok(Self { to, ..options })
    }

    /// Takes over one option; `None` where there is no such one.
    fn set(&mut self, option: &str, text: &str) -> Option<Result<(), String>> {
        match option {
            "--to" => return Some(Ok(())),
            "--listen" => {
                let address = parsed(text, "an address, as in 127.0.0.1:0");
                return Some(address.map(|address| self.listen = address));
            }
            "--seed" => return Some(parsed(text, "a whole number").map(|seed| self.seed = seed)),
            "--blackhole" => {
                let hole = |hole| self.change(hole, |conditions| Ok(conditions.blackhole(true)));
                return Some(direction(text).and_then(hole));
            }
            _ => {}
        }
        let name = option.strip_prefix("--")?;
        let (direction, name) =
            match (name.strip_prefix("to-server-"), name.strip_prefix("to-client-")) {
                (Some(name), _) => (Direction::ToServer, name),
                (_, Some(name)) => (Direction::ToClient, name),
                _ => (Direction::Both, name),
            };
        let condition = CONDITIONS.iter().find(|(known, _)| *known == name)?.1;
        Some(self.change(direction, |conditions| condition(conditions, text)))
    }

    fn change(
        &mut self,
        direction: Direction,
        to: impl Fn(Conditions) -> Result<Conditions, String>,
    ) -> Result<(), String> {
        for way in direction.ways() {
            let conditions = match way {
                Way::ToServer => &mut self.to_server,
                Way::ToClient => &mut self.to_client,
            };
            *conditions = to(*conditions)?;
        }
        Ok(())
    }
}

type Condition = fn(Conditions, &str) -> Result<Conditions, String>;

/// The conditions that have a value, by name.
const CONDITIONS: &[(&str, Condition)] = &[
    ("delay", |conditions, text| Ok(conditions.delay(time(text)?))),
    ("jitter", |conditions, text| Ok(conditions.jitter(time(text)?))),
    ("loss", |conditions, text| Ok(conditions.loss(share(text)?))),
    ("burst", |conditions, text| Ok(conditions.burst(burst(text)?))),
    ("reorder", |conditions, text| Ok(conditions.reorder(share(text)?))),
    ("reorder-by", |conditions, text| Ok(conditions.reorder_by(time(text)?))),
    ("duplicate", |conditions, text| Ok(conditions.duplicate(share(text)?))),
    ("corrupt", |conditions, text| Ok(conditions.corrupt(share(text)?))),
    ("rate", |conditions, text| match bytes(text)? {
        0 => Err("at least 1 byte a second; `--blackhole` stops everything".into()),
        rate => Ok(conditions.rate(rate)),
    }),
    ("queue", |conditions, text| {
        Ok(conditions.queue(usize::try_from(bytes(text)?).unwrap_or(usize::MAX)))
    }),
];

fn unknown(option: &str) -> Wrong {
    Wrong(format!("there is no option `{option}`"))
}

fn parsed<T: FromStr>(text: &str, wanted: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("wants {wanted}"))
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "to-server" => Ok(Direction::ToServer),
        "to-client" => Ok(Direction::ToClient),
        "both" => Ok(Direction::Both),
        _ => Err("wants `to-server`, `to-client` or `both`".into()),
    }
}

/// A number and its unit, one of these.
fn measure(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, unit) = text
        .split_at(text.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(text.len()));
    let (_, factor) = units.iter().find(|(known, _)| *known == unit)?;
    let number: f64 = number.parse().ok()?;
    (number >= 0.0).then_some(number * factor)
}

fn time(text: &str) -> Result<Duration, String> {
    let seconds = measure(text, &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)]);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.filter(|time| *time <= DELAY_MAX);
    time.ok_or_else(|| format!("wants a time up to {DELAY_MAX:?}, as in 500us, 20ms or 1.5s"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = measure(text, &[("%", 0.01), ("", 1.0)]).filter(|share| *share <= 1.0);
    share.ok_or_else(|| "wants a share from 0% to 100%, as in 2% or 0.02".into())
}

fn burst(text: &str) -> Result<Burst, String> {
    let shares: Vec<&str> = text.split(':').collect();
    let [enter, leave, loss] = shares[..] else {
        return Err("wants three shares ENTER:LEAVE:LOSS, as in 1%:30%:50%".into());
    };
    Ok(Burst { enter: share(enter)?, leave: share(leave)?, loss: share(loss)? })
}

fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, f64)] = &[
        ("", 1.0),
        ("B", 1.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("KiB", 1024.0),
        ("MiB", 1024.0 * 1024.0),
        ("GiB", 1024.0 * 1024.0 * 1024.0),
    ];
    let bytes = measure(text, UNITS).ok_or("wants bytes, as in 1500, 256KiB or 10MB")?;
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Must as _, MustFail as _, assert_says, wait::ms};

    fn parse(line: &str) -> Result<Options, Wrong> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_server_is_all_that_must_be_said() {
        let options = parse("--to 127.0.0.1:7001").must("options");
        assert_eq!(options.to, "127.0.0.1:7001".parse().must("an address"));
        assert_eq!((options.listen, options.seed), (ANYWHERE, 0));
        assert_eq!((options.to_server, options.to_client), Default::default());
    }

    #[test]
    fn every_condition_has_an_option() {
        let line = "--delay 20ms --jitter 1.5ms --loss 2% --burst 1%:30%:0.5 --reorder 3% --reorder-by 1s
                    --duplicate 4% --corrupt 0.25% --rate 10MB --queue 64KiB --blackhole both --to [::1]:1";
        let options = parse(line).must("options");
        let wanted = Conditions::perfect()
            .delay(ms(20))
            .jitter(Duration::from_micros(1500))
            .loss(0.02)
            .burst(Burst { enter: 0.01, leave: 0.3, loss: 0.5 })
            .reorder(0.03)
            .reorder_by(ms(1000))
            .duplicate(0.04)
            .corrupt(0.0025)
            .rate(10_000_000)
            .queue(65_536)
            .blackhole(true);
        assert_eq!(options.to_server, wanted);
        assert_eq!(options.to_client, wanted);
    }

    #[test]
    fn a_condition_is_for_one_direction_where_it_says_so_and_the_last_one_counts() {
        let line = "--to 127.0.0.1:1 --listen 127.0.0.1:2 --seed 3 --loss 1% --to-server-loss 2%
                    --to-client-delay 1s --blackhole to-client";
        let options = parse(line).must("options");
        assert_eq!((options.listen.port(), options.seed), (2, 3));
        assert_eq!(options.to_server, Conditions::perfect().loss(0.02));
        let wanted = Conditions::perfect().loss(0.01).delay(ms(1000)).blackhole(true);
        assert_eq!(options.to_client, wanted);
    }

    #[test]
    fn a_wrong_option_is_named_with_what_it_wants() {
        for (line, words) in [
            ("", &["--to", "missing"][..]),
            ("--los 2%", &["no option `--los`"]),
            ("--los", &["no option `--los`"]),
            ("loss 2%", &["no option `loss`"]),
            ("--to-server-seed 2", &["no option `--to-server-seed`"]),
            ("--to-server-blackhole both", &["no option `--to-server-blackhole`"]),
            ("--loss", &["`--loss` wants a value"]),
            ("--to", &["`--to` wants a value"]),
            ("--to localhost", &["`--to localhost`", "127.0.0.1:7001"]),
            ("--seed -1", &["`--seed -1`", "whole number"]),
            ("--loss 101%", &["`--loss 101%`", "0% to 100%"]),
            ("--loss NaN", &["`--loss NaN`"]),
            ("--to-client-delay 20", &["`--to-client-delay 20`", "20ms"]),
            ("--delay 2e9s", &["`--delay 2e9s`", "3600s"]),
            ("--burst 1%:2%", &["`--burst 1%:2%`", "ENTER:LEAVE:LOSS"]),
            ("--rate 0", &["`--rate 0`", "at least 1 byte"]),
            ("--queue 5kb", &["`--queue 5kb`", "256KiB"]),
            ("--blackhole up", &["`--blackhole up`", "to-server"]),
        ] {
            assert_says(parse(line).must_err(), words);
        }
    }
}
