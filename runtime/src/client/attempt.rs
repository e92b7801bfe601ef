//! One attempt: session, encode for this endpoint, send, receive, classify.

use std::{
    future::ready,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    limits,
    plan::client::Turn,
    wire::{
        answer::{AnswerHead, AnswerOutcome},
        frame::TimeLeft,
    },
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    Endpoint,
    call::{Call, Spoken},
    route::Booked,
    stack::facts,
};
use crate::{
    call::{
        record::ServerNote,
        streaming::EncodeItems,
        types::{self, Answerer},
    },
    codec::{self, Encode},
    error::Status,
    interceptor::{Chain, Encoded, Outcome, Request, Response},
    stripe,
    transport::{Answer, BoxFuture, Outgoing, Pending, Received, Session, StreamAnswer},
};

/// One unary attempt at one endpoint.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(super) async fn unary(
    call: &mut Call,
    booked: &mut Booked,
    turn: &Turn,
    arguments: &mut dyn Encode,
    nudged: &AtomicBool,
) -> Result<Box<Answer>, Status> {
    let mut sent = send(call, booked, arguments)?;
    let answer = match &mut sent {
        Some(Pending::Lane(pending)) => {
            nudged.store(true, Ordering::Relaxed);
            let received = booked.unless_silent(Pin::new(pending), turn).await;
            nudged.store(false, Ordering::Relaxed);
            received.and_then(take_apart)
        }
        // What is rare is boxed, see `stack::under_way`.
        Some(pending) => {
            let received = Box::pin(booked.unless_silent_alone(Pin::new(pending), turn)).await;
            received.and_then(take_apart)
        }
        None => Box::pin(send_otherwise(call, booked, turn, arguments)).await,
    };
    let endpoint = booked.endpoint();
    let answer = classify(call, endpoint, answer);
    answer.inspect_err(|status| note_refusal(call, endpoint, status))
}

/// Sends the call, if there is a session and nobody looks at each attempt.
fn send(
    call: &mut Call,
    booked: &mut Booked,
    arguments: &mut dyn Encode,
) -> Result<Option<Pending>, Status> {
    if call.may_be_copied() || call.has_attempt_interceptors() || is_traced() {
        return Ok(None);
    }
    let Some(session) = booked.ready() else { return Ok(None) };
    let endpoint = booked.endpoint();
    call.speak(&*session, true).map_err(|status| status.tried_at(endpoint.name()))?;
    begin(call, endpoint);
    Ok(Some(session.call(call.outgoing(arguments))))
}

/// The same otherwise.
async fn send_otherwise(
    call: &mut Call,
    booked: &mut Booked,
    turn: &Turn,
    arguments: &mut dyn Encode,
) -> Result<Box<Answer>, Status> {
    let session = match booked.ready() {
        Some(session) => session,
        None => booked.session().await?,
    };
    let booked = &*booked;
    let endpoint = booked.endpoint();
    call.speak(&*session, true).map_err(|status| status.tried_at(endpoint.name()))?;
    begin(call, endpoint);
    let span = span(call, endpoint);
    let mut answer = answer(call, endpoint, session, arguments);
    if call.may_be_copied() {
        answer = call.with_copy(answer, turn, arguments).await;
    }
    booked.unless_silent_alone(answer.as_mut(), turn).instrument(span).await
}

/// The same inside of the interceptors around each attempt.
fn intercepted(
    call: &Call,
    endpoint: &Endpoint,
    session: Arc<dyn Session>,
    chain: &Chain,
    arguments: &mut dyn Encode,
) -> BoxFuture<'static, Result<Box<Answer>, Status>> {
    let mut head = call.head().clone();
    #[cfg(feature = "foreign")]
    let method = call.method;
    let deadline = call.deadline();
    let mut encoded = match Encoded::once(head.codec, arguments) {
        Ok(encoded) => encoded,
        Err(error) => {
            let why = error.to_string();
            let status = Status::not_sent(Code::InvalidArgument, Reason::Malformed, why);
            return Box::pin(ready(Err(status)));
        }
    };
    let request = call.request(&encoded, Some(endpoint));
    let last = move |request: Request| -> BoxFuture<'static, Response> {
        Box::pin(async move {
            head.metadata = request.metadata;
            let pending = session.call(Outgoing {
                #[cfg(feature = "foreign")]
                method,
                head: &head,
                deadline,
                #[cfg(feature = "foreign")]
                wants_metadata: true,
                arguments: &mut encoded,
            });
            match pending.await.and_then(take_apart) {
                Ok(answer) => Response(Outcome::Answer(answer)),
                Err(status) => Response::status(status),
            }
        })
    };
    let response = chain.run(request, last);
    Box::pin(async move { response.await.into_answer() })
}

