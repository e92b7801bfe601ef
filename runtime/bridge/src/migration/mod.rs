//! A service is moved from an old side to a new one while everybody keeps calling: mostly from plain HTTP to sinew.
//!
//! ```no_run
//! use sinew_bridge::Migration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let migration = Migration::new("Users", "side=old", "side=new").ignore("updated_at");
//! let builder = sinew::Mesh::builder()
//!     .transport(sinew_bridge::http())
//!     .endpoints("Users", "file:users.toml"); // `labels = { side = "old" }` beside `http://..`, and so on
//! let mesh = migration.attach(builder).build().await?;
//! migration.begin(&mesh)?;
//! migration.shadow(20.0)?; // a fifth of the idempotent calls goes to both, and the answers are compared
//! // .. nothing differs:
//! migration.share(5.0)?;
//! migration.share(50.0)?;
//! migration.share(100.0)?;
//! println!("{:?}", migration.report());
//! # Ok(()) }
//! ```
//!
//! # Why
//! Which side is right can only be seen with real calls, and which one takes them must be changed back faster than anybody
//! reads a graph. So both sides are endpoints of one service, and what a client does with them is moved live; a guard
//! beside it takes the new side's calls away when they fail or its answers differ, and says so.
//!
//! # Invariants
//! 1. Comparing never fails a call and never delays one: copies are `Policy::mirror`'s.
//! 2. Once the guard has tripped the new side gets no call that the old one can take, until somebody says `share` again.

mod compare;
mod guard;

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use serde_json::Value;
use sinew::{
    Code, Interceptor, Mesh, MeshBuilder, Mirrored, MirroredAnswer, Next, Policy, PolicyError,
    Reason, Request, Response, Steering, foreign::BoxFuture,
};
use tokio::time::Instant;

use self::guard::Window;
pub use self::{compare::Difference, guard::Guard};

/// A field: its name, or the end of the way to it: `lines.updated_at`.
#[derive(Debug, Clone)]
struct Field(Vec<String>);

impl Field {
    fn new(way: &str) -> Self {
        Self(way.split('.').map(str::to_owned).collect())
    }
}

/// What is not looked at, or not closely, where answers are compared.
#[derive(Debug, Clone)]
struct Leniency {
    ignored: Vec<Field>,
    /// Lists whose order means nothing.
    unordered: Vec<Field>,
    tolerance: f64,
}

/// As many samples are kept: the last ones.
const SAMPLES_MAX: usize = 32;
/// Numbers that are not whole may differ by this part of the larger one.
const TOLERANCE: f64 = 1e-9;

/// The move of one service. Cheap to clone.
#[derive(Clone)]
pub struct Migration(Arc<Inner>);

struct Inner {
    service: String,
    old: String,
    new: String,
    /// Of the new side's label.
    label: (String, String),
    leniency: Leniency,
    guard: Guard,
    steering: OnceLock<Steering>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    report: Report,
    /// How often it was begun anew: what began before says nothing of what is now.
    epoch: u64,
    /// When it was last.
    begun: Option<Instant>,
    has_ended: bool,
}

/// How a migration stands.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Percent of the calls that the new side gets.
    pub share: f64,
    /// Percent of the idempotent calls that go to both.
    pub shadow: f64,
    /// Attempts at the new side, copies among them.
    pub attempts: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Pairs of answers that were compared.
    pub compared: u64,
    /// Pairs that differed.
    pub differences: u64,
    /// Pairs of answers that could not be compared: one that is not of its type, or cannot be written as JSON.
    pub not_compared: u64,
    /// The last of those that differed.
    pub samples: VecDeque<Sample>,
    /// Why the guard took the new side's calls away, if it did; of the last time, if `share` was said since.
    pub rolled_back: Option<String>,
}

/// A call whose two answers differed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sample {
    /// `Service/method`.
    pub method: &'static str,
    /// The parts that differ, some of them.
    pub parts: Vec<Difference>,
}

