//! When an endpoint that speaks another protocol is taken for dead.
//!
//! # Why
//! QUIC acknowledges every packet, so that a slow handler and a dead process can be told apart at once. Others cannot:
//! between a request and its answer there is nothing to hear. So a call is only *overdue* when it has waited far longer
//! than calls of its method lately did, and only an overdue call makes one ask; a question without an answer is silence,
//! judged by the same rules as sinew's own ([`Silence`]).
//!
//! A method of which few calls have been answered has no usual time, and is waited for until its deadline.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sinew_core::{
    ids::MethodId,
    limits,
    policy::silence::{Life, Silence},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::Remote;

/// How often an endpoint that is being asked is looked at.
const LOOK: Duration = Duration::from_millis(25);
/// What stands for the probe time-out of a connection of which none is known.
const PTO: Duration = Duration::from_millis(100);
/// Answers after which a method has a usual time.
const ANSWERS_KNOWN: u32 = 8;
/// How long the longest wait of a method is remembered, at least.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Hears signs of life of one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Something was heard from the endpoint: any byte, or that it closed a connection.
    pub fn heard(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long the answers of each method of a service take, at most.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<BTreeMap<MethodId, Pace>>);

#[derive(Debug, Clone, Copy)]
struct Pace {
    answers: u32,
    longest: Duration,
    longest_before: Duration,
    since: Instant,
}

impl Paces {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MethodId, Pace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer took so long.
    pub(super) fn note(&self, method: MethodId, took: Duration, now: Instant) {
        let mut paces = self.lock();
        let pace = paces.entry(method).or_insert(Pace {
            answers: 0,
            longest: Duration::ZERO,
            longest_before: Duration::ZERO,
            since: now,
        });
        if now.saturating_duration_since(pace.since) >= REMEMBERED {
            pace.longest_before = std::mem::take(&mut pace.longest);
            pace.since = now;
        }
        pace.answers = pace.answers.saturating_add(1);
        pace.longest = pace.longest.max(took);
    }

    /// After how long a call of this method is overdue, if that is known.
    fn patience(&self, method: MethodId) -> Option<Duration> {
        let pace = *self.lock().get(&method)?;
        let longest = pace.longest.max(pace.longest_before);
        (pace.answers >= ANSWERS_KNOWN)
            .then(|| (longest * limits::OVERDUE_FACTOR).max(limits::OVERDUE_MIN))
    }
}

/// The calls that wait for one endpoint.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: Mutex<Waits>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waits {
    next: u64,
    /// When each is overdue, for those of which that is known.
    overdue: BTreeMap<u64, Instant>,
}

/// One call that waits.
#[derive(Debug)]
pub(super) struct Wait {
    waiting: Arc<Waiting>,
    id: u64,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins to wait.
    pub(super) fn begin(self: &Arc<Self>, method: MethodId, paces: &Paces) -> Option<Wait> {
        let overdue = Instant::now() + paces.patience(method)?;
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let first = state.overdue.is_empty();
        state.overdue.insert(id, overdue);
        drop(state);
        if first {
            self.changed.notify_one();
        }
        Some(Wait { waiting: Arc::clone(self), id })
    }

    /// When the first of them is overdue.
    fn first_overdue(&self) -> Option<Instant> {
        self.lock().overdue.values().min().copied()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.waiting.lock().overdue.remove(&self.id);
    }
}

