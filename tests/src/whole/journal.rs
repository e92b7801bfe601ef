//! What really happened: every call and every run of a handler, and what must hold of them whatever the network does.
//!
//! # Why
//! Callers and handlers live in one process here and look at one clock, so what a caller was told can be compared with
//! what its call did. Each rule is looked at when the thing happens that could break it, and once more at the end.
//!
//! # Invariants
//! 1. A call is one request of one caller, with all of its attempts; what a handler calls in turn is a call of its own,
//!    under the run that makes it.
//! 2. A run is one handler that began; it ends once: answered, dropped, or gone with its process.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sinew::{Origin, Ran, Reason, Status};
use sinew_core::limits;

use super::net::{Host, Net};

/// How long after its deadline a call may still end: timers have a grain.
const ENDS_WITHIN: Duration = Duration::from_millis(50);
/// How much later than its caller a server may believe the deadline to be: what one packet takes at most on a link that is
/// well. Clocks are not compared, so what the first packets of a connection took is not known; on a link that was not well
/// that is more ([`Net::late`]).
const WAY: Duration = Duration::from_millis(45);
/// Broken rules that are told: those that follow say no more.
const TOLD_MAX: usize = 20;

/// Who makes a call: a process, by its host and its how-manieth there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whose {
    /// The host.
    pub host: Host,
    /// Counts the processes of the host.
    pub instance: u32,
}

/// A call that begins.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Whose it is.
    pub by: Whose,
    /// Of which service.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// Whether it may run twice.
    pub idempotent: bool,
    /// When it must have ended.
    pub deadline: Instant,
    /// The run that makes it, if one does.
    pub under: Option<u64>,
}

/// How a call ended for its caller.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It has an answer: the run that it comes from.
    Answered(u64),
    /// It has none.
    Failed(Box<Status>),
    /// Its caller went away.
    Dropped,
    /// Its caller's process is gone.
    Crashed,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It returned, well or not.
    Returned {
        /// With a value.
        well: bool,
    },
    /// It was dropped.
    Dropped,
    /// It went with its process.
    Crashed,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// How it began.
    pub begun: Begun,
    /// When.
    pub at: Instant,
    /// How it ended, and when.
    pub ended: Option<(Instant, Outcome)>,
    /// Its runs.
    pub runs: Vec<u64>,
}

/// A run of a handler.
#[derive(Debug)]
pub struct Run {
    /// Of which call.
    pub call: u64,
    /// Where.
    pub on: Whose,
    /// When it began.
    pub at: Instant,
    /// When it must end, as it was told.
    pub deadline: Option<Instant>,
    /// How it ended, and when.
    pub ended: Option<(Instant, Ended)>,
    /// The calls that it made.
    pub calls: Vec<u64>,
}

/// Everything that happened. Clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<Kept>>);

