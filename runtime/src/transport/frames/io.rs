//! Small futures over the polled halves of a link's stream, and what each reader of frames needs.

use std::{
    cell::Cell,
    future::poll_fn,
    task::{Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    codes::CancelReason,
    limits,
    wire::{
        frame::{ConnectionFrame, Frame, FrameError},
        kinds,
        parser::Parser,
    },
};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::link::{LinkError, LinkRecv, LinkSend};

thread_local! {
    /// Where a frame is put together before a lock is taken.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends a buffer that keeps its memory from call to call.
///
/// It is taken out for as long as it is lent: code that runs meanwhile and wants one gets a new one.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = work(&mut scratch);
    if scratch.capacity() <= 4 * limits::LANE_MESSAGE_MAX {
        SCRATCH.set(scratch);
    }
    result
}

/// Writes all of `data`.
pub(super) async fn write_all(send: &mut dyn LinkSend, mut data: Bytes) -> Result<(), LinkError> {
    while !data.is_empty() {
        poll_fn(|cx| send.poll_write(cx, &mut data)).await?;
    }
    Ok(())
}

/// Writes all of several pieces, in their order: what is large is not copied behind its head.
pub(super) async fn write_pieces<const N: usize>(
    send: &mut dyn LinkSend,
    mut pieces: [Bytes; N],
) -> Result<(), LinkError> {
    while !pieces.iter().all(Bytes::is_empty) {
        poll_fn(|cx| send.poll_write_pieces(cx, &mut pieces)).await?;
    }
    Ok(())
}

/// Writes some of an answer; an error once nothing of it was taken for [`limits::ANSWER_STALL`].
pub(super) async fn write_answered(
    send: &mut dyn LinkSend,
    pieces: &mut [Bytes],
) -> Result<(), LinkError> {
    // Mostly there is room, and no timer to arm.
    let at_once = poll_fn(|cx| Poll::Ready(send.poll_write_pieces(cx, pieces)));
    if let Poll::Ready(written) = at_once.await {
        return written;
    }
    let taken = timeout(limits::ANSWER_STALL, poll_fn(|cx| send.poll_write_pieces(cx, pieces)));
    taken.await.unwrap_or(Err(LinkError::Unread))
}

/// Writes all of an answer's bytes; see [`write_answered`].
pub(super) async fn write_all_answered<const N: usize>(
    send: &mut dyn LinkSend,
    mut pieces: [Bytes; N],
) -> Result<(), LinkError> {
    while !pieces.iter().all(Bytes::is_empty) {
        write_answered(send, &mut pieces).await?;
    }
    Ok(())
}

/// The next chunk of a stream. Cancel safe.
pub(super) async fn next_chunk(recv: &mut dyn LinkRecv) -> Result<Option<Bytes>, LinkError> {
    poll_fn(|cx| recv.poll_chunk(cx)).await
}

/// The code that a stream is reset or stopped with when its call is cancelled.
pub(super) fn cancel_code(reason: CancelReason) -> u64 {
    kinds::STREAM_CANCEL_BASE + u64::from(reason.to_u8())
}

/// The reason in such a code; anything else is a caller that went away without a word.
pub(super) fn reason_of(code: u64) -> CancelReason {
    code.checked_sub(kinds::STREAM_CANCEL_BASE)
        .and_then(|reason| u8::try_from(reason).ok())
        .map_or(CancelReason::Dropped, CancelReason::from_u8)
}

/// Why no further frame can be read from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadError {
    /// The peer is done.
    Finished,
    /// The peer is done in the middle of a frame.
    Truncated,
    /// A frame began and did not end in time.
    Stalled,
    /// More frames without effect than anybody needs.
    Flood,
    /// An outer length or kind that cannot be.
    Frame(FrameError),
    /// The stream or its connection broke.
    Link(LinkError),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("the peer ended the stream"),
            Self::Truncated => f.write_str("the peer ended the stream in the middle of a frame"),
            Self::Stalled => f.write_str("a frame began and did not end in time"),
            Self::Flood => {
                write!(
                    f,
                    "more than {} frames without effect in a second (IDLE_FRAMES_PER_SECOND)",
                    limits::IDLE_FRAMES_PER_SECOND
                )
            }
            Self::Frame(error) => error.fmt(f),
            Self::Link(error) => error.fmt(f),
        }
    }
}

/// A stream read frame by frame, and when its last bytes arrived.
#[derive(Debug)]
pub(super) struct FrameReader {
    pub(super) recv: Box<dyn LinkRecv>,
    pub(super) parser: Parser,
    /// When the bytes of the frames that `next` gives out were read.
    pub(super) read_at: Instant,
    /// When the frame that is incomplete began.
    began: Option<Instant>,
    /// The last frame was a stamp.
    stamped: bool,
    /// Frames without effect since then.
    idle_frames: u32,
    idle_since: Instant,
}

