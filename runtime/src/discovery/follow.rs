//! The sources of one client, asked side by side, and the list that follows from what they say.
//!
//! # Invariants
//! 1. A source that is slow or broken holds up no other.
//! 2. What was kept on disk is used when its source has failed, or has said nothing for a while, or lists nobody at
//!    first; not before.
//! 3. Who says that he is somebody who may not answer is not on the list. Saying the right name lets nobody answer.

use std::sync::Arc;

use sinew_core::{
    limits,
    policy::roster::{Heard, Roster, Snapshot, Withdrawn},
    spiffe::SpiffeId,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Doubts, Entry, LastGood, Source};

/// Where a client's endpoints come from.
pub(crate) struct Sources {
    pub(crate) all: Vec<Box<dyn Source>>,
    /// Who may answer.
    pub(crate) expected: SpiffeId,
    /// Where the last good lists are kept, if they are.
    pub(crate) last_good: Option<LastGood>,
}

/// What there is to know.
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    /// The endpoints are these from now on.
    Endpoints(Vec<Entry>),
    /// What is wrong with a source, by its number; `None` when it is well.
    Problem(usize, Option<String>),
}

/// The sources as they are followed.
struct Following {
    roster: Roster<Entry>,
    sources: Vec<Followed>,
    expected: SpiffeId,
    last_good: Option<LastGood>,
    /// When what was kept of silent sources is used.
    patience: Instant,
}

/// One source, as whoever follows it sees it.
struct Followed {
    name: Arc<str>,
    is_kept: bool,
    /// It was not heard yet, and what was kept of it is not in use.
    silent: bool,
    problem: Option<String>,
}

type Said = (usize, Result<Snapshot<Entry>, String>);

/// Tells what there is to know, until nobody wants to.
///
/// # Cancel safety
/// When the future is dropped, no source is asked any more.
pub(crate) async fn follow(
    sources: Sources,
    doubts: Doubts,
    mut tell: impl FnMut(News) -> bool + Send,
) {
    let Sources { all, expected, last_good } = sources;
    let mut following = Following {
        roster: Roster::new(all.len()),
        sources: Vec::new(),
        expected,
        last_good,
        patience: Instant::now() + limits::LAST_GOOD_AFTER,
    };
    let (say, mut said) = mpsc::channel(limits::SOURCES_MAX);
    let mut asking = JoinSet::new();
    for (at, source) in all.into_iter().enumerate() {
        let is_kept = source.is_kept() && following.last_good.is_some();
        let name = source.name().into();
        following.sources.push(Followed { name, is_kept, silent: is_kept, problem: None });
        asking.spawn(ask(at, source, doubts.clone(), say.clone()));
    }
    loop {
        if let Some(list) = following.roster.poll(now())
            && !tell(News::Endpoints(list))
        {
            return;
        }
        let wakeup = following.wakeup();
        tokio::select! {
            biased;
            heard = said.recv() => {
                let Some((at, heard)) = heard else { return };
                if let Some(news) = following.hear(at, heard).await && !tell(news) {
                    return;
                }
            }
            () = sleep_until(wakeup.unwrap_or(following.patience)), if wakeup.is_some() => {
                following.restore_silent().await;
            }
        }
    }
}

impl Following {
    fn wakeup(&self) -> Option<Instant> {
        let waits = self.sources.iter().any(|source| source.silent);
        let wakeup = self.roster.next_wakeup().map(Instant::from_std);
        wakeup.into_iter().chain(waits.then_some(self.patience)).min()
    }

