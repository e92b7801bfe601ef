//! What both ends of a connection share: its streams, who may open more, and why it ended.
//!
//! # Why
//! One lock for a whole connection, as in quinn: a close, a stream and its credit never disagree.
//!
//! # Invariants
//! 1. A side has no more streams of a kind open than its peer granted. A stream is open until both
//!    sides ended what they write, by whatever means, and who accepted it saw the end of what came,
//!    or stopped it: as in QUIC, streams that the peer does not look at keep their credit, so that
//!    they cannot pile up.
//! 2. The first close counts; after it no stream changes any more.
//! 3. A stream is accepted in the order of opening, and not before its opener did something with it
//!    or a later one.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll},
};

use bytes::Bytes;
use sinew_core::limits::{PEER_BI_STREAMS_MAX, PEER_BI_STREAMS_START, PEER_UNI_STREAMS_MAX};

use super::{due::Due, pipe::Pipe};
use crate::transport::link::LinkError;

/// An end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bi,
    Uni,
}

/// Everything under the lock.
#[derive(Debug)]
pub(super) struct State {
    closed: Option<Closed>,
    /// By who opens, then by kind.
    allowances: [[Allowance; 2]; 2],
    /// Until every half is dropped.
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
}

#[derive(Debug)]
struct Closed {
    by: Side,
    code: u32,
    reason: String,
}

/// The streams of one kind that one side opens.
#[derive(Debug)]
struct Allowance {
    open: u32,
    /// May be open now: what was granted is not taken back, but not granted again either.
    granted: u32,
    /// What the peer wants to grant.
    limit: u32,
    /// Opened and not yet accepted.
    waiting: VecDeque<u64>,
    /// Streams below this number show at the peer.
    shown: u64,
}

#[derive(Debug)]
struct Stream {
    opener: Side,
    kind: Kind,
    /// By who writes.
    pipes: [Pipe; 2],
    /// Counts against the opener's allowance.
    counted: bool,
}

impl Allowance {
    fn new(limit: u32) -> Self {
        Self { open: 0, granted: limit, limit, waiting: VecDeque::new(), shown: 0 }
    }
}

impl Stream {
    fn is_over(&self) -> bool {
        let (out, back) = (self.opener as usize, self.opener.other() as usize);
        self.pipes[out].is_over() && self.pipes[back].is_ended()
    }
}

impl State {
    pub(super) fn new() -> Self {
        let allowances = || [PEER_BI_STREAMS_START, PEER_UNI_STREAMS_MAX].map(Allowance::new);
        Self {
            closed: None,
            allowances: [allowances(), allowances()],
            streams: BTreeMap::new(),
            next_stream: 0,
        }
    }

    // -- the connection --

    /// Why the connection is gone, in the words of `side`; `None` while it is not.
    pub(super) fn lost(&self, side: Side) -> Option<LinkError> {
        self.closed.as_ref().map(|closed| {
            if closed.by == side {
                LinkError::LocallyClosed
            } else {
                let (code, reason) = (closed.code.into(), closed.reason.clone());
                LinkError::PeerClosed { code, reason }
            }
        })
    }

    pub(super) fn close(&mut self, by: Side, code: u32, reason: String, due: &mut Due) {
        if self.closed.is_none() {
            self.closed = Some(Closed { by, code, reason });
            let pipes = self.streams.values_mut().flat_map(|stream| &mut stream.pipes);
            pipes.for_each(|pipe| pipe.wake_all(due));
            due.ring();
        }
    }

    /// `side` lets its peer have this many bidirectional streams open.
    pub(super) fn set_max_peer_bi(&mut self, side: Side, streams: u32, due: &mut Due) {
        let allowance = self.allowance(side.other(), Kind::Bi);
        allowance.limit = streams.min(PEER_BI_STREAMS_MAX);
        allowance.granted = allowance.granted.max(allowance.limit);
        due.ring();
    }

    /// A new stream of `side`; pending while there is no credit.
    pub(super) fn open(&mut self, side: Side, kind: Kind) -> Poll<Result<u64, LinkError>> {
        if let Some(why) = self.lost(side) {
            return Poll::Ready(Err(why));
        }
        let id = self.next_stream;
        let allowance = self.allowance(side, kind);
        if allowance.open >= allowance.granted {
            return Poll::Pending;
        }
        allowance.open += 1;
        allowance.waiting.push_back(id);
        self.next_stream += 1;
        let mut pipes = [Pipe::new(), Pipe::new()];
        if kind == Kind::Uni {
            pipes[side.other() as usize] = Pipe::absent();
        }
        self.streams.insert(id, Stream { opener: side, kind, pipes, counted: true });
        Poll::Ready(Ok(id))
    }

    /// The next stream that the peer of `side` opened.
    pub(super) fn accept(&mut self, side: Side, kind: Kind) -> Poll<Result<u64, LinkError>> {
        if let Some(why) = self.lost(side) {
            return Poll::Ready(Err(why));
        }
        let allowance = self.allowance(side.other(), kind);
        match allowance.waiting.front() {
            Some(&id) if id < allowance.shown => {
                allowance.waiting.pop_front();
                Poll::Ready(Ok(id))
            }
            _ => Poll::Pending,
        }
    }

