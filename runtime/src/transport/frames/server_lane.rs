//! A lane from the server's side: requests in, handlers beside each other, answers back in batches.
//!
//! # Invariants
//! 1. A call is known by its id from when its handler is pending until it is gone: that is what a CANCEL finds.
//! 2. A peer that does not read its answers is not read from: the frames that have arrived are left alone too.
//! 3. A call keeps its place among the connection's calls in flight until its answer is the transport's. So however
//!    many lanes there are, what waits on them is bounded by what one connection may have in flight; and what it adds up
//!    to is counted, so that no lane is read from while too much waits on all of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::{Future as _, poll_fn},
    pin::Pin,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    codes::CancelReason,
    limits,
    wire::{
        data::decode_cancel,
        frame::{CallFrame, CallKind, ConnectionFrame, Frame},
        kinds,
        request::RequestHead,
    },
};
use tokio::{sync::watch, time::Instant};

use super::{
    super::{
        Incoming,
        link::{LinkError, LinkSend},
    },
    drain::Flushing,
    fault::malformed,
    io::{FrameReader, ReadError, wake_all, with_scratch, write_answered},
    outbox::Outbox,
    room::{Held, Room},
    served::{Ended, Served},
    server::{Conn, Place},
    streams,
};
use crate::{call::context::Context, error::Status};

/// After so many frames the room for their answers is looked at again: not after each, that would be a lock per call.
const FRAMES_PER_LOOK: u32 = 16;

/// What waits is counted beside other lanes' in steps: most batches are gone before the first.
const COUNTED_FROM: usize = limits::LANE_MESSAGE_MAX;

/// One lane: the answers that wait to be written, and the calls that are at work.
pub(super) struct ServerLane {
    conn: Arc<Conn>,
    state: Mutex<LaneState>,
}

struct LaneState {
    outbox: Outbox,
    /// The places of the answers in the outbox, each with where its answer ends.
    places: Vec<(usize, Place)>,
    /// What the outbox holds of the connection's room.
    held: Option<Held>,
    room: Arc<Room>,
    /// Bytes in the outbox that no place stands for.
    refused: usize,
    /// Found by an id that the peer chose: a map with a secret in its hash.
    calls: HashMap<u64, Context>,
    /// The peer sends no more requests.
    ended: bool,
    /// The lane is given up, with this code.
    reset: Option<u64>,
}

impl ServerLane {
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads requests until the lane ends; answers go out beside it.
    pub(super) async fn run(conn: Arc<Conn>, send: Box<dyn LinkSend>, mut reader: FrameReader) {
        let lane = Arc::new(Self {
            state: Mutex::new(LaneState {
                outbox: Outbox::new(conn.epoch),
                places: Vec::new(),
                held: None,
                room: Arc::clone(&conn.answers.lanes),
                refused: 0,
                calls: HashMap::new(),
                ended: false,
                reset: None,
            }),
            conn,
        });
        let mut writer = tokio::spawn(write_answers(Arc::clone(&lane), send));
        let mut age = Duration::ZERO;
        let error = loop {
            // The peer stopped the answers: a handler that began now would work for nobody.
            if lane.lock().outbox.is_closed() {
                reader.recv.stop(kinds::STREAM_ABANDONED);
                break ReadError::Finished;
            }
            let taken = poll_fn(|cx| Poll::Ready(lane.take_requests(&mut reader, &mut age, cx)));
            let all = match taken.await {
                Ok(all) => all,
                Err(error) => break error,
            };
            // A peer that does not read its answers gets no more of them.
            poll_fn(|cx| lane.lock().poll_room(cx)).await;
            lane.conn.answers.lanes.opened().await;
            if all && let Err(error) = reader.fill().await {
                break error;
            }
        };
        lane.reading_ended(&error, &mut reader);
        // What is at work is still answered, as long as there is somebody to answer to.
        tokio::select! {
            biased;
            _ = &mut writer => {}
            _ = lane.conn.link.closed() => {}
        }
        // The writer may have ended long ago, when the peer stopped it; calls that began since are still at work.
        lane.cancel_all();
        wake_all(lane.lock().close());
        if !writer.is_finished() {
            let _ = writer.await;
        }
        lane.conn.stream_closed();
    }

