//! What a client decided about its endpoints, and when: what rarely happens, for whoever asks why.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sinew_core::plan::client::Cause;

use super::millis;

/// One decision of a client, or something that it was told.
///
/// Printed, it is one line: `1.2 s ago  127.0.0.1:7002  breaker open for 840 ms: failures in a row`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// When, on the clock of this process; the last time, where it happened several times in a row.
    pub at: Instant,
    /// How long ago that was when it was asked for.
    pub ago: Duration,
    /// Which endpoint; `None` for what concerns all.
    pub endpoint: Option<Arc<str>>,
    /// What.
    pub what: Happening,
    /// How many times in a row, at least once.
    pub times: u32,
}

/// What a client decided, or was told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Happening {
    /// Endpoints were found, or are not there any more.
    Endpoints {
        /// How many are new.
        came: usize,
        /// How many are gone.
        went: usize,
        /// How many there are.
        known: usize,
    },
    /// A connection came about.
    Connected,
    /// A connection came about beside one that was dead.
    Replaced,
    /// No connection could be made.
    Unreachable {
        /// Why, in the words of the attempt; cut to 200 bytes.
        why: Box<str>,
    },
    /// The first attempt went there.
    FirstUse,
    /// It takes no more calls: it shuts down.
    Draining,
    /// It says that it cannot do the work of this service now.
    NotServing,
    /// It says that it can again.
    Serving,
    /// Its connection had become old, and calls moved to a new one.
    Renewed,
    /// A second connection came about, because the first was crowded.
    SecondConnected,
    /// The second connection takes no more calls: it ended, or is not needed any more.
    SecondEnded,
    /// Its connection ended.
    Disconnected,
    /// The host says that nobody listens at its port any more.
    PortClosed,
    /// Nothing was heard from it while calls were out: it gets no new ones.
    Silent,
    /// The silence lasts: calls that are out there are given up where there is another endpoint.
    Dead,
    /// It was heard again.
    Heard,
    /// Its breaker opened: it gets no calls for a while.
    BreakerOpened {
        /// Why.
        why: &'static str,
        /// For how long, at least.
        pause: Duration,
    },
    /// Its breaker ought to have opened, and too many others are out.
    BreakerSpared {
        /// Why it ought to.
        why: &'static str,
    },
    /// It is back: its breaker lets calls through again.
    BreakerClosed,
    /// So many breakers are open that none counts.
    PanicBegan,
    /// Breakers count again.
    PanicEnded,
    /// A retry was not made because the budget was used up.
    BudgetExhausted,
    /// Servers refuse most calls, so the client began to hold some back.
    ThrottleBegan,
    /// It holds none back any more.
    ThrottleEnded,
}

impl Happening {
    /// A breaker opened.
    pub(crate) fn opened(cause: Cause, pause: Duration) -> Self {
        Self::BreakerOpened { why: cause.words(), pause }
    }

    /// A breaker ought to have opened.
    pub(crate) fn spared(cause: Cause) -> Self {
        Self::BreakerSpared { why: cause.words() }
    }

    /// No connection could be made.
    pub(crate) fn unreachable(why: &str) -> Self {
        /// What a peer says when it closes a connection may be long.
        const LONGEST: usize = 200;
        Self::Unreachable { why: super::status::clip(why, LONGEST).into() }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoints { came, went, known } => {
                return write!(f, "endpoints: {came} came, {went} went, {known} known");
            }
            Self::Unreachable { why } => return write!(f, "out of reach: {}", one_line(why)),
            Self::BreakerOpened { why, pause } => {
                return write!(f, "breaker open for {}: {why}", millis(*pause));
            }
            Self::BreakerSpared { why } => {
                return write!(f, "breaker not opened, too many others are out: {why}");
            }
            Self::Connected => "connected",
            Self::Replaced => "reached by another connection",
            Self::FirstUse => "first used",
            Self::Draining => "shuts down, takes no more calls",
            Self::NotServing => "says that it cannot serve now",
            Self::Serving => "says that it serves again",
            Self::Renewed => "connection renewed, it was old",
            Self::SecondConnected => "a second connection, the first is crowded",
            Self::SecondEnded => "the second connection is gone",
            Self::Disconnected => "connection ended",
            Self::PortClosed => "nobody listens at the port any more",
            Self::Silent => "silent while calls were out",
            Self::Dead => "silent for too long, given up",
            Self::Heard => "heard again",
            Self::BreakerClosed => "breaker closed",
            Self::PanicBegan => "so many breakers are open that all endpoints are used",
            Self::PanicEnded => "breakers count again",
            Self::BudgetExhausted => "no budget for a retry",
            Self::ThrottleBegan => "calls are held back, the servers refuse most",
            Self::ThrottleEnded => "calls are not held back any more",
        })
    }
}

/// Words of a peer may hold line breaks; a decision is one line.
fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s ago  ", self.ago.as_secs_f64())?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, "{endpoint}  ")?;
        }
        write!(f, "{}", self.what)?;
        if self.times > 1 {
            write!(f, " ({} times)", self.times)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(endpoint: Option<&str>, what: Happening, times: u32) -> Decision {
        let ago = Duration::from_millis(1240);
        Decision { at: Instant::now(), ago, endpoint: endpoint.map(Arc::from), what, times }
    }

    #[test]
    fn a_decision_is_one_line_whatever_a_peer_said() {
        let opened = Happening::opened(Cause::InARow, Duration::from_millis(840));
        assert_eq!(
            decision(Some("127.0.0.1:7002"), opened, 1).to_string(),
            "1.2 s ago  127.0.0.1:7002  breaker open for 840 ms: failures in a row"
        );
        assert_eq!(
            decision(None, Happening::BudgetExhausted, 7).to_string(),
            "1.2 s ago  no budget for a retry (7 times)"
        );
        let said = format!("closed:\n\tgo away {}", "\u{e9}".repeat(500));
        let said = decision(Some("a:1"), Happening::unreachable(&said), 1).to_string();
        assert_eq!(said.lines().count(), 1);
        assert!(said.contains("out of reach: closed: go away") && said.len() < 260, "{said}");
    }
}
