//! What became of one call, noted as it goes, for the ledger.
//!
//! # Why
//! A ledger is wanted when something went wrong; most calls go right. So a call notes a few numbers in place, and the
//! text is put together only for a failure that somebody will read.

use std::{sync::Arc, time::Duration};

use sinew_core::{
    codes::Code,
    ledger::{LedgerAttempt, LedgerCall, LedgerServer},
};
use tokio::time::Instant;

/// One call so far.
#[derive(Debug)]
pub(crate) struct Record {
    method: &'static str,
    started: Instant,
    total: Duration,
    code: Code,
    unfinished: bool,
    /// Nearly every call has one attempt: it takes no allocation.
    first: Option<AttemptNote>,
    more: Vec<AttemptNote>,
}

/// One attempt so far.
#[derive(Debug)]
struct AttemptNote {
    endpoint: Arc<str>,
    began: Instant,
    /// `None` while it is under way.
    took: Option<Duration>,
    code: Code,
    server: Option<ServerNote>,
}

/// What a server said of its part.
#[derive(Debug)]
pub(crate) struct ServerNote {
    pub(crate) queue_us: u64,
    pub(crate) work_us: u64,
    pub(crate) left_us: Option<u64>,
    pub(crate) calls: Vec<LedgerCall>,
}

impl Record {
    pub(crate) fn new(method: &'static str, started: Instant) -> Self {
        Self {
            method,
            started,
            total: Duration::ZERO,
            code: Code::Ok,
            unfinished: true,
            first: None,
            more: Vec::new(),
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// An attempt goes out.
    pub(crate) fn attempt(&mut self, endpoint: &Arc<str>, now: Instant) {
        let note = AttemptNote {
            endpoint: Arc::clone(endpoint),
            began: now,
            took: None,
            code: Code::Ok,
            server: None,
        };
        match &self.first {
            None => self.first = Some(note),
            Some(_) => self.more.push(note),
        }
    }

    fn last(&mut self) -> Option<&mut AttemptNote> {
        self.more.last_mut().or(self.first.as_mut())
    }

    /// The attempt that is under way has ended.
    pub(crate) fn attempt_ended(&mut self, code: Code, server: Option<ServerNote>, now: Instant) {
        if let Some(last) = self.last() {
            last.took = Some(now.saturating_duration_since(last.began));
            last.code = code;
            last.server = server;
        }
    }

    /// Two attempts are out: what is noted from here on is of the one that went to this endpoint.
    pub(crate) fn resume(&mut self, endpoint: &Arc<str>) {
        let (Some(first), more) = (&mut self.first, &mut self.more) else { return };
        let Some(last) = more.len().checked_sub(1) else { return };
        let of = |note: &AttemptNote| Arc::ptr_eq(&note.endpoint, endpoint);
        match more.iter().rposition(of) {
            Some(at) => more.swap(at, last),
            None if of(first) => std::mem::swap(first, &mut more[last]),
            None => {}
        }
    }

    /// The attempt at this endpoint was given up, for another one answered.
    pub(crate) fn attempt_lost(&mut self, endpoint: &Arc<str>, now: Instant) {
        self.resume(endpoint);
        self.attempt_ended(Code::Cancelled, None, now);
    }

    fn all(&self) -> impl Iterator<Item = &AttemptNote> {
        self.first.iter().chain(&self.more)
    }

    /// Whether an attempt is on its way: it may have run.
    pub(crate) fn is_under_way(&self) -> bool {
        self.all().any(|note| note.took.is_none())
    }

    /// How many attempts went out.
    pub(crate) fn attempts(&self) -> u8 {
        u8::try_from(self.all().count()).unwrap_or(u8::MAX)
    }

    /// The endpoint of the last attempt.
    pub(crate) fn endpoint(&self) -> Option<&Arc<str>> {
        self.more.last().or(self.first.as_ref()).map(|last| &last.endpoint)
    }

    /// The call has ended.
    pub(crate) fn ended(&mut self, code: Code, now: Instant) {
        self.total = now.saturating_duration_since(self.started);
        self.code = code;
        self.unfinished = false;
        for note in self.first.iter_mut().chain(&mut self.more).filter(|note| note.took.is_none()) {
            note.took = Some(now.saturating_duration_since(note.began));
            note.code = code;
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.total
    }

    /// The text of it. A call that is under way is shown as far as it came.
    pub(crate) fn into_ledger(mut self, now: Instant) -> LedgerCall {
        if self.unfinished {
            self.total = now.saturating_duration_since(self.started);
        }
        let started = self.started;
        let total = self.total;
        let began = self.all().map(|note| note.began).min().unwrap_or(started + total);
        let mut notes: Vec<AttemptNote> = self.first.into_iter().chain(self.more).collect();
        notes.sort_by_key(|note| note.began);
        let attempts = notes.into_iter().map(|note| LedgerAttempt {
            endpoint: note.endpoint.to_string(),
            started_us: micros(note.began.saturating_duration_since(started)),
            took_us: micros(note.took.unwrap_or(now.saturating_duration_since(note.began))),
            code: note.code,
            answered: note.server.map(|server| LedgerServer {
                queue_us: server.queue_us,
                work_us: server.work_us,
                left_us: server.left_us,
                calls: server.calls,
            }),
        });
        LedgerCall {
            method: self.method.to_owned(),
            total_us: micros(total),
            waited_us: micros(began.saturating_duration_since(started)),
            code: self.code,
            unfinished: self.unfinished,
            attempts: attempts.collect(),
            ..LedgerCall::default()
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
