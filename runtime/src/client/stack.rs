//! The whole path of a call, in order. Start reading here.
//!
//! ```text
//!   1  context      deadline = min(own, inherited); criticality; may anybody below repeat it: `call.rs`
//!   2  span         one per call; one more per attempt
//!   3  deadline     a call with less than 1 ms left is not sent; one timer bounds everything below
//!   4  interceptors per call: `intercepted.rs`
//!   5  bulkhead     a place among the calls that are out, held across attempts: `bulkhead.rs`
//!   6  plan         which endpoint, and what follows a failure: `route.rs` asks `sinew_core::plan::client`
//!   7  attempt      session, encode for this endpoint, send, receive, classify: `attempt.rs`; where the method is hedged,
//!                   another beside a slow one: `hedged.rs`; where the policy says so, a copy for nobody: `copied.rs`
//!   8  ledger       where the time went: to the caller's context, into the status if there is one, and to an account if one
//!                   was asked for: `accounted.rs`
//!   9  decode       the value, or the method's own error: `answer.rs`
//! ```
//!
//! # Invariants
//! 1. Every call ends by its deadline, wherever it is: the timer is outside of everything that repeats.
//! 2. The deadline that an attempt carries is the call's: waiting and repeating shorten it.
//! 3. A call that is dropped is cancelled on the server, and its context hears how far it came.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    deadline, limits,
    plan::client::{Failed, Room, Turn, Verdict, Why},
    policy::rendezvous,
};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tracing::Instrument as _;

use super::{Channel, Endpoint, answer::typed, attempt, call::Call, noted::Answered};
use crate::{
    call::{
        context::Context,
        failure::{Failure, MethodError},
        streaming::EncodeItems,
        types::Types,
    },
    chance::Chance,
    codec::{Arguments, Encode},
    error::{Status, millis},
    interceptor::Response,
    metrics::Happened,
    mirrored::MirroredAnswer,
    stripe,
    transport::{Answer, BoxFuture, StreamAnswer},
};

/// A unary call, typed.
///
/// What is returned is small, however much the call needs on its way: whoever calls hands it on, into a task or a time-out,
/// by value, once for each that is around it.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(crate) async fn unary<A, T, E>(
    channel: Channel,
    types: &'static Types,
    arguments: A,
    key: Option<u64>,
    context: Option<Context>,
) -> Result<T, E::Caller>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + 'static,
    E: MethodError,
{
    let answer = under_way(channel, types, arguments, key, context).await;
    typed::<T>(types, answer.map_err(Failure::Status)).map_err(E::caller)
}

/// All of a unary call but what its answer is worth, where it stays until it is over.
fn under_way<A: Serialize + Send + 'static>(
    channel: Channel,
    types: &'static Types,
    arguments: A,
    key: Option<u64>,
    context: Option<Context>,
) -> BoxFuture<'static, Result<Box<Answer>, Status>> {
    let mut arguments = Arguments { names: types.method().argument_names(), value: arguments };
    Box::pin(async move {
        // In a place of its own: two pieces below 1 KiB each are allocated faster than one beyond.
        let mut call = Box::new(Call::begin(channel, types, key, context));
        // What is rare is boxed: a future is as large, and as slow to move, as its largest branch.
        let span = call.span();
        if span.is_none() && call.interceptors().is_empty() {
            return call.run_unary(&mut arguments).await;
        }
        let span = span.unwrap_or_else(tracing::Span::none);
        Box::pin(seen(call, arguments).instrument(span)).await
    })
}

/// The same inside of a span, and of the interceptors around the whole call if there are any.
async fn seen<A>(mut call: Box<Call>, mut arguments: Arguments<A>) -> Result<Box<Answer>, Status>
where
    A: Serialize + Send + 'static,
{
    if call.interceptors().is_empty() {
        return call.run_unary(&mut arguments).await;
    }
    let response = call.intercepted(Box::new(arguments), Call::into_answer).await;
    response.and_then(Response::into_answer)
}

/// A call of which at least one side streams, typed by what the caller makes of the answer.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(crate) fn streaming<A>(
    channel: Channel,
    types: &'static Types,
    (arguments, input): (A, Option<Box<dyn EncodeItems>>),
    key: Option<u64>,
    context: Option<Context>,
) -> BoxFuture<'static, Result<StreamAnswer, Status>>
where
    A: Serialize + Send + 'static,
{
    let mut arguments = Arguments { names: types.method().argument_names(), value: arguments };
    Box::pin(async move {
        let mut call = Call::begin(channel, types, key, context);
        let span = call.span().unwrap_or_else(tracing::Span::none);
        if call.interceptors().is_empty() {
            return call.run_streaming(&mut arguments, input).instrument(span).await;
        }
        let last = |call, arguments| Call::into_stream(call, arguments, input);
        let response = call.intercepted(Box::new(arguments), last).instrument(span).await;
        response.and_then(Response::into_stream)
    })
}

