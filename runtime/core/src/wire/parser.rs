//! From chunks of a stream to frames, wherever the chunks are cut.
//!
//! # Why
//! A frame that lies in one chunk is a view of that chunk: no copy. One that is cut is gathered in
//! a buffer that grows with what has arrived, never with what a length claims: a peer that
//! announces the largest frame on every stream and sends two bytes of it has made us keep two
//! bytes.
//!
//! # Invariants
//! 1. The frames found do not depend on where the stream was cut.
//! 2. Memory kept: at most twice what arrived of the one unfinished frame, plus the chunk not yet
//!    looked at.
//! 3. After a [`FrameError`] every further call gives the same error.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    Frame, FrameError,
    control::{self, is_connection_kind},
    frame::decode_call,
    kinds::{CallKind, SKIPPABLE, StreamType, UNBOUNDED},
    read, varint,
};

/// Finds the frames of one direction of one stream.
#[derive(Debug)]
pub struct Parser {
    /// The start of an unfinished frame, its length included.
    carry: BytesMut,
    /// What has not been looked at.
    chunk: Bytes,
    max_frame: usize,
    stream: Stream,
    failed: Option<FrameError>,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    /// The type must come first.
    Awaited,
    Known(StreamType),
    /// Made by [`Parser::new`]: somebody else has read it.
    Elsewhere,
}

impl Parser {
    /// A parser of frames alone, of at most `max_frame` bytes behind their length.
    pub fn new(max_frame: usize) -> Self {
        Self::of(max_frame, Stream::Elsewhere)
    }

    /// A parser of a whole stream: its type first, then frames of at most what that type allows and
    /// `max_frame` at the same time.
    pub fn with_stream_type(max_frame: usize) -> Self {
        Self::of(max_frame, Stream::Awaited)
    }

    fn of(max_frame: usize, stream: Stream) -> Self {
        Self { carry: BytesMut::new(), chunk: Bytes::new(), max_frame, stream, failed: None }
    }