    /// A source says something. What is news of its health is returned.
    async fn hear(&mut self, at: usize, heard: Result<Snapshot<Entry>, String>) -> Option<News> {
        let (heard, problem) = accepted(heard, &self.expected);
        let failed = heard == Heard::Failed;
        let source = &mut self.sources[at];
        if let Some(kept) = &self.last_good
            && source.silent
            && (failed || lists_nobody(&heard))
        {
            restore(source, at, kept, &mut self.roster).await;
        }
        let news = self.roster.hear(at, heard, now());
        if let Some(kept) = &self.last_good
            && source.is_kept
            && news
        {
            save(source, kept, self.roster.listed(at).to_vec()).await;
        }
        source.silent &= failed;
        (source.problem != problem).then(|| {
            source.say(problem.as_deref(), failed);
            source.problem.clone_from(&problem);
            News::Problem(at, problem)
        })
    }

    /// What was kept of those that still say nothing is used from now on, if it is time.
    async fn restore_silent(&mut self) {
        let Some(kept) = self.last_good.as_ref().filter(|_| Instant::now() >= self.patience) else {
            return;
        };
        for (at, source) in self.sources.iter_mut().enumerate().filter(|(_, source)| source.silent)
        {
            restore(source, at, kept, &mut self.roster).await;
        }
    }
}

/// Whether an answer is empty, and does not say of all that they were taken back: so does a directory that has forgotten
/// everything.
fn lists_nobody(heard: &Heard<Entry>) -> bool {
    match heard {
        Heard::Snapshot(Snapshot { endpoints, withdrawn: Withdrawn::Ids(_) }) => {
            endpoints.is_empty()
        }
        Heard::Snapshot(_) | Heard::Failed => false,
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Asks a source for as long as anybody listens.
async fn ask(at: usize, mut source: Box<dyn Source>, mut doubts: Doubts, say: mpsc::Sender<Said>) {
    loop {
        let heard = source.next(&mut doubts).await;
        if say.send((at, heard)).await.is_err() {
            return;
        }
    }
}

/// What may be used of an answer, and what is wrong with it.
fn accepted(
    heard: Result<Snapshot<Entry>, String>,
    expected: &SpiffeId,
) -> (Heard<Entry>, Option<String>) {
    let mut snapshot = match heard {
        Ok(snapshot) => snapshot,
        Err(why) => return (Heard::Failed, Some(why)),
    };
    #[cfg(feature = "fuzzing")]
    if snapshot.endpoints.is_empty() && crate::planted::is(crate::planted::Planted::EmptyAccepted) {
        snapshot.withdrawn = Withdrawn::Rest;
    }
    let mut problem = None;
    snapshot.endpoints.retain(|entry| match &entry.about.identity {
        Some(id) if id != expected => {
            let address = &entry.address;
            problem =
                Some(format!("{address} says that it is `{id}`, and only `{expected}` may answer"));
            false
        }
        _ => true,
    });
    (Heard::Snapshot(snapshot), problem)
}

async fn restore(source: &mut Followed, at: usize, kept: &LastGood, roster: &mut Roster<Entry>) {
    source.silent = false;
    let (kept, name) = (kept.clone(), Arc::clone(&source.name));
    let loaded = tokio::task::spawn_blocking(move || kept.load(&name)).await.unwrap_or_default();
    if !loaded.is_empty() {
        tracing::info!(
            source = &*source.name,
            endpoints = loaded.len(),
            "endpoints of an earlier start are used until their source answers"
        );
        roster.restore(at, loaded, now());
    }
}

async fn save(source: &Followed, kept: &LastGood, listed: Vec<Entry>) {
    let (kept, name) = (kept.clone(), Arc::clone(&source.name));
    // A panic there is not ours, and was printed.
    let _ = tokio::task::spawn_blocking(move || kept.save(&name, &listed)).await;
}

impl Followed {
    fn say(&self, problem: Option<&str>, failed: bool) {
        let name = &*self.name;
        match problem {
            Some(why) if failed => tracing::warn!("`{name}`: {why}; what was known last stays"),
            Some(why) => tracing::warn!("`{name}`: {why}"),
            None => tracing::info!("`{name}` is well again"),
        }
    }
}

#[cfg(test)]
mod tests;