impl Call {
    pub(super) async fn run_unary(
        &mut self,
        arguments: &mut dyn Encode,
    ) -> Result<Box<Answer>, Status> {
        if let Err(status) = self.worth_sending() {
            return self.end(Err(status));
        }
        let nudged = AtomicBool::new(false);
        let (deadline, started) = (self.deadline, self.record.started());
        let outcome = {
            // In its place once: a future that is handed on by value is in memory twice, and moved with each call.
            let attempts = pin!(self.attempts_unary(arguments, &nudged));
            match deadline {
                None => Some(attempts.await),
                Some(deadline) => {
                    let near = deadline.saturating_duration_since(started) < limits::TIMER_AT_ONCE;
                    // A call that a lane carries is polled again soon: most are answered before, and never need a timer.
                    let arm = |polls| near || polls > 1 || !nudged.load(Ordering::Relaxed);
                    before(deadline, attempts, arm).await
                }
            }
        };
        let outcome = outcome.unwrap_or_else(|| Err(self.out_of_time()));
        let outcome = self.end(outcome);
        if let Some(twin) = self.twin.take() {
            // Who compared is gone with the copy's task: nothing is lost.
            let _ = twin.send(MirroredAnswer::new(&outcome));
        }
        outcome
    }

    pub(super) async fn run_streaming(
        &mut self,
        arguments: &mut dyn Encode,
        input: Option<Box<dyn EncodeItems>>,
    ) -> Result<StreamAnswer, Status> {
        let outcome = match self.worth_sending() {
            Ok(()) => self.bounded_streaming(arguments, input).await,
            Err(status) => Err(status),
        };
        self.end(outcome)
    }

    /// 3: what could not be answered in time is not sent.
    fn worth_sending(&self) -> Result<(), Status> {
        self.may_be_hedged()?;
        if self.limit == Some(Duration::ZERO) {
            return Err(Status::not_sent(
                Code::InvalidArgument,
                Reason::InvalidDeadline,
                "a timeout of zero; give the call time, or `without_deadline_at_my_own_risk`",
            ));
        }
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(self.record.started());
        if deadline::worth_sending(left) {
            return Ok(());
        }
        Err(Status::not_sent(
            Code::DeadlineExceeded,
            Reason::Expired,
            format!(
                "{} were left of the deadline when the call began, less than the {} that one needs",
                millis(left),
                millis(limits::SEND_MIN)
            ),
        ))
    }

    async fn bounded_streaming(
        &mut self,
        arguments: &mut dyn Encode,
        mut input: Option<Box<dyn EncodeItems>>,
    ) -> Result<StreamAnswer, Status> {
        let first_frame = self.record.started() + limits::STREAM_FIRST_FRAME;
        let limit = self.deadline.map_or(first_frame, |deadline| deadline.min(first_frame));
        let outcome = {
            let attempts = pin!(self.attempts_streaming(arguments, &mut input));
            before(limit, attempts, |_| true).await
        };
        outcome.unwrap_or_else(|| Err(self.out_of_time()))
    }

    /// 5 to 7: attempts until one answers, or none may follow.
    async fn attempts_unary(
        &mut self,
        arguments: &mut dyn Encode,
        nudged: &AtomicBool,
    ) -> Result<Box<Answer>, Status> {
        let core = Arc::clone(&self.channel.core);
        let _place = core.places().enter(self).await?;
        if !core.is_found() {
            Box::pin(core.found(self.patience())).await;
        }
        let mut turn = self.turn();
        if let Some(after) = self.hedge() {
            return Box::pin(self.attempts_hedged(turn, after, arguments)).await;
        }
        loop {
            let mut booked = core.book(&mut turn, self.now(), self.deadline)?;
            self.picked(&booked);
            let until = self.rules.per_attempt.map(|time| self.now() + time);
            let outcome = {
                let attempt = pin!(attempt::unary(self, &mut booked, &turn, arguments, nudged));
                match until {
                    None => Some(attempt.await),
                    Some(until) => {
                        Box::pin(in_its_time(until, attempt, || core.may_repeat(&turn))).await
                    }
                }
            };
            let status = match outcome.unwrap_or_else(|| Err(self.too_slow())) {
                Ok(answer) => {
                    booked.answered(&answer);
                    return Ok(answer);
                }
                Err(status) => status,
            };
            booked.failed(&facts(&status));
            if !self.goes_with_names(&status) {
                Box::pin(self.may_follow(&mut turn, status)).await?;
            }
        }
    }

