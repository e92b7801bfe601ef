//! Who is compared: the rows of every table.

use std::fmt;

use crate::cells::{Cell, Network, Work};

/// A row of every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Contestant {
    Sinew,
    /// A build of sinew from which something was taken out.
    Without(Part),
    Lane,
    /// The lane over TLS and TCP.
    TlsLane,
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
            Self::TlsLane,
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
        let is_plain = cell == Cell::new(cell.payload, cell.in_flight, cell.flavour);
        match self {
            Self::Without(part) => is_plain && part.conditions() == (cell.payload, cell.in_flight),
            Self::Hyper | Self::Bridge => is_plain && (32, 64) == (cell.payload, cell.in_flight),
            Self::Sinew | Self::TonicTls => true,
            Self::Lane | Self::TarpcTls => !matches!(cell.work, Work::Down | Work::Up),
            Self::TlsLane => cell.work == Work::Echo,
            // Without TLS, which only some may do without.
            Self::Tonic | Self::Tarpc => {
                cell.work == Work::Echo && cell.network == Network::Loopback
            }
        }
    }

    /// What `peer` calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sinew | Self::Without(_) => "sinew",
            Self::Lane => "lane",
            Self::TlsLane => "tls-lane",
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
            Self::TlsLane => "bare TLS/TCP lane",
            Self::TonicTls => "tonic TLS",
            Self::Tonic => "tonic plaintext",
            Self::TarpcTls => "tarpc TLS",
            Self::Tarpc => "tarpc plaintext",
            Self::Hyper => "hyper, JSON",
            Self::Bridge => "sinew over hyper",
        })
    }
}
