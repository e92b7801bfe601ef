//! What a client tells of its calls and decisions: to the metrics, to the recorder, and to who asks why a call failed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use sinew_core::{
    codes::{Code, Disposition, Reason},
    plan::client::{Event, Outcome, Why, effects},
    policy::breaker::Verdict,
    wire::answer::AnswerOutcome,
};
use tokio::time::Instant;

use super::{ClientCore, Endpoint, call::Call};
use crate::{
    error::{Explanation, Happening, Status},
    metrics::{At, Calls, Came, Happened, Known, LooksAtClient},
    transport::{Answer, StreamAnswer},
};

/// What was told last, so that only news is.
#[derive(Debug, Default)]
pub(super) struct Told {
    panics: AtomicBool,
    holds_back: AtomicBool,
}

/// What the metrics ask of an answer.
pub(super) trait Answered {
    /// What it is to the caller.
    fn came(&self) -> Came;
    /// When it was read, where that is known: a look at the clock fewer.
    fn at(&self) -> Option<Instant>;
}

impl Answered for Box<Answer> {
    fn came(&self) -> Came {
        match &self.head.outcome {
            AnswerOutcome::Ok => Came::Ok,
            AnswerOutcome::App => Came::App,
            AnswerOutcome::Status(status) => Came::Status(status.code),
        }
    }

    fn at(&self) -> Option<Instant> {
        self.at
    }
}

impl Answered for StreamAnswer {
    fn came(&self) -> Came {
        match self {
            Self::Single(answer) => answer.came(),
            Self::Items { .. } => Came::Ok,
        }
    }

    fn at(&self) -> Option<Instant> {
        None
    }
}

impl Call {
    /// Where calls of this method are counted.
    #[inline]
    fn counts(&self) -> &Calls {
        self.channel.core.seen.calls(self.types.id().0, self.method.name())
    }

    /// It happened to this call.
    pub(super) fn note(&self, happened: Happened) {
        self.counts().note(happened);
    }

    /// There is no other attempt, for this reason.
    pub(super) fn note_given_up(&self, why: Why) {
        match why {
            Why::Final => {}
            Why::NoAttempts => self.note(Happened::NoAttempts),
            Why::NoTime => self.note(Happened::NoTime),
            Why::NoBudget => {
                self.note(Happened::NoBudget);
                self.channel.core.seen.decided(None, Happening::BudgetExhausted);
            }
        }
    }

    /// The call is over.
    #[inline]
    pub(super) fn count<T: Answered>(&self, outcome: &Result<T, Status>) {
        let (came, at) = match outcome {
            Ok(answer) => (answer.came(), answer.at()),
            Err(status) => (Came::Status(status.code()), None),
        };
        self.count_as(came, at);
        if let Err(status) = outcome {
            let ours = status.disposition() == Disposition::NotSent;
            match status.reason() {
                Reason::BulkheadFull if ours => self.note(Happened::BulkheadFull),
                Reason::Overloaded if ours => self.note(Happened::Throttled),
                _ => {}
            }
        }
    }

    /// Nobody waits for the call any more.
    pub(super) fn count_dropped(&self) {
        self.count_as(Came::Status(Code::Cancelled), None);
    }

    #[inline]
    fn count_as(&self, came: Came, at: Option<Instant>) {
        let took = at.unwrap_or_else(Instant::now).saturating_duration_since(self.record.started());
        self.counts().ended(came, took, self.record.attempts());
    }
}

impl ClientCore {
    /// What the plan decided when an attempt ended.
    pub(super) fn note_event(&self, endpoint: &Endpoint, event: Event, now: std::time::Instant) {
        let (service, name) = (self.service(), endpoint.name());
        let happening = match event {
            Event::Opened { cause, until } => {
                let pause = until.saturating_duration_since(now);
                endpoint.counts().note(At::Ejected(cause));
                tracing::info!(
                    service, endpoint = %name, why = cause.words(), ?pause,
                    "an endpoint gets no calls for a while"
                );
                Happening::opened(cause, pause)
            }
            Event::Spared { cause } => {
                endpoint.counts().note(At::Ejected(cause));
                tracing::info!(
                    service, endpoint = %name, why = cause.words(),
                    "an endpoint ought to get no calls, but too many others get none"
                );
                Happening::spared(cause)
            }
            Event::Closed => {
                tracing::info!(service, endpoint = %name, "an endpoint gets calls again");
                Happening::BreakerClosed
            }
        };
        self.seen.decided(Some(name), happening);
        self.note_panic();
    }

