//! Who is compared, and what is done to the replicas.

use std::{fmt, str::FromStr};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    Sinew,
    Tonic,
    TonicRetry,
    Envoy,
}

/// What happens to the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// One is killed (SIGKILL), and started again at the end.
    Kill,
    /// One stands still (SIGSTOP), and goes on at the end (SIGCONT).
    Freeze,
    /// The handlers of one fail at once.
    FailFast,
    /// One takes twenty times as long.
    Slow,
    /// All are told to stop (SIGTERM), one after the other, and started again.
    Restart,
    /// The handlers of all fail at once.
    AllFail,
}

impl Contender {
    pub(crate) const ALL: [Self; 4] = [Self::Sinew, Self::Tonic, Self::TonicRetry, Self::Envoy];

    /// As it is written everywhere.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sinew => "sinew",
            Self::Tonic => "tonic",
            Self::TonicRetry => "tonic_retry",
            Self::Envoy => "envoy",
        }
    }
}

impl Fault {
    pub(crate) const ALL: [Self; 6] =
        [Self::Kill, Self::Freeze, Self::FailFast, Self::Slow, Self::Restart, Self::AllFail];

    /// As it is written everywhere.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::FailFast => "fail_fast",
            Self::Slow => "slow",
            Self::Restart => "restart",
            Self::AllFail => "all_fail",
        }
    }

    /// For the table.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Kill => "one replica of three is killed (SIGKILL)",
            Self::Freeze => "one replica of three is frozen (SIGSTOP)",
            Self::FailFast => "one replica of three fails each call at once",
            Self::Slow => "one replica of three takes 20 times as long",
            Self::Restart => "all replicas are restarted in turn (SIGTERM)",
            Self::AllFail => "all replicas fail each call at once",
        }
    }

    /// Whether it is one replica that it happens to: then that one can be left, and returned to.
    pub(crate) const fn has_victim(self) -> bool {
        match self {
            Self::Kill | Self::Freeze | Self::FailFast | Self::Slow => true,
            Self::Restart | Self::AllFail => false,
        }
    }

    /// Whether a call that the victim executed is one that the fault touched. One that is dead or frozen executes
    /// nothing, or too late.
    pub(crate) const fn executes(self) -> bool {
        matches!(self, Self::FailFast | Self::Slow)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sinew => "sinew",
            Self::Tonic => "tonic balance_list",
            Self::TonicRetry => "the same, 3 attempts",
            Self::Envoy => "tonic through Envoy",
        })
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| format!("no contender `{text}`"))
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| format!("no fault `{text}`"))
    }
}