    // -- one stream, by one of its halves at `side` --

    pub(super) fn write(
        &mut self,
        (side, id): (Side, u64),
        cx: &Context<'_>,
        data: &mut Bytes,
        due: &mut Due,
    ) -> Poll<Result<(), LinkError>> {
        if let Some(why) = self.lost(side) {
            return Poll::Ready(Err(why));
        }
        let Some(pipe) = self.pipe(id, side) else {
            return Poll::Ready(Err(LinkError::LocallyClosed));
        };
        let written = pipe.write(cx, data, due);
        if written == Poll::Ready(Ok(())) {
            self.show(side, id, due);
        }
        written
    }

    pub(super) fn finish(&mut self, (side, id): (Side, u64), due: &mut Due) {
        self.end(side, id, side, |pipe, due| pipe.finish(due), due);
    }

    pub(super) fn reset(&mut self, (side, id): (Side, u64), code: u64, due: &mut Due) {
        self.end(side, id, side, |pipe, due| pipe.reset(code, due), due);
    }

    pub(super) fn stopped(
        &mut self,
        (side, id): (Side, u64),
        cx: &Context<'_>,
        due: &mut Due,
    ) -> Poll<Result<Option<u64>, LinkError>> {
        let lost = self.lost(side);
        let Some(pipe) = self.pipe(id, side) else {
            return Poll::Ready(Err(LinkError::LocallyClosed));
        };
        match (pipe.outcome(), lost) {
            (Some(outcome), _) => Poll::Ready(Ok(outcome)),
            (None, Some(why)) => Poll::Ready(Err(why)),
            (None, None) => {
                pipe.watch(cx, due);
                Poll::Pending
            }
        }
    }

    /// The sending half is dropped: a reset, unless it ended before.
    pub(super) fn drop_send(&mut self, (side, id): (Side, u64), due: &mut Due) {
        if self.pipe(id, side).is_some_and(|pipe| !pipe.is_ended()) {
            self.reset((side, id), 0, due);
        }
        if let Some(pipe) = self.pipe(id, side) {
            pipe.drop_writer(due);
        }
        self.tidy(id, due);
    }

    pub(super) fn read(
        &mut self,
        (side, id): (Side, u64),
        cx: &Context<'_>,
        due: &mut Due,
    ) -> Poll<Result<Option<Bytes>, LinkError>> {
        let lost = self.lost(side);
        let Some(pipe) = self.pipe(id, side.other()) else {
            return Poll::Ready(Err(LinkError::LocallyClosed));
        };
        let read = pipe.read(cx, lost, due);
        if matches!(read, Poll::Ready(Ok(None) | Err(_))) {
            self.tidy(id, due);
        }
        read
    }

    pub(super) fn stop(&mut self, (side, id): (Side, u64), code: u64, due: &mut Due) {
        self.end(side, id, side.other(), |pipe, due| pipe.stop(code, due), due);
    }

    /// The receiving half is dropped: a stop, unless it saw the end before.
    pub(super) fn drop_recv(&mut self, (side, id): (Side, u64), due: &mut Due) {
        self.stop((side, id), 0, due);
        if let Some(pipe) = self.pipe(id, side.other()) {
            pipe.drop_reader(due);
        }
        self.tidy(id, due);
    }

    // -- parts --

    /// `side` ends what `writer` writes on a stream, in the one or the other way.
    fn end(
        &mut self,
        side: Side,
        id: u64,
        writer: Side,
        how: impl FnOnce(&mut Pipe, &mut Due),
        due: &mut Due,
    ) {
        if self.closed.is_none()
            && let Some(pipe) = self.pipe(id, writer)
        {
            how(pipe, due);
            self.show(side, id, due);
            self.tidy(id, due);
        }
    }

    /// `side` did something with a stream: if it opened it, the peer sees it from now on, and all
    /// opened before it.
    fn show(&mut self, side: Side, id: u64, due: &mut Due) {
        if let Some(Stream { opener, kind, .. }) = self.streams.get(&id)
            && *opener == side
        {
            let allowance = &mut self.allowances[side as usize][*kind as usize];
            if allowance.shown <= id {
                allowance.shown = id + 1;
                due.ring();
            }
        }
    }

    /// Gives back the credit of a stream that is over, and forgets one that nobody holds.
    fn tidy(&mut self, id: u64, due: &mut Due) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.counted && stream.is_over() {
            stream.counted = false;
            let allowance = &mut self.allowances[stream.opener as usize][stream.kind as usize];
            allowance.open -= 1;
            allowance.granted = allowance.limit.max(allowance.granted - 1);
            due.ring();
        }
        if stream.pipes.iter().all(Pipe::is_abandoned)
            && let Some(stream) = self.streams.remove(&id)
        {
            stream.pipes.into_iter().for_each(|pipe| pipe.dismantle(due));
        }
    }

    fn allowance(&mut self, opener: Side, kind: Kind) -> &mut Allowance {
        &mut self.allowances[opener as usize][kind as usize]
    }

    /// What `writer` writes on a stream; there as long as either half of it is.
    fn pipe(&mut self, id: u64, writer: Side) -> Option<&mut Pipe> {
        self.streams.get_mut(&id).map(|stream| &mut stream.pipes[writer as usize])
    }
}