    /// Takes the next bytes of the stream.
    ///
    /// Call [`next`](Self::next) until it gives `None` before feeding more; feeding earlier costs a
    /// copy.
    #[inline]
    pub fn feed(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else if !chunk.is_empty() {
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The stream's type, `None` until enough has arrived; also `None` for ever where the parser
    /// reads frames alone.
    ///
    /// # Errors
    /// [`FrameError::UnknownStreamType`], or [`FrameError::Length`] where the number itself is bad.
    pub fn stream_type(&mut self) -> Result<Option<StreamType>, FrameError> {
        self.check()?;
        match self.stream {
            Stream::Known(known) => return Ok(Some(known)),
            Stream::Elsewhere => return Ok(None),
            Stream::Awaited => {}
        }
        let Some((number, len)) = self.peek_varint()? else {
            return Ok(None);
        };
        self.consume_carried(len);
        let Some(known) = StreamType::from_u64(number) else {
            return self.fail(FrameError::UnknownStreamType(number));
        };
        self.stream = Stream::Known(known);
        self.max_frame = self.max_frame.min(known.frame_max());
        Ok(Some(known))
    }

    /// The next frame, `None` until more arrives.
    ///
    /// # Errors
    /// What ends the stream.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator would end at the first `None`")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if matches!(self.stream, Stream::Awaited) && self.stream_type()?.is_none() {
            return Ok(None);
        }
        self.check()?;
        let Some((claimed, header)) = self.peek_varint()? else {
            return Ok(None);
        };
        if claimed == 0 {
            return self.fail(FrameError::Empty);
        }
        if claimed > self.max_frame as u64 {
            return self.fail(FrameError::TooLong { claimed, limit: self.max_frame });
        }
        // At most the limit, so it fits.
        let whole = header + claimed as usize;
        let mut frame = if self.carry.is_empty() && self.chunk.len() >= whole {
            self.chunk.split_to(whole)
        } else if self.gather(whole) {
            std::mem::take(&mut self.carry).freeze()
        } else {
            return Ok(None);
        };
        frame.advance(header);
        match inside(frame) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => self.fail(error),
        }
    }

    /// Whether the stream has begun something that it has not finished: a frame, or its type.
    ///
    /// True at a finish means that the stream was cut.
    pub fn is_mid_frame(&self) -> bool {
        self.buffered() > 0
    }

    /// The time in microseconds that the unfinished frame names, as soon as enough of it is there.
    ///
    /// Ask after [`next`](Self::next) gave `None`: a stall of this frame is worth waiting for no
    /// longer. `None` for a frame that names no time.
    pub fn partial_time_left(&self) -> Option<u64> {
        let mut buf: &[u8] = &self.carry;
        varint::get(&mut buf).ok()?;
        // With bit 7 set there is no time, and no kind of call frame has that bit.
        CallKind::from_u8(read::u8(&mut buf).ok()?)?;
        varint::get(&mut buf).ok()?;
        varint::get(&mut buf).ok().filter(|us| *us > 0)
    }

    /// The call id of the unfinished frame, as soon as enough of it is there; `None` for one without.
    pub fn partial_call(&self) -> Option<u64> {
        let mut buf: &[u8] = &self.carry;
        varint::get(&mut buf).ok()?;
        CallKind::from_u8(read::u8(&mut buf).ok()? & !UNBOUNDED)?;
        varint::get(&mut buf).ok()
    }

    /// Bytes held.
    pub fn buffered(&self) -> usize {
        self.carry.len() + self.chunk.len()
    }

    #[inline]
    fn check(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    #[cold]
    fn fail<T>(&mut self, error: FrameError) -> Result<T, FrameError> {
        self.failed = Some(error);
        self.carry = BytesMut::new();
        self.chunk = Bytes::new();
        Err(error)
    }

    /// The integer that comes next, and its bytes; nothing is consumed. `None` until all of it is
    /// there.
    #[inline]
    fn peek_varint(&mut self) -> Result<Option<(u64, usize)>, FrameError> {
        let in_chunk = self.carry.is_empty();
        let first = if in_chunk { self.chunk.first() } else { self.carry.first() };
        let Some(&first) = first else { return Ok(None) };
        let len = varint::len_from_first(first);
        // One that is cut goes to the carry, where the next chunk completes it.
        if (!in_chunk || self.chunk.len() < len) && !self.gather(len) {
            return Ok(None);
        }
        let mut bytes: &[u8] = if in_chunk { &self.chunk } else { &self.carry };
        match varint::get(&mut bytes) {
            Ok(value) => Ok(Some((value, len))),
            Err(why) => self.fail(FrameError::Length(why)),
        }
    }

    /// Moves bytes from the chunk until `carry` has `want`; whether it has.
    fn gather(&mut self, want: usize) -> bool {
        let missing = want.saturating_sub(self.carry.len());
        let take = missing.min(self.chunk.len());
        if take > 0 {
            let room = want.min((self.carry.len() + take) * 2);
            self.carry.reserve(room - self.carry.len());
            self.carry.extend_from_slice(&self.chunk[..take]);
            self.chunk.advance(take);
        }
        take == missing
    }

    /// Drops what [`peek_varint`](Self::peek_varint) showed.
    fn consume_carried(&mut self, len: usize) {
        if self.carry.is_empty() {
            self.chunk.advance(len);
        } else {
            // The type stands alone in the carry: only as much as it needs was gathered.
            self.carry.clear();
        }
    }
}

/// Reads a whole frame behind its length.
#[inline]
fn inside(mut frame: Bytes) -> Result<Frame, FrameError> {
    // The length is at least one.
    let kind = frame.first().copied().unwrap_or_default();
    frame.advance(1);
    let unbounded = kind & UNBOUNDED != 0;
    let bare = kind & !UNBOUNDED;
    if let Some(call_kind) = CallKind::from_u8(bare) {
        return Ok(decode_call(call_kind, unbounded, frame));
    }
    if is_connection_kind(kind) {
        return Ok(match control::decode(kind, &frame) {
            Ok(frame) => Frame::Connection(frame),
            Err(why) => Frame::Bad { call: None, kind: None, why },
        });
    }
    if bare & SKIPPABLE != 0 {
        return Ok(Frame::Skipped { kind, len: frame.len() });
    }
    Err(FrameError::UnknownKind(kind))
}