/// What is kept of it.
#[derive(Debug)]
pub struct Kept {
    /// When the world began.
    pub epoch: Instant,
    net: Net,
    /// The calls, by number.
    pub calls: BTreeMap<u64, Call>,
    /// The runs, by number.
    pub runs: BTreeMap<u64, Run>,
    /// Rules that were broken.
    pub broken: Vec<String>,
    /// What happened, for people; only where somebody wants to read it.
    log: Option<Vec<String>>,
    /// Services of which some endpoint was listed to a caller, by process.
    pub listed: BTreeMap<(Whose, &'static str), Instant>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Journal {
    /// An empty one.
    pub fn new(net: Net, keeps_log: bool) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            epoch: now(),
            net,
            calls: BTreeMap::new(),
            runs: BTreeMap::new(),
            broken: Vec::new(),
            log: keeps_log.then(Vec::new),
            listed: BTreeMap::new(),
        })))
    }

    /// What is in it.
    pub fn look(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that is no call.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.look().note(what);
    }

    /// A rule is broken.
    pub fn breaks(&self, what: String) {
        self.look().breaks(what);
    }

    /// The first endpoint of a service was listed to a process.
    pub fn lists(&self, by: Whose, service: &'static str) {
        self.look().listed.entry((by, service)).or_insert_with(now);
    }

    /// A call begins.
    pub fn begin(&self, begun: Begun) -> CallGuard {
        let mut kept = self.look();
        let number = kept.calls.len() as u64 + 1;
        if let Some(run) = begun.under.and_then(|run| kept.runs.get_mut(&run)) {
            run.calls.push(number);
        }
        kept.note(|| format!("call {number} begins: {begun:?}"));
        kept.calls.insert(number, Call { begun, at: now(), ended: None, runs: Vec::new() });
        drop(kept);
        CallGuard { journal: self.clone(), number, over: false }
    }

    /// A handler begins to serve a call, and was told of this deadline.
    pub fn run(&self, call: u64, on: Whose, deadline: Option<Instant>) -> RunGuard {
        let mut kept = self.look();
        let number = kept.runs.len() as u64 + 1;
        kept.note(|| format!("run {number} of call {call} begins on {on:?}"));
        kept.runs
            .insert(number, Run { call, on, at: now(), deadline, ended: None, calls: Vec::new() });
        kept.check_run(number);
        if let Some(call) = kept.calls.get_mut(&call) {
            call.runs.push(number);
        }
        drop(kept);
        RunGuard { journal: self.clone(), number, over: false }
    }

    /// A process is gone, with its calls and its runs.
    pub fn crashes(&self, whose: Whose) {
        let (mut kept, now) = (self.look(), now());
        kept.note(|| format!("{whose:?} crashes"));
        for run in kept.runs.values_mut().filter(|run| run.on == whose) {
            run.ended.get_or_insert((now, Ended::Crashed));
        }
        for call in kept.calls.values_mut().filter(|call| call.begun.by == whose) {
            call.ended.get_or_insert((now, Outcome::Crashed));
        }
    }
}

impl Kept {
    fn note(&mut self, what: impl FnOnce() -> String) {
        let at = self.ms(now());
        if let Some(log) = &mut self.log {
            log.push(format!("{at:>7.1} ms  {}", what()));
        }
    }

