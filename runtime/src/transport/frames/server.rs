//! One connection from the server's side: requests off the lanes, handlers beside each other, answers back in batches.
//!
//! # Invariants
//! 1. What a call may still take is known from its frame and the age of its batch: a request that lay in a queue, even
//!    while this process was frozen, is as old as it is.
//! 2. A call holds its place until its handler has been dropped, whatever its caller does.
//! 3. A peer that does not read its answers is not read from.

use std::{
    collections::HashMap,
    fmt,
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use sinew_core::{
    age::AgeTracker,
    codes::{CancelReason, Code, Reason},
    deadline::on_arrival,
    limits,
    wire::{
        data::decode_cancel,
        frame::{CallFrame, CallKind, ConnectionFrame, Frame, TimeLeft},
        kinds,
        request::RequestHead,
    },
};
use tokio::{sync::watch, time::Instant};

use super::{
    super::{
        Incoming, Serve,
        link::{Link, LinkError, LinkSend},
    },
    control::{self, Control, Side},
    io::{FrameReader, ReadError, with_scratch, write_all},
    outbox::{Outbox, micros_between},
    served::{Ended, Served},
    streams,
};
use crate::{
    call::context::{Context, Peer},
    error::Status,
};

/// How a server says goodbye to all its connections, and knows that they understood.
#[derive(Debug)]
pub(crate) struct Drain {
    /// 0: serving, 1: please no more calls, 2: refused as not processed, 3: answers are flushed, then closed.
    phase: watch::Sender<u8>,
    /// The same, for a look per call.
    phase_now: AtomicU8,
    connections: AtomicUsize,
    acknowledged: AtomicUsize,
    in_flight: AtomicUsize,
    /// Lanes and answers that are not acknowledged yet.
    unflushed: AtomicUsize,
}

/// Something that a drain waits for before the connection may be closed.
#[derive(Debug)]
pub(super) struct Flushing(Arc<Drain>);

impl Flushing {
    pub(super) fn new(drain: &Arc<Drain>) -> Self {
        drain.unflushed.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(drain))
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        self.0.unflushed.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(0),
            phase_now: AtomicU8::new(0),
            connections: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            unflushed: AtomicUsize::new(0),
        }
    }

    /// Whether every answer has been taken by its caller.
    pub(crate) fn flushed(&self) -> bool {
        self.unflushed.load(Ordering::Acquire) == 0
    }

    pub(crate) fn enter(&self, phase: u8) {
        self.phase_now.store(phase, Ordering::Release);
        self.phase.send_replace(phase);
    }

    pub(crate) fn phase(&self) -> u8 {
        self.phase_now.load(Ordering::Acquire)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    pub(crate) fn all_acknowledged(&self) -> bool {
        self.acknowledged.load(Ordering::Acquire) >= self.connections()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }
}

/// What the lanes and streams of one connection share.
pub(super) struct Conn {
    pub(super) link: Arc<dyn Link>,
    pub(super) serve: Arc<dyn Serve>,
    pub(super) epoch: Instant,
    pub(super) peer: Arc<Peer>,
    pub(super) drain: Arc<Drain>,
    ages: Mutex<AgeTracker>,
    min_rtt_us: AtomicU64,
    in_flight: AtomicUsize,
    acknowledged: AtomicBool,
    /// Bidirectional streams that the peer has open, and how many it may.
    streams: AtomicUsize,
    stream_limit: AtomicUsize,
    errors: Mutex<Vec<Instant>>,
    resets: Mutex<Resets>,
}

/// What is left of the resets that a peer has free: a burst, filled again at a rate.
#[derive(Debug)]
struct Resets {
    left: f64,
    at: Instant,
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("link", &self.link).finish_non_exhaustive()
    }
}