/// Judges the silence of an endpoint for as long as `tell` wants to know: it is suspect, or it is alive.
pub(super) async fn watch(
    remote: Arc<dyn Remote>,
    pulse: Pulse,
    waiting: Arc<Waiting>,
    mut tell: impl FnMut(Life) -> bool + Send,
) {
    let ask = || {
        tokio::spawn(tokio::time::timeout(limits::DEAD_AFTER, remote.ask(pulse.clone())));
    };
    let mut silence = Silence::new();
    let mut asked = Instant::now();
    loop {
        match waiting.first_overdue() {
            _ if silence.life() > Life::Alive => sleep(LOOK).await,
            Some(at) if at > Instant::now() => sleep_until(at).await,
            Some(_) => sleep(LOOK).await,
            None => waiting.changed.notified().await,
        }
        let now = Instant::now();
        let overdue = waiting.first_overdue().is_some_and(|at| at <= now);
        let before = silence.life().min(Life::Suspect);
        let look = silence.look(pulse.count(), overdue, PTO, now.into_std());
        let life = look.life.min(Life::Suspect);
        // The question may have been lost with the connection that it was asked on.
        if look.ask || (life == Life::Suspect && asked.elapsed() >= limits::DEAD_AFTER) {
            asked = now;
            ask();
        }
        if life != before && life.max(before) == Life::Suspect && !tell(life) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{BoxFuture, Inbound, Outbound},
        *,
    };
    use crate::error::Status;

    const METHOD: MethodId = MethodId(7);

    #[derive(Debug, Default)]
    struct Probe {
        answers: bool,
        asked: AtomicU64,
    }

    impl Remote for Probe {
        fn connect(&self) -> BoxFuture<'_, Result<(), Status>> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn call(&self, _: Outbound<'_>) -> BoxFuture<'static, Result<Inbound, Status>> {
            Box::pin(std::future::pending())
        }

        fn ask(&self, pulse: Pulse) -> BoxFuture<'static, ()> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.answers {
                pulse.heard();
            }
            Box::pin(std::future::ready(()))
        }
    }

    fn known(took: Duration) -> Paces {
        let paces = Paces::default();
        for _ in 0..ANSWERS_KNOWN {
            paces.note(METHOD, took, Instant::now());
        }
        paces
    }

    /// What is told of an endpoint while one call of a method with this pace waits for `seconds`, and how often it was asked.
    async fn told(paces: Paces, answers: bool, seconds: u64) -> (Vec<Life>, u64) {
        let probe = Arc::new(Probe { answers, ..Probe::default() });
        let waiting = Arc::new(Waiting::default());
        let wait = waiting.begin(METHOD, &paces);
        let lives = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lives);
        let tell = move |life| {
            into.lock().unwrap().push(life);
            true
        };
        let watching = watch(Arc::clone(&probe) as _, Pulse::default(), waiting, tell);
        let _ = tokio::time::timeout(Duration::from_secs(seconds), watching).await;
        drop(wait);
        let lives = lives.lock().unwrap().clone();
        (lives, probe.asked.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn an_overdue_call_and_a_question_without_an_answer_are_silence() {
        let (lives, asked) = told(known(Duration::from_millis(5)), false, 5).await;
        // And it is asked again, once a second.
        assert_eq!((lives, asked), (vec![Life::Suspect], 5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_answers_the_question_is_not_silent_however_long_a_call_takes() {
        let (lives, asked) = told(known(Duration::from_millis(5)), true, 30).await;
        assert!(lives.is_empty() && asked > 20, "{lives:?}, asked {asked} times");
    }

    #[tokio::test(start_paused = true)]
    async fn a_method_that_is_always_slow_or_not_known_is_waited_for() {
        assert_eq!(told(known(Duration::from_secs(2)), false, 5).await, (Vec::new(), 0));
        assert_eq!(told(Paces::default(), false, 60).await, (Vec::new(), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_forgotten_in_time() {
        let paces = known(Duration::from_secs(2));
        let patience = |paces: &Paces| paces.patience(METHOD).unwrap();
        assert_eq!(patience(&paces), Duration::from_secs(2) * limits::OVERDUE_FACTOR);
        for _ in 0..2 {
            tokio::time::advance(REMEMBERED).await;
            paces.note(METHOD, Duration::from_millis(1), Instant::now());
        }
        assert_eq!(patience(&paces), limits::OVERDUE_MIN);
    }
}
