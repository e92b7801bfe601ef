//! The items of a stream: read from one half of a call stream, written to the other, the same on both sides.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sinew_core::{
    codes::{CancelReason, Code, Disposition, Origin, Reason},
    limits,
    wire::{
        answer::{AnswerHead, AnswerOutcome},
        data::DataHead,
        frame::{CallFrame, CallKind, Frame, put_call_frame_start, put_stamp},
    },
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    fault::panicked,
    io::{FrameReader, ReadError, cancel_code, write_all, write_pieces},
    outbox::{micros_between, time_left},
    room::Room,
};
use crate::{
    call::{
        failure::{AppError, Failure},
        streaming::{EncodeItems, cut},
    },
    error::{Status, millis},
    transport::link::{LinkError, LinkSend},
};

/// Reads items until the explicit end; dropping it stops the writer.
pub(super) struct ItemReader {
    reader: Option<FrameReader>,
    call: u64,
    partial: BytesMut,
    /// The longest silence.
    idle: Duration,
    until: Option<Instant>,
    /// When the silence that lasts now has lasted too long.
    silent_until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Something to keep alive, and drop, with the stream.
    _held: Option<Box<dyn Send>>,
}

impl ItemReader {
    pub(super) fn new(
        reader: FrameReader,
        call: u64,
        idle: Duration,
        until: Option<Instant>,
        held: Option<Box<dyn Send>>,
    ) -> Self {
        Self {
            reader: Some(reader),
            call,
            partial: BytesMut::new(),
            idle,
            until,
            silent_until: None,
            timer: None,
            _held: held,
        }
    }

    /// Ends the stream; what is left of it is not wanted.
    fn end(&mut self, stop: Option<CancelReason>) {
        if let Some(mut reader) = self.reader.take()
            && let Some(reason) = stop
        {
            reader.recv.stop(cancel_code(reason));
        }
        self.timer = None;
        self._held = None;
    }

    fn fail(&mut self, status: Status) -> Option<Result<Bytes, Failure>> {
        self.end(Some(CancelReason::StreamDropped));
        Some(Err(Failure::Status(status)))
    }

    /// What a frame means: `Ready` with an item or the end, `Pending` when more is needed.
    fn take(&mut self, frame: Frame) -> Poll<Option<Result<Bytes, Failure>>> {
        let call = match frame {
            Frame::Call(call) if call.call == self.call => call,
            Frame::Call(call) => {
                return Poll::Ready(self.fail(malformed(format!(
                    "a frame of call {} stands on the stream of call {}",
                    call.call, self.call
                ))));
            }
            Frame::Connection(_) | Frame::Skipped { .. } => return Poll::Pending,
            Frame::Bad { why, .. } => {
                return Poll::Ready(
                    self.fail(malformed(format!("a frame of the stream is malformed: {why}"))),
                );
            }
        };
        match call.kind {
            CallKind::Data => self.item(call.rest),
            CallKind::End => {
                self.end(None);
                Poll::Ready(None)
            }
            CallKind::Answer => Poll::Ready(self.trailer(call)),
            CallKind::Request | CallKind::Cancel | CallKind::Open => Poll::Ready(self.fail(
                malformed(format!("a {:?} frame stands between the items of a stream", call.kind)),
            )),
        }
    }

    fn item(&mut self, rest: Bytes) -> Poll<Option<Result<Bytes, Failure>>> {
        let (head, bytes) = match DataHead::decode(rest) {
            Ok(parts) => parts,
            Err(why) => {
                return Poll::Ready(self.fail(malformed(format!("an item is malformed: {why}"))));
            }
        };
        if self.partial.len() + bytes.len() > limits::MESSAGE_MAX {
            return Poll::Ready(self.fail(too_large("an item of the stream")));
        }
        if head.more {
            self.partial.extend_from_slice(&bytes);
            return Poll::Pending;
        }
        if self.partial.is_empty() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        self.partial.extend_from_slice(&bytes);
        Poll::Ready(Some(Ok(self.partial.split().freeze())))
    }

