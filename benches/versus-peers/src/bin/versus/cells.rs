//! What is compared (contestants) and under which conditions (cells).

use std::{fmt, str::FromStr};

/// One condition: payload, calls in flight, runtime flavour. Written `32-64-mt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    /// Bytes each way.
    pub(crate) payload: usize,
    pub(crate) in_flight: usize,
    pub(crate) flavour: Flavour,
}

/// tokio's runtime, the same in both processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    MultiThread,
    CurrentThread,
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
    pub(crate) const fn new(payload: usize, in_flight: usize, flavour: Flavour) -> Self {
        Self { payload, in_flight, flavour }
    }

    /// The heading of its table.
    pub(crate) fn title(self) -> String {
        let (payload, flavour) = (self.payload, self.flavour.long());
        format!("{self}: {payload} B each way, {} in flight, {flavour}", self.in_flight)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload {
            whole if whole % 1024 == 0 => write!(f, "{}k", whole / 1024)?,
            odd => write!(f, "{odd}")?,
        }
        write!(f, "-{}-{}", self.in_flight, self.flavour.short())
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no cell; one is `32-64-mt`");
        let mut parts = text.split('-');
        let (Some(payload), Some(in_flight), Some(flavour), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let (digits, unit) = payload.strip_suffix('k').map_or((payload, 1), |kib| (kib, 1024));
        let flavour = Flavour::BOTH.into_iter().find(|known| known.short() == flavour);
        Ok(Self {
            payload: digits.parse::<usize>().map_err(|_| wrong())? * unit,
            in_flight: in_flight.parse().map_err(|_| wrong())?,
            flavour: flavour.ok_or_else(wrong)?,
        })
    }
}

/// A row of every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Contestant {
    Sinew,
    /// A build of sinew from which something was taken out.
    Without(Part),
    Lane,
    TonicTls,
    Tonic,
    TarpcTls,
    Tarpc,
    /// Over HTTP/1.1, in JSON: hyper used directly.
    Hyper,
    /// The same through the typed client and the bridge.
    Bridge,
}

/// What can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// What decides where a call goes, whether, and what follows: the first endpoint takes all.
    Mesh,
    /// The bounds of the decoders and the check of the encoder.
    Guard,
}

impl Part {
    pub(crate) const BOTH: [Self; 2] = [Self::Mesh, Self::Guard];

    /// Payload and calls in flight of the cells in which it is worth a row.
    pub(crate) const fn conditions(self) -> (usize, usize) {
        match self {
            Self::Mesh => (32, 256),
            Self::Guard => (32, 64),
        }
    }

    /// As in `--without-mesh`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Guard => "guard",
        }
    }
}

impl Contestant {
    /// Those that this build can run, in the order in which they do.
    pub(crate) fn built() -> Vec<Self> {
        let all = [
            Self::Sinew,
            Self::Without(Part::Mesh),
            Self::Without(Part::Guard),
            Self::Lane,
            Self::TonicTls,
            Self::Tonic,
            Self::TarpcTls,
            Self::Tarpc,
            Self::Hyper,
            Self::Bridge,
        ];
        let ours = [Self::Sinew.name(), Self::Bridge.name()];
        let runs = |one: &Self| cfg!(feature = "sinew") || !ours.contains(&one.name());
        all.into_iter().filter(runs).collect()
    }

    /// Whether it is worth a row there.
    pub(crate) fn runs_in(self, cell: Cell) -> bool {
        match self {
            Self::Without(part) => part.conditions() == (cell.payload, cell.in_flight),
            Self::Hyper | Self::Bridge => (32, 64) == (cell.payload, cell.in_flight),
            _ => true,
        }
    }

    /// What `peer` calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sinew | Self::Without(_) => "sinew",
            Self::Lane => "lane",
            Self::TonicTls => "tonic-tls",
            Self::Tonic => "tonic",
            Self::TarpcTls => "tarpc-tls",
            Self::Tarpc => "tarpc",
            Self::Hyper => "hyper",
            Self::Bridge => "bridge",
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sinew => "sinew (mTLS)",
            Self::Without(Part::Mesh) => "its mesh taken out",
            Self::Without(Part::Guard) => "its guard taken out",
            Self::Lane => "bare quinn lane",
            Self::TonicTls => "tonic TLS",
            Self::Tonic => "tonic plaintext",
            Self::TarpcTls => "tarpc TLS",
            Self::Tarpc => "tarpc plaintext",
            Self::Hyper => "hyper, JSON",
            Self::Bridge => "sinew over hyper",
        })
    }
}