/// A migration has no mesh yet: [`Migration::begin`] gives it one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// It was not begun.
    #[error("the migration of `{0}` has no mesh: `Migration::begin` first")]
    NotBegun(String),
    /// It has ended, or has another mesh.
    #[error("the migration of `{0}` has begun elsewhere, or has ended: make another")]
    Over(String),
    /// The guard cannot be one.
    #[error("the guard of the migration cannot be: {0}")]
    Guard(&'static str),
    /// What was said is no share.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Migration {
    /// Of this service, from the endpoints with one label to those with another: `side=old`, `side=new`.
    pub fn new(service: impl Into<String>, old: impl Into<String>, new: impl Into<String>) -> Self {
        let (old, new) = (old.into(), new.into());
        let label = new.split_once('=').map_or((new.clone(), String::new()), |(key, value)| {
            (key.to_owned(), value.to_owned())
        });
        Self(Arc::new(Inner {
            service: service.into(),
            old,
            new,
            label,
            leniency: Leniency { ignored: Vec::new(), unordered: Vec::new(), tolerance: TOLERANCE },
            guard: Guard::default(),
            steering: OnceLock::new(),
            state: Mutex::default(),
        }))
    }

    fn with(self, set: impl FnOnce(&mut Inner)) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(mut inner) => {
                set(&mut inner);
                Self(Arc::new(inner))
            }
            // Somebody has it already: what it is, it stays.
            Err(shared) => Self(shared),
        }
    }

    /// Passes this field over where answers are compared: by its name, or by the end of the way to it, `lines.updated_at`.
    #[must_use]
    pub fn ignore(self, field: impl Into<String>) -> Self {
        self.with(|inner| inner.leniency.ignored.push(Field::new(&field.into())))
    }

    /// Compares this field, a list, whatever order it comes in: one that is made of a set. Its name, or the end of the way to it.
    #[must_use]
    pub fn unordered(self, field: impl Into<String>) -> Self {
        self.with(|inner| inner.leniency.unordered.push(Field::new(&field.into())))
    }

    /// Numbers that are not whole may differ by this part of the larger one. Default 1e-9.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        self.with(|inner| inner.leniency.tolerance = tolerance)
    }

    /// When the new side is left alone. Default: [`Guard::default`].
    #[must_use]
    pub fn guard(self, guard: Guard) -> Self {
        self.with(|inner| inner.guard = guard)
    }

    /// Has the mesh that is built tell of its calls. Before `build`, and after [`ignore`](Self::ignore) and the like: what those say
    /// later changes nothing. One migration to a mesh; attempts at its service go through an interceptor from then on, which
    /// costs each some allocations.
    pub fn attach(&self, builder: MeshBuilder) -> MeshBuilder {
        let (compares, watches) = (Arc::clone(&self.0), Arc::clone(&self.0));
        builder
            .compare_mirrored(move |mirrored| compares.mirrored(&mirrored))
            .intercept_attempts_of(self.0.service.clone(), Watcher(watches))
    }

    /// Moves the calls of this mesh from here on. Until [`share`](Self::share) is said the new side gets none.
    ///
    /// # Errors
    /// The guard or a label is none, or it was begun before.
    pub fn begin(&self, mesh: &Mesh) -> Result<(), MigrationError> {
        self.0.guard.check().map_err(MigrationError::Guard)?;
        let steering = mesh.steering(&self.0.service);
        steering.steer(&self.0.policy(&Report::default()))?;
        let set = self.0.steering.set(steering);
        set.map_err(|_| MigrationError::Over(self.0.service.clone()))
    }

    /// Lets go: the policy alone says from here on who gets the calls. It is over then.
    pub fn end(&self) {
        self.0.state().has_ended = true;
        if let Some(steering) = self.0.steering.get() {
            steering.release();
        }
    }

    /// Gives the new side this percentage of the calls, from 0 to 100, and whatever the guard has seen is forgotten. Calls of one
    /// trace stay on one side, and moving up moves no trace back.
    ///
    /// # Errors
    /// It was not begun, or it is no percentage; nothing changes then.
    pub fn share(&self, percent: f64) -> Result<(), MigrationError> {
        let mut state = self.set(|report| {
            report.share = percent;
            report.rolled_back = None;
        })?;
        state.window.clear();
        state.epoch += 1;
        state.begun = Some(Instant::now());
        Ok(())
    }

    /// Copies this percentage of the idempotent calls to the new side, and compares the answers.
    ///
    /// # Errors
    /// As [`share`](Self::share).
    pub fn shadow(&self, percent: f64) -> Result<(), MigrationError> {
        self.set(|report| report.shadow = percent).map(drop)
    }

    fn set(&self, set: impl FnOnce(&mut Report)) -> Result<MutexGuard<'_, State>, MigrationError> {
        let steering = self.0.steering.get();
        let steering = steering.ok_or_else(|| MigrationError::NotBegun(self.0.service.clone()))?;
        let mut state = self.0.state();
        if state.has_ended {
            return Err(MigrationError::Over(self.0.service.clone()));
        }
        let mut report = state.report.clone();
        set(&mut report);
        steering.steer(&self.0.policy(&report))?;
        state.report = report;
        Ok(state)
    }

    /// How it stands.
    pub fn report(&self) -> Report {
        self.0.state().report.clone()
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration").field("service", &self.0.service).finish_non_exhaustive()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self, report: &Report) -> Policy {
        let policy = Policy::new()
            .label_weight(self.old.clone(), 100.0 - report.share)
            .label_weight(self.new.clone(), report.share);
        // Where all go to the new side there is nothing to compare with.
        policy.mirror(self.new.clone(), if report.share < 100.0 { report.shadow } else { 0.0 })
    }

    /// Something happened at the new side.
    fn note(&self, what: impl FnOnce(&mut State, Instant)) {
        let mut state = self.state();
        what(&mut state, Instant::now());
        let moves = state.report.share > 0.0 || state.report.shadow > 0.0;
        if state.has_ended || state.report.rolled_back.is_some() || !moves {
            return;
        }
        let Some(why) = state.window.verdict(&self.guard) else { return };
        let share = std::mem::replace(&mut state.report.share, 0.0);
        state.report.rolled_back = Some(why.clone());
        let steered = match self.steering.get() {
            Some(steering) => steering.steer(&self.policy(&state.report)),
            None => Ok(()),
        };
        drop(state);
        let service = &self.service;
        match steered {
            Ok(()) => tracing::warn!(
                service,
                share,
                why,
                "the guard takes the calls of the new side away"
            ),
            Err(error) => tracing::error!(service, %error, why, "the calls cannot be taken away"),
        }
    }

    fn attempted(&self, failed: bool, epoch: u64) {
        self.note(|state, now| {
            state.report.attempts += 1;
            state.report.failures += u64::from(failed);
            if state.epoch == epoch {
                state.window.attempted(&self.guard, now, failed);
            }
        });
    }

    fn mirrored(&self, mirrored: &Mirrored) {
        if mirrored.method.service() != self.service {
            return;
        }
        let compared = self.compared(mirrored);
        self.note(|state, now| match compared {
            Compared::Not => {}
            Compared::Unreadable => state.report.not_compared += 1,
            Compared::Differs(parts) => {
                let differs = !parts.is_empty();
                state.report.compared += 1;
                state.report.differences += u64::from(differs);
                if differs {
                    let samples = &mut state.report.samples;
                    if samples.len() == SAMPLES_MAX {
                        samples.pop_front();
                    }
                    samples.push_back(Sample { method: mirrored.method.path(), parts });
                }
                let sent = Instant::from_std(mirrored.sent);
                if state.begun.is_none_or(|begun| sent >= begun) {
                    state.window.note(&self.guard, now, |counts| {
                        counts.compared += 1;
                        counts.differences += u32::from(differs);
                    });
                }
            }
        });
    }

    fn compared(&self, mirrored: &Mirrored) -> Compared {
        let (old, new) = (&mirrored.original, &mirrored.copy);
        let kind = |answer: &MirroredAnswer| match answer.failed() {
            Some(status) => status.code().to_string(),
            None if answer.is_error() => "an error".to_owned(),
            None => "a value".to_owned(),
        };
        let whole = || {
            let at = "$".to_owned();
            Compared::Differs(vec![Difference { at, old: kind(old), new: kind(new) }])
        };
        let failed = |answer: &MirroredAnswer| {
            answer.failed().map(|status| (status.code(), status.reason()))
        };
        match (failed(old), failed(new)) {
            // A side that cannot answer says nothing of what the answer is.
            (Some(old), _) if is_failure(old) || is_refusal(old) => Compared::Not,
            (_, Some(new)) if is_failure(new) || is_refusal(new) => Compared::Not,
            (Some(old), Some(new)) if old.0 == new.0 => Compared::Differs(Vec::new()),
            (None, None) if old.is_error() == new.is_error() => {
                // Most answers are the same to the byte, and need not be read.
                if old.body() == new.body() && old.codec() == new.codec() {
                    return Compared::Differs(Vec::new());
                }
                let read = |answer: &MirroredAnswer| -> Option<Value> {
                    serde_json::from_slice(&mirrored.json(answer).ok()?).ok()
                };
                match (read(old), read(new)) {
                    (Some(old), Some(new)) => {
                        Compared::Differs(compare::differences(&old, &new, &self.leniency))
                    }
                    _ => Compared::Unreadable,
                }
            }
            _ => whole(),
        }
    }
}

