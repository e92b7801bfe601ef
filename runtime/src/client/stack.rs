//! The whole path of a call, in order. Start reading here.
//!
//! ```text
//!   1  context      deadline = min(own, inherited); criticality; may anybody below repeat it
//!   2  span         one per call; one more per attempt
//!   3  deadline     a call with less than 1 ms left is not sent; one timer bounds everything below
//!   4  interceptors per call
//!   5  plan         which endpoint, in `sinew_core::plan::client`; again after an attempt that provably never ran
//!   6  attempt      session, encode for this endpoint, send, receive, classify: `attempt.rs`
//!   7  ledger       where the time went: to the caller's context, and into the status if there is one
//!   8  decode       the value, or the method's own error
//! ```
//!
//! # Invariants
//! 1. Every call ends by its deadline, wherever it is: the timer is outside of everything that repeats.
//! 2. The deadline that an attempt carries is the call's: waiting and repeating shorten it.
//! 3. A call that is dropped is cancelled on the server, and its context hears how far it came.

use std::{pin::Pin, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    deadline, limits,
    plan::client::{Failed, Verdict},
    wire::{answer::{AnswerHead, AnswerOutcome}, request::RequestHead},
};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument as _;

use super::{Channel, Endpoint, OsRng, attempt};
use crate::{
    call::{
        context::{Context, Inner, note_lost_context},
        failure::{AppError, Failure, MethodError, undecodable},
        method::Method,
        options::CallOptions,
        record::Record,
        streaming::{EncodeItems, Streaming},
    },
    codec::{self, Encode},
    error::{Status, millis},
    interceptor::{Chain, Encoded, Outcome, Request, Response},
    transport::{Answer, BoxFuture, StreamAnswer},
};

/// One call on its way.
pub(crate) struct Call {
    channel: Channel,
    method: &'static Method,
    context: Option<Context>,
    deadline: Option<Instant>,
    /// What the caller allowed, for the message.
    limit: Option<Duration>,
    head: RequestHead,
    record: Record,
    /// It had to wait for an endpoint, or is at a later attempt.
    waited: bool,
    over: bool,
}

/// A unary call, typed.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(crate) async fn unary<A, T, E>(
    channel: Channel,
    method: &'static Method,
    mut arguments: A,
    context: Option<Context>,
) -> Result<T, E::Caller>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + 'static,
    E: MethodError,
{
    let mut call = Call::begin(channel, method, context);
    let span = call.span();
    let answer = if call.interceptors().is_empty() {
        call.run_unary(&mut arguments).instrument(span).await
    } else {
        let response = call.intercepted(&mut arguments, Call::into_answer).instrument(span).await;
        response.and_then(Response::into_answer)
    };
    typed::<T>(answer.map_err(Failure::Status)).map_err(E::caller)
}

/// A call of which at least one side streams, typed by what the caller makes of the answer.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(crate) async fn streaming<A>(
    channel: Channel,
    method: &'static Method,
    mut arguments: A,
    input: Option<Box<dyn EncodeItems>>,
    context: Option<Context>,
) -> Result<StreamAnswer, Status>
where
    A: Serialize + Send + 'static,
{
    let mut call = Call::begin(channel, method, context);
    let span = call.span();
    if call.interceptors().is_empty() {
        return call.run_streaming(&mut arguments, input).instrument(span).await;
    }
    let last = |call, arguments| Call::into_stream(call, arguments, input);
    let response = call.intercepted(&mut arguments, last).instrument(span).await;
    response.and_then(Response::into_stream)
}

/// The one answer of a call, decoded.
pub(crate) fn typed<T: DeserializeOwned + 'static>(
    answer: Result<Answer, Failure>,
) -> Result<T, Failure> {
    let Answer { head, body, .. } = answer?;
    match head.outcome {
        AnswerOutcome::Ok => codec::decode(head.codec, &body)
            .map_err(|error| Failure::Status(undecodable::<T>("answer", &error))),
        AnswerOutcome::App => Err(Failure::App(AppError::encoded(head.codec, body))),
        AnswerOutcome::Status(status) => {
            Err(Failure::Status(Status::from_wire(status, head.directive)))
        }
    }
}

/// The one answer of a call whose input streams.
pub(crate) fn typed_single<T: DeserializeOwned + 'static>(answer: StreamAnswer) -> Result<T, Failure> {
    match answer {
        StreamAnswer::Single(answer) => typed(Ok(answer)),
        StreamAnswer::Items { .. } => Err(Failure::Status(Status::new(
            Code::Internal,
            "a stream came where the method answers with one value; the two builds differ",
        ))),
    }
}

