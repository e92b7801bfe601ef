//! What is counted of the calls of one method: on the calling side, and on the serving one.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew_core::codes::{Code, Disposition, Reason};

use super::{
    families::Family,
    page::Page,
    stripes::{BUCKETS, Striped, bucket},
};
use crate::error::Status;

/// What a call, or a handler, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// A value, or a stream.
    Ok,
    /// The service's own error.
    App,
    /// A status.
    Status(Code),
}

/// What stands for the service's own error where others have a code.
const APP: &str = "AppError";

/// What is counted of nearly every call, in stripes.
#[derive(Debug, Default)]
struct Common {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
    ok: AtomicU64,
    app: AtomicU64,
}

/// How long the calls took, read out.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) buckets: [u64; BUCKETS],
    pub(super) sum_ns: u64,
}

/// Calls by what they came to, and what they took.
#[derive(Debug, Default)]
struct Results {
    common: Striped<Common>,
    codes: [AtomicU64; Code::ALL.len()],
}

impl Results {
    #[inline]
    fn add(&self, came: Came, took: Duration) {
        self.add_time(took, |common| match came {
            Came::Ok => Some(&common.ok),
            Came::App => Some(&common.app),
            Came::Status(_) => None,
        });
        if let Came::Status(code) = came {
            self.codes[code as usize].fetch_add(1, Relaxed);
        }
    }

    #[inline]
    fn add_time(&self, took: Duration, also: impl FnOnce(&Common) -> Option<&AtomicU64>) {
        let common = self.common.own();
        let nanos = u64::from(took.subsec_nanos());
        let nanos = took.as_secs().wrapping_mul(1_000_000_000).wrapping_add(nanos);
        common.buckets[bucket(took)].fetch_add(1, Relaxed);
        common.sum_ns.fetch_add(nanos, Relaxed);
        if let Some(also) = also(common) {
            also.fetch_add(1, Relaxed);
        }
    }

    fn times(&self) -> Times {
        let buckets = std::array::from_fn(|at| self.sum(|common| &common.buckets[at]));
        Times { buckets, sum_ns: self.sum(|common| &common.sum_ns) }
    }

    fn sum(&self, of: impl Fn(&Common) -> &AtomicU64) -> u64 {
        self.common.sum(|common| of(common).load(Relaxed))
    }

    /// By name, with those that are `beside` these.
    fn write(
        &self,
        page: &mut Page,
        family: Family,
        (service, method): (&str, &str),
        beside: impl Fn(Code) -> u64,
    ) -> u64 {
        let (ok, app) = (self.sum(|common| &common.ok), self.sum(|common| &common.app));
        page.add(family, &[service, method, Code::Ok.name()], ok);
        page.add_some(family, &[service, method, APP], app);
        let mut all = ok + app;
        for code in Code::ALL {
            let of_code = self.codes[code as usize].load(Relaxed);
            all += of_code;
            page.add_some(family, &[service, method, code.name()], of_code + beside(code));
        }
        all
    }
}

/// Something that happens to some calls, and is counted when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// Another attempt, because the last one was never sent.
    RetryNotSent,
    /// ... the endpoint shuts down.
    RetryDraining,
    /// ... it has too much to do.
    RetryOverloaded,
    /// ... its connection broke, or it fell silent.
    RetryConnectionLost,
    /// ... the two ends first had to agree on a codec.
    RetryCodec,
    /// ... it failed in another way.
    RetryFailed,
    /// No other attempt, for there was no budget left.
    NoBudget,
    /// ... no time.
    NoTime,
    /// ... it had all its attempts.
    NoAttempts,
    /// An attempt went out beside one that was not answered yet.
    Hedged,
    /// It answered first.
    HedgeWon,
    /// An attempt was taken back, because another one answered first.
    HedgeWasted,
    /// The bulkhead was full.
    Waited,
    /// ... and stayed so.
    BulkheadFull,
    /// The client held the call back.
    Throttled,
    /// A copy of it was answered.
    MirrorAnswered,
    /// ... failed, or took too long.
    MirrorFailed,
    /// ... was not sent, for as many are out as may be.
    MirrorFull,
    /// ... was not sent, for there is too much to do.
    MirrorOverloaded,
    /// ... was not sent, for nobody who is to get copies can be asked now.
    MirrorNoEndpoint,
}

