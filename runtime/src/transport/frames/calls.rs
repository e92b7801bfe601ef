//! A call on a stream of its own, from the client's side: large messages, and everything that streams.
//!
//! # Why
//! QUIC's flow control is then the call's back-pressure, and a reset its cancel; a large message holds up no small one.
//!
//! # Invariants
//! A call that is dropped at any point resets what it sends and stops what it reads, with the reason.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    limits,
    wire::{
        StreamType,
        answer::{AnswerHead, OpenHead},
        data::DataHead,
        frame::{CallFrame, CallKind, Frame, put_call_frame, put_call_frame_start, put_stamp},
        parser::Parser,
        request::RequestHead,
    },
};
use tokio::time::{Instant, timeout};

use super::{
    super::{
        Answer, Received, StreamAnswer,
        dropped::why_dropped,
        link::{LinkError, LinkSend},
    },
    client::ClientSession,
    fault::{bad_answer, lost},
    io::{FrameReader, ReadError, cancel_code, reason_of, write_all, write_pieces},
    items::{Addressed, Destination, ItemReader, Written, too_large, write_data, write_items},
    outbox::{micros_between, time_left},
    streams::fits_a_frame,
};
use crate::{
    call::{failure::Failure, streaming::EncodeItems, types::Answerer},
    error::Status,
};

/// The sending half, reset with a reason unless it was finished.
struct Sending {
    send: Box<dyn LinkSend>,
    deadline: Option<Instant>,
    finished: bool,
}

impl Sending {
    fn finish(&mut self) {
        self.finished = true;
        self.send.finish();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.finished {
            self.send.reset(cancel_code(why_dropped(self.deadline)));
        }
    }
}

/// The receiving half, stopped with a reason unless it was read to its end.
struct Receiving {
    reader: Option<FrameReader>,
    deadline: Option<Instant>,
}

impl Receiving {
    /// Takes the reader away: from here on its new owner ends it.
    fn into_reader(mut self) -> Option<FrameReader> {
        self.reader.take()
    }

    async fn next(&mut self) -> Result<Frame, ReadError> {
        match &mut self.reader {
            Some(reader) => reader.next().await,
            None => Err(ReadError::Finished),
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.recv.stop(cancel_code(why_dropped(self.deadline)));
        }
    }
}

/// The id of a call on a stream, given back when the call is over.
struct StreamCall {
    session: Arc<ClientSession>,
    id: u64,
}

impl Drop for StreamCall {
    fn drop(&mut self) {
        self.session.shared().release(self.id);
    }
}

/// A unary call that is too large for a lane.
pub(super) async fn unary(
    session: Arc<ClientSession>,
    head: RequestHead,
    body: Bytes,
    deadline: Option<Instant>,
) -> Result<Received, Status> {
    let (call, mut sending, mut receiving) = begin(session, head, body, deadline).await?;
    sending.finish();
    let answer = read_answer(&mut receiving, None).await;
    drop(call);
    match answer? {
        First::Answer(answer) => Ok(Received::Whole(answer)),
        First::Open(_) => Err(bad_answer("a stream came where one answer belongs")),
    }
}

/// A call of which at least one side streams.
pub(super) async fn stream(
    session: Arc<ClientSession>,
    head: RequestHead,
    body: Bytes,
    deadline: Option<Instant>,
    input: Option<Box<dyn EncodeItems>>,
    idle: Duration,
) -> Result<StreamAnswer, Status> {
    let codec = head.codec;
    let (call, mut sending, mut receiving) = begin(session, head, body, deadline).await?;
    let pump = match input {
        Some(items) => Some(Pump::start(sending, items, codec, &call, deadline)),
        None => {
            sending.finish();
            None
        }
    };
    match read_answer(&mut receiving, Some(idle)).await? {
        First::Answer(answer) => Ok(StreamAnswer::Single(answer)),
        First::Open(open) => {
            let Some(reader) = receiving.into_reader() else {
                return Err(bad_answer("the stream ended as it began"));
            };
            let id = call.id;
            let held: Box<dyn Send> = Box::new((pump, call));
            Ok(StreamAnswer::Items {
                codec: open.codec,
                metadata: open.metadata,
                by: Answerer::default(),
                items: Box::pin(ItemReader::new(reader, id, idle, deadline, Some(held))),
            })
        }
    }
}