/// The stream that a call came to.
pub(crate) fn typed_stream<T, E>(answer: StreamAnswer) -> Result<Streaming<T, E>, Failure>
where
    T: DeserializeOwned + Send + 'static,
{
    match answer {
        StreamAnswer::Items { codec, items, .. } => Ok(Streaming::remote(codec, items)),
        StreamAnswer::Single(answer) => match answer.head.outcome {
            AnswerOutcome::App => {
                Err(Failure::App(AppError::encoded(answer.head.codec, answer.body)))
            }
            AnswerOutcome::Status(status) => {
                Err(Failure::Status(Status::from_wire(status, answer.head.directive)))
            }
            AnswerOutcome::Ok => Err(Failure::Status(Status::new(
                Code::Internal,
                "one value came where the method answers with a stream; the two builds differ",
            ))),
        },
    }
}

impl Call {
    /// 1: what the call inherits, and what it asks for.
    fn begin(channel: Channel, method: &'static Method, context: Option<Context>) -> Self {
        let now = Instant::now();
        let options = channel.options.as_deref();
        if context.is_none() {
            note_lost_context(method.path());
        }
        let inherited = context.as_ref().map(Context::inner);
        let limit = own_limit(method, options);
        let parent = inherited.and_then(|parent| parent.deadline);
        let deadline = match limit {
            // The reserve leaves the caller time to answer its own caller.
            Some(limit) => Some(child(now, limit, inherited)),
            None => parent.and(Some(child(now, Duration::MAX, inherited))),
        };
        let mut head = RequestHead::new(method.id(), method.codec());
        head.idempotent = method.is_idempotent();
        let own = options.and_then(|options| options.criticality).or(method.default_criticality());
        head.criticality = match (own, inherited.and_then(|parent| parent.criticality)) {
            (Some(own), Some(parent)) => parent.lowered_to(own),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => head.criticality,
        };
        head.no_retry = options.is_some_and(|options| options.no_retry)
            || inherited.is_some_and(|parent| parent.no_retry);
        head.shed_key = options
            .and_then(|options| options.shed_key)
            .or_else(|| inherited.and_then(|parent| parent.shed_key));
        head.trace = inherited.and_then(|parent| parent.trace);
        if let Some(options) = options {
            head.metadata = options.metadata.clone();
        }
        if let Some(parent) = inherited {
            hand_on_baggage(&mut head, parent);
        }
        Self {
            channel,
            method,
            context,
            deadline,
            limit,
            head,
            record: Record::new(method.path(), now),
            waited: false,
            over: false,
        }
    }

    /// 2: disabled, it costs a comparison.
    fn span(&self) -> tracing::Span {
        tracing::info_span!(
            target: "sinew::call",
            "call",
            service = self.method.service(),
            method = self.method.name(),
        )
    }

    /// 4: the interceptors around the whole call; what is inside of them owns the call.
    async fn intercepted<F>(self, arguments: &mut dyn Encode, last: F) -> Result<Response, Status>
    where
        F: FnOnce(Self, Encoded) -> BoxFuture<'static, Response> + Send + 'static,
    {
        let encoded = Encoded::new(self.head.codec, arguments)
            .map_err(|error| Status::not_sent(Code::InvalidArgument, Reason::Malformed, error.to_string()))?;
        let chain = self.interceptors().clone();
        let request = self.request(&encoded, None);
        let (deadline, method) = (self.deadline, self.method);
        let run = chain.run(request, move |request| {
            let mut call = self;
            call.head.metadata = request.metadata;
            last(call, encoded)
        });
        let Some(deadline) = deadline else { return Ok(run.await) };
        before(deadline, run).await.ok_or_else(|| {
            let status = Status::runtime(
                Code::DeadlineExceeded,
                Reason::Expired,
                Disposition::Unknown,
                Origin::Local,
                "the deadline passed inside of an interceptor",
            );
            status.at(method.path(), None, 0)
        })
    }

