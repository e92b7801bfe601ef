//! The streams that a client opens on a server: lanes, and calls on streams of their own; and what an answer is.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sinew_core::{
    codes::{CancelReason, Code, Reason},
    limits,
    wire::{
        StreamType,
        answer::{AnswerHead, AnswerOutcome, LoadReport, OpenHead},
        frame::{
            CallFrame, CallKind, ConnectionFrame, Frame, put_call_frame, put_call_frame_start,
            put_stamp,
        },
        kinds,
        parser::Parser,
        request::RequestHead,
    },
};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        Incoming, Reply,
        link::{LinkError, LinkRecv, LinkSend},
    },
    calls::{MessageError, read_message},
    fault::malformed,
    io::{FrameReader, ReadError, cancel_code, reason_of, write_all_answered},
    items::{self, Addressed, Destination, ItemReader, Written, data_frames, unread, write_items},
    outbox::{micros_between, time_left},
    room::Taken,
    served::{Ended, Served},
    server::Conn,
    server_lane::ServerLane,
};
use crate::{
    call::{
        context::Context,
        failure::Failure,
        streaming::{EncodeItems, RawItems},
    },
    codec,
    error::Status,
};

/// Finds out what a stream is and serves it.
pub(super) async fn accept(conn: Arc<Conn>, mut send: Box<dyn LinkSend>, recv: Box<dyn LinkRecv>) {
    let parser = Parser::with_stream_type(limits::STREAM_FRAME_MAX);
    let mut reader = FrameReader::new(recv, parser);
    let limit = Instant::now() + limits::LANE_STALL;
    let kind = timeout_at(limit, stream_type(&mut reader)).await;
    match kind {
        Ok(Ok(StreamType::Lane)) => {
            ServerLane::run(conn, send, reader).await;
            return;
        }
        Ok(Ok(StreamType::Call)) => serve_call(&conn, send, reader, limit).await,
        Ok(Ok(StreamType::Control | StreamType::Answer) | Err(ReadError::Frame(_))) => {
            conn.note_error();
            reader.recv.stop(kinds::STREAM_UNKNOWN_TYPE);
            send.reset(kinds::STREAM_UNKNOWN_TYPE);
        }
        Ok(Err(_)) => {}
        Err(_) => {
            conn.note_error();
            reader.recv.stop(kinds::STREAM_LANE_STALLED);
            send.reset(kinds::STREAM_LANE_STALLED);
        }
    }
    conn.stream_closed();
}

async fn stream_type(reader: &mut FrameReader) -> Result<StreamType, ReadError> {
    loop {
        match reader.parser.stream_type().map_err(ReadError::Frame)? {
            Some(kind) => return Ok(kind),
            None => reader.fill().await?,
        }
    }
}

/// A call on a stream of its own.
async fn serve_call(
    conn: &Arc<Conn>,
    mut send: Box<dyn LinkSend>,
    mut reader: FrameReader,
    limit: Instant,
) {
    let request = match timeout_at(limit, read_request(conn, &mut reader)).await {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => {
            conn.note_read_error(&error);
            reader.recv.stop(kinds::STREAM_FRAME_ERROR);
            return send.reset(kinds::STREAM_FRAME_ERROR);
        }
        Err(_) => {
            conn.note_error();
            reader.recv.stop(kinds::STREAM_LANE_STALLED);
            return send.reset(kinds::STREAM_LANE_STALLED);
        }
    };
    let mut answering = Answering { conn, send, call: request.call, deadline: request.deadline };
    let ready = prepare(conn, request, reader, limit).await;
    let (served, reader) = match ready {
        Ok(ready) => ready,
        Err(Unready::Refused(status)) => {
            conn.serve.refused(&status);
            let head = status_head(&status, conn);
            return answering.finish(head, Vec::new()).await;
        }
        Err(Unready::Cut(error)) => {
            conn.note_read_error(&error);
            return answering.send.reset(kinds::STREAM_FRAME_ERROR);
        }
    };
    let Some(ended) = answering.run(served).await else { return };
    answering.reply(ended).await;
    drop(reader);
}

