//! Waiting for things to happen, with limits that only a hang reaches.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// Far longer than anything takes that these tests wait for, on the slowest machine.
pub const LONG: Duration = Duration::from_secs(30);

/// The output of `future`, which must come before [`LONG`] is over.
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(LONG, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what}: did not happen within {LONG:?} ({caller})"),
        }
    }
}

/// Waits until `done` says yes.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < LONG, "{what}: did not come true within {LONG:?} ({caller})");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Milliseconds, as tests write them.
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
