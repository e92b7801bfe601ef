//! Why a call went where it went, or nowhere: what its client knew when it failed.

use std::{fmt, sync::Arc, time::Duration};

use sinew_core::plan::client::{Out, Phase, View};

use super::{Decision, millis};

/// Endpoints that are listed; of more only the number is told.
const LISTED: usize = 16;

/// What a client knew of a service's endpoints, what it had left for retries, and what it had decided last, when a call
/// failed, or at another moment of one that had an [`Account`](crate::Account).
///
/// ```text
/// 3 endpoints, 1 in use; 4.2 retries left
///   127.0.0.1:7001  in use, 0.3 ms, 2 calls at work
///   127.0.0.1:7002  left alone for 840 ms after failures in a row
///   127.0.0.1:7003  out of reach
///   1.2 s ago  127.0.0.1:7003  nobody listens at the port any more
///   0.2 s ago  127.0.0.1:7002  breaker open for 1000 ms: failures in a row
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    endpoints: Vec<Known>,
    /// How many there are.
    all: usize,
    /// Thousandths of a retry.
    budget: u64,
    panics: bool,
    decisions: Vec<Decision>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    name: Arc<str>,
    connected: bool,
    view: View,
    now: std::time::Instant,
}

impl Explanation {
    pub(crate) fn new(all: usize, budget: u64, panics: bool) -> Self {
        Self { endpoints: Vec::new(), all, budget, panics, decisions: Vec::new() }
    }

    /// The same, with what was decided last about the service.
    pub(crate) fn decided(mut self, decisions: Vec<Decision>) -> Self {
        self.decisions = decisions;
        self
    }

    /// One more endpoint, as long as there is room for it.
    pub(crate) fn add(
        &mut self,
        name: &Arc<str>,
        connected: bool,
        view: View,
        now: std::time::Instant,
    ) {
        if self.endpoints.len() < LISTED {
            self.endpoints.push(Known { name: Arc::clone(name), connected, view, now });
        }
    }

    /// How many endpoints the client knew.
    pub fn known(&self) -> usize {
        self.all
    }

    /// How many of those that are listed, 16 at most, took calls.
    pub fn in_use(&self) -> usize {
        self.endpoints.iter().filter(|known| known.is_in_use(self.panics)).count()
    }

    /// How many of those that are listed took calls at once, without a connection to be made first.
    pub(super) fn ready(&self) -> usize {
        let ready = |known: &&Known| known.connected && known.is_in_use(self.panics);
        self.endpoints.iter().filter(ready).count()
    }

    /// Those that are listed, 16 at most: the name of each, and what was known of it in words.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, String)> {
        self.endpoints.iter().map(|known| (&*known.name, known.to_string()))
    }

    /// What was decided last about the endpoints of the service, 8 decisions at most, the oldest first.
    /// [`Mesh::decisions`](crate::Mesh::decisions) has more of them.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// How many retries the budget had left.
    pub fn retries_left(&self) -> f64 {
        self.budget as f64 / 1000.0
    }
}

impl Known {
    fn is_in_use(&self, panics: bool) -> bool {
        let open = matches!(self.view.breaker, Phase::Open { .. } | Phase::Probing);
        self.view.out.is_none() && (!open || panics)
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.view.out {
            Some(Out::Draining) => return f.write_str("shuts down"),
            Some(Out::Unreachable) => return f.write_str("out of reach"),
            Some(Out::Silent) => return f.write_str("silent while calls were out"),
            Some(Out::NotServing) => return f.write_str("says that it cannot serve"),
            None => {}
        }
        match self.view.breaker {
            Phase::Open { until, cause } => {
                let left = until.saturating_duration_since(self.now);
                return write!(f, "left alone for {} after {}", millis(left), cause.words());
            }
            Phase::Probing => return f.write_str("tried again by one call, which is out"),
            Phase::Closed | Phase::Ramp => {}
        }
        f.write_str(if self.connected { "in use" } else { "not connected yet" })?;
        if let Some(latency) = self.view.latency {
            write!(f, ", {}", millis(round(latency)))?;
        }
        if self.view.at_work > 0 {
            write!(f, ", {} calls at work", self.view.at_work)?;
        }
        if self.view.weight < 1.0 {
            write!(f, ", {:.0} % of its share", self.view.weight * 100.0)?;
        }
        Ok(())
    }
}

/// Microseconds are enough.
fn round(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} endpoints, ", self.all)?;
        if self.endpoints.len() == self.all {
            write!(f, "{} in use; ", self.in_use())?;
        }
        write!(f, "{:.1} retries left", self.retries_left())?;
        if self.panics {
            f.write_str("; so many fail that all are used")?;
        }
        let widest = self.endpoints.iter().map(|known| known.name.len()).max().unwrap_or_default();
        for known in &self.endpoints {
            write!(f, "\n  {:<widest$}  {known}", &*known.name)?;
        }
        if self.endpoints.len() < self.all {
            write!(f, "\n  and {} more", self.all - self.endpoints.len())?;
        }
        for decision in &self.decisions {
            write!(f, "\n  {decision}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use sinew_core::plan::client::Cause;

    use super::*;

    fn view(out: Option<Out>, breaker: Phase) -> View {
        let latency = Some(Duration::from_nanos(310_400));
        View { out, breaker, at_work: 2, sent: 9, latency, weight: 1.0 }
    }

    #[test]
    fn each_endpoint_says_why_it_is_in_use_or_not() {
        let now = Instant::now();
        let until = now + Duration::from_millis(840);
        let open = Phase::Open { until, cause: Cause::InARow };
        let mut explanation = Explanation::new(5, 4200, false);
        for (name, view) in [
            ("a:1", view(None, Phase::Closed)),
            ("b:22", view(None, open)),
            ("c:3", view(Some(Out::Unreachable), Phase::Closed)),
            ("d:4", view(Some(Out::Silent), Phase::Closed)),
            ("e:5", View { weight: 0.25, ..view(None, Phase::Ramp) }),
        ] {
            explanation.add(&Arc::from(name), true, view, now);
        }
        assert_eq!(
            explanation.to_string(),
            "5 endpoints, 2 in use; 4.2 retries left\n  \
             a:1   in use, 0.3 ms, 2 calls at work\n  \
             b:22  left alone for 840 ms after failures in a row\n  \
             c:3   out of reach\n  \
             d:4   silent while calls were out\n  \
             e:5   in use, 0.3 ms, 2 calls at work, 25 % of its share"
        );
    }

    #[test]
    fn more_than_can_be_listed_are_counted() {
        let now = Instant::now();
        let mut explanation = Explanation::new(1000, 0, true);
        for _ in 0..1000 {
            explanation.add(&Arc::from("x:1"), true, view(None, Phase::Probing), now);
        }
        let text = explanation.to_string();
        assert_eq!(text.lines().count(), 1 + LISTED + 1, "{text}");
        assert!(text.starts_with("1000 endpoints, 0.0 retries left; so many fail"), "{text}");
        assert!(text.ends_with("and 984 more"), "{text}");
    }
}
