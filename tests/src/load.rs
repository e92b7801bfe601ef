//! Calls that go on beside what a test does, of which none may fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sinew::Status;
use tokio::task::JoinSet;

use crate::{
    probe::ProbeClient,
    wait::{ms, until},
};

/// Calls that may be repeated, without a pause until it is told to end.
#[derive(Debug)]
pub struct Load {
    over: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    callers: JoinSet<Vec<Status>>,
}

impl Load {
    /// On this client, by twelve callers.
    pub fn on(client: &ProbeClient) -> Self {
        let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..12 {
            let (client, over, made) = (client.clone(), Arc::clone(&over), Arc::clone(&made));
            callers.spawn(async move {
                let mut failures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    failures.extend(client.echo_again("x".into()).await.err());
                    made.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ms(2)).await;
                }
                failures
            });
        }
        Self { over, made, callers }
    }

    /// Waits until so many more calls have ended.
    pub async fn goes_on(&self, calls: u64) {
        let goal = self.made.load(Ordering::Relaxed) + calls;
        until("the load goes on", || self.made.load(Ordering::Relaxed) >= goal).await;
    }

    /// Ends it. None of its calls has failed.
    pub async fn no_failures(self) {
        self.over.store(true, Ordering::Relaxed);
        let failures = self.callers.join_all().await.concat();
        let first = failures.first();
        assert!(
            first.is_none(),
            "{} failed, first {first:?}; {}",
            failures.len(),
            first.and_then(Status::explain).map(ToString::to_string).unwrap_or_default()
        );
    }
}