    /// Whether breakers count has changed, or may have.
    pub(super) fn note_panic(&self) {
        let panics = self.plan.panics();
        if self.told.panics.swap(panics, Relaxed) != panics {
            let what = if panics { Happening::PanicBegan } else { Happening::PanicEnded };
            self.seen.decided(None, what);
        }
    }

    /// The list of endpoints has changed. One that came or went is named.
    pub(super) fn note_endpoints(&self, before: &[Endpoint], after: &[Endpoint]) {
        let gone_from = |from: &[Endpoint], to: &[Endpoint]| -> Vec<Arc<str>> {
            let id = |endpoint: &Endpoint| endpoint.entry().id.clone();
            let there: BTreeSet<String> = to.iter().map(id).collect();
            let gone = from.iter().filter(|endpoint| !there.contains(&id(endpoint)));
            gone.map(|endpoint| Arc::clone(endpoint.name())).collect()
        };
        let (came, went) = (gone_from(after, before), gone_from(before, after));
        let one = match (&came[..], &went[..]) {
            ([one], []) | ([], [one]) => Some(one),
            _ => None,
        };
        let (came, went) = (came.len(), went.len());
        if came + went == 0 {
            return;
        }
        self.seen.decided(one, Happening::Endpoints { came, went, known: after.len() });
    }

    /// A call was held back.
    pub(super) fn note_held_back(&self) {
        if !self.told.holds_back.swap(true, Relaxed) {
            self.seen.decided(None, Happening::ThrottleBegan);
        }
    }

    /// An attempt goes: nothing is held back any more, if something was and the servers take all again.
    #[inline]
    pub(super) fn note_let_through(&self) {
        if self.told.holds_back.load(Relaxed)
            && !self.plan.holds_back()
            && self.told.holds_back.swap(false, Relaxed)
        {
            self.seen.decided(None, Happening::ThrottleEnded);
        }
    }

    /// What is known of the endpoints, for whoever wants to know why a call failed.
    pub(super) fn explain(&self, now: Instant) -> Explanation {
        self.known(None, now).decided(self.seen.last_decisions(now.into_std()))
    }

    /// What was known of them before an attempt was booked at this one.
    pub(super) fn known_before(&self, booked: &Endpoint, now: Instant) -> Explanation {
        self.known(Some(booked), now)
    }

    fn known(&self, booked: Option<&Endpoint>, now: Instant) -> Explanation {
        let now = now.into_std();
        let endpoints = self.endpoints.load();
        let (budget, panics) = (self.plan.budget(now), self.plan.panics());
        let mut explanation = Explanation::new(endpoints.len(), budget, panics);
        for endpoint in endpoints.iter() {
            let member = endpoint.member();
            let mut view = member.view(now);
            if booked.is_some_and(|booked| std::ptr::eq(booked.member(), member)) {
                view.at_work = view.at_work.saturating_sub(1);
            }
            explanation.add(endpoint.name(), !member.is_cold(), view, now);
        }
        explanation
    }
}

impl LooksAtClient for ClientCore {
    fn now(&self, now: std::time::Instant) -> Known {
        let endpoints = self.endpoints.load();
        let endpoints = endpoints.iter().map(|endpoint| {
            let member = endpoint.member();
            (Arc::clone(endpoint.name()), !member.is_cold(), member.view(now))
        });
        Known {
            budget: self.plan.budget(now),
            panics: self.plan.panics(),
            endpoints: endpoints.collect(),
        }
    }
}

impl Endpoint {
    /// An attempt ended there without an answer: counted as its breaker counts it.
    #[cold]
    pub(super) fn note_failure(&self, outcome: Outcome<'_>) {
        match effects(outcome, || self.member().typical()).breaker {
            Verdict::Failure => self.counts().note(At::Failure),
            Verdict::Overloaded => self.counts().note(At::Overload),
            Verdict::Success | Verdict::Nothing => {}
        }
    }
}