/// Opens the stream and writes the request.
async fn begin(
    session: Arc<ClientSession>,
    mut head: RequestHead,
    body: Bytes,
    deadline: Option<Instant>,
) -> Result<(StreamCall, Sending, Receiving), Status> {
    let shared = session.shared();
    let (send, recv) = shared.link.open_bi().await.map_err(|error| {
        // Whoever asks next is told without trying.
        shared.closed(&error);
        lost(&error, false)
    })?;
    let mut sending = Sending { send, deadline, finished: false };
    let reader = FrameReader::new(recv, Parser::new(limits::STREAM_FRAME_MAX));
    let receiving = Receiving { reader: Some(reader), deadline };
    let id = shared.stream_call_id()?;
    let call = StreamCall { session: Arc::clone(&session), id };
    let epoch = shared.epoch;
    let fits = fits_a_frame(body.len());
    head.total = (!fits).then_some(body.len() as u64);
    let mut rest = Vec::with_capacity(128);
    head.encode(&mut rest);
    let inline = if fits { body.clone() } else { Bytes::new() };
    let mut out = Vec::with_capacity(rest.len() + 64);
    StreamType::Call.put(&mut out);
    let stamp = Instant::now();
    put_stamp(&mut out, micros_between(epoch, stamp));
    let (left, len) = (time_left(deadline, stamp), rest.len() + inline.len());
    put_call_frame_start(&mut out, CallKind::Request, id, left, len);
    out.append(&mut rest);
    let written = async {
        write_pieces(&mut *sending.send, [Bytes::from(out), inline]).await?;
        if !fits {
            write_data(&mut *sending.send, &body, Addressed { call: id, epoch, deadline }).await?;
        }
        Ok(())
    };
    match written.await {
        // The server may have answered, with a refusal, before it read everything: the answer says more.
        Ok(()) | Err(LinkError::StreamReset(_)) => Ok((call, sending, receiving)),
        Err(error) => Err(lost(&error, true)),
    }
}

/// Writes the input of a call beside the reading of its answer; stopped when dropped.
struct Pump(tokio::task::JoinHandle<()>);

