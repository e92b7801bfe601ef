//! Which stripe of a striped counter a thread writes to: its own, as long as there are no more threads than stripes.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// More than these cores share stripes: a stripe is memory per endpoint.
const STRIPES_MAX: usize = 8;

thread_local! {
    static OWN: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed)
    };
}

/// The number of this thread, counted as threads first ask.
pub(crate) fn own() -> usize {
    OWN.with(|own| *own)
}

/// How many stripes pay: as many as threads run at the same time.
pub(crate) fn count() -> usize {
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, |n| n.get().min(STRIPES_MAX)));
    *COUNT
}