impl Happened {
    const ALL: [(Self, Family, &'static [&'static str]); 20] = [
        (Self::RetryNotSent, Family::Retries, &["not_sent"]),
        (Self::RetryDraining, Family::Retries, &["draining"]),
        (Self::RetryOverloaded, Family::Retries, &["overloaded"]),
        (Self::RetryConnectionLost, Family::Retries, &["connection_lost"]),
        (Self::RetryCodec, Family::Retries, &["codec"]),
        (Self::RetryFailed, Family::Retries, &["failed"]),
        (Self::NoBudget, Family::RetriesRefused, &["budget"]),
        (Self::NoTime, Family::RetriesRefused, &["time"]),
        (Self::NoAttempts, Family::RetriesRefused, &["attempts"]),
        (Self::Hedged, Family::Hedges, &[]),
        (Self::HedgeWon, Family::HedgesWon, &[]),
        (Self::HedgeWasted, Family::HedgesWasted, &[]),
        (Self::Waited, Family::BulkheadWaits, &[]),
        (Self::BulkheadFull, Family::BulkheadRefusals, &[]),
        (Self::Throttled, Family::Throttled, &[]),
        (Self::MirrorAnswered, Family::Mirrored, &["answered"]),
        (Self::MirrorFailed, Family::Mirrored, &["failed"]),
        (Self::MirrorFull, Family::Mirrored, &["full"]),
        (Self::MirrorOverloaded, Family::Mirrored, &["overloaded"]),
        (Self::MirrorNoEndpoint, Family::Mirrored, &["no_endpoint"]),
    ];

    /// The cause of an attempt that follows this failure.
    pub(crate) fn retry_after(status: &Status) -> Self {
        match (status.disposition(), status.reason(), status.code()) {
            (Disposition::NotSent, ..) => Self::RetryNotSent,
            (_, Reason::Draining, _) => Self::RetryDraining,
            (_, _, Code::ResourceExhausted) => Self::RetryOverloaded,
            (_, Reason::ConnectionLost | Reason::LaneStalled, _) => Self::RetryConnectionLost,
            _ => Self::RetryFailed,
        }
    }
}

/// One method, as a client calls it.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Calls of which at least one attempt went out.
    results: Results,
    /// Those of which none did.
    unsent: [AtomicU64; Code::ALL.len()],
    /// Attempts beyond the first.
    more: AtomicU64,
    happened: [AtomicU64; Happened::ALL.len()],
}

impl Calls {
    /// A call ended after so many attempts.
    #[inline]
    pub(crate) fn ended(&self, came: Came, took: Duration, attempts: u8) {
        match (came, attempts) {
            (Came::Status(code), 0) => {
                self.results.add_time(took, |_| None);
                self.unsent[code as usize].fetch_add(1, Relaxed);
            }
            _ => self.results.add(came, took),
        }
        if attempts > 1 {
            self.more.fetch_add(u64::from(attempts) - 1, Relaxed);
        }
    }

    /// It happened to a call.
    #[cold]
    pub(crate) fn note(&self, happened: Happened) {
        self.happened[happened as usize].fetch_add(1, Relaxed);
    }

    fn write(&self, page: &mut Page, service: &str, method: &str) {
        let unsent = |code: Code| self.unsent[code as usize].load(Relaxed);
        let labels = (service, method);
        // Read before what it is added to: a sum that is read twice must not become less.
        let first = self.results.write(page, Family::Calls, labels, unsent);
        page.add_times(Family::CallSeconds, &[service, method], &self.results.times());
        page.add(Family::Attempts, &[service, method], first + self.more.load(Relaxed));
        for (happened, family, label) in Happened::ALL {
            let count = self.happened[happened as usize].load(Relaxed);
            page.add_some(family, &[&[service, method], label].concat(), count);
        }
    }
}

/// One method, as a server serves it.
#[derive(Debug, Default)]
pub(crate) struct Served {
    results: Results,
    cancelled: AtomicU64,
    panics: AtomicU64,
}

impl Served {
    /// A handler is gone.
    #[inline]
    pub(crate) fn ended(&self, came: Came, worked: Duration) {
        self.results.add(came, worked);
    }