/// A request as it stands at the beginning of a stream.
struct Request {
    call: u64,
    deadline: Option<Instant>,
    invalid_deadline: bool,
    parts: Result<(RequestHead, Bytes), Status>,
    read_at: Instant,
}

async fn read_request(conn: &Conn, reader: &mut FrameReader) -> Result<Request, ReadError> {
    let mut age = Duration::ZERO;
    loop {
        match reader.next().await? {
            Frame::Connection(ConnectionFrame::Stamp { sent_at_us }) => {
                age = conn.age(sent_at_us, reader.read_at);
            }
            Frame::Call(frame) if frame.kind == CallKind::Request => {
                return Ok(understand(conn, frame, reader.read_at, age));
            }
            Frame::Bad { call: Some(call), why, .. } => {
                return Ok(Request {
                    call,
                    deadline: None,
                    invalid_deadline: false,
                    parts: Err(malformed(&why.to_string())),
                    read_at: reader.read_at,
                });
            }
            Frame::Connection(_) | Frame::Skipped { .. } => {}
            Frame::Call(_) | Frame::Bad { .. } => {
                return Err(ReadError::Link(LinkError::Transport(
                    "the stream of a call begins with something else".into(),
                )));
            }
        }
    }
}

fn understand(conn: &Conn, frame: CallFrame, read_at: Instant, age: Duration) -> Request {
    let (deadline, invalid_deadline) = conn.deadline(frame.time, read_at, age);
    Request {
        call: frame.call,
        deadline,
        invalid_deadline,
        parts: RequestHead::decode(frame.rest).map_err(|why| malformed(&why.to_string())),
        read_at,
    }
}

/// Reads what is missing of the request and admits it. The reader comes back where it is not the call's input.
async fn prepare(
    conn: &Arc<Conn>,
    request: Request,
    mut reader: FrameReader,
    limit: Instant,
) -> Result<(RunningCall, Option<FrameReader>), Unready> {
    let (head, body) = request.parts.inspect_err(|_| conn.note_error())?;
    let place = conn.admit()?;
    let body = match head.total {
        Some(total) => {
            let limit = request.deadline.map_or(limit, |deadline| deadline.min(limit));
            match timeout_at(limit, read_message(&mut reader, request.call, total, body)).await {
                Ok(read) => read.map_err(|error| unready(conn, error))?,
                Err(_) => {
                    return Err(Unready::Refused(Status::rejected(
                        Code::DeadlineExceeded,
                        Reason::Expired,
                        "the request did not arrive whole in time",
                    )));
                }
            }
        }
        None => body,
    };
    let (input, reader): (Option<RawItems>, _) = if head.input_stream {
        let items =
            ItemReader::new(reader, request.call, limits::STREAM_FRAME_GAP, request.deadline, None);
        (Some(Box::pin(items)), None)
    } else {
        (None, Some(reader))
    };
    let begun = conn.serve.begin(Incoming {
        head,
        body,
        deadline: request.deadline,
        invalid_deadline: request.invalid_deadline,
        read_at: request.read_at,
        peer: Arc::clone(&conn.peer),
        caller: Arc::clone(&conn.caller),
        caller_rtt: conn.min_rtt(),
        input,
        is_foreign: false,
    })?;
    let context = begun.context.clone();
    Ok((
        RunningCall { context, served: Served::new(begun, request.read_at), _place: place },
        reader,
    ))
}

/// Why a request does not get to its handler.
enum Unready {
    /// Its caller is told why.
    Refused(Status),
    /// It broke off: nobody waits to be told.
    Cut(ReadError),
}

impl From<Status> for Unready {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

fn unready(conn: &Conn, error: MessageError) -> Unready {
    match error {
        MessageError::TooLarge => Unready::Refused(Status::rejected(
            Code::ResourceExhausted,
            Reason::TooLarge,
            format!(
                "the request is larger than the {} bytes that the server takes (MESSAGE_MAX); send it as a stream",
                limits::MESSAGE_MAX
            ),
        )),
        MessageError::Mismatch(why) => {
            conn.note_error();
            Unready::Refused(malformed(why))
        }
        MessageError::Cut(error) => Unready::Cut(error),
    }
}

/// A handler at work on a stream of its own. Dropping it cancels what it started.
struct RunningCall {
    context: Context,
    served: Served,
    _place: super::server::Place,
}

/// The sending half of a call's stream.
struct Answering<'a> {
    conn: &'a Arc<Conn>,
    send: Box<dyn LinkSend>,
    call: u64,
    deadline: Option<Instant>,
}