/// A place among the calls in flight, held until the handler is gone.
#[derive(Debug)]
pub(super) struct Place(Arc<Conn>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.drain.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Conn {
    /// A place for one more call.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Place, Status> {
        if self.drain.phase() >= 2 {
            return Err(Status::rejected(
                Code::Unavailable,
                Reason::Draining,
                "the server is shutting down and takes no more calls; another endpoint will",
            ));
        }
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.drain.in_flight.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(self));
        if before >= limits::IN_FLIGHT_MAX as usize {
            return Err(Status::rejected(
                Code::ResourceExhausted,
                Reason::TooManyInFlight,
                format!(
                    "{} calls of this connection are in flight on the server already (its limit per connection)",
                    limits::IN_FLIGHT_MAX as usize
                ),
            ));
        }
        Ok(place)
    }

    /// How old bytes are that were stamped by the peer and have just been read.
    pub(super) fn age(&self, sent_at_us: u64, read_at: Instant) -> Duration {
        let read_us = micros_between(self.epoch, read_at);
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(ages.observe(read_us, sent_at_us))
    }

    /// When a call ends by our clock, and whether its time was "zero".
    pub(super) fn deadline(
        &self,
        left: TimeLeft,
        read_at: Instant,
        age: Duration,
    ) -> (Option<Instant>, bool) {
        let left = match left {
            TimeLeft::Micros(us) => Duration::from_micros(us).min(limits::DEADLINE_MAX),
            TimeLeft::Unbounded => return (None, false),
            TimeLeft::Zero => return (Some(read_at), true),
        };
        let deadline = on_arrival(read_at.into_std(), left, age, self.min_rtt());
        (Some(Instant::from_std(deadline)), false)
    }

    /// The smallest round trip to the caller; zero as long as it is not known.
    pub(super) fn min_rtt(&self) -> Duration {
        let us = self.min_rtt_us.load(Ordering::Relaxed);
        if us == u64::MAX { Duration::ZERO } else { Duration::from_micros(us) }
    }

    fn sample_rtt(&self) {
        if let Some(rtt) = self.link.min_rtt() {
            let us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
            self.min_rtt_us.fetch_min(us, Ordering::Relaxed);
        }
    }

    /// A stream of the peer began: more credit once most of it is in use.
    pub(super) fn stream_opened(&self) {
        let open = self.streams.fetch_add(1, Ordering::AcqRel) + 1;
        let limit = self.stream_limit.load(Ordering::Acquire);
        if open * 2 > limit && limit < limits::PEER_BI_STREAMS_MAX as usize {
            let raised = (limit * 2).min(limits::PEER_BI_STREAMS_MAX as usize);
            self.stream_limit.store(raised, Ordering::Release);
            self.link.set_max_peer_bi(raised as u32);
        }
    }

    pub(super) fn stream_closed(&self) {
        self.streams.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts an error that this side has to reset or answer; too many in too short a time end the connection.
    pub(super) fn note_error(&self) {
        let now = Instant::now();
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.retain(|at| now.saturating_duration_since(*at) < limits::FORCED_ERRORS_WINDOW);
        errors.push(now);
        if errors.len() > limits::FORCED_ERRORS_MAX as usize {
            drop(errors);
            self.close_for_load("too many malformed calls in a short time");
        }
    }
}

impl Conn {
    /// Why a stream could not be read, as far as it is the peer's doing.
    pub(super) fn note_read_error(&self, error: &ReadError) {
        match error {
            ReadError::Frame(_) | ReadError::Stalled | ReadError::Truncated => self.note_error(),
            ReadError::Flood => {
                self.close_for_load("more frames without effect than anybody needs")
            }
            ReadError::Link(LinkError::StreamReset(_)) => self.note_reset(),
            ReadError::Link(_) | ReadError::Finished => {}
        }
    }

    /// A call that its caller took back: each has cost work, so only so many are free.
    pub(super) fn note_reset(&self) {
        let now = Instant::now();
        let mut resets = self.resets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = now.saturating_duration_since(resets.at).as_secs_f64();
        let most = f64::from(limits::RESETS_BURST);
        resets.left = (resets.left + filled * f64::from(limits::RESETS_PER_S)).min(most) - 1.0;
        resets.at = now;
        let exhausted = resets.left < 0.0;
        drop(resets);
        if exhausted {
            self.close_for_load("calls are reset faster than anybody needs");
        }
    }

