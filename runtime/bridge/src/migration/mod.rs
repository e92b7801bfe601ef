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
//! migration.begin(&mesh);
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
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use serde_json::Value;
use sinew::{
    Code, Interceptor, Mesh, MeshBuilder, Mirrored, MirroredAnswer, Next, Policy, PolicyError,
    Request, Response, Steering, foreign::BoxFuture,
};
use tokio::time::Instant;

use self::guard::Window;
pub use self::{compare::Difference, guard::Guard};

/// A field that is not compared: its name, or the end of the way to it: `lines.updated_at`.
#[derive(Debug, Clone)]
struct Ignored(String);

/// As many samples are kept: the first ones.
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
    ignored: Vec<Ignored>,
    tolerance: f64,
    guard: Guard,
    steering: OnceLock<Steering>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    report: Report,
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
    /// The first of them.
    pub samples: Vec<Sample>,
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
            ignored: Vec::new(),
            tolerance: TOLERANCE,
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
        self.with(|inner| inner.ignored.push(Ignored(field.into())))
    }

    /// Numbers that are not whole may differ by this part of the larger one. Default 1e-9.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        self.with(|inner| inner.tolerance = tolerance)
    }

    /// When the new side is left alone. Default: [`Guard::default`].
    #[must_use]
    pub fn guard(self, guard: Guard) -> Self {
        self.with(|inner| inner.guard = guard)
    }

    /// Has the mesh that is built tell of its calls. Before `build`; what [`ignore`](Self::ignore) and the like say is
    /// settled then.
    pub fn attach(&self, builder: MeshBuilder) -> MeshBuilder {
        let (compares, watches) = (Arc::clone(&self.0), Arc::clone(&self.0));
        builder
            .compare_mirrored(move |mirrored| compares.mirrored(&mirrored))
            .intercept_attempts(Watcher(watches))
    }

    /// Moves the calls of this mesh from here on. Until [`share`](Self::share) is said the new side gets none.
    pub fn begin(&self, mesh: &Mesh) {
        let _ = self.0.steering.set(mesh.steering(&self.0.service));
        let state = self.0.state();
        self.0.steer(&state);
    }

    /// Gives the new side this percentage of the calls, from 0 to 100, and whatever the guard has seen is forgotten. Calls of one
    /// trace stay on one side, and moving up moves no trace back.
    ///
    /// # Errors
    /// It was not begun, or it is no percentage; nothing changes then.
    pub fn share(&self, percent: f64) -> Result<(), MigrationError> {
        self.set(|report| {
            report.share = percent;
            report.rolled_back = None;
        })
    }

    /// Copies this percentage of the idempotent calls to the new side, and compares the answers.
    ///
    /// # Errors
    /// As [`share`](Self::share).
    pub fn shadow(&self, percent: f64) -> Result<(), MigrationError> {
        self.set(|report| report.shadow = percent)
    }

    fn set(&self, set: impl FnOnce(&mut Report)) -> Result<(), MigrationError> {
        let steering = self.0.steering.get();
        let steering = steering.ok_or_else(|| MigrationError::NotBegun(self.0.service.clone()))?;
        let mut state = self.0.state();
        let mut report = state.report.clone();
        set(&mut report);
        steering.steer(&self.0.policy(&report))?;
        state.report = report;
        state.window.clear();
        Ok(())
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

    fn steer(&self, state: &State) {
        if let Some(steering) = self.steering.get()
            && let Err(why) = steering.steer(&self.policy(&state.report))
        {
            tracing::error!(service = self.service, %why, "the calls of a migration cannot be moved");
        }
    }

    /// Something happened at the new side.
    fn note(&self, what: impl FnOnce(&mut State, Instant)) {
        let mut state = self.state();
        what(&mut state, Instant::now());
        if state.report.rolled_back.is_some()
            || (state.report.share == 0.0 && state.report.shadow == 0.0)
        {
            return;
        }
        if let Some(why) = state.window.verdict(&self.guard) {
            tracing::warn!(
                service = self.service,
                from_percent = state.report.share,
                why,
                "the guard takes the calls of the new side away"
            );
            state.report.share = 0.0;
            state.report.rolled_back = Some(why);
            self.steer(&state);
        }
    }

    fn attempted(&self, failed: bool) {
        self.note(|state, now| {
            state.report.attempts += 1;
            state.report.failures += u64::from(failed);
            state.window.attempted(&self.guard, now, failed);
        });
    }

    fn mirrored(&self, mirrored: &Mirrored) {
        if mirrored.method.service() != self.service {
            return;
        }
        let Some(parts) = self.compared(&mirrored.original, &mirrored.copy, mirrored) else {
            return;
        };
        self.note(|state, now| {
            let differs = !parts.is_empty();
            state.report.compared += 1;
            state.report.differences += u64::from(differs);
            if differs && state.report.samples.len() < SAMPLES_MAX {
                state.report.samples.push(Sample { method: mirrored.method.path(), parts });
            }
            state.window.note(&self.guard, now, |counts| {
                counts.compared += 1;
                counts.differences += u32::from(differs);
            });
        });
    }

    /// What of two answers differs; `None` where there are not two to compare.
    fn compared(
        &self,
        old: &MirroredAnswer,
        new: &MirroredAnswer,
        mirrored: &Mirrored,
    ) -> Option<Vec<Difference>> {
        let read = |answer: &MirroredAnswer| -> Option<Value> {
            serde_json::from_slice(&mirrored.json(answer).ok()?).ok()
        };
        let kinds =
            |answer: &MirroredAnswer| if answer.is_error() { "an error" } else { "a value" };
        match (old.failed(), new.failed()) {
            // Why a call failed that has no answer says little of the answer.
            (Some(_), _) => None,
            (None, Some(status)) if is_failure(status.code()) => None,
            (None, Some(status)) => Some(vec![Difference {
                at: "$".to_owned(),
                old: kinds(old).to_owned(),
                new: status.code().to_string(),
            }]),
            (None, None) if old.is_error() != new.is_error() => Some(vec![Difference {
                at: "$".to_owned(),
                old: kinds(old).to_owned(),
                new: kinds(new).to_owned(),
            }]),
            (None, None) => match (read(old), read(new)) {
                (Some(old), Some(new)) => {
                    Some(compare::differences(&old, &new, (&self.ignored, self.tolerance)))
                }
                (Some(_), None) => Some(vec![Difference {
                    at: "$".to_owned(),
                    old: kinds(old).to_owned(),
                    new: "what is not of its type".to_owned(),
                }]),
                (None, _) => None,
            },
        }
    }
}

/// Whether a status says that the side cannot do its work; what a caller did wrong it does not.
fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
    )
}

/// Sees how attempts at the new side end.
struct Watcher(Arc<Inner>);

impl Interceptor for Watcher {
    fn intercept(&self, request: Request, next: Next) -> BoxFuture<'static, Response> {
        let (key, value) = &self.0.label;
        let is_new = request.method().service() == self.0.service
            && request.endpoint_label(key) == Some(value.as_str());
        if !is_new {
            return Box::pin(next.run(request));
        }
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let response = next.run(request).await;
            inner.attempted(response.code().is_some_and(is_failure));
            response
        })
    }
}
