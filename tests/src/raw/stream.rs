//! One stream of a raw peer: bytes out as they are, frames in.

use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream, VarInt};
use sinew_core::{
    limits,
    wire::{AnswerHead, AnswerOutcome, CallFrame, CallKind, Frame, Parser, StreamType, WireStatus},
};

use crate::{Must as _, wait::soon};

/// A call frame that arrived.
pub type Call = CallFrame;

/// Both halves of a bidirectional stream.
#[derive(Debug)]
pub struct RawStream {
    /// Our half.
    pub send: SendStream,
    recv: RecvStream,
    parser: Parser,
}

impl RawStream {
    /// A stream that we opened: the other side's half begins with frames.
    pub(super) fn opened((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv, parser: Parser::new(limits::STREAM_FRAME_MAX) }
    }

    /// A stream that the other side opened: its half begins with a type.
    pub(super) fn accepted((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv, parser: Parser::with_stream_type(limits::STREAM_FRAME_MAX) }
    }

    /// Writes these bytes.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        soon("the bytes are taken", self.send.write_all(bytes.as_ref())).await.must("written");
    }

    /// Writes these bytes, as many as the other side takes.
    pub async fn write_what_is_wanted(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon("the bytes are taken", self.send.write_all(bytes.as_ref())).await;
    }

    /// Says that nothing follows.
    pub fn finish(&mut self) {
        // Fails only where the other side has stopped the stream: then it is over all the same.
        let _ = self.send.finish();
    }

    /// The type of a stream that the other side opened.
    pub async fn stream_type(&mut self) -> StreamType {
        loop {
            if let Some(found) = self.parser.stream_type().must("a stream type") {
                return found;
            }
            assert!(self.fill().await, "the stream ended before its type");
        }
    }

    /// The next frame of whatever kind but STAMP; `None` where the other side is done.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            match self.parser.next().must("sound framing") {
                Some(Frame::Connection(_)) => {}
                Some(frame) => return Some(frame),
                None if self.fill().await => {}
                None => return None,
            }
        }
    }

    /// The next frame, which must be of a call.
    pub async fn call(&mut self) -> Call {
        match self.frame().await {
            Some(Frame::Call(call)) => call,
            other => panic!("a call frame was expected, not {other:?}"),
        }
    }

    /// The next frame, which must be an ANSWER: its call, head and body.
    pub async fn answer(&mut self) -> (u64, AnswerHead, Bytes) {
        let call = self.call().await;
        assert_eq!(call.kind, CallKind::Answer, "{call:?}");
        let (head, body) = AnswerHead::decode(call.rest).must("a sound ANSWER");
        (call.call, head, body)
    }

    /// The next frame, which must be an ANSWER to `call` with a status.
    pub async fn status(&mut self, call: u64) -> WireStatus {
        match self.answer().await {
            (answered, AnswerHead { outcome: AnswerOutcome::Status(status), .. }, _) => {
                assert_eq!(answered, call, "{status:?}");
                status
            }
            other => panic!("a status was expected, not {other:?}"),
        }
    }

    /// Waits until the other side resets its half, whatever it says before: the code.
    pub async fn reset_code(&mut self) -> u64 {
        loop {
            match soon("a reset", self.recv.read_chunk(64 * 1024, true)).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a reset was expected, not the end of the stream"),
                Err(ReadError::Reset(code)) => return code.into_inner(),
                Err(error) => panic!("a reset was expected, not {error}"),
            }
        }
    }

    /// Waits until the other side stops reading: the code.
    pub async fn stop_code(&mut self) -> u64 {
        let stopped = soon("a stop", self.send.stopped()).await.must("a connection");
        stopped.must("a stop with a code").into_inner()
    }

    /// Tells the other side that nothing more will be read.
    pub fn stop(&mut self, code: u32) {
        // Fails only where the stream is over.
        let _ = self.recv.stop(VarInt::from_u32(code));
    }

    /// Abandons our half.
    pub fn reset(&mut self, code: u32) {
        // Fails only where the stream is over.
        let _ = self.send.reset(VarInt::from_u32(code));
    }

    /// More bytes for the parser; whether there were any.
    async fn fill(&mut self) -> bool {
        let chunk = soon("more of the stream", self.recv.read_chunk(64 * 1024, true)).await;
        match chunk.must("a stream that goes on") {
            Some(chunk) => {
                self.parser.feed(chunk.bytes);
                true
            }
            None => false,
        }
    }
}
