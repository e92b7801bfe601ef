//! A copy of a call goes to an endpoint with a label, for nobody: what becomes of it is counted, and told to who compares.
//!
//! ```text
//!   the attempt    handed over, polled once ──────────────────────────── answers: the caller has it
//!   the copy                               └─ encoded, sent ─┐
//!   a task of its own                                        └────────── answers, fails, or its time is over: counted
//! ```
//!
//! # Why
//! What a new version does with real calls shows before anybody depends on it. So what the copy does must not be felt: it
//! is sent after the attempt that it copies, once, and what waits for it is a task that holds no more than its answer.
//!
//! # Invariants
//! 1. A call has one copy at most, whatever becomes of its attempts.
//! 2. Of what the plan knows a copy changes nothing but what its server said that it sheds.
//! 3. A copy is over when its call's time is, and makes room then.

use std::{
    future::{poll_fn, ready},
    sync::Arc,
    task::Poll,
};

use sinew_core::{
    codes::{Code, Criticality, Disposition, Origin, Reason},
    deadline, limits,
    plan::client::{Turn, Unmirrored},
    policy::copies::{Copies, Permit},
    wire::answer::AnswerOutcome,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{Endpoint, attempt, call::Call};
use crate::{
    chance::Chance,
    codec::Encode,
    error::Status,
    metrics::Happened,
    mirrored::{Mirrored, MirroredAnswer},
    transport::{Answer, BoxFuture},
};

/// A copy's place among those that are out; dropped, it is free again.
struct Place {
    copies: Arc<Copies>,
    permit: Option<Permit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.copies.settle(permit);
        }
    }
}

impl Call {
    /// Whether calls of this method are copied, and this one was not yet. That is all that a call pays which never is.
    #[inline]
    pub(super) fn may_be_copied(&self) -> bool {
        self.rules.mirror > 0.0
    }

    /// Gets an attempt on its way, and the copy after it.
    pub(super) async fn with_copy<T: Send + 'static>(
        &mut self,
        mut attempt: BoxFuture<'static, T>,
        turn: &Turn,
        arguments: &mut dyn Encode,
    ) -> BoxFuture<'static, T> {
        // A large call is written when it is polled: the copy must not hold it up.
        let polled = poll_fn(|cx| Poll::Ready(attempt.as_mut().poll(cx))).await;
        self.copy(turn, arguments);
        match polled {
            Poll::Ready(done) => Box::pin(ready(done)),
            Poll::Pending => attempt,
        }
    }

    #[cold]
    fn copy(&mut self, turn: &Turn, arguments: &mut dyn Encode) {
        let share = std::mem::take(&mut self.rules.mirror);
        // What is said of a whole service is said of those of its methods that can have it. Copies are not copied.
        let fit = self.head.idempotent && !self.method.shape().streams() && !self.head.shadow;
        if fit
            && turn.is_mirrored(f64::from(share), &mut Chance)
            && let Err(Some(happened)) = self.send_copy(turn, arguments)
        {
            self.note(happened);
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// What is to be counted in its place, if anything is.
    fn send_copy(
        &mut self,
        turn: &Turn,
        arguments: &mut dyn Encode,
    ) -> Result<(), Option<Happened>> {
        let core = Arc::clone(&self.channel.core);
        // By what is in force now: a mirror that is turned off is off.
        let rules = core.rules.load();
        let label = rules.mirrored_to(self.types.id()).ok_or(None)?;
        let now = Instant::now();
        let until = self.deadline.unwrap_or(now + limits::MIRRORED_TIME);
        if !deadline::worth_sending(until.saturating_duration_since(now)) {
            return Err(None);
        }
        let endpoints = core.endpoints.load();
        let has_label = |endpoint: &Endpoint| endpoint.has_label(label);
        let about = (turn, core.places().are_half_taken());
        let picked = core.plan().mirror(&endpoints, has_label, about, now.into_std(), &mut Chance);
        let ready = match picked {
            Ok(at) => endpoints[at].ready().map(|session| (&endpoints[at], session)),
            Err(Unmirrored::NoEndpoint) => None,
            Err(Unmirrored::Overloaded) => return Err(Some(Happened::MirrorOverloaded)),
            Err(Unmirrored::There) => return Err(None),
        };
        let Some((endpoint, session)) = ready else {
            // For the copies of later calls.
            endpoints.iter().filter(|endpoint| has_label(endpoint)).for_each(Endpoint::warm);
            return Err(Some(Happened::MirrorNoEndpoint));
        };
        let permit = core.copies.admit().ok_or(Some(Happened::MirrorFull))?;
        let place = Place { copies: Arc::clone(&core.copies), permit: Some(permit) };
        let (head, spoken, deadline) = (self.head.clone(), self.spoken(), self.deadline);
        // It cannot be told to come again in another codec.
        let answer = self.speak(&*session, false).map(|()| {
            self.head.shadow = true;
            self.head.no_retry = true;
            self.head.criticality = Criticality::Sheddable;
            self.head.attempt = 0;
            self.deadline = Some(until);
            attempt::answer(self, endpoint, session, arguments)
        });
        (self.head, self.deadline) = (head, deadline);
        self.speaks(spoken);
        let answer = answer.map_err(|_| Some(Happened::MirrorFailed))?;
        self.wait_for_copy(endpoint.clone(), place, until, answer);
        Ok(())
    }

    /// Has somebody wait for it who is not the caller.
    fn wait_for_copy(
        &mut self,
        endpoint: Endpoint,
        place: Place,
        until: Instant,
        answer: BoxFuture<'static, Result<Box<Answer>, Status>>,
    ) {
        let (types, method) = (self.types, self.method);
        let core = &self.channel.core;
        let seen = Arc::clone(&core.seen);
        let compares = core.interceptors.compares.clone().map(|observer| {
            let (twin, original) = oneshot::channel();
            self.twin = Some(twin);
            (observer, original)
        });
        let sent = Instant::now().into_std();
        tokio::spawn(async move {
            let place = place;
            let answer = timeout_at(until, answer).await.unwrap_or_else(|_| Err(too_late()));
            if let Ok(answer) = &answer {
                let at = answer.at.unwrap_or_else(Instant::now).into_std();
                endpoint.member().note_cut(answer.head.cut, at);
            }
            let happened = match answer.as_ref().map(|answer| &answer.head.outcome) {
                Ok(AnswerOutcome::Ok | AnswerOutcome::App) => Happened::MirrorAnswered,
                Ok(AnswerOutcome::Status(_)) | Err(_) => Happened::MirrorFailed,
            };
            seen.calls(types.id().0, method.name()).note(happened);
            if let Some((observer, original)) = compares
                && let Ok(original) = original.await
            {
                observer.tell(Mirrored {
                    method,
                    original,
                    copy: MirroredAnswer::new(&answer),
                    sent,
                    #[cfg(feature = "foreign")]
                    types,
                });
            }
            drop(place);
        });
    }
}

fn too_late() -> Status {
    Status::runtime(
        Code::DeadlineExceeded,
        Reason::Expired,
        Disposition::Unknown,
        Origin::Local,
        "the time of the call that it copies was over",
    )
}