    /// A handler was dropped because nobody waits for it.
    pub(crate) fn cancelled(&self, worked: Duration) {
        self.results.add_time(worked, |_| None);
        self.cancelled.fetch_add(1, Relaxed);
    }

    /// A handler panicked.
    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    pub(super) fn write(&self, page: &mut Page, service: &str, method: &str) {
        self.results.write(page, Family::ServedCalls, (service, method), |_| 0);
        page.add_times(Family::ServedSeconds, &[service, method], &self.results.times());
        let labels = &[service, method];
        page.add_some(Family::ServedCancelled, labels, self.cancelled.load(Relaxed));
        page.add_some(Family::ServedPanics, labels, self.panics.load(Relaxed));
    }
}

/// Lists of methods by the last bits of their id.
const LISTS: usize = 32;

/// The methods of a service that were called, found by their id without a lock. Nothing is ever taken out: what is in it
/// is in the program's text.
#[derive(Debug, Default)]
pub(super) struct Table([OnceLock<Box<Entry>>; LISTS]);

#[derive(Debug)]
struct Entry {
    id: u64,
    name: &'static str,
    calls: Calls,
    next: OnceLock<Box<Entry>>,
}

impl Table {
    #[inline]
    pub(super) fn get(&self, id: u64, name: &'static str) -> &Calls {
        let mut place = &self.0[id as usize % LISTS];
        loop {
            let entry = place.get_or_init(|| {
                Box::new(Entry { id, name, calls: Calls::default(), next: OnceLock::new() })
            });
            if entry.id == id {
                return &entry.calls;
            }
            place = &entry.next;
        }
    }

    /// Sorted by name.
    pub(super) fn write(&self, page: &mut Page, service: &str) {
        let lists = self.0.iter().filter_map(OnceLock::get);
        let entries =
            lists.flat_map(|first| std::iter::successors(Some(first), |entry| entry.next.get()));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|entry| entry.name);
        for entry in entries {
            entry.calls.write(page, service, entry.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_has_one_line_each_in_the_order_of_its_numbers() {
        for (at, (happened, family, label)) in Happened::ALL.iter().enumerate() {
            assert_eq!(*happened as usize, at);
            assert_eq!(family.labels().len(), 2 + label.len(), "{happened:?}");
        }
    }

    #[test]
    fn a_method_is_found_again_among_many_of_its_list() {
        let table = Table::default();
        let ids = || (0..200).map(|n: u64| n * LISTS as u64 + 7);
        for id in ids() {
            (0..id).take(3).for_each(|_| table.get(id, "m").note(Happened::Hedged));
        }
        for id in ids() {
            let seen = table.get(id, "m").happened[Happened::Hedged as usize].load(Relaxed);
            assert_eq!(seen, id.min(3));
        }
    }

    #[test]
    fn attempts_are_those_of_calls_that_had_any() {
        let calls = Calls::default();
        let took = Duration::from_millis(1);
        calls.ended(Came::Ok, took, 1);
        calls.ended(Came::App, took, 3);
        calls.ended(Came::Status(Code::Unavailable), took, 2);
        calls.ended(Came::Status(Code::Unavailable), took, 0);
        let mut page = Page::new();
        calls.write(&mut page, "S", "m");
        let text = page.to_string();
        let labels = "service=\"S\",method=\"m\"";
        for line in [
            format!("sinew_client_attempts_total{{{labels}}} 6"),
            format!("sinew_client_calls_total{{{labels},result=\"Ok\"}} 1"),
            format!("sinew_client_calls_total{{{labels},result=\"AppError\"}} 1"),
            format!("sinew_client_calls_total{{{labels},result=\"Unavailable\"}} 2"),
            format!("sinew_client_call_duration_seconds_count{{{labels}}} 4"),
            format!("sinew_client_call_duration_seconds_sum{{{labels}}} 0.004"),
            format!("sinew_client_call_duration_seconds_bucket{{{labels},le=\"0.000512\"}} 0"),
            format!("sinew_client_call_duration_seconds_bucket{{{labels},le=\"0.001024\"}} 4"),
            format!("sinew_client_call_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 4"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