    fn close_for_load(&self, why: &str) {
        tracing::warn!(peer = %self.peer.identity, why, "a connection is closed for its load");
        self.link.close(kinds::CLOSE_EXCESSIVE_LOAD, why);
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(link: Arc<dyn Link>, serve: Arc<dyn Serve>, drain: Arc<Drain>) {
    let peer = link.peer();
    let peer = Arc::new(Peer { identity: peer.identity.clone(), address: peer.address });
    drain.connections.fetch_add(1, Ordering::AcqRel);
    let conn = Arc::new(Conn {
        link,
        serve,
        epoch: Instant::now(),
        peer,
        drain,
        ages: Mutex::new(AgeTracker::new()),
        min_rtt_us: AtomicU64::new(u64::MAX),
        in_flight: AtomicUsize::new(0),
        acknowledged: AtomicBool::new(false),
        streams: AtomicUsize::new(0),
        stream_limit: AtomicUsize::new(limits::PEER_BI_STREAMS_START as usize),
        errors: Mutex::default(),
        resets: Mutex::new(Resets { left: f64::from(limits::RESETS_BURST), at: Instant::now() }),
    });
    let control = tokio::spawn(run_control(Arc::clone(&conn)));
    loop {
        match conn.link.accept_bi().await {
            Ok((send, recv)) => {
                conn.stream_opened();
                tokio::spawn(streams::accept(Arc::clone(&conn), send, recv));
            }
            Err(error) => {
                tracing::debug!(%error, peer = %conn.peer.identity, "a connection ended");
                break;
            }
        }
    }
    control.abort();
    if conn.acknowledged.load(Ordering::Acquire) {
        conn.drain.acknowledged.fetch_sub(1, Ordering::AcqRel);
    }
    conn.drain.connections.fetch_sub(1, Ordering::AcqRel);
}

async fn run_control(conn: Arc<Conn>) {
    let send = match conn.link.open_uni().await {
        Ok(send) => send,
        Err(_) => return,
    };
    let on_frame = |frame: Control| match frame {
        Control::GoAwayAck => {
            if !conn.acknowledged.swap(true, Ordering::AcqRel) {
                conn.drain.acknowledged.fetch_add(1, Ordering::AcqRel);
            }
        }
        Control::Stamp { sent_at_us, read_at_us } => {
            let mut ages = conn.ages.lock().unwrap_or_else(PoisonError::into_inner);
            ages.observe(read_at_us, sent_at_us);
        }
        Control::GoAway | Control::Settings(_) => {}
    };
    let alive = || {
        conn.sample_rtt();
        false
    };
    let side = Side {
        link: &*conn.link,
        epoch: conn.epoch,
        settings: conn.serve.settings(),
        phase: Some(conn.drain.phase.subscribe()),
    };
    if let Err(error) = control::run(side, send, on_frame, alive).await {
        tracing::debug!(%error, peer = %conn.peer.identity, "the control stream ended");
        conn.link.close(error.code(), &error.to_string());
    }
}

/// One lane: the answers that wait to be written, and the calls that are at work.
pub(super) struct ServerLane {
    conn: Arc<Conn>,
    state: Mutex<LaneState>,
}

struct LaneState {
    outbox: Outbox,
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
                calls: HashMap::new(),
                ended: false,
                reset: None,
            }),
            conn,
        });
        let writer = tokio::spawn(write_answers(Arc::clone(&lane), send));
        let mut age = Duration::ZERO;
        let error = loop {
            let taken = poll_fn(|cx| Poll::Ready(lane.take_requests(&mut reader, &mut age, cx)));
            if let Err(error) = taken.await {
                break error;
            }
            // A peer that does not read its answers gets no more of them.
            poll_fn(|cx| lane.lock().outbox.poll_room(cx, limits::LANE_OUTBOX_MAX)).await;
            if let Err(error) = reader.fill().await {
                break error;
            }
        };
        match &error {
            ReadError::Finished => lane.no_more_requests(),
            ReadError::Link(_) => {
                lane.cancel_all();
                wake_all(lane.lock().outbox.close());
            }
            ReadError::Flood => {
                lane.conn.note_read_error(&error);
                lane.cancel_all();
                wake_all(lane.lock().outbox.close());
            }
            ReadError::Stalled | ReadError::Truncated | ReadError::Frame(_) => {
                tracing::debug!(%error, peer = %lane.conn.peer.identity, "a lane was reset");
                let stalled = matches!(error, ReadError::Stalled);
                let code =
                    if stalled { kinds::STREAM_LANE_STALLED } else { kinds::STREAM_FRAME_ERROR };
                reader.recv.stop(code);
                lane.conn.note_error();
                lane.cancel_all();
                let wakers = {
                    let mut state = lane.lock();
                    state.reset = Some(code);
                    state.outbox.close()
                };
                wake_all(wakers);
            }
        }
        let _ = writer.await;
        lane.conn.stream_closed();
    }

    /// Every frame that has arrived whole.
    fn take_requests(
        self: &Arc<Self>,
        reader: &mut FrameReader,
        age: &mut Duration,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), ReadError> {
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
        }
        Ok(())
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
            caller_rtt: self.conn.min_rtt(),
            input: None,
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
        if served.in_place()
            && let Poll::Ready(ended) = Pin::new(&mut served).poll(cx)
        {
            return self.finish(call, deadline, ended);
        }
        let known = self.lock().calls.insert(call, served.context().clone());
        if let Some(known) = known {
            // Two calls of one id cannot both be answered: the honest mistake does not exist, both end.
            known.cancel(CancelReason::Dropped);
            self.lock().calls.remove(&call);
            return self.refuse(call, deadline, &malformed("its id belongs to a call in flight"));
        }
        let lane = Arc::clone(self);
        tokio::spawn(async move {
            let ended = served.await;
            lane.finish(call, deadline, ended);
            drop(place);
        });
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
        let calls: Vec<Context> = self.lock().calls.values().cloned().collect();
        for context in calls {
            context.cancel(CancelReason::Dropped);
        }
    }

    /// A call that is malformed: its own error, counted against the connection.
    fn refuse(&self, call: u64, deadline: Option<Instant>, status: &Status) {
        self.conn.note_error();
        self.answer_status(call, deadline, status);
    }

    fn answer_status(&self, call: u64, deadline: Option<Instant>, status: &Status) {
        let waker = with_scratch(|rest| {
            streams::status_head(status, &self.conn).encode(rest);
            self.lock().outbox.push(CallKind::Answer, call, deadline, rest)
        });
        wake_all(waker);
    }

    /// The handler is gone: answer, unless nobody waits.
    fn finish(self: &Arc<Self>, call: u64, deadline: Option<Instant>, ended: Ended) {
        let Some((head, body)) = streams::answer_of(ended, &self.conn) else {
            return wake_all(self.forget(call));
        };
        if body.len() > limits::LANE_MESSAGE_MAX {
            wake_all(self.forget(call));
            let flushing = Flushing::new(&self.conn.drain);
            let moved = streams::move_answer(Arc::clone(&self.conn), call, deadline, head, body);
            tokio::spawn(async move {
                moved.await;
                drop(flushing);
            });
            return;
        }
        let (waker, last) = with_scratch(|rest| {
            head.encode(rest);
            rest.extend_from_slice(&body);
            let mut state = self.lock();
            let waker = state.outbox.push(CallKind::Answer, call, deadline, rest);
            (waker, state.forget(call))
        });
        wake_all(waker);
        wake_all(last);
    }

    fn forget(&self, call: u64) -> Option<Waker> {
        self.lock().forget(call)
    }
}

