//! Whether anything of a connection's requests is not over: one on which nothing is does not have to be kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

/// The requests of a connection that are not over.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: AtomicUsize,
    changed: Notify,
}

/// One that is not; dropped, it is.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Activity {
    /// A request has come.
    pub(super) fn open(&self) -> Open {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.changed.notify_one();
        Open(self.clone())
    }

    /// Ready when none has been open for so long.
    ///
    /// # Cancel safety
    /// The time begins anew.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            if self.0.open.load(Ordering::Relaxed) > 0 {
                self.0.changed.notified().await;
                continue;
            }
            tokio::select! {
                () = self.0.changed.notified() => {}
                () = sleep(time) => return,
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
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