    fn trailer(&mut self, call: CallFrame) -> Option<Result<Bytes, Failure>> {
        let (head, body) = match AnswerHead::decode(call.rest) {
            Ok(parts) => parts,
            Err(why) => {
                return self.fail(malformed(format!("the end of the stream is malformed: {why}")));
            }
        };
        self.end(None);
        match head.outcome {
            AnswerOutcome::Ok if !body.is_empty() || head.total.is_some() => {
                Some(Err(Failure::Status(malformed("the end of the stream has a body".into()))))
            }
            AnswerOutcome::Ok => None,
            AnswerOutcome::App => Some(Err(Failure::App(AppError::encoded(head.codec, body)))),
            AnswerOutcome::Status(status) => {
                Some(Err(Failure::Status(Status::from_wire(status, head.directive))))
            }
        }
    }

    /// Whether the silence, a frame that has begun or the stream as a whole has lasted too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let silence = *self.silent_until.get_or_insert_with(|| Instant::now() + self.idle);
        let stall = self.reader.as_ref().and_then(FrameReader::stall_at);
        let limit = [self.until, stall].into_iter().flatten().fold(silence, Instant::min);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(limit)));
        if timer.deadline() != limit {
            timer.as_mut().reset(limit);
        }
        ready!(timer.as_mut().poll(cx));
        if stall == Some(limit) {
            return Poll::Ready(broken(&ReadError::Stalled));
        }
        Poll::Ready(Status::runtime(
            Code::DeadlineExceeded,
            Reason::Expired,
            Disposition::Unknown,
            Origin::Local,
            if self.until == Some(limit) {
                "the deadline of the stream passed between two items".to_owned()
            } else {
                format!(
                    "no item came for {}; `CallOptions::stream_idle` allows a longer silence",
                    millis(self.idle)
                )
            },
        ))
    }
}

