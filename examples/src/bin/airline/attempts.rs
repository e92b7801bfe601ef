//! Where the calls of a process really go: an interceptor around each attempt, which writes it down.
//!
//! A call is answered once, however often it was tried. The times at which servers are left and used again, and what
//! retries cost, are read off the attempts. A stream has one attempt, which no interceptor sees: it is not counted.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use sinew::{MeshBuilder, Next, Request};

use crate::api::Attempt;

/// The last so many are kept, which is a minute's worth of 900 travellers, and fits into one message.
const KEPT: usize = 1 << 15;

/// The attempts of this process. Clones write into the same log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Log>);

#[derive(Debug, Default)]
struct Log {
    calls: AtomicU64,
    retries: AtomicU64,
    last: Mutex<VecDeque<(&'static str, Attempt)>>,
}

impl Attempts {
    /// A mesh whose clients write down here where they try.
    pub(crate) fn of(&self, mesh: MeshBuilder) -> MeshBuilder {
        let attempts = self.clone();
        mesh.intercept_attempts(move |request: Request, next: Next| {
            attempts.note(&request);
            next.run(request)
        })
    }

    fn note(&self, request: &Request) {
        let count = if request.attempt() == 0 { &self.0.calls } else { &self.0.retries };
        count.fetch_add(1, Ordering::Relaxed);
        let port = request.endpoint().and_then(|endpoint| endpoint.rsplit(':').next());
        let Some(Ok(port)) = port.map(str::parse) else { return };
        let mut last = self.last();
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back((request.method().service(), Attempt { at_us: now_us(), port }));
    }

    fn last(&self) -> MutexGuard<'_, VecDeque<(&'static str, Attempt)>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of one service since a time.
    pub(crate) fn since(&self, service: &str, since_us: u64) -> Vec<Attempt> {
        let last = self.last();
        let wanted = last.iter().filter(|(of, at)| *of == service && at.at_us >= since_us);
        wanted.map(|(_, attempt)| *attempt).collect()
    }

    /// Calls that were tried at all.
    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Attempts that were not the first of their call.
    pub(crate) fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }
}

/// Microseconds since 1970, by the clock that all processes of a machine share.
pub(crate) fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
