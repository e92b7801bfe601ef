//! Whether anything of a connection's requests is not over: one on which nothing is does not have to be kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The requests of a connection that are not over.
///
/// Nobody is woken by a request: whoever waits looks when it may be time, for a wake-up is a turn of the whole connection.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    open: AtomicUsize,
    /// Microseconds after it began when the last of them was over.
    ended_us: AtomicU64,
}

/// One that is not; dropped, it is.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Default for Activity {
    fn default() -> Self {
        let (began, open, ended_us) = (Instant::now(), AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { began, open, ended_us }))
    }
}

impl Activity {
    /// A request has come.
    pub(super) fn open(&self) -> Open {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// Ready when none has been open for so long.
    ///
    /// # Cancel safety
    /// Nothing is lost: the time counts from when the last one was over.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let now = Instant::now();
            let over =
                self.0.began + Duration::from_micros(self.0.ended_us.load(Ordering::Acquire));
            let is_open = self.0.open.load(Ordering::Acquire) > 0;
            let until = if is_open { now } else { over } + time;
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Inner { began, open, ended_us } = &*self.0.0;
        let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        ended_us.fetch_max(us, Ordering::AcqRel);
        open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_is_what_has_had_nothing_open_for_the_whole_time() {
        let activity = Activity::default();
        let second = Duration::from_secs(1);
        let open = activity.open();
        let waiting = tokio::spawn({
            let activity = activity.clone();
            async move { activity.idle_for(second).await }
        });
        sleep(10 * second).await;
        assert!(!waiting.is_finished(), "a request is open");
        drop(open);
        sleep(second / 2).await;
        drop(activity.open());
        sleep(second * 3 / 4).await;
        assert!(!waiting.is_finished(), "there was another one meanwhile");
        sleep(second / 2).await;
        assert!(waiting.is_finished());
    }
}