impl Stream for ItemReader {
    type Item = Result<Bytes, Failure>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(reader) = &mut this.reader else { return Poll::Ready(None) };
            match reader.ready() {
                Ok(Some(frame)) => {
                    this.silent_until = None;
                    if let Poll::Ready(item) = this.take(frame) {
                        return Poll::Ready(item);
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(this.fail(broken(&error))),
            }
            let filled = {
                let fill = std::pin::pin!(reader.fill());
                fill.poll(cx)
            };
            match filled {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(this.fail(broken(&error))),
                Poll::Pending => {
                    if let Poll::Ready(status) = this.poll_timer(cx) {
                        return Poll::Ready(this.fail(status));
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for ItemReader {
    fn drop(&mut self) {
        self.end(Some(CancelReason::StreamDropped));
    }
}

fn malformed(why: String) -> Status {
    Status::runtime(Code::Internal, Reason::Malformed, Disposition::Unknown, Origin::Transport, why)
}

pub(super) fn too_large(what: &str) -> Status {
    Status::runtime(
        Code::ResourceExhausted,
        Reason::TooLarge,
        Disposition::Unknown,
        Origin::Local,
        format!(
            "{what} is larger than the {} bytes that a message may have (MESSAGE_MAX)",
            limits::MESSAGE_MAX
        ),
    )
}

/// There is no room beside what the peer has not read.
pub(super) fn unread(what: &str, bytes: usize) -> Status {
    Status::runtime(
        Code::ResourceExhausted,
        Reason::TooManyInFlight,
        Disposition::Processed,
        Origin::PeerRuntime,
        format!(
            "{what} takes {bytes} bytes, and those of this connection that wait to be read have the {} that the server \
             keeps for them (LARGE_ANSWERS_MAX); make fewer such calls at once",
            limits::LARGE_ANSWERS_MAX
        ),
    )
}

/// A stream that broke before its explicit end.
pub(super) fn broken(error: &ReadError) -> Status {
    match error {
        ReadError::Finished | ReadError::Truncated => {
            cut("the stream ended before its writer said that it was done")
        }
        ReadError::Stalled => cut("a frame of the stream began and did not end in time"),
        ReadError::Frame(_) | ReadError::Flood => {
            malformed(format!("the stream is malformed: {error}"))
        }
        ReadError::Link(LinkError::StreamReset(code)) => {
            cut(format!("the other side cut the stream ({})", super::io::reason_of(*code)))
        }
        ReadError::Link(error) => cut(format!("the connection broke: {error}")),
    }
}

/// Items that follow each other faster than this are written together: about what a write itself costs. Where a quick one
/// is followed by one that takes its thread for long, it waits for that one: a stream that works should yield.
const QUICK: Duration = Duration::from_micros(20);

/// How the writing of items ended.
pub(super) enum Written {
    /// Every item is on its way, and the writer said that this was all.
    Ended,
    /// The writer failed.
    Failed(Failure),
}

/// What a DATA frame says of its call.
#[derive(Clone, Copy)]
pub(super) struct Addressed {
    pub(super) call: u64,
    pub(super) epoch: Instant,
    pub(super) deadline: Option<Instant>,
}

/// What the items of a stream are part of.
pub(super) struct Destination<'a> {
    pub(super) method: &'static str,
    pub(super) codec: u8,
    pub(super) call: Addressed,
    /// What items that do not fit a lane count against until they are written; `None` where they are of our own making.
    pub(super) room: Option<&'a Arc<Room>>,
}

/// Writes items as DATA frames, as flow control allows. The end is left to the caller.
///
/// Small items that come quickly go in one write: each write costs the transport a lock and a buffer of its own, many
/// times what an item of a few bytes takes. An item that took longer than [`QUICK`] is not held back for the next one.
pub(super) async fn write_items(
    send: &mut dyn LinkSend,
    items: &mut dyn EncodeItems,
    to: &Destination<'_>,
) -> Result<Written, LinkError> {
    let (mut item, mut ready) = (Vec::new(), Vec::new());
    let mut last = Instant::now();
    loop {
        let next = match next_item(send, items, to, &mut item, ready.is_empty()).await? {
            Poll::Ready(next) => next,
            Poll::Pending => {
                flush(send, &mut ready).await?;
                continue;
            }
        };
        let ended = match next {
            None => Written::Ended,
            Some(Err(failure)) => Written::Failed(failure),
            Some(Ok(())) if item.len() > limits::MESSAGE_MAX => {
                Written::Failed(Failure::Status(too_large("an item of the stream")))
            }
            Some(Ok(())) if item.len() <= limits::LANE_MESSAGE_MAX => {
                let now = put_data(&mut ready, false, &item, to.call);
                let was_quick = now.duration_since(last) < QUICK;
                last = now;
                if !was_quick || ready.len() >= limits::LANE_MESSAGE_MAX {
                    flush(send, &mut ready).await?;
                    last = Instant::now();
                }
                continue;
            }
            Some(Ok(())) => {
                flush(send, &mut ready).await?;
                match to.room.map(|room| room.try_take(item.len())) {
                    Some(None) => Written::Failed(Failure::Status(unread(
                        "an item of the stream",
                        item.len(),
                    ))),
                    held => {
                        write_data(send, &message(std::mem::take(&mut item)), to.call).await?;
                        drop(held);
                        continue;
                    }
                }
            }
        };
        flush(send, &mut ready).await?;
        return Ok(ended);
    }
}

/// The next item, encoded; `Pending` only for a writer that does not wait, where there is none yet.
async fn next_item(
    send: &mut dyn LinkSend,
    items: &mut dyn EncodeItems,
    to: &Destination<'_>,
    item: &mut Vec<u8>,
    waits: bool,
) -> Result<Poll<Option<Result<(), Failure>>>, LinkError> {
    item.clear();
    poll_fn(|cx| {
        let poll = catch_unwind(AssertUnwindSafe(|| items.poll_encode(cx, to.codec, item)));
        // The stream is its user's code, and its panic its call's error.
        let poll = poll.unwrap_or_else(|panic| {
            Poll::Ready(Some(Err(Failure::Status(panicked(to.method, &*panic)))))
        });
        if poll.is_ready() || !waits {
            return Poll::Ready(Ok(poll));
        }
        // A writer that has nothing to say still hears that nobody listens.
        match ready!(send.poll_stopped(cx)) {
            Ok(code) => Poll::Ready(Err(LinkError::StreamReset(code.unwrap_or(0)))),
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await
}

/// Writes the frames that are ready, if there are any.
async fn flush(send: &mut dyn LinkSend, ready: &mut Vec<u8>) -> Result<(), LinkError> {
    // A copy of the right size: what the peer does not read is kept as it is.
    let frames = Bytes::copy_from_slice(ready);
    ready.clear();
    write_all(send, frames).await
}

/// What was encoded, as it is handed to the transport, which keeps it until the peer has it: without room for more.
pub(super) fn message(mut encoded: Vec<u8>) -> Bytes {
    if encoded.capacity() - encoded.len() > encoded.len() / 4 {
        encoded.shrink_to_fit();
    }
    encoded.into()
}

/// Writes one message as DATA frames.
pub(super) async fn write_data(
    send: &mut dyn LinkSend,
    message: &Bytes,
    to: Addressed,
) -> Result<(), LinkError> {
    for frame in data_frames(message, to) {
        write_pieces(send, frame).await?;
    }
    Ok(())
}

/// One message as DATA frames of a bounded size, each with a stamp of when it was asked for: what stands before the bytes,
/// and the bytes. At least one.
pub(super) fn data_frames(message: &Bytes, to: Addressed) -> impl Iterator<Item = [Bytes; 2]> {
    let mut rest = Some(message.clone());
    std::iter::from_fn(move || {
        let mut now = rest.take()?;
        let later = now.split_off(now.len().min(limits::DATA_FRAME_MAX));
        let mut start = Vec::with_capacity(64);
        put_data_start(&mut start, !later.is_empty(), now.len(), to);
        rest = Some(later).filter(|later| !later.is_empty());
        Some([Bytes::from(start), now])
    })
}

/// One DATA frame, with a stamp of now, which is returned.
fn put_data(out: &mut Vec<u8>, more: bool, bytes: &[u8], to: Addressed) -> Instant {
    out.reserve(64 + bytes.len());
    let stamp = put_data_start(out, more, bytes.len(), to);
    out.extend_from_slice(bytes);
    stamp
}

/// The same up to its bytes, of which so many must follow.
fn put_data_start(out: &mut Vec<u8>, more: bool, bytes: usize, to: Addressed) -> Instant {
    let stamp = Instant::now();
    put_stamp(out, micros_between(to.epoch, stamp));
    let (time, len) = (time_left(to.deadline, stamp), DataHead::LEN + bytes);
    put_call_frame_start(out, CallKind::Data, to.call, time, len);
    DataHead { more }.encode(out);
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and counts how often it was asked to.
    #[derive(Debug, Default)]
    struct Sink {
        writes: usize,
        bytes: usize,
    }

    impl LinkSend for Sink {
        fn poll_write(
            &mut self,
            _: &mut Context<'_>,
            data: &mut Bytes,
        ) -> Poll<Result<(), LinkError>> {
            self.writes += 1;
            self.bytes += std::mem::take(data).len();
            Poll::Ready(Ok(()))
        }

        fn finish(&mut self) {}

        fn reset(&mut self, _: u64) {}

        fn poll_stopped(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<u64>, LinkError>> {
            Poll::Pending
        }
    }

    /// So many items of 20 bytes; before each it is pending once, if it `waits`.
    struct Items {
        left: usize,
        waits: bool,
        waited: bool,
    }

    impl EncodeItems for Items {
        fn poll_encode(
            &mut self,
            cx: &mut Context<'_>,
            _: u8,
            out: &mut Vec<u8>,
        ) -> Poll<Option<Result<(), Failure>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            // Asked twice: by the writer with something to write, and by the one that waits.
            self.waited = self.waits && !self.waited;
            if self.waited {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.left -= 1;
            out.extend_from_slice(&[7; 20]);
            Poll::Ready(Some(Ok(())))
        }
    }

    async fn written(left: usize, waits: bool) -> Sink {
        let call = Addressed { call: 1, epoch: Instant::now(), deadline: None };
        let to = Destination { method: "a method", codec: 1, call, room: None };
        let (mut sink, mut items) = (Sink::default(), Items { left, waits, waited: false });
        let ended = write_items(&mut sink, &mut items, &to).await;
        assert!(matches!(ended, Ok(Written::Ended)));
        assert!(sink.bytes >= left * 20);
        sink
    }

    #[tokio::test(start_paused = true)]
    async fn small_items_that_come_at_once_are_written_together() {
        let sink = written(10_000, false).await;
        let most = sink.bytes / limits::LANE_MESSAGE_MAX + 1;
        assert!(sink.writes <= most, "{} writes of {} bytes", sink.writes, sink.bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn no_item_waits_for_one_that_is_not_there() {
        assert_eq!(written(50, true).await.writes, 50);
    }
}