impl Answering<'_> {
    /// Runs the handler for as long as the caller waits.
    async fn run(&mut self, running: RunningCall) -> Option<(Ended, super::server::Place)> {
        let RunningCall { context, served, _place: place } = running;
        let mut served = std::pin::pin!(self.conn.serve_in_turn(served));
        tokio::select! {
            biased;
            ended = &mut served => Some((ended, place)),
            stopped = std::future::poll_fn(|cx| self.send.poll_stopped(cx)) => {
                let code = stopped.ok().flatten();
                if code.is_some() {
                    self.conn.note_reset();
                }
                context.cancel(code.map_or(CancelReason::Dropped, reason_of));
                // It drops the handler; what it was about to say, nobody waits for.
                let _ = served.await;
                None
            }
        }
    }

    async fn reply(self, (ended, place): (Ended, super::server::Place)) {
        note_refused(&ended, self.conn);
        let context = ended.context.clone();
        match ended.reply {
            Some(Reply::Stream { codec, items }) => {
                self.stream(codec, items, context, ended.queued, ended.worked).await;
            }
            _ => {
                if let Some((head, body)) = answer_of(ended, self.conn) {
                    self.finish(head, body).await;
                }
            }
        }
        drop(place);
    }

    /// OPEN, the items, and the trailer that says how it ended.
    async fn stream(
        mut self,
        codec: u8,
        mut items: Box<dyn EncodeItems>,
        context: Context,
        queued: Duration,
        worked: Duration,
    ) {
        let open = OpenHead { codec, metadata: context.take_answer_metadata() };
        let mut rest = Vec::new();
        open.encode(&mut rest);
        let deadline = self.deadline;
        let to = Destination {
            method: context.inner().method,
            codec,
            call: Addressed { call: self.call, epoch: self.conn.epoch, deadline },
            room: Some(&self.conn.answers.large),
        };
        if self.write_frame(CallKind::Open, &rest).await.is_err() {
            return context.cancel(CancelReason::StreamDropped);
        }
        // The stream is the handler's work: it is polled in its context and ends with its deadline.
        let writing = write_items(&mut *self.send, &mut *items, &to);
        let writing =
            context.clone().scope(Bounded { writing: Box::pin(writing), context: &context });
        let written = match deadline {
            Some(deadline) => timeout_at(deadline, writing).await.unwrap_or_else(|_| {
                Ok(Written::Failed(Failure::Status(Status::new(
                    Code::DeadlineExceeded,
                    "the deadline passed in the middle of the stream",
                ))))
            }),
            None => writing.await,
        };
        drop(items);
        let (outcome, codec, body) = match written {
            Ok(Written::Ended) => (AnswerOutcome::Ok, codec, Vec::new()),
            Ok(Written::Failed(failure)) => failed(failure, codec),
            // The reader does not want it any more.
            Err(_) => return context.cancel(CancelReason::StreamDropped),
        };
        let mut head = AnswerHead::new(outcome, codec);
        head.queue_us = whole_micros(queued);
        head.work_us = whole_micros(worked);
        head.draining = self.conn.drain.phase() > 0;
        self.finish(head, body).await;
    }

    async fn write_frame(&mut self, kind: CallKind, rest: &[u8]) -> Result<(), LinkError> {
        let stamp = Instant::now();
        let mut out = Vec::with_capacity(rest.len() + 32);
        put_stamp(&mut out, micros_between(self.conn.epoch, stamp));
        put_call_frame(&mut out, kind, self.call, time_left(self.deadline, stamp), rest);
        write_all_answered(&mut *self.send, [Bytes::from(out)]).await
    }

    /// The answer, whole, and the end of the stream.
    async fn finish(mut self, mut head: AnswerHead, mut body: Vec<u8>) {
        let held = self.conn.answers.take(body.len());
        if held.is_none() {
            head.outcome = no_room(body.len());
            body = Vec::new();
        }
        let answer = LargeAnswer { head, body, held };
        let written = write_answer(self.conn, &mut *self.send, self.call, self.deadline, answer);
        match timeout_at(given_up_at(self.deadline), written).await {
            Ok(Ok(())) => {
                self.send.finish();
                // The connection may be closed as soon as this call is over: not before it has been taken.
                let taken = std::future::poll_fn(|cx| self.send.poll_stopped(cx));
                let taken = tokio::time::timeout(limits::DRAIN_FLUSH, taken).await;
                if let Ok(Ok(Some(_))) = taken {
                    self.conn.note_reset();
                }
            }
            Ok(Err(error)) => {
                // The caller takes a call back whose answer has cost all its work.
                if let LinkError::StreamReset(_) = error {
                    self.conn.note_reset();
                }
                self.send.reset(cancel_code(CancelReason::Shutdown));
            }
            Err(_) => self.send.reset(cancel_code(CancelReason::Deadline)),
        }
    }
}

