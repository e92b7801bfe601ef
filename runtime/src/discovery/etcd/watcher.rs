//! A range of keys as it changes: read whole, watched from there on, and looked at now and then.
//!
//! # Why
//! A watch that is silent is one of nothing to tell, or one whose connection was forgotten by something on the way; and
//! an etcd that was set back tells nothing for as long as it is behind the revision that is watched from. So each watch
//! begins with a reading of everything, and a look at the store's latest change shows whether it was told. What was
//! compacted meanwhile matters only to a watch that goes on where another ended, and none does.
//!
//! # Invariants
//! 1. Between two attempts to reach etcd there is a pause, which grows, and is never the same for all.
//! 2. Whatever is wrong, what was known stays.

use std::{pin::Pin, time::Duration};

use sinew_core::{backoff::Backoff, limits, rng::unit_f64};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    super::Doubts,
    client::{Client, Failure, Messages},
    json::{Item, Keys, News, Range},
    view::{Agreement, View},
};
use crate::chance::Chance;

/// Follows a range of keys.
pub(super) struct Watcher {
    client: Client,
    keys: Keys,
    view: View,
    backoff: Backoff,
    /// Before the next attempt.
    pause: Option<Duration>,
    watching: Option<Watching>,
}

struct Watching {
    messages: Messages,
    look: Look,
    /// The last look saw something that was not told, and nothing was told since.
    is_suspect: bool,
}

/// When the store is looked at.
enum Look {
    /// Then, or a little after a doubt.
    At(Instant),
    /// Now.
    Now(Looking),
}

type Looking = Pin<Box<dyn Future<Output = Result<Range, Failure>> + Send>>;

/// What happens next to a watch.
enum Step {
    Told(Result<News, String>),
    Seen(Result<Range, Failure>),
    LookNow,
    LookSoon,
    Expired,
}

impl Watcher {
    /// Asks nothing before [`next`](Self::next).
    pub(super) fn new(client: Client, keys: Keys) -> Self {
        let (view, backoff) = (View::default(), Backoff::new());
        Self { client, keys, view, backoff, pause: None, watching: None }
    }

    /// Waits until there is something to know: the first time everything, then what changed. Otherwise why that is not
    /// known; what was known stays.
    pub(super) async fn next(&mut self, doubts: &mut Doubts) -> Result<(), String> {
        loop {
            let Some(watching) = &mut self.watching else {
                return self.begin().await;
            };
            let until = self.view.until();
            let step = watching.step(until, doubts).await;
            match step {
                Step::Expired if self.view.expire(Instant::now()) => return Ok(()),
                Step::Expired => {}
                Step::LookNow => {
                    let (client, question) = (self.client.clone(), self.keys.latest());
                    let asked = async move { client.range(question).await };
                    watching.look = Look::Now(Box::pin(asked));
                }
                Step::LookSoon => {
                    watching.look = Look::At(Instant::now() + limits::ETCD_LOOK_AGAIN)
                }
                Step::Told(Ok(news)) if news.canceled || news.compact_revision > 0 => {
                    // Nothing is wrong where it was compacted; everything is read again.
                    let why = news.cancel_reason;
                    let is_problem = news.compact_revision == 0 && !why.is_empty();
                    self.watching = None;
                    if is_problem {
                        return Err(self.failed(format!("it ended the watch: {why}")));
                    }
                }
                Step::Told(Ok(news)) => {
                    watching.is_suspect = false;
                    if self.view.hear(news.header, news.events) {
                        return Ok(());
                    }
                }
                // It may be back before anybody has to know.
                Step::Told(Err(why)) => {
                    tracing::debug!(%why, "etcd is asked again");
                    self.client.move_on();
                    self.watching = None;
                }
                Step::Seen(Err(why)) => {
                    self.watching = None;
                    return Err(self.failed(why.into_words()));
                }
                Step::Seen(Ok(latest)) => self.compare(&latest),
            }
        }
    }

    /// What holds now.
    pub(super) fn items(&self) -> Vec<&Item> {
        self.view.items()
    }

    /// There are more than are known.
    pub(super) fn is_cut(&self) -> bool {
        self.view.is_cut()
    }

    /// Reads everything, and watches from there on.
    async fn begin(&mut self) -> Result<(), String> {
        if let Some(pause) = self.pause.take() {
            sleep(pause).await;
        }
        // Also where the future is dropped: nobody begins twice without a pause.
        let pause = self.backoff.next(&mut Chance).min(limits::ETCD_PAUSE_MAX);
        self.pause = Some(pause);
        let question = self.keys.range(limits::ETCD_KEYS_MAX);
        let all = self.client.range(question).await.map_err(Failure::into_words)?;
        if self.view.all(all, Instant::now()) {
            tracing::warn!(
                "etcd was set back: what it knows nothing of any more is kept until whoever lives has announced himself"
            );
        }
        let question = self.keys.watch(self.view.next_revision());
        let messages = self.client.watch(question).await.map_err(Failure::into_words)?;
        self.watching = Some(Watching { messages, look: Look::later(), is_suspect: false });
        Ok(())
    }

    /// The next attempt has to wait.
    fn failed(&mut self, why: String) -> String {
        self.pause = Some(self.backoff.next(&mut Chance).min(limits::ETCD_PAUSE_MAX));
        why
    }

    /// What a look at the store says of the watch.
    fn compare(&mut self, latest: &Range) {
        let Some(watching) = &mut self.watching else { return };
        watching.look = Look::later();
        match self.view.agrees(latest) {
            Agreement::Yes => {
                watching.is_suspect = false;
                // It has lived for a while.
                self.backoff.reset();
            }
            Agreement::No if watching.is_suspect => {
                tracing::warn!("a watch of etcd has missed something: everything is read again");
                self.watching = None;
            }
            Agreement::No => {
                watching.is_suspect = true;
                watching.look = Look::At(Instant::now() + limits::ETCD_LOOK_AGAIN);
            }
            Agreement::SetBack => self.watching = None,
        }
    }
}

impl Watching {
    async fn step(&mut self, until: Option<Instant>, doubts: &mut Doubts) -> Step {
        let Self { messages, look, .. } = self;
        let soon = Instant::now() + limits::ETCD_LOOK_AGAIN;
        let is_late = matches!(look, Look::At(at) if *at > soon);
        tokio::select! {
            told = messages.next() => Step::Told(told),
            step = look.step() => step,
            () = sleep_until(until.unwrap_or(soon)), if until.is_some() => Step::Expired,
            () = doubts.raised(), if is_late => Step::LookSoon,
        }
    }
}

impl Look {
    /// By chance up to a fifth later or sooner, so that clients do not look in step.
    fn later() -> Self {
        let spread = 0.8 + unit_f64(&mut Chance) * 0.4;
        Self::At(Instant::now() + limits::ETCD_LOOK.mul_f64(spread))
    }

    async fn step(&mut self) -> Step {
        match self {
            Self::At(at) => {
                sleep_until(*at).await;
                Step::LookNow
            }
            Self::Now(looking) => Step::Seen(looking.await),
        }
    }
}