    async fn attempts_streaming(
        &mut self,
        arguments: &mut dyn Encode,
        input: &mut Option<Box<dyn EncodeItems>>,
    ) -> Result<StreamAnswer, Status> {
        let core = Arc::clone(&self.channel.core);
        let _place = core.places().enter(self).await?;
        core.found(self.patience()).await;
        let mut turn = self.turn();
        let has_input = input.is_some();
        loop {
            let booked = core.book(&mut turn, self.now(), self.deadline)?;
            self.picked(&booked);
            let until = self.rules.per_attempt.filter(|_| !has_input);
            let until = until.map(|time| self.now() + time);
            let outcome = {
                let attempt = pin!(attempt::streaming(self, booked.endpoint(), arguments, input));
                match until {
                    None => Some(attempt.await),
                    Some(until) => in_its_time(until, attempt, || core.may_repeat(&turn)).await,
                }
            };
            let status = match outcome.unwrap_or_else(|| Err(self.too_slow())) {
                Ok(answer) => {
                    booked.began();
                    return Ok(answer);
                }
                Err(status) => status,
            };
            booked.failed(&facts(&status));
            // What was read of the input cannot be read again.
            if has_input && input.is_none() {
                return Err(status);
            }
            if !self.goes_with_names(&status) {
                self.may_follow(&mut turn, status).await?;
            }
        }
    }

    /// When the next attempt begins: with the call, unless it had to wait. One look at the clock fewer.
    pub(super) fn now(&self) -> Instant {
        if self.waited { Instant::now() } else { self.record.started() }
    }

    fn turn(&self) -> Turn {
        let attempts = if self.head.no_retry {
            1
        } else {
            self.options().attempts.unwrap_or(self.rules.attempts)
        };
        let now = self.record.started().into_std();
        let plan = self.channel.core.plan();
        plan.begin(stripe::own(), attempts, self.head.idempotent, now)
            .with_key(self.key)
            .with_trace(self.head.trace.map(|trace| rendezvous::of_trace(trace.trace_id)))
            .with_class(self.head.criticality, self.head.shed_hash())
    }

    /// Waits as the plan says before the next attempt; the failure itself if there is none.
    pub(super) async fn may_follow(
        &mut self,
        turn: &mut Turn,
        status: Status,
    ) -> Result<(), Status> {
        self.waited = true;
        self.missed(&status);
        self.came = self.came.max(status.disposition());
        let (failed, cause) = (facts(&status), Happened::retry_after(&status));
        let now = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let core = &self.channel.core;
        let room = Room { endpoints: core.endpoints().len(), left };
        match core.plan().failed(turn, &failed, room, now.into_std(), &mut Chance) {
            Verdict::GiveUp(why) => {
                self.note_given_up(why);
                return Err(given_up(status, why, self.record.attempts()));
            }
            Verdict::Next => {}
            Verdict::NextAfter(wait) => sleep(wait).await,
            Verdict::WaitForReady => self.wait_for_ready(status).await?,
        }
        self.note(cause);
        // A call that did not reach a server has made no attempt there.
        if failed.disposition != Disposition::NotSent {
            self.head.attempt = self.head.attempt.saturating_add(1);
        }
        Ok(())
    }