/// When an answer that is not read is given up: once nobody waits for it.
fn given_up_at(deadline: Option<Instant>) -> Instant {
    deadline.unwrap_or_else(|| Instant::now() + limits::ANSWER_STALL)
}

/// An answer on a stream of its own, and what it holds of the connection's room until it is written.
pub(super) struct LargeAnswer {
    pub(super) head: AnswerHead,
    pub(super) body: Vec<u8>,
    pub(super) held: Option<Taken>,
}

/// What an answer becomes for which there is no room.
pub(super) fn no_room(bytes: usize) -> AnswerOutcome {
    AnswerOutcome::Status(unread("the answer", bytes).to_wire())
}

/// Ends the writing of a stream when its call is cancelled.
struct Bounded<'a, F> {
    writing: std::pin::Pin<Box<F>>,
    context: &'a Context,
}

impl<F: Future<Output = Result<Written, LinkError>>> Future for Bounded<'_, F> {
    type Output = Result<Written, LinkError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        if self.context.poll_cancelled(cx.waker()) {
            return std::task::Poll::Ready(Err(LinkError::LocallyClosed));
        }
        self.writing.as_mut().poll(cx)
    }
}

/// A large answer to a call on a lane: a stream of its own, so that it holds up nothing.
pub(super) async fn move_answer(
    conn: Arc<Conn>,
    call: u64,
    deadline: Option<Instant>,
    answer: LargeAnswer,
) {
    let moved = async {
        let (mut send, mut recv) = conn.link.open_bi().await?;
        recv.stop(0);
        let mut first = Vec::new();
        StreamType::Answer.put(&mut first);
        write_all_answered(&mut *send, [Bytes::from(first)]).await?;
        write_answer(&conn, &mut *send, call, deadline, answer).await?;
        send.finish();
        let taken = std::future::poll_fn(|cx| send.poll_stopped(cx));
        let _ = tokio::time::timeout(limits::DRAIN_FLUSH, taken).await;
        Ok::<(), LinkError>(())
    };
    // Its place is held until it is gone: for as long as somebody waits for it, and no longer.
    match timeout_at(given_up_at(deadline), moved).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a large answer could not be written"),
        Err(_) => tracing::debug!("a large answer was not read in time"),
    }
}

async fn write_answer(
    conn: &Conn,
    send: &mut dyn LinkSend,
    call: u64,
    deadline: Option<Instant>,
    answer: LargeAnswer,
) -> Result<(), LinkError> {
    let LargeAnswer { head, body, held } = answer;
    let body = items::message(body);
    let fits = fits_a_frame(body.len());
    let start = answer_start(conn, (call, deadline), head, &body);
    let inline = if fits { body.clone() } else { Bytes::new() };
    write_all_answered(send, [start, inline]).await?;
    if !fits {
        for frame in data_frames(&body, Addressed { call, epoch: conn.epoch, deadline }) {
            write_all_answered(send, frame).await?;
        }
    }
    drop(held);
    Ok(())
}

/// Whether the body of a message goes into the frame that it begins with.
pub(super) const fn fits_a_frame(body: usize) -> bool {
    body <= limits::DATA_FRAME_MAX + limits::HEAD_ROOM / 4
}