/// An attempt on its way that owns what it needs, so that another can go beside it.
pub(super) struct Flight {
    pub(super) endpoint: Endpoint,
    spoken: Spoken,
    /// What becomes of it; dropped, it is given up.
    pub(super) landing: BoxFuture<'static, (Booked, Result<Box<Answer>, Status>)>,
}

/// Sends one unary attempt.
pub(super) fn launch(
    call: &mut Call,
    booked: Booked,
    session: Arc<dyn Session>,
    turn: &Turn,
    arguments: &mut dyn Encode,
) -> Result<Flight, Status> {
    let endpoint = booked.endpoint().clone();
    if let Err(status) = call.speak(&*session, true) {
        booked.failed(&facts(&status));
        return Err(status.tried_at(endpoint.name()));
    }
    begin(call, &endpoint);
    let span = span(call, &endpoint);
    let answer = answer(call, &endpoint, session, arguments);
    let turn = turn.clone();
    let landing = async move {
        let answer = booked.unless_silent_alone(pin!(answer), &turn).await;
        (booked, answer)
    };
    let landing = Box::pin(landing.instrument(span));
    Ok(Flight { endpoint, spoken: call.spoken(), landing })
}

/// Sends the call as it stands, inside of the interceptors around each attempt if there are any.
pub(super) fn answer(
    call: &Call,
    endpoint: &Endpoint,
    session: Arc<dyn Session>,
    arguments: &mut dyn Encode,
) -> BoxFuture<'static, Result<Box<Answer>, Status>> {
    let chain = call.attempt_interceptors();
    if !chain.is_empty() {
        return intercepted(call, endpoint, session, &chain, arguments);
    }
    let pending = session.call(call.outgoing(arguments));
    Box::pin(async move { pending.await.and_then(take_apart) })
}

/// What such an attempt came to, told to whoever is to know.
pub(super) fn landed(
    call: &mut Call,
    flight: &Flight,
    (booked, answer): (Booked, Result<Box<Answer>, Status>),
) -> Result<Box<Answer>, Status> {
    call.speaks(flight.spoken);
    call.record().resume(flight.endpoint.name());
    match classify(call, &flight.endpoint, answer) {
        Ok(answer) => {
            booked.answered(&answer);
            Ok(answer)
        }
        Err(status) => {
            note_refusal(call, &flight.endpoint, &status);
            booked.failed(&facts(&status));
            Err(status)
        }
    }
}

/// One streaming attempt at one endpoint. Interceptors run around the call only: a stream has one attempt.
///
/// # Cancel safety
/// Dropping the future cancels the call on the server.
pub(super) async fn streaming(
    call: &mut Call,
    endpoint: &Endpoint,
    arguments: &mut dyn Encode,
    input: &mut Option<Box<dyn EncodeItems>>,
) -> Result<StreamAnswer, Status> {
    let session = endpoint.session().await.map_err(|status| status.tried_at(endpoint.name()))?;
    if input.is_some() {
        hear(&*session).await;
    }
    let speech = call.speak(&*session, input.is_none());
    speech.map_err(|status| status.tried_at(endpoint.name()))?;
    begin(call, endpoint);
    let span = span(call, endpoint);
    let outgoing = call.outgoing(arguments);
    // From here on the input belongs to this attempt: what it has read of it cannot be read again.
    let answer = session.stream(outgoing, input.take(), call.idle()).instrument(span).await;
    match answer {
        Ok(StreamAnswer::Single(answer)) => {
            let answer = classify(call, endpoint, Ok(answer));
            let answer = answer.inspect_err(|status| note_refusal(call, endpoint, status));
            answer.map(StreamAnswer::Single)
        }
        Ok(StreamAnswer::Items { codec, metadata, items, .. }) => {
            agreed(call, codec)?;
            if let Some(into) = &call.options().answer {
                into.set(metadata.clone());
            }
            call.record().attempt_ended(Code::Ok, None, Instant::now());
            Ok(StreamAnswer::Items { codec, metadata, items, by: call.answerer(endpoint) })
        }
        Err(status) => classify(call, endpoint, Err(status)).map(StreamAnswer::Single),
    }
}

/// What has been read of a stream cannot be read again in another codec: such a call waits for what the server says.
async fn hear(session: &dyn Session) {
    let _ = tokio::time::timeout(limits::SETTINGS_WAIT, session.settled()).await;
}

