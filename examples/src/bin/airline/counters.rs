//! What each process counts of its own handlers, and how it was told to be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use sinew::{Code, Context, Mesh, Status};

use crate::{
    api::{Attempt, Counters, Counts, Mood},
    attempts::Attempts,
};

/// The numbers of this process. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tachograph(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    mesh: Option<Mesh>,
    handlers: AtomicU64,
    late: AtomicU64,
    slow_ms: AtomicU32,
    fails: AtomicBool,
    swallowed: AtomicBool,
    attempts: Attempts,
}

impl Tachograph {
    /// That of a process with this mesh, whose own calls are noted there.
    pub(crate) fn new(mesh: Mesh, attempts: Attempts) -> Self {
        Self(Arc::new(Numbers { mesh: Some(mesh), attempts, ..Numbers::default() }))
    }

    /// A handler begins: counts it, and returns the microseconds that its call has left.
    ///
    /// Nobody passed a deadline to this function, or to the handler that calls it: it came with the
    /// request and is simply there.
    pub(crate) fn begin(&self) -> u64 {
        self.0.handlers.fetch_add(1, Ordering::Relaxed);
        let left = Context::current().and_then(|context| context.remaining());
        let left =
            left.map_or(u64::MAX, |left| u64::try_from(left.as_micros()).unwrap_or(u64::MAX));
        if left == 0 {
            self.0.late.fetch_add(1, Ordering::Relaxed);
        }
        left
    }

    /// What this server was told to be: slow, or unable.
    pub(crate) async fn mood(&self) -> Result<(), Status> {
        if self.0.fails.load(Ordering::Relaxed) {
            return Err(Status::new(Code::Unavailable, "the tariff is being printed"));
        }
        let slow_ms = self.0.slow_ms.load(Ordering::Relaxed);
        if slow_ms > 0 {
            tokio::time::sleep(Duration::from_millis(slow_ms.into())).await;
        }
        Ok(())
    }

    /// Whether the network around this server swallows everything.
    pub(crate) fn swallowed(&self) -> bool {
        self.0.swallowed.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn add(&mut self, more: &Self) {
        let Self { handlers, late, lost_contexts, calls, retries, .. } = *more;
        self.handlers += handlers;
        self.late += late;
        self.lost_contexts += lost_contexts;
        self.calls += calls;
        self.retries += retries;
        self.legacy_http_calls += more.legacy_http_calls;
        self.policies += more.policies;
        self.policies_refused += more.policies_refused;
    }
}

impl Counters for Tachograph {
    async fn be(&self, mood: Mood) {
        self.0.slow_ms.store(mood.slow_ms, Ordering::Relaxed);
        self.0.fails.store(mood.fails, Ordering::Relaxed);
        self.0.swallowed.store(mood.swallowed, Ordering::Relaxed);
    }

    async fn attempts(&self, service: String, since_us: u64) -> Vec<Attempt> {
        self.0.attempts.since(&service, since_us)
    }

    async fn read(&self) -> Counts {
        let policy = self.0.mesh.as_ref().map(Mesh::policy_status);
        Counts {
            handlers: self.0.handlers.load(Ordering::Relaxed),
            late: self.0.late.load(Ordering::Relaxed),
            lost_contexts: sinew::lost_contexts(),
            calls: self.0.attempts.calls(),
            retries: self.0.attempts.retries(),
            legacy_http_calls: sinew::codec_counts().json,
            policies: policy.as_ref().map_or(0, |policy| policy.version),
            policies_refused: policy.is_some_and(|policy| policy.refused.is_some()).into(),
        }
    }
}
