//! What each process counts of its own handlers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sinew::Context;

use crate::api::{Counters, Counts};

/// The numbers of this process. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tachograph(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    handlers: AtomicU64,
    late: AtomicU64,
}

impl Tachograph {
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
}

impl Counters for Tachograph {
    async fn read(&self) -> Counts {
        Counts {
            handlers: self.0.handlers.load(Ordering::Relaxed),
            late: self.0.late.load(Ordering::Relaxed),
            lost_contexts: sinew::lost_contexts(),
        }
    }
}