/// A server that refused bincode is not asked again by the calls that follow.
fn note_refusal(call: &Call, endpoint: &Endpoint, status: &Status) {
    if status.reason() == Reason::WrongFingerprint
        && status.disposition() == Disposition::Rejected
        && let Some(session) = endpoint.ready()
    {
        session.disagreed(call.head().method);
    }
}

/// An answer is in the codec of its call, or in the one that carries names: anything else was not agreed on. Where
/// another protocol is spoken, the answer decides.
fn agreed(call: &Call, codec: u8) -> Result<(), Status> {
    let asked = call.head().codec;
    if codec == asked || codec == codec::MESSAGEPACK || asked == codec::JSON {
        return Ok(());
    }
    Err(Status::runtime(
        Code::Internal,
        Reason::UnknownCodec,
        Disposition::Processed,
        Origin::Transport,
        format!(
            "the call went out in {} and the answer came in {}",
            codec::name(asked),
            codec::name(codec)
        ),
    ))
}

fn begin(call: &mut Call, endpoint: &Endpoint) {
    // The first attempt begins when the call does, unless it had to wait: one look at the clock fewer.
    let now = if call.waited() { Instant::now() } else { call.record().started() };
    call.record().attempt(endpoint.name(), now);
    call.sending();
    endpoint.attempted();
    types::used(call.head().codec);
}

/// Whether attempts have spans.
fn is_traced() -> bool {
    tracing::enabled!(target: "sinew::attempt", tracing::Level::INFO)
}

fn span(call: &Call, endpoint: &Endpoint) -> tracing::Span {
    tracing::info_span!(
        target: "sinew::attempt",
        "attempt",
        endpoint = %endpoint.name(),
        number = call.head().attempt,
        codec = codec::name(call.head().codec),
    )
}

/// The answer in what came off the wire. In its place once: it is handed up through all of the stack.
fn take_apart(received: Received) -> Result<Box<Answer>, Status> {
    match received {
        Received::Whole(answer) => Ok(answer),
        Received::Frame { left, rest, at } => match AnswerHead::decode(rest) {
            Ok((head, body)) => {
                let by = Answerer::default();
                Ok(Box::new(Answer { head, left, body, at: Some(at), by, otherwise: None }))
            }
            Err(why) => Err(Status::runtime(
                Code::Internal,
                Reason::Malformed,
                Disposition::Unknown,
                Origin::Transport,
                format!("the answer is malformed: {why}"),
            )),
        },
    }
}

/// What an answer means to the stack: an answer of the service, or a status.
fn classify(
    call: &mut Call,
    endpoint: &Endpoint,
    answer: Result<Box<Answer>, Status>,
) -> Result<Box<Answer>, Status> {
    let answer = match answer {
        Ok(mut answer) => {
            // When it came, and not when the call began: what is shed is believed for a moment only.
            let now = answer.at.unwrap_or_else(Instant::now).into_std();
            endpoint.member().note_cut(answer.head.cut, now);
            answer.by = call.answerer(endpoint);
            call.keep_metadata(&answer.head);
            answer
        }
        Err(status) => {
            call.record().attempt_ended(status.code(), None, Instant::now());
            return Err(status);
        }
    };
    if let AnswerOutcome::Status(_) = &answer.head.outcome {
        // A server that refuses, because it has too much to do, says how much.
        if let Some(load) = &answer.head.load {
            let now = answer.at.unwrap_or_else(Instant::now).into_std();
            endpoint.member().report(stripe::own(), load.in_flight, now);
        }
        return Err(refused(call, answer));
    }
    agreed(call, answer.head.codec)?;
    // A call that nobody is going to tell about needs no second look at the clock.
    if call.is_observed() {
        let server = server_note(&answer.head, answer.left);
        call.record().attempt_ended(Code::Ok, Some(server), Instant::now());
    }
    Ok(answer)
}

fn refused(call: &mut Call, mut answer: Box<Answer>) -> Status {
    let calls = std::mem::take(&mut answer.head.ledger);
    let mut server = server_note(&answer.head, answer.left);
    server.calls = calls;
    let directive = std::mem::replace(&mut answer.head.directive, Directive::Default);
    let AnswerOutcome::Status(status) = answer.head.outcome else {
        return Status::new(Code::Internal, "an answer is a status and is none");
    };
    let status = Status::from_wire(status, directive);
    call.record().attempt_ended(status.code(), Some(server), Instant::now());
    status
}

fn server_note(head: &AnswerHead, left: TimeLeft) -> ServerNote {
    ServerNote {
        queue_us: head.queue_us,
        work_us: head.work_us,
        left_us: match left {
            TimeLeft::Micros(us) => Some(us),
            TimeLeft::Unbounded | TimeLeft::Zero => None,
        },
        calls: Vec::new(),
    }
}