/// What came of comparing two answers.
enum Compared {
    /// There are not two.
    Not,
    /// One cannot be read.
    Unreadable,
    /// These parts differ, none if they are the same.
    Differs(Vec<Difference>),
}

/// Whether a status says that the side cannot do its work; what a caller did wrong it does not.
fn is_failure((code, reason): (Code, Reason)) -> bool {
    let fails = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    fails && !is_refusal((code, reason))
}

/// Whether a call was turned away for what the server has to do, or because it leaves: that is no mistake of its answers.
fn is_refusal((code, reason): (Code, Reason)) -> bool {
    code == Code::ResourceExhausted
        || matches!(
            reason,
            Reason::Draining | Reason::Shed | Reason::Overloaded | Reason::CannotFinish
        )
}

/// Sees how attempts at the new side end.
struct Watcher(Arc<Inner>);

impl Interceptor for Watcher {
    fn intercept(&self, request: Request, next: Next) -> BoxFuture<'static, Response> {
        let (key, value) = &self.0.label;
        if request.endpoint_label(key) != Some(value.as_str()) {
            return Box::pin(next.run(request));
        }
        let mut out = Out {
            inner: Arc::clone(&self.0),
            epoch: self.0.state().epoch,
            deadline: request.deadline(),
            is_over: false,
        };
        Box::pin(async move {
            let response = next.run(request).await;
            out.is_over = true;
            let came = response.failure();
            if !came.is_some_and(is_refusal) {
                out.inner.attempted(came.is_some_and(is_failure), out.epoch);
            }
            response
        })
    }
}

/// An attempt that is out. One that is dropped when its time is over has failed: nobody says so. Dropped before, it was given
/// up for reasons of its own: another attempt was quicker, or its caller left.
struct Out {
    inner: Arc<Inner>,
    epoch: u64,
    deadline: Option<std::time::Instant>,
    is_over: bool,
}

/// A call is given up a little before its deadline, so that its caller still hears why.
const GIVEN_UP: Duration = Duration::from_millis(5);

impl Drop for Out {
    fn drop(&mut self) {
        let now = Instant::now().into_std();
        let late = self.deadline.is_some_and(|deadline| now + GIVEN_UP >= deadline);
        if !self.is_over && late {
            self.inner.attempted(true, self.epoch);
        }
    }
}
