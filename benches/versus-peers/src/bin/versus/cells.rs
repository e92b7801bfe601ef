//! Under which conditions the contestants are compared.

use std::{fmt, str::FromStr};

/// One condition. Written `32-64-mt`, `32-64-c4-mt`, `64k-64-1452-mt`, `cold-mt`, `down-mt`, `idle-2000-mt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub(crate) work: Work,
    /// Bytes each way.
    pub(crate) payload: usize,
    /// Callers, each with one call at a time.
    pub(crate) in_flight: usize,
    /// Over which the callers are spread.
    pub(crate) connections: usize,
    pub(crate) network: Network,
    pub(crate) flavour: Flavour,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Calls.
    Echo,
    /// The first call on a new connection, again and again.
    Cold,
    /// A stream of the server.
    Down,
    /// A stream of the client.
    Up,
    /// Many connections with one call on each.
    Idle,
}

/// What is between the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    Loopback,
    /// A link that carries packets of 1,500 bytes.
    Ethernet,
    /// The same that loses 1 % each way, and takes 5 ms.
    Lossy,
}

/// tokio's runtime, the same in both processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    MultiThread,
    CurrentThread,
}

impl Work {
    const ALL: [Self; 5] = [Self::Echo, Self::Cold, Self::Down, Self::Up, Self::Idle];

    /// What `peer` calls it, and a cell begins with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Cold => "cold",
            Self::Down => "down",
            Self::Up => "up",
            Self::Idle => "idle",
        }
    }
}

impl Network {
    const ALL: [Self; 3] = [Self::Loopback, Self::Ethernet, Self::Lossy];

    /// As in the name of a cell; loopback is not said.
    const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "",
            Self::Ethernet => "1452",
            Self::Lossy => "loss",
        }
    }

    const fn long(self) -> &'static str {
        match self {
            Self::Loopback => "",
            Self::Ethernet => ", packets of 1,500 bytes",
            Self::Lossy => ", 10 ms there and back, 1 % lost each way",
        }
    }
}

impl Flavour {
    pub(crate) const BOTH: [Self; 2] = [Self::MultiThread, Self::CurrentThread];

    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::MultiThread => "mt",
            Self::CurrentThread => "ct",
        }
    }

    const fn long(self) -> &'static str {
        match self {
            Self::MultiThread => "multi_thread with 2 workers",
            Self::CurrentThread => "current_thread",
        }
    }
}

impl Cell {
    /// Calls over one connection on loopback.
    pub(crate) const fn new(payload: usize, in_flight: usize, flavour: Flavour) -> Self {
        let (work, connections, network) = (Work::Echo, 1, Network::Loopback);
        Self { work, payload, in_flight, connections, network, flavour }
    }

    /// What is done with something else than calls: one at a time of 32 bytes, or items of 16 KiB.
    pub(crate) const fn of(work: Work, flavour: Flavour) -> Self {
        let payload = match work {
            Work::Down | Work::Up => 16 * 1024,
            Work::Echo | Work::Cold | Work::Idle => 32,
        };
        Self { work, ..Self::new(payload, 1, flavour) }
    }

    /// The same over so many connections.
    pub(crate) const fn over(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// The same over another network.
    pub(crate) const fn on(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// The heading of its table.
    pub(crate) fn title(self) -> String {
        let (payload, flavour) = (self.payload, self.flavour.long());
        let what = match self.work {
            Work::Echo if self.connections == 1 => {
                format!("{payload} B each way, {} in flight", self.in_flight)
            }
            Work::Echo => format!(
                "{payload} B each way, {} in flight over {} connections",
                self.in_flight, self.connections
            ),
            Work::Cold => "connecting and the first call, one after another".to_owned(),
            Work::Down => format!("one stream of the server, items of {payload} B"),
            Work::Up => format!("one stream of the client, items of {payload} B"),
            Work::Idle => format!("{} connections with one call on each", self.connections),
        };
        format!("{self}: {what}{}, {flavour}", self.network.long())
    }

    /// The middle of its name for `Echo`.
    fn conditions(self) -> String {
        let mut parts = match self.payload {
            whole if whole % 1024 == 0 => vec![format!("{}k", whole / 1024)],
            odd => vec![odd.to_string()],
        };
        parts.push(self.in_flight.to_string());
        if self.connections > 1 {
            parts.push(format!("c{}", self.connections));
        }
        if self.network != Network::Loopback {
            parts.push(self.network.name().to_owned());
        }
        parts.join("-")
    }

    /// What [`conditions`](Self::conditions) wrote.
    fn of_conditions(text: &str) -> Option<Self> {
        let mut parts = text.split('-').peekable();
        let (payload, in_flight) = (parts.next()?, parts.next()?);
        let (digits, unit) = payload.strip_suffix('k').map_or((payload, 1), |kib| (kib, 1024));
        let payload = digits.parse::<usize>().ok()? * unit;
        let mut cell = Self::new(payload, in_flight.parse().ok()?, Flavour::MultiThread);
        if let Some(connections) = parts.peek().and_then(|part| part.strip_prefix('c')) {
            cell = cell.over(connections.parse().ok()?);
            parts.next();
        }
        if let Some(name) = parts.next() {
            cell = cell.on(Network::ALL.into_iter().skip(1).find(|known| known.name() == name)?);
        }
        // Somebody has to have something to do on every connection.
        parts.next().is_none().then_some(cell).filter(|cell| cell.in_flight >= cell.connections)
    }

    fn parse(text: &str) -> Option<Self> {
        let (what, flavour) = text.rsplit_once('-')?;
        let flavour = Flavour::BOTH.into_iter().find(|known| known.short() == flavour)?;
        let (first, rest) = what.split_once('-').unwrap_or((what, ""));
        let cell = match (Work::ALL.into_iter().find(|known| known.name() == first), rest) {
            (None, _) => Self::of_conditions(what)?,
            (Some(Work::Idle), count) => Self::of(Work::Idle, flavour).over(count.parse().ok()?),
            (Some(Work::Echo), _) => return None,
            (Some(work), "") => Self::of(work, flavour),
            (Some(_), _) => return None,
        };
        Some(Self { flavour, ..cell })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.work {
            Work::Echo => write!(f, "{}", self.conditions())?,
            Work::Idle => write!(f, "{}-{}", self.work.name(), self.connections)?,
            work => write!(f, "{}", work.name())?,
        }
        write!(f, "-{}", self.flavour.short())
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| format!("`{text}` is no cell; one is `32-64-mt`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_cell_that_has_it() {
        let names = [
            "32-64-mt",
            "1k-1-ct",
            "64k-64-1452-mt",
            "1k-64-loss-ct",
            "32-256-c4-mt",
            "32-64-c4-loss-mt",
            "cold-ct",
            "down-mt",
            "up-ct",
            "idle-2000-mt",
        ];
        for name in names {
            let cell: Cell = name.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(cell.to_string(), name);
        }
    }

    #[test]
    fn what_is_no_cell_is_told() {
        let names =
            ["", "32-64", "32-mt", "echo-mt", "cold-3-mt", "idle-mt", "32-64-c-mt", "32-1-c4-mt"];
        for name in names.into_iter().chain(["32-64-lan-mt", "32-64-loss-c4-mt"]) {
            assert!(name.parse::<Cell>().is_err(), "{name}");
        }
    }
}