    /// What the end of a lane's requests means for its calls.
    fn reading_ended(&self, error: &ReadError, reader: &mut FrameReader) {
        match error {
            ReadError::Finished => self.no_more_requests(),
            ReadError::Link(_) => {
                self.cancel_all();
                wake_all(self.lock().close());
            }
            ReadError::Flood => {
                self.conn.note_read_error(error);
                self.cancel_all();
                wake_all(self.lock().close());
            }
            ReadError::Stalled | ReadError::Truncated | ReadError::Frame(_) => {
                tracing::debug!(%error, peer = %self.conn.peer.identity, "a lane was reset");
                let stalled = matches!(error, ReadError::Stalled);
                let code =
                    if stalled { kinds::STREAM_LANE_STALLED } else { kinds::STREAM_FRAME_ERROR };
                reader.recv.stop(code);
                self.conn.note_error();
                self.cancel_all();
                let wakers = {
                    let mut state = self.lock();
                    state.reset = Some(code);
                    state.close()
                };
                wake_all(wakers);
            }
        }
    }

    /// Every frame that has arrived whole, or as many as there is room for answers; whether it was every one.
    fn take_requests(
        self: &Arc<Self>,
        reader: &mut FrameReader,
        age: &mut Duration,
        cx: &mut TaskContext<'_>,
    ) -> Result<bool, ReadError> {
        let mut frames = 0;
        while let Some(frame) = reader.ready()? {
            match frame {
                Frame::Connection(ConnectionFrame::Stamp { sent_at_us }) => {
                    *age = self.conn.age(sent_at_us, reader.read_at);
                }
                Frame::Call(call) => match call.kind {
                    CallKind::Request => self.request(call, reader.read_at, *age, cx),
                    CallKind::Cancel => {
                        if !self.cancel(&call) {
                            reader.charge_idle()?;
                        }
                    }
                    // Only a stream of its own carries these; here they name a call and cost it alone.
                    CallKind::Answer | CallKind::Data | CallKind::End | CallKind::Open => {
                        self.refuse(
                            call.call,
                            None,
                            &malformed("a frame that does not belong on a lane"),
                        );
                    }
                },
                Frame::Bad { call: Some(call), kind: Some(CallKind::Request), why } => {
                    self.refuse(call, None, &malformed(&why.to_string()));
                }
                Frame::Bad { .. } => self.conn.note_error(),
                Frame::Connection(_) | Frame::Skipped { .. } => {}
            }
            frames += 1;
            let look = frames % FRAMES_PER_LOOK == 0;
            if look && !(self.conn.answers.lanes.is_open() && self.lock().has_room()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn request(
        self: &Arc<Self>,
        frame: CallFrame,
        read_at: Instant,
        age: Duration,
        cx: &mut TaskContext<'_>,
    ) {
        let call = frame.call;
        let (deadline, invalid_deadline) = self.conn.deadline(frame.time, read_at, age);
        let (head, body) = match RequestHead::decode(frame.rest) {
            Ok((head, _)) if head.input_stream || head.total.is_some() => {
                let status =
                    malformed("a call that streams, or continues, needs a stream of its own");
                return self.refuse(call, deadline, &status);
            }
            Ok(parts) => parts,
            Err(why) => return self.refuse(call, deadline, &malformed(&why.to_string())),
        };
        let incoming = Incoming {
            head,
            body,
            deadline,
            invalid_deadline,
            read_at,
            peer: Arc::clone(&self.conn.peer),
            caller: Arc::clone(&self.conn.caller),
            caller_rtt: self.conn.min_rtt(),
            input: None,
            is_foreign: false,
        };
        let begun = self
            .conn
            .admit()
            .and_then(|place| self.conn.serve.begin(incoming).map(|begun| (begun, place)));
        let (begun, place) = match begun {
            Ok(begun) => begun,
            Err(status) => return self.answer_status(call, deadline, &status),
        };
        let mut served = Served::new(begun, read_at);
        // One that has to wait for the room of its answer holds no place meanwhile.
        let waits = self.must_wait(&served);
        if !waits && let Err(status) = served.ask() {
            return self.answer_status(call, deadline, &status);
        }
        if served.in_place()
            && !waits
            && let Poll::Ready(ended) = Pin::new(&mut served).poll(cx)
        {
            return self.answer(call, deadline, ended, place);
        }
        self.set_aside(call, deadline, served, place);
    }

    /// Gives a handler that is not done yet a task of its own.
    fn set_aside(
        self: &Arc<Self>,
        call: u64,
        deadline: Option<Instant>,
        mut served: Served,
        place: Place,
    ) {
        let known = match self.lock().calls.entry(call) {
            Entry::Vacant(free) => {
                free.insert(served.context().clone());
                None
            }
            Entry::Occupied(taken) => Some(taken.get().clone()),
        };
        if let Some(known) = known {
            // Two calls of one id cannot both be answered: the honest mistake does not exist, both end. The first one
            // is known until it is gone.
            known.cancel(CancelReason::Dropped);
            return self.refuse(call, deadline, &malformed("its id belongs to a call in flight"));
        }
        let lane = Arc::clone(self);
        // What is rare is boxed: a task is as large as its largest branch, and each of these calls has one.
        tokio::spawn(async move {
            if lane.must_wait(&served) {
                Box::pin(lane.wait_for_turn(&mut served)).await;
            }
            let ended = (&mut served).await;
            lane.answer(call, deadline, ended, place);
            wake_all(lane.lock().forget(call));
        });
    }

    /// Whether a handler has to wait for its turn: its answer would have to, small or large.
    fn must_wait(&self, served: &Served) -> bool {
        self.conn.must_wait(served) || !self.conn.answers.lanes.is_open()
    }

    /// Waits until there is room for a handler's answer.
    async fn wait_for_turn(&self, served: &mut Served) {
        let lanes = &self.conn.answers.lanes;
        if !lanes.is_open() {
            served.step_back();
            tokio::select! {
                biased;
                () = lanes.opened() => {}
                () = served.given_up() => {}
            }
        }
        self.conn.wait_for_turn(served).await;
    }

    /// Whether there was anything to cancel.
    fn cancel(&self, frame: &CallFrame) -> bool {
        let Ok(reason) = decode_cancel(&frame.rest) else {
            self.conn.note_error();
            return true;
        };
        // Unknown: it was answered a moment ago, and the two messages crossed.
        let context = self.lock().calls.get(&frame.call).cloned();
        match context {
            Some(context) => {
                context.cancel(reason);
                true
            }
            None => false,
        }
    }

    /// The client is done; what is at work is still answered.
    fn no_more_requests(&self) {
        let waker = {
            let mut state = self.lock();
            state.ended = true;
            state.calls.is_empty().then(|| state.outbox.end()).flatten()
        };
        wake_all(waker);
    }

    fn cancel_all(&self) {
        let mut calls: Vec<(u64, Context)> =
            self.lock().calls.iter().map(|(call, context)| (*call, context.clone())).collect();
        // In their order, not in that of a hash table: what follows is the same in each run of a seed.
        calls.sort_unstable_by_key(|(call, _)| *call);
        for (_, context) in calls {
            context.cancel(CancelReason::Dropped);
        }
    }

    /// A call that is malformed: its own error, counted against the connection.
    fn refuse(&self, call: u64, deadline: Option<Instant>, status: &Status) {
        self.conn.note_error();
        self.answer_status(call, deadline, status);
    }

    fn answer_status(&self, call: u64, deadline: Option<Instant>, status: &Status) {
        self.conn.serve.refused(status);
        let waker = with_scratch(|rest| {
            streams::status_head(status, &self.conn).encode(rest);
            self.lock().queue(call, deadline, rest, None)
        });
        wake_all(waker);
    }

    /// The handler is gone: answer, unless nobody waits. The call's place is free once its answer is on its way.
    fn answer(self: &Arc<Self>, call: u64, deadline: Option<Instant>, ended: Ended, place: Place) {
        streams::note_refused(&ended, &self.conn);
        let Some((mut head, mut body)) = streams::answer_of(ended, &self.conn) else { return };
        if body.len() > limits::LANE_MESSAGE_MAX {
            match self.conn.answers.take(body.len()) {
                Some(held) => {
                    let answer = streams::LargeAnswer { head, body, held: Some(held) };
                    let flushing = Flushing::new(&self.conn.drain);
                    let moved =
                        streams::move_answer(Arc::clone(&self.conn), call, deadline, answer);
                    tokio::spawn(async move {
                        moved.await;
                        drop((flushing, place));
                    });
                    return;
                }
                None => {
                    head.outcome = streams::no_room(body.len());
                    body = Vec::new();
                }
            }
        }
        let waker = with_scratch(|rest| {
            head.encode(rest);
            rest.extend_from_slice(&body);
            self.lock().queue(call, deadline, rest, Some(place))
        });
        wake_all(waker);
    }
}

impl LaneState {
    /// Appends an answer, and its place, unless it is a refusal; the waker is to be woken once the lock is released.
    #[must_use]
    fn queue(
        &mut self,
        call: u64,
        deadline: Option<Instant>,
        rest: &[u8],
        place: Option<Place>,
    ) -> Option<Waker> {
        let before = self.outbox.len();
        let waker = self.outbox.push(CallKind::Answer, call, deadline, rest);
        let end = self.outbox.len();
        let counted = self.held.as_ref().map_or(0, Held::bytes);
        if end >= counted + COUNTED_FROM {
            self.held.get_or_insert_with(|| self.room.take(0)).grow_to(end);
        }
        match place {
            // A closed outbox takes nothing.
            Some(place) if end > before => self.places.push((end, place)),
            Some(_) => {}
            None => self.refused += end - before,
        }
        waker
    }

    fn room(&self) -> usize {
        if self.refused < limits::REFUSED_ANSWERS_MAX { limits::LANE_OUTBOX_MAX } else { 1 }
    }

    fn has_room(&self) -> bool {
        self.outbox.len() < self.room()
    }

    /// Waits for room for one more answer.
    fn poll_room(&mut self, cx: &TaskContext<'_>) -> Poll<()> {
        self.outbox.poll_room(cx, self.room())
    }

    /// The next batch; what it holds goes to `holds`, which must be empty: the two vectors of places change places, so
    /// that a call costs no allocation.
    fn poll_take(
        &mut self,
        cx: &TaskContext<'_>,
        holds: &mut Holds,
    ) -> Poll<Option<(Bytes, Vec<Waker>)>> {
        let taken = self.outbox.poll_take(cx);
        if let Poll::Ready(Some(_)) = taken {
            std::mem::swap(&mut self.places, &mut holds.places);
            holds.room = self.held.take();
            self.refused = 0;
        }
        taken
    }

    /// Nothing more goes out; who waits is to be woken once the lock is released.
    #[must_use]
    fn close(&mut self) -> Vec<Waker> {
        self.places.clear();
        self.held = None;
        self.outbox.close()
    }

    /// A call is over; the writer is done with the last one of a lane that gets no more.
    fn forget(&mut self, call: u64) -> Option<Waker> {
        self.calls.remove(&call);
        if self.ended && self.calls.is_empty() { self.outbox.end() } else { None }
    }
}

/// What a batch holds until it is written.
#[derive(Default)]
struct Holds {
    places: Vec<(usize, Place)>,
    room: Option<Held>,
}

/// Writes answers as they come; after the goodbye, until all are acknowledged.
async fn write_answers(lane: Arc<ServerLane>, mut send: Box<dyn LinkSend>) {
    let _flushing = Flushing::new(&lane.conn.drain);
    let mut phase = lane.conn.drain.subscribe();
    let mut holds = Holds::default();
    loop {
        let batch = tokio::select! {
            biased;
            batch = poll_fn(|cx| lane.lock().poll_take(cx, &mut holds)) => batch,
            () = last_phase(&mut phase) => None,
        };
        let Some((batch, room)) = batch else { break };
        wake_all(room);
        // A lane that is given up is not waited for, not even by what is being written on it.
        let written = tokio::select! {
            biased;
            written = write_batch(&mut *send, batch, &mut holds) => written,
            () = poll_fn(|cx| lane.lock().outbox.poll_closed(cx)) => break,
        };
        if let Err(error) = written {
            tracing::debug!(%error, "answers of a lane could not be written");
            wake_all(lane.lock().close());
            lane.cancel_all();
            if error == LinkError::Unread {
                lane.conn.note_error();
                send.reset(kinds::STREAM_LANE_STALLED);
            }
            return;
        }
    }
    let (reset, wakers) = {
        let mut state = lane.lock();
        (state.reset, state.close())
    };
    wake_all(wakers);
    if let Some(code) = reset {
        return send.reset(code);
    }
    send.finish();
    let acknowledged = poll_fn(|cx| send.poll_stopped(cx));
    let _ = tokio::time::timeout(limits::DRAIN_FLUSH, acknowledged).await;
}

/// Writes a batch; the place of each of its answers is free once the answer is written, or cannot be.
async fn write_batch(
    send: &mut dyn LinkSend,
    mut batch: Bytes,
    holds: &mut Holds,
) -> Result<(), LinkError> {
    let len = batch.len();
    // All of its memory stays as long as any of it does.
    let _room = holds.room.take();
    let mut places = holds.places.drain(..).peekable();
    while !batch.is_empty() {
        write_answered(send, slice::from_mut(&mut batch)).await?;
        let written = len - batch.len();
        while places.next_if(|(end, _)| *end <= written).is_some() {}
    }
    Ok(())
}

async fn last_phase(phase: &mut watch::Receiver<u8>) {
    // An error means that the server is gone: so are its connections.
    let _ = phase.wait_for(|phase| *phase >= 3).await;
}