impl FrameReader {
    pub(super) fn new(recv: Box<dyn LinkRecv>, parser: Parser) -> Self {
        let now = Instant::now();
        Self {
            recv,
            parser,
            read_at: now,
            began: None,
            stamped: false,
            idle_frames: 0,
            idle_since: now,
        }
    }

    /// A frame that has arrived whole, without waiting.
    pub(super) fn ready(&mut self) -> Result<Option<Frame>, ReadError> {
        let frame = self.parser.next().map_err(ReadError::Frame)?;
        if let Some(frame) = &frame {
            self.began = None;
            self.charge(frame)?;
        }
        Ok(frame)
    }

    /// Frames that move nothing are paid for: a stamp that no frame follows, what is skipped, talk about the
    /// connection.
    fn charge(&mut self, frame: &Frame) -> Result<(), ReadError> {
        let idle = match frame {
            Frame::Connection(ConnectionFrame::Stamp { .. }) => {
                std::mem::replace(&mut self.stamped, true)
            }
            Frame::Connection(_) | Frame::Skipped { .. } => true,
            Frame::Call(_) | Frame::Bad { .. } => {
                self.stamped = false;
                false
            }
        };
        if idle { self.charge_idle() } else { Ok(()) }
    }

    /// Counts one frame without effect.
    pub(super) fn charge_idle(&mut self) -> Result<(), ReadError> {
        self.idle_frames += 1;
        if self.idle_frames < limits::IDLE_FRAMES_PER_SECOND {
            return Ok(());
        }
        let now = Instant::now();
        if now.saturating_duration_since(self.idle_since) < Duration::from_secs(1) {
            return Err(ReadError::Flood);
        }
        self.idle_since = now;
        self.idle_frames = 0;
        Ok(())
    }

    /// Waits for more bytes: at most until a frame that has begun must have ended.
    ///
    /// Cancel safe.
    pub(super) async fn fill(&mut self) -> Result<(), ReadError> {
        // A frame may trickle: what counts is when it began, not when its last byte came; and the time that it names
        // may itself come late.
        let limit = self.parser.is_mid_frame().then(|| {
            let began = *self.began.get_or_insert_with(Instant::now);
            began + stall_time(&self.parser)
        });
        let chunk = match limit {
            Some(limit) => timeout_at(limit, next_chunk(&mut *self.recv))
                .await
                .map_err(|_| ReadError::Stalled)?,
            None => next_chunk(&mut *self.recv).await,
        };
        match chunk.map_err(ReadError::Link)? {
            Some(chunk) => {
                self.read_at = Instant::now();
                self.parser.feed(chunk);
                Ok(())
            }
            None if self.parser.is_mid_frame() => Err(ReadError::Truncated),
            None => Err(ReadError::Finished),
        }
    }

    /// When a frame that has begun must have ended.
    pub(super) fn stall_at(&self) -> Option<Instant> {
        self.began.map(|began| began + stall_time(&self.parser))
    }

    /// The next frame, waiting for it.
    ///
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Frame, ReadError> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }
}

/// min(the deadline that the incomplete frame names, 10 s).
fn stall_time(parser: &Parser) -> Duration {
    parser
        .partial_time_left()
        .map_or(limits::LANE_STALL, |left| Duration::from_micros(left).min(limits::LANE_STALL))
}

/// To be called with no lock held.
pub(super) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    /// Takes a byte after each of these pauses, then none.
    #[derive(Debug)]
    struct Slow {
        pauses: Vec<Duration>,
        next: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    }

    impl LinkSend for Slow {
        fn poll_write(
            &mut self,
            cx: &mut Context<'_>,
            data: &mut Bytes,
        ) -> Poll<Result<(), LinkError>> {
            if self.next.is_none() {
                let Some(pause) = self.pauses.pop() else { return Poll::Pending };
                self.next = Some(Box::pin(tokio::time::sleep(pause)));
            }
            let Some(next) = &mut self.next else { return Poll::Pending };
            std::task::ready!(next.as_mut().poll(cx));
            self.next = None;
            let _ = data.split_to(1);
            Poll::Ready(Ok(()))
        }
        fn finish(&mut self) {}
        fn reset(&mut self, _: u64) {}
        fn poll_stopped(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<u64>, LinkError>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_be_taken_slowly_and_is_given_up_when_it_is_not_taken() {
        let pause = limits::ANSWER_STALL - Duration::from_secs(1);
        let mut slow = Slow { pauses: vec![pause; 3], next: None };
        let began = Instant::now();
        assert_eq!(write_all_answered(&mut slow, [Bytes::from_static(b"abc")]).await, Ok(()));
        assert!(began.elapsed() >= 3 * pause);
        let mut stalled = Slow { pauses: vec![pause], next: None };
        let began = Instant::now();
        let written = write_all_answered(&mut stalled, [Bytes::from_static(b"abc")]).await;
        assert_eq!(written, Err(LinkError::Unread));
        assert!(began.elapsed() < 2 * limits::ANSWER_STALL + Duration::from_secs(1));
    }
}