    /// Milliseconds since the world began.
    pub fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64() * 1e3
    }

    /// A rule is broken.
    pub fn breaks(&mut self, what: String) {
        if self.broken.len() < TOLD_MAX {
            let mut line = String::new();
            let _ = write!(line, "at {:.1} ms: {what}", self.ms(now()));
            self.note(|| format!("BROKEN {what}"));
            self.broken.push(line);
        }
    }

    /// What happened, in its order.
    pub fn log(&self) -> &[String] {
        self.log.as_deref().unwrap_or_default()
    }

    /// What must hold when a handler begins.
    fn check_run(&mut self, number: u64) {
        let run = &self.runs[&number];
        let (at, told) = (run.at, run.deadline);
        let of = run.call;
        let Some(call) = self.calls.get(&of) else {
            return self.breaks(format!("run {number} is of no call"));
        };
        let deadline = call.begun.deadline;
        let late = |than: Instant, by: Instant| by.saturating_duration_since(than);
        let way = WAY + self.net.late(call.begun.by.host, run.on.host);
        let mut broken = Vec::new();
        if !call.begun.idempotent && !call.runs.is_empty() {
            broken.push("runs again and is not idempotent".to_owned());
        }
        if call.runs.len() >= usize::from(limits::ATTEMPTS) {
            broken.push(format!("runs more than {} times", limits::ATTEMPTS));
        }
        if let Some((_, Outcome::Failed(status))) = &call.ended
            && status.ran() == Ran::No
        {
            broken.push(format!("runs, and its caller was told that it does not: {status}"));
        }
        if late(deadline, at) > way {
            broken.push(format!("runs {:?} after its deadline", late(deadline, at)));
        }
        match told {
            None => broken.push("runs without a deadline".to_owned()),
            Some(told) if told < at => {
                broken.push(format!("runs {:?} after the deadline that it sees", late(told, at)));
            }
            Some(told) if late(deadline, told) > way => broken.push(format!(
                "sees a deadline {:?} later than its caller's",
                late(deadline, told)
            )),
            Some(_) => {}
        }
        for what in broken {
            self.breaks(format!("run {number} of call {of}: {what}"));
        }
    }

    /// What must hold when a call ends.
    fn check_end(&mut self, number: u64) {
        let call = &self.calls[&number];
        let Some((at, outcome)) = &call.ended else { return };
        let mut broken = Vec::new();
        let late = at.saturating_duration_since(call.begun.deadline);
        if late > ENDS_WITHIN {
            broken.push(format!("ended {late:?} after its deadline"));
        }
        match outcome {
            Outcome::Answered(run) if !call.runs.contains(run) => {
                broken.push(format!("was answered by run {run}, and that is not its own"));
            }
            Outcome::Failed(status) => {
                match (status.ran(), call.runs.len()) {
                    (Ran::No, 1..) => {
                        broken.push(format!("ran, and its caller hears no: {status}"))
                    }
                    (Ran::Yes, 0) => {
                        broken.push(format!("did not run, and its caller hears yes: {status}"));
                    }
                    _ => {}
                }
                let by = (call.begun.by, call.begun.service);
                let own = status.origin() == Origin::Local;
                // A list that comes while the call waits may come too late for it.
                let listed = self.listed.get(&by).is_some_and(|since| *since < call.at);
                if own && listed && status.reason() == Reason::NoEndpoints {
                    broken.push(format!("no endpoint is left of those that were: {status}"));
                }
            }
            Outcome::Answered(_) | Outcome::Dropped | Outcome::Crashed => {}
        }
        for what in broken {
            self.breaks(format!("call {number}: {what}"));
        }
    }

    fn end_run(&mut self, number: u64, how: Ended) {
        let at = now();
        let Some(run) = self.runs.get_mut(&number) else { return };
        if run.ended.is_some() {
            return;
        }
        run.ended = Some((at, how));
        let late = run.deadline.map(|deadline| at.saturating_duration_since(deadline));
        self.note(|| format!("run {number} ends: {how:?}"));
        if let Some(late) = late.filter(|late| *late > ENDS_WITHIN) {
            self.breaks(format!("run {number} ended {late:?} after its deadline"));
        }
    }

    fn end_call(&mut self, number: u64, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let Some((_, Outcome::Crashed)) = call.ended {
            return;
        }
        let twice = call.ended.is_some();
        call.ended = Some((now(), outcome.clone()));
        if twice {
            self.breaks(format!("call {number} ended twice"));
        }
        self.note(|| match &outcome {
            Outcome::Failed(status) => {
                format!("call {number} fails ({:?}): {status}", status.ran())
            }
            other => format!("call {number} ends: {other:?}"),
        });
        self.check_end(number);
    }
}

/// A call that is out. Dropped, its caller went away.
#[derive(Debug)]
pub struct CallGuard {
    journal: Journal,
    number: u64,
    over: bool,
}

impl CallGuard {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// It has an outcome.
    pub fn end(mut self, outcome: Outcome) {
        self.over = true;
        self.journal.look().end_call(self.number, outcome);
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if !self.over {
            self.journal.look().end_call(self.number, Outcome::Dropped);
        }
    }
}

/// A handler at work. Dropped, it was dropped.
#[derive(Debug)]
pub struct RunGuard {
    journal: Journal,
    number: u64,
    over: bool,
}

impl RunGuard {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// It returns.
    pub fn returns(mut self, well: bool) {
        self.over = true;
        self.journal.look().end_run(self.number, Ended::Returned { well });
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if !self.over {
            self.journal.look().end_run(self.number, Ended::Dropped);
        }
    }
}