impl Pump {
    fn start(
        mut sending: Sending,
        mut items: Box<dyn EncodeItems>,
        codec: u8,
        call: &StreamCall,
        deadline: Option<Instant>,
    ) -> Self {
        let epoch = call.session.shared().epoch;
        let id = call.id;
        Self(tokio::spawn(async move {
            let send = &mut *sending.send;
            let to = Destination {
                method: "a caller's input",
                codec,
                call: Addressed { call: id, epoch, deadline },
                room: None,
            };
            let written = write_items(send, &mut *items, &to).await;
            match written {
                Ok(Written::Ended) => {
                    let mut out = Vec::new();
                    let stamp = Instant::now();
                    put_stamp(&mut out, micros_between(epoch, stamp));
                    put_call_frame(&mut out, CallKind::End, id, time_left(deadline, stamp), &[]);
                    if write_all(send, Bytes::from(out)).await.is_ok() {
                        sending.finish();
                    }
                }
                Ok(Written::Failed(failure)) => {
                    let why = match &failure {
                        Failure::Status(status) => status.to_string(),
                        Failure::App(error) => format!("{error:?}"),
                    };
                    tracing::debug!(why, "the input of a streaming call failed, cutting it");
                    // An end that was not said is a cut; a reset would take what was sent before with it.
                    sending.finish();
                }
                // The server wants no more input, or is gone: its answer says which.
                Err(error) => tracing::trace!(%error, "the rest of the input is not wanted"),
            }
        }))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a server says first.
enum First {
    Answer(Box<Answer>),
    Open(OpenHead),
}

/// Reads until the server says what the call comes to.
async fn read_answer(receiving: &mut Receiving, wait: Option<Duration>) -> Result<First, Status> {
    // The call's own timer bounds this where it has one; a stream without a deadline still answers within its silence.
    let read = read_first(receiving);
    match wait {
        Some(wait) => timeout(wait, read).await.unwrap_or_else(|_| {
            Err(Status::runtime(
                Code::DeadlineExceeded,
                Reason::Expired,
                Disposition::Unknown,
                Origin::Local,
                "no answer came within the silence that a stream may have",
            ))
        }),
        None => read.await,
    }
}

async fn read_first(receiving: &mut Receiving) -> Result<First, Status> {
    loop {
        let frame = receiving.next().await.map_err(|error| no_answer(&error))?;
        match frame {
            Frame::Call(call) if call.kind == CallKind::Answer => {
                let answer = read_body(receiving, call).await?;
                return Ok(First::Answer(Box::new(answer)));
            }
            Frame::Call(call) if call.kind == CallKind::Open => {
                let open =
                    OpenHead::decode(call.rest).map_err(|why| bad_answer(&why.to_string()))?;
                return Ok(First::Open(open));
            }
            Frame::Connection(_) | Frame::Skipped { .. } => {}
            Frame::Bad { why, .. } => return Err(bad_answer(&why.to_string())),
            Frame::Call(call) => {
                return Err(bad_answer(&format!(
                    "a {:?} frame came in place of an answer",
                    call.kind
                )));
            }
        }
    }
}

/// The rest of an answer whose body continues in DATA frames.
async fn read_body(receiving: &mut Receiving, call: CallFrame) -> Result<Answer, Status> {
    let (head, body) = AnswerHead::decode(call.rest).map_err(|why| bad_answer(&why.to_string()))?;
    let body = match (head.total, &mut receiving.reader) {
        (Some(total), Some(reader)) => read_message(reader, call.call, total, body)
            .await
            .map_err(MessageError::of_an_answer)?,
        _ => body,
    };
    let by = Answerer::default();
    Ok(Answer { head, left: call.time, body, at: None, by, otherwise: None })
}

/// Why a message that continues in DATA frames is not whole.
pub(super) enum MessageError {
    /// It is announced larger than a message may be.
    TooLarge,
    /// It is not what its head says.
    Mismatch(&'static str),
    /// It broke off.
    Cut(ReadError),
}

impl MessageError {
    fn of_an_answer(self) -> Status {
        match self {
            Self::TooLarge => too_large("the answer"),
            Self::Mismatch(why) => bad_answer(why),
            Self::Cut(error) => no_answer(&error),
        }
    }
}

/// Collects a message that continues in DATA frames; memory grows with what arrives.
pub(super) async fn read_message(
    reader: &mut FrameReader,
    id: u64,
    total: u64,
    first: Bytes,
) -> Result<Bytes, MessageError> {
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    if total > limits::MESSAGE_MAX {
        return Err(MessageError::TooLarge);
    }
    if first.len() >= total {
        return Err(MessageError::Mismatch("a message is not as long as its head says"));
    }
    let mut message = BytesMut::from(&first[..]);
    while message.len() < total {
        match reader.next().await.map_err(MessageError::Cut)? {
            Frame::Call(call) if call.kind == CallKind::Data && call.call == id => {
                let (head, bytes) = DataHead::decode(call.rest)
                    .map_err(|why| MessageError::Mismatch(why.what()))?;
                let reached = message.len() + bytes.len();
                if bytes.is_empty() || reached > total || head.more != (reached < total) {
                    return Err(MessageError::Mismatch(
                        "a message is not as long as its head says",
                    ));
                }
                message.extend_from_slice(&bytes);
            }
            Frame::Connection(_) | Frame::Skipped { .. } => {}
            Frame::Call(_) | Frame::Bad { .. } => {
                return Err(MessageError::Mismatch(
                    "something else stands in the middle of a message",
                ));
            }
        }
    }
    Ok(message.freeze())
}

/// A large answer to a call on a lane, on a stream that the server opened. Dropping it stops the stream.
pub(super) struct MovedAnswer {
    receiving: Receiving,
    first: Option<CallFrame>,
    call: Option<u64>,
}

impl MovedAnswer {
    pub(super) fn new(reader: FrameReader) -> Self {
        let receiving = Receiving { reader: Some(reader), deadline: None };
        Self { receiving, first: None, call: None }
    }

    /// The call that it answers, as far as that has arrived.
    pub(super) fn call(&self) -> Option<u64> {
        let partial = || self.receiving.reader.as_ref()?.parser.partial_call();
        self.call.or_else(partial)
    }

    /// Reads as far as to the call that it answers.
    pub(super) async fn begin(&mut self) -> Result<u64, ReadError> {
        if let Some(reader) = &mut self.receiving.reader {
            let typed = loop {
                match reader.parser.stream_type().map_err(ReadError::Frame)? {
                    Some(kind) => break kind,
                    None => reader.fill().await?,
                }
            };
            if typed != StreamType::Answer {
                return Err(ReadError::Link(LinkError::Transport(format!(
                    "the server opened a {typed:?} stream, it may open Answer streams only"
                ))));
            }
        }
        loop {
            match self.receiving.next().await? {
                Frame::Call(call) if call.kind == CallKind::Answer => {
                    let id = call.call;
                    self.call = Some(id);
                    self.first = Some(call);
                    return Ok(id);
                }
                Frame::Connection(_) | Frame::Skipped { .. } => {}
                Frame::Call(CallFrame { call, .. }) | Frame::Bad { call: Some(call), .. } => {
                    self.call = Some(call);
                    return Err(ReadError::Truncated);
                }
                Frame::Bad { .. } => return Err(ReadError::Truncated),
            }
        }
    }

    /// Reads the rest.
    pub(super) async fn finish(&mut self) -> Result<Received, Status> {
        let Some(first) = self.first.take() else {
            return Err(bad_answer("a stream of an answer has none"));
        };
        let answer = read_body(&mut self.receiving, first).await?;
        Ok(Received::Whole(Box::new(answer)))
    }
}

/// The stream ended before the answer: a cut, never an end.
pub(super) fn no_answer(error: &ReadError) -> Status {
    let (disposition, why) = match error {
        ReadError::Link(LinkError::StreamReset(code)) => {
            (Disposition::Unknown, format!("the server cut the stream ({})", reason_of(*code)))
        }
        ReadError::Link(error) => return lost(error, true),
        ReadError::Frame(error) => return bad_answer(&error.to_string()),
        other => (Disposition::Unknown, other.to_string()),
    };
    Status::runtime(
        Code::Unavailable,
        Reason::ConnectionLost,
        disposition,
        Origin::Transport,
        format!("no answer came: {why}"),
    )
}