    /// How long the call is willing to wait for an endpoint that can take it.
    fn patience(&self) -> Instant {
        let left = self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(self.record.started())
        });
        let wait = self.options().wait_for_ready.unwrap_or(deadline::wait_for_ready(left));
        self.record.started() + wait
    }

    /// Until an endpoint may be tried again, as long as the call is willing to wait.
    async fn wait_for_ready(&self, status: Status) -> Result<(), Status> {
        let until = self.patience();
        let next = self.channel.core.endpoints().iter().filter_map(Endpoint::retry_at).min();
        match next {
            Some(next) if next >= until => Err(status),
            Some(next) => {
                sleep_until(next).await;
                Ok(())
            }
            None if Instant::now() >= until => Err(status),
            // What is in the way may need this thread to go away.
            None => {
                tokio::task::yield_now().await;
                Ok(())
            }
        }
    }

    /// The deadline passed: how far the call came decides what its caller may believe.
    fn out_of_time(&mut self) -> Status {
        let sent = self.record.is_under_way();
        let disposition = if sent { Disposition::Unknown } else { Disposition::NotSent };
        let limit = self.deadline.map_or(limits::STREAM_FIRST_FRAME, |deadline| {
            deadline.saturating_duration_since(self.record.started())
        });
        let inherited = self.limit.is_none_or(|own| own > limit + limits::RESERVE_MIN);
        let whose =
            if inherited { "the deadline inherited from the caller" } else { "the deadline" };
        let doing =
            if sent { "waiting for the answer" } else { "waiting for an endpoint to be reachable" };
        Status::runtime(
            Code::DeadlineExceeded,
            Reason::Expired,
            disposition,
            Origin::Local,
            format!("{whose} ({}) passed while {doing}", millis(limit)),
        )
    }

    /// The attempt had its time: another may follow.
    #[cold]
    fn too_slow(&mut self) -> Status {
        let sent = self.record.is_under_way();
        if sent {
            self.record.attempt_ended(Code::Unavailable, None, Instant::now());
        }
        let disposition = if sent { Disposition::Unknown } else { Disposition::NotSent };
        let time = self.rules.per_attempt.unwrap_or_default();
        Status::runtime(
            Code::Unavailable,
            Reason::AttemptTimeout,
            disposition,
            Origin::Local,
            format!(
                "one attempt has {} (retry.per_attempt), and this one took longer",
                millis(time)
            ),
        )
    }

    /// 8: tells whoever wants to know.
    fn end<T: Answered>(&mut self, outcome: Result<T, Status>) -> Result<T, Status> {
        self.over = true;
        self.count(&outcome);
        match outcome {
            Ok(value) => {
                if self.is_observed() {
                    self.note_answered();
                }
                Ok(value)
            }
            Err(status) => {
                let now = Instant::now();
                self.record.ended(status.code(), now);
                let attempts = self.record.attempts();
                let endpoint = self.record.endpoint().cloned();
                let record = self.take_record();
                let ledger = record.into_ledger(now);
                if let Some(context) = &self.context {
                    context.note_ledger(ledger.clone());
                }
                // What a handler answered has nothing to do with where it runs.
                let ours = !matches!(status.origin(), Origin::PeerHandler | Origin::Relayed);
                let explanation = ours.then(|| self.channel.core.explain(now));
                // The last attempt does not know what became of those before it.
                let status = status.came(self.came).with_explanation(explanation);
                let status = status.at(self.method.path(), endpoint.as_ref(), attempts);
                let status = status.with_ledger(ledger);
                self.note_failed(self.record.started(), &status);
                Err(status)
            }
        }
    }
}

/// What the plan has to know of a failure.
pub(super) fn facts(status: &Status) -> Failed {
    Failed {
        code: status.code(),
        reason: status.reason(),
        disposition: status.disposition(),
        directive: status.directive(),
        origin: status.origin(),
    }
}

/// The failure that is the call's. Where this side has done what it may, nobody above is to begin again.
fn given_up(status: Status, why: Why, attempts: u8) -> Status {
    let words = match why {
        Why::NoBudget => {
            "not tried again: too many calls fail, the budget for retries is used up (BUDGET_SHARE)"
        }
        Why::NoTime => "not tried again: the deadline is too near",
        Why::NoAttempts if attempts > 1 => "not tried again: it had all its attempts (ATTEMPTS)",
        Why::NoAttempts | Why::Final => return status,
    };
    status.with_directive(Directive::DoNotRetry).noting(words)
}

/// What becomes of an attempt; `None` where it takes longer than the policy gives one and the call may be made again. One
/// that may not has all the time that is left.
async fn in_its_time<F: Future>(
    until: Instant,
    mut attempt: Pin<&mut F>,
    may_repeat: impl Fn() -> bool,
) -> Option<F::Output> {
    match before(until, attempt.as_mut(), |_| true).await {
        None if !may_repeat() => Some(attempt.await),
        outcome => outcome,
    }
}

/// The output of `future`, if it comes before the deadline.
///
/// The one timer of a call: it is armed once `arm` says so, which is told how often the future was found pending.
pub(super) fn before<F: Future>(
    deadline: Instant,
    mut future: Pin<&mut F>,
    arm: impl Fn(u32) -> bool,
) -> impl Future<Output = Option<F::Output>> {
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    let mut polls = 0;
    poll_fn(move |cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        polls += 1;
        if timer.is_none() && !arm(polls) {
            return Poll::Pending;
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| None)
    })
}