impl LaneState {
    /// A call is over; the writer is done with the last one of a lane that gets no more.
    fn forget(&mut self, call: u64) -> Option<Waker> {
        self.calls.remove(&call);
        if self.ended && self.calls.is_empty() { self.outbox.end() } else { None }
    }
}

/// Writes answers as they come; after the goodbye, until all are acknowledged.
async fn write_answers(lane: Arc<ServerLane>, mut send: Box<dyn LinkSend>) {
    let _flushing = Flushing::new(&lane.conn.drain);
    let mut phase = lane.conn.drain.phase.subscribe();
    loop {
        let batch = tokio::select! {
            biased;
            batch = poll_fn(|cx| lane.lock().outbox.poll_take(cx)) => batch,
            () = last_phase(&mut phase) => None,
        };
        let Some((batch, room)) = batch else { break };
        wake_all(room);
        // A lane that is given up is not waited for, not even by what is being written on it.
        let written = tokio::select! {
            biased;
            written = write_all(&mut *send, batch) => written,
            () = poll_fn(|cx| lane.lock().outbox.poll_closed(cx)) => break,
        };
        if let Err(error) = written {
            tracing::debug!(%error, "answers of a lane could not be written");
            wake_all(lane.lock().outbox.close());
            lane.cancel_all();
            return;
        }
    }
    let reset = lane.lock().reset;
    if let Some(code) = reset {
        return send.reset(code);
    }
    send.finish();
    let acknowledged = poll_fn(|cx| send.poll_stopped(cx));
    let _ = tokio::time::timeout(limits::DRAIN_FLUSH, acknowledged).await;
}

fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

async fn last_phase(phase: &mut watch::Receiver<u8>) {
    // An error means that the server is gone: so are its connections.
    let _ = phase.wait_for(|phase| *phase >= 3).await;
}

fn malformed(why: &str) -> Status {
    Status::rejected(
        Code::InvalidArgument,
        Reason::Malformed,
        format!("the call is malformed: {why}"),
    )
}

/// The bytes of a reply and the head that goes before them.
pub(super) type Encoded = (sinew_core::wire::answer::AnswerHead, Vec<u8>);