    fn into_answer(mut self, mut arguments: Encoded) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            match self.run_unary(&mut arguments).await {
                Ok(answer) => Response(Outcome::Answer(answer)),
                Err(status) => Response::status(status),
            }
        })
    }

    fn into_stream(
        mut self,
        mut arguments: Encoded,
        input: Option<Box<dyn EncodeItems>>,
    ) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            match self.run_streaming(&mut arguments, input).await {
                Ok(answer) => Response(Outcome::Stream(answer)),
                Err(status) => Response::status(status),
            }
        })
    }

    /// The call as an interceptor sees it.
    pub(super) fn request(&self, encoded: &Encoded, endpoint: Option<&Endpoint>) -> Request {
        Request {
            method: self.method,
            metadata: self.head.metadata.clone(),
            deadline: self.deadline,
            peer: None,
            endpoint: endpoint.map(|endpoint| std::sync::Arc::clone(endpoint.name())),
            attempt: self.head.attempt,
            codec: self.head.codec,
            body: encoded.body().clone(),
        }
    }

    fn interceptors(&self) -> &Chain {
        &self.channel.core.interceptors.per_call
    }

    pub(super) fn attempt_interceptors(&self) -> Chain {
        self.channel.core.interceptors.per_attempt.clone()
    }

    async fn run_unary(&mut self, arguments: &mut dyn Encode) -> Result<Answer, Status> {
        let outcome = match self.worth_sending() {
            Ok(()) => self.bounded_unary(arguments).await,
            Err(status) => Err(status),
        };
        self.end(outcome)
    }

    async fn run_streaming(
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

    async fn bounded_unary(&mut self, arguments: &mut dyn Encode) -> Result<Answer, Status> {
        let Some(deadline) = self.deadline else { return self.attempts_unary(arguments).await };
        match before(deadline, self.attempts_unary(arguments)).await {
            Some(outcome) => outcome,
            None => Err(self.out_of_time()),
        }
    }

    async fn bounded_streaming(
        &mut self,
        arguments: &mut dyn Encode,
        mut input: Option<Box<dyn EncodeItems>>,
    ) -> Result<StreamAnswer, Status> {
        let first_frame = self.record.started() + limits::STREAM_FIRST_FRAME;
        let limit = self.deadline.map_or(first_frame, |deadline| deadline.min(first_frame));
        match before(limit, self.attempts_streaming(arguments, &mut input)).await {
            Some(outcome) => outcome,
            None => Err(self.out_of_time()),
        }
    }

    /// 5 and 6: attempts until one answers, or none may follow.
    async fn attempts_unary(&mut self, arguments: &mut dyn Encode) -> Result<Answer, Status> {
        let mut turn = self.turn()?;
        loop {
            let core = std::sync::Arc::clone(&self.channel.core);
            let endpoint = &core.endpoints[turn.endpoint()];
            let failed = match attempt::unary(self, endpoint, arguments).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            self.may_follow(&mut turn, failed).await?;
        }
    }

    async fn attempts_streaming(
        &mut self,
        arguments: &mut dyn Encode,
        input: &mut Option<Box<dyn EncodeItems>>,
    ) -> Result<StreamAnswer, Status> {
        let mut turn = self.turn()?;
        let has_input = input.is_some();
        loop {
            let core = std::sync::Arc::clone(&self.channel.core);
            let endpoint = &core.endpoints[turn.endpoint()];
            let failed = match attempt::streaming(self, endpoint, arguments, input).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if has_input && input.is_none() {
                return Err(failed);
            }
            self.may_follow(&mut turn, failed).await?;
        }
    }

    fn turn(&self) -> Result<sinew_core::plan::client::Turn, Status> {
        let attempts = if self.head.no_retry { 1 } else { self.options().attempts.unwrap_or(limits::ATTEMPTS) };
        self.channel.core.begin(attempts).ok_or_else(|| {
            Status::not_sent(
                Code::Unavailable,
                Reason::NoEndpoints,
                format!("no endpoint of `{}` is known", self.channel.core.service()),
            )
        })
    }

    /// Waits as the plan says before the next attempt; the failure itself if there is none.
    async fn may_follow(
        &mut self,
        turn: &mut sinew_core::plan::client::Turn,
        status: Status,
    ) -> Result<(), Status> {
        self.waited = true;
        let failed = Failed {
            code: status.code(),
            reason: status.reason(),
            disposition: status.disposition(),
            directive: status.directive(),
        };
        match turn.failed(failed, &mut OsRng) {
            Verdict::GiveUp => return Err(status),
            Verdict::Next => {}
            Verdict::NextAfter(wait) => sleep(wait).await,
            Verdict::WaitForReady => self.wait_for_ready(status).await?,
        }
        // A call that did not reach a server has made no attempt there.
        if failed.disposition != Disposition::NotSent {
            self.head.attempt = self.head.attempt.saturating_add(1);
        }
        Ok(())
    }

    /// Until an endpoint may be tried again, as long as the call is willing to wait.
    async fn wait_for_ready(&self, status: Status) -> Result<(), Status> {
        let left = self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(self.record.started())
        });
        let wait = self.options().wait_for_ready.unwrap_or(deadline::wait_for_ready(left));
        let until = self.record.started() + wait;
        let endpoints = self.channel.core.endpoints.iter();
        let next = endpoints.filter_map(Endpoint::retry_at).min();
        match next {
            Some(next) if next >= until => Err(status),
            Some(next) => {
                sleep_until(next).await;
                Ok(())
            }
            None if Instant::now() >= until => Err(status),
            None => Ok(()),
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
        let whose = if inherited { "the deadline inherited from the caller" } else { "the deadline" };
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

    /// 7: tells whoever wants to know.
    fn end<T>(&mut self, outcome: Result<T, Status>) -> Result<T, Status> {
        self.over = true;
        match outcome {
            Ok(value) => {
                if self.context.is_some() {
                    self.record.ended(Code::Ok, Instant::now());
                    let record = self.take_record();
                    if let Some(context) = &self.context {
                        context.note_call(record);
                    }
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
                Err(status.at(self.method.path(), endpoint.as_ref(), attempts).with_ledger(ledger))
            }
        }
    }

    fn take_record(&mut self) -> Record {
        let started = self.record.started();
        std::mem::replace(&mut self.record, Record::new(self.method.path(), started))
    }

    /// The metadata of an answer, to whoever asked for it.
    pub(super) fn keep_metadata(&self, head: &AnswerHead) {
        if let Some(into) = &self.options().answer {
            into.set(head.metadata.clone());
        }
    }

    pub(super) fn options(&self) -> &CallOptions {
        static DEFAULTS: std::sync::LazyLock<CallOptions> =
            std::sync::LazyLock::new(CallOptions::default);
        self.channel.options.as_deref().unwrap_or(&DEFAULTS)
    }

    pub(super) fn head(&self) -> &RequestHead {
        &self.head
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn idle(&self) -> Duration {
        self.options().idle.unwrap_or(limits::STREAM_FRAME_GAP)
    }

    pub(super) fn waited(&self) -> bool {
        self.waited
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Whether anybody will look at the record of a call that went well.
    pub(super) fn is_observed(&self) -> bool {
        self.context.is_some()
    }

    /// An attempt goes out: what serves a repeated call must not repeat below it.
    pub(super) fn sending(&mut self) {
        self.head.no_retry |= self.head.attempt > 0;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.over
            && let Some(context) = self.context.take()
        {
            context.note_call(self.take_record());
        }
    }
}

/// The timeout of the call itself: its options', its method's, the default; `None` for a call without one.
fn own_limit(method: &Method, options: Option<&CallOptions>) -> Option<Duration> {
    let asked = options.and_then(|options| options.timeout);
    if asked.is_none() && options.is_some_and(|options| options.unbounded) {
        return None;
    }
    let limit = match (asked, method.timeout(), method.shape().streams()) {
        (Some(limit), _, _) | (None, Some(limit), _) => limit,
        (None, None, true) => return None,
        (None, None, false) => limits::DEADLINE_DEFAULT,
    };
    let (limit, clamped) = deadline::clamp_to_default(limit);
    if clamped {
        tracing::debug!(method = method.path(), limit = %millis(limit), "a longer timeout was clamped");
    }
    Some(limit)
}

/// min(own, inherited less what an answer to our caller takes).
fn child(now: Instant, limit: Duration, parent: Option<&Inner>) -> Instant {
    let deadline = parent.and_then(|parent| parent.deadline).map(Instant::into_std);
    let rtt = parent.map_or(Duration::ZERO, |parent| parent.caller_rtt);
    Instant::from_std(deadline::child_deadline(now.into_std(), limit, deadline, rtt))
}

/// What the request that is being served said to everybody below it.
fn hand_on_baggage(head: &mut RequestHead, parent: &Inner) {
    for (key, value) in parent.metadata.iter() {
        if key.starts_with("baggage.") && head.metadata.get(key).is_none() {
            // It fitted once; where the call's own entries leave no room, those come first.
            let _ = head.metadata.insert(key, value.clone());
        }
    }
}

/// The output of `future`, if it comes before the deadline.
async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut timer = std::pin::pin!(sleep_until(deadline));
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        Pin::as_mut(&mut timer).poll(cx).map(|()| None)
    })
    .await
}