/// The frame that an answer begins with, up to its body.
fn answer_start(
    conn: &Conn,
    (call, deadline): (u64, Option<Instant>),
    mut head: AnswerHead,
    body: &Bytes,
) -> Bytes {
    let fits = fits_a_frame(body.len());
    head.total = (!fits).then_some(body.len() as u64);
    let mut rest = Vec::with_capacity(64);
    head.encode(&mut rest);
    let stamp = Instant::now();
    let mut out = Vec::with_capacity(rest.len() + 64);
    put_stamp(&mut out, micros_between(conn.epoch, stamp));
    let (left, len) = (time_left(deadline, stamp), rest.len() + if fits { body.len() } else { 0 });
    put_call_frame_start(&mut out, CallKind::Answer, call, left, len);
    out.append(&mut rest);
    out.into()
}

/// The bytes of a reply and the head that goes before them.
pub(super) type Encoded = (AnswerHead, Vec<u8>);

/// Counts a request that waited for its turn and did not get it.
pub(super) fn note_refused(ended: &Ended, conn: &Conn) {
    if let (true, Some(Reply::Status(status))) = (ended.refused, &ended.reply) {
        conn.serve.refused(status);
    }
}

/// What a handler's end says on the wire; `None` when nobody waits for it.
pub(super) fn answer_of(ended: Ended, conn: &Conn) -> Option<Encoded> {
    let (mut head, body) = match ended.reply? {
        Reply::Value { codec, body } if body.len() > limits::MESSAGE_MAX => {
            let status = Status::new(
                Code::ResourceExhausted,
                format!(
                    "the answer takes {} bytes, a message may have {}; return a stream",
                    body.len(),
                    limits::MESSAGE_MAX
                ),
            );
            (AnswerHead::new(AnswerOutcome::Status(status.to_wire()), codec), Vec::new())
        }
        Reply::Value { codec, body } => (AnswerHead::new(AnswerOutcome::Ok, codec), body),
        Reply::App { codec, body } => (AnswerHead::new(AnswerOutcome::App, codec), body),
        Reply::Status(status) => {
            let mut head = status_head(&status, conn);
            head.ledger = ended.context.take_calls();
            (head, Vec::new())
        }
        Reply::Stream { codec, .. } => {
            let status =
                Status::new(Code::Internal, "a method on a lane cannot answer with a stream");
            (AnswerHead::new(AnswerOutcome::Status(status.to_wire()), codec), Vec::new())
        }
    };
    head.queue_us = whole_micros(ended.queued);
    head.work_us = whole_micros(ended.worked);
    head.draining = conn.drain.phase() > 0;
    put_standing(&mut head, conn);
    head.metadata = ended.context.take_answer_metadata();
    Some((head, body))
}

/// The head of an answer that is a status.
pub(super) fn status_head(status: &Status, conn: &Conn) -> AnswerHead {
    let mut head = AnswerHead::new(AnswerOutcome::Status(status.to_wire()), 0);
    head.directive = status.directive();
    head.draining = conn.drain.phase() > 0;
    put_standing(&mut head, conn);
    head
}

/// What this server has to do and sheds, for whoever chooses between it and others.
fn put_standing(head: &mut AnswerHead, conn: &Conn) {
    let in_flight = u32::try_from(conn.drain.in_flight()).unwrap_or(u32::MAX);
    head.load = Some(LoadReport { in_flight, latency_us: 0, utilisation_permille: 0 });
    head.cut = conn.serve.cut(&conn.caller);
}

fn failed(failure: Failure, codec: u8) -> (AnswerOutcome, u8, Vec<u8>) {
    match failure {
        Failure::Status(status) => {
            (AnswerOutcome::Status(status.of_handler().to_wire()), codec, Vec::new())
        }
        Failure::App(error) => {
            let mut body = Vec::new();
            let codec = if codec == codec::RAW { codec::BINCODE } else { codec };
            match error.encode(codec, &mut body) {
                Ok(codec) => (AnswerOutcome::App, codec, body),
                Err(error) => {
                    let status = Status::new(Code::Internal, error.to_string());
                    (AnswerOutcome::Status(status.to_wire()), codec, Vec::new())
                }
            }
        }
    }
}

fn whole_micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
