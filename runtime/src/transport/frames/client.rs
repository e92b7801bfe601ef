//! One connection from the client's side: many calls over few lanes, one lock per step of a call.
//!
//! # Why
//! A call that is sent appends its frame to the lane's [`Outbox`] and takes a slot; the reader puts the answers of a
//! whole chunk into their slots under one lock and then wakes their callers. No task, channel or allocation belongs to
//! a single call.
//!
//! # Invariants
//! 1. A call leaves its slot exactly once: answered, abandoned (which tells the server) or failed with its lane.
//! 2. A lane that dies takes its own calls with it and no others.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use sinew_core::{
    backoff::Backoff,
    codes::CancelReason,
    ids::MethodId,
    limits,
    wire::{
        answer::AnswerHead,
        frame::{CallFrame, CallKind},
        kinds,
        parser::Parser,
    },
};
use tokio::{sync::Notify, time::Instant};

use super::{
    super::{
        BoxFuture, Observer, Outgoing, Pending, Readiness, Received, Session, StreamAnswer, Theirs,
        Turned,
        dropped::why_dropped,
        link::{Link, LinkError, LinkRecv, LinkSend},
    },
    calls::{self, MovedAnswer, no_answer},
    client_lane::open_lane,
    control::{self, Control, Side},
    fault::{leaving, lost, request_too_large, unencodable},
    heard::Heard,
    io::{FrameReader, ReadError, wake_all, with_scratch},
    items,
    outbox::{Outbox, micros_between},
    slots::{Delivered, NO_LANE, Polled, Slots},
    watch::{Watcher, watch},
};
use crate::{call::streaming::EncodeItems, chance::Chance, codec, error::Status};

/// Ends the session with the runtime that drives it: a call that nobody polls again must not wait for it.
struct Gone(Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.closed(&LinkError::LocallyClosed);
    }
}

/// A connection that takes calls. Dropping it, and the last call on it, closes the link.
pub(crate) struct ClientSession {
    shared: Arc<Shared>,
}

/// What the session, its tasks and its calls share.
pub(super) struct Shared {
    pub(super) link: Arc<dyn Link>,
    /// When the connection began, for stamps.
    pub(super) epoch: Instant,
    state: Mutex<State>,
    /// Neither draining nor closed: what is asked before every call, without the lock.
    usable: AtomicBool,
    /// So many calls are out that another connection pays; looked at when one more is begun.
    crowded: AtomicBool,
    /// Microseconds after `epoch` of the last call, for the keep-alive rule.
    last_call_us: AtomicU64,
    /// Answers that came after their call was over: honest, and counted.
    late_answers: AtomicU64,
    /// What the server says of its types, and of its health.
    heard: Heard,
    /// Who is told how the session fares.
    pub(super) watcher: Watcher,
    /// The server is to be asked for a sign of life.
    pub(super) ask: Notify,
}

/// What the connection's lock holds.
pub(super) struct State {
    pub(super) slots: Slots,
    pub(super) lanes: Vec<Lane>,
    pub(super) next_lane: u32,
    /// Whether an answer came since a lane was opened last.
    pub(super) answered: bool,
    pub(super) lane_backoff: Backoff,
    pub(super) draining: bool,
    pub(super) closed: Option<LinkError>,
    /// Set while no call waits: the task that nudges old calls sleeps.
    pub(super) nudger: Option<Waker>,
}

/// A lane as its writer fills it.
pub(super) struct Lane {
    pub(super) id: u32,
    pub(super) outbox: Outbox,
}

impl ClientSession {
    /// Begins the protocol on a link whose peer is verified: control stream, first lane.
    pub(crate) async fn open(link: Arc<dyn Link>) -> Result<Arc<Self>, LinkError> {
        let shared = Arc::new(Shared {
            link,
            epoch: Instant::now(),
            state: Mutex::new(State {
                slots: Slots::default(),
                lanes: Vec::new(),
                next_lane: 0,
                answered: false,
                lane_backoff: Backoff::new(),
                draining: false,
                closed: None,
                nudger: None,
            }),
            usable: AtomicBool::new(true),
            crowded: AtomicBool::new(false),
            last_call_us: AtomicU64::new(0),
            late_answers: AtomicU64::new(0),
            heard: Heard::default(),
            watcher: Watcher::default(),
            ask: Notify::new(),
        });
        let session = Arc::new(Self { shared: Arc::clone(&shared) });
        open_lane(Arc::clone(&shared)).await?;
        let control = shared.link.open_uni().await?;
        tokio::spawn(run_control(Arc::clone(&shared), control));
        tokio::spawn(accept_moved_answers(Arc::clone(&shared)));
        let gone = Gone(Arc::clone(&shared));
        tokio::spawn(async move {
            watch(Arc::clone(&gone.0)).await;
            drop(gone);
        });
        tokio::spawn(async move {
            let why = shared.link.closed().await;
            shared.closed(&why);
        });
        Ok(session)
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        self.shared.link.close(kinds::CLOSE_DONE, "");
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("link", &self.shared.link)
            .field("late_answers", &self.shared.late_answers)
            .finish_non_exhaustive()
    }
}

impl Session for ClientSession {
    fn call(self: Arc<Self>, outgoing: Outgoing<'_>) -> Pending {
        with_scratch(|scratch| self.start(outgoing, scratch))
    }

    fn stream(
        self: Arc<Self>,
        outgoing: Outgoing<'_>,
        input: Option<Box<dyn EncodeItems>>,
        idle: Duration,
    ) -> BoxFuture<'static, Result<StreamAnswer, Status>> {
        let mut head = outgoing.head.clone();
        head.input_stream = input.is_some();
        let mut body = Vec::new();
        if let Err(error) = outgoing.arguments.encode(outgoing.head.codec, &mut body) {
            let status = unencodable(&error);
            return Box::pin(async move { Err(status) });
        }
        if body.len() > limits::MESSAGE_MAX {
            let status = request_too_large(body.len());
            return Box::pin(async move { Err(status) });
        }
        self.shared.note_call(Instant::now());
        let body = items::message(body);
        Box::pin(calls::stream(self, head, body, outgoing.deadline, input, idle))
    }

    fn theirs(&self, method: MethodId) -> Theirs {
        self.shared.heard.of(method)
    }

    fn disagreed(&self, method: MethodId) {
        self.shared.heard.refused(method);
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.heard.settled())
    }

    fn serves(&self, service: &str) -> bool {
        self.shared.heard.serves(service)
    }

    fn readiness(&self) -> Readiness {
        if self.shared.usable.load(Ordering::Acquire) {
            return Readiness::Ready;
        }
        let state = self.shared.lock();
        match (&state.closed, state.draining) {
            (Some(_), _) => Readiness::Closed,
            (None, true) => Readiness::Draining,
            (None, false) => Readiness::Ready,
        }
    }

    fn is_crowded(&self) -> bool {
        self.shared.crowded.load(Ordering::Relaxed)
    }

    fn nudge(&self) {
        let wakers = self.shared.lock().slots.wake_waiting();
        wake_all(wakers);
    }

    fn observe(&self, observer: Observer) {
        self.shared.watcher.set(observer);
        match self.readiness() {
            Readiness::Ready => {}
            Readiness::Draining => self.shared.watcher.tell(Turned::Draining),
            Readiness::Closed => self.shared.watcher.tell(Turned::Gone),
        }
    }
}

impl ClientSession {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Encodes the call and puts it on a lane, or on a stream of its own if it is large or no lane is open.
    fn start(self: Arc<Self>, outgoing: Outgoing<'_>, scratch: &mut Vec<u8>) -> Pending {
        outgoing.head.encode(scratch);
        let head_len = scratch.len();
        if let Err(error) = outgoing.arguments.encode(outgoing.head.codec, scratch) {
            return Pending::Failed(Some(unencodable(&error)));
        }
        let body_len = scratch.len() - head_len;
        if body_len > limits::MESSAGE_MAX {
            return Pending::Failed(Some(request_too_large(body_len)));
        }
        if body_len <= limits::LANE_MESSAGE_MAX {
            match self.shared.submit(outgoing.deadline, scratch) {
                Submitted::Sent { id, writer, nudger } => {
                    wake_all(writer);
                    wake_all(nudger);
                    return Pending::Lane(LanePending {
                        session: self,
                        id,
                        deadline: outgoing.deadline,
                        over: false,
                    });
                }
                Submitted::Refused(status) => return Pending::Failed(Some(*status)),
                Submitted::NoLane => {}
            }
        }
        self.shared.note_call(Instant::now());
        // Its memory goes with it: encoded once, and copied for no frame.
        let body = items::message(std::mem::take(scratch)).split_off(head_len);
        let head = outgoing.head.clone();
        Pending::Boxed(Box::pin(calls::unary(self, head, body, outgoing.deadline)))
    }
}

/// How putting a call on a lane ended.
enum Submitted {
    Sent {
        id: u64,
        writer: Option<Waker>,
        nudger: Option<Waker>,
    },
    Refused(Box<Status>),
    /// The lane died and the next one is being opened, or it is full of unsent bytes.
    NoLane,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_call(&self, now: Instant) {
        self.last_call_us.store(micros_between(self.epoch, now), Ordering::Relaxed);
    }

    fn submit(&self, deadline: Option<Instant>, rest: &[u8]) -> Submitted {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(why) = &state.closed {
            return Submitted::Refused(Box::new(lost(why, false)));
        }
        if state.draining {
            return Submitted::Refused(Box::new(leaving()));
        }
        let Some(lane) = state.lanes.last_mut() else { return Submitted::NoLane };
        if lane.outbox.len() > limits::LANE_OUTBOX_MAX {
            return Submitted::NoLane;
        }
        let Some(id) = state.slots.insert(lane.id, lane.outbox.batch()) else {
            self.note_crowd(true);
            return Submitted::Refused(Box::new(state.slots.exhausted()));
        };
        self.note_crowd(state.slots.is_crowded());
        let writer = lane.outbox.push(CallKind::Request, id, deadline, rest);
        Submitted::Sent { id, writer, nudger: state.nudger.take() }
    }

    /// An id for a call on a stream of its own: its slot only keeps it from being given out twice.
    pub(super) fn stream_call_id(&self) -> Result<u64, Status> {
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Err(lost(why, false));
        }
        if state.draining {
            return Err(leaving());
        }
        let inserted = state.slots.insert(NO_LANE, 0);
        self.note_crowd(inserted.is_none() || state.slots.is_crowded());
        inserted.ok_or_else(|| state.slots.exhausted())
    }

    fn note_crowd(&self, crowded: bool) {
        if self.crowded.load(Ordering::Relaxed) != crowded {
            self.crowded.store(crowded, Ordering::Relaxed);
        }
    }

    /// Such a call is over.
    pub(super) fn release(&self, id: u64) {
        self.lock().slots.abandon(id);
        self.leave_if_done();
    }

    /// A connection that takes no more calls is closed when the last call on it is over: the server cannot know that
    /// nothing more is on its way.
    fn leave_if_done(&self) {
        if self.usable.load(Ordering::Acquire) {
            return;
        }
        let state = self.lock();
        let done = state.draining && state.closed.is_none() && state.slots.waiting() == 0;
        drop(state);
        if done {
            self.link.close(kinds::CLOSE_DONE, "");
        }
    }

    /// Gives a lane's call up and says so to the server.
    fn abandon(&self, id: u64, reason: CancelReason) {
        let waker = {
            let mut state = self.lock();
            let state = &mut *state;
            let lane = state.slots.abandon(id);
            let lane = lane.and_then(|lane| state.lanes.iter_mut().find(|known| known.id == lane));
            lane.and_then(|lane| lane.outbox.push(CallKind::Cancel, id, None, &[reason.to_u8()]))
        };
        wake_all(waker);
        self.leave_if_done();
    }

    /// After how long another lane is worth opening: at once after one that carried answers, later and later after
    /// those that did not; `None` on a connection that takes no more calls.
    pub(super) fn next_lane(&self) -> Option<Duration> {
        let mut state = self.lock();
        if state.draining || state.closed.is_some() {
            return None;
        }
        if std::mem::take(&mut state.answered) {
            state.lane_backoff.reset();
            return Some(Duration::ZERO);
        }
        Some(state.lane_backoff.next(&mut Chance))
    }

    pub(super) fn lane_died(&self, id: u32, status: impl Fn(bool) -> Status) {
        let wakers = {
            let mut state = self.lock();
            let state = &mut *state;
            let Some(at) = state.lanes.iter().position(|lane| lane.id == id) else { return };
            let mut lane = state.lanes.remove(at);
            let taken = lane.outbox.batch();
            let mut wakers = state.slots.fail(Some(id), |_| taken, status);
            wakers.extend(lane.outbox.close());
            wakers
        };
        wake_all(wakers);
    }

    pub(super) fn closed(&self, why: &LinkError) {
        let wakers = {
            let mut state = self.lock();
            let state = &mut *state;
            self.usable.store(false, Ordering::Release);
            if state.closed.is_none() {
                state.closed = Some(why.clone());
            }
            let lanes = &state.lanes;
            let taken = |id| {
                lanes.iter().find(|lane| lane.id == id).map_or(u64::MAX, |lane| lane.outbox.batch())
            };
            let mut wakers = state.slots.fail(None, taken, |sent| lost(why, sent));
            for mut lane in state.lanes.drain(..) {
                wakers.extend(lane.outbox.close());
            }
            wakers.extend(state.nudger.take());
            wakers
        };
        // Before its calls are told, or they would come back here.
        self.watcher.tell(Turned::Gone);
        wake_all(wakers);
    }

    /// The server asks for no more calls.
    fn draining(&self) {
        let news = !std::mem::replace(&mut self.lock().draining, true);
        self.usable.store(false, Ordering::Release);
        if news {
            self.watcher.tell(Turned::Draining);
        }
    }

    /// Puts one answer in its slot.
    pub(super) fn deliver(
        &self,
        frame: CallFrame,
        at: Instant,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), ReadError> {
        if AnswerHead::says_draining(&frame.rest) {
            self.draining();
        }
        let mut state = self.lock();
        let received = Received::Frame { left: frame.time, rest: frame.rest, at };
        state.answered = true;
        match state.slots.deliver(frame.call, Ok(received)) {
            Delivered::Wake(waker) => wakers.push(waker),
            Delivered::Stored => {}
            Delivered::Late => {
                self.late_answers.fetch_add(1, Ordering::Relaxed);
            }
            Delivered::Unknown => {
                return Err(ReadError::Link(LinkError::Transport(format!(
                    "the server answered call {}, which was never made",
                    frame.call
                ))));
            }
        }
        Ok(())
    }
}

/// A lane's answer, some time. Dropping it before it came cancels the call on the server.
pub(crate) struct LanePending {
    session: Arc<ClientSession>,
    id: u64,
    deadline: Option<Instant>,
    over: bool,
}

impl Future for LanePending {
    type Output = Result<Received, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.session.shared.lock().slots.poll(self.id, cx.waker());
        match polled {
            Polled::Pending => Poll::Pending,
            Polled::Ready(answer) => {
                self.over = true;
                self.session.shared.leave_if_done();
                Poll::Ready(answer)
            }
        }
    }
}

impl Drop for LanePending {
    fn drop(&mut self) {
        if !self.over {
            self.session.shared.abandon(self.id, why_dropped(self.deadline));
        }
    }
}

/// Large answers come on streams of their own, opened by the server.
async fn accept_moved_answers(shared: Arc<Shared>) {
    while let Ok((mut send, recv)) = shared.link.accept_bi().await {
        send.finish();
        tokio::spawn(take_moved_answer(Arc::clone(&shared), recv));
    }
}

/// Reads one of them for as long as its call waits.
async fn take_moved_answer(shared: Arc<Shared>, recv: Box<dyn LinkRecv>) {
    let parser = Parser::with_stream_type(limits::STREAM_FRAME_MAX);
    let mut moved = MovedAnswer::new(FrameReader::new(recv, parser));
    let begun = moved.begin().await;
    let unwanted = Arc::new(Notify::new());
    let read = match begun {
        // Nobody waits for it: it is stopped by being dropped.
        Ok(call) if !shared.lock().slots.moving(call, &unwanted) => return,
        Ok(_) => tokio::select! {
            biased;
            () = unwanted.notified() => return,
            answer = moved.finish() => answer,
        },
        Err(error) => Err(no_answer(&error)),
    };
    if let Err(status) = &read {
        tracing::debug!(%status, "a large answer broke off");
    }
    let Some(call) = moved.call() else { return };
    let delivered = shared.lock().slots.deliver(call, read);
    if let Delivered::Wake(waker) = delivered {
        waker.wake();
    }
}

/// The control stream: ours out, the server's in.
async fn run_control(shared: Arc<Shared>, send: Box<dyn LinkSend>) {
    let on_frame = |frame: Control| match frame {
        Control::GoAway => {
            shared.draining();
            shared.leave_if_done();
        }
        Control::Settings(settings) => {
            shared.lock().slots.limit(settings.max_in_flight);
            shared.heard.settings(&settings.fingerprints);
        }
        Control::Health { service, serving } => {
            shared.heard.health(service, serving);
            shared.watcher.tell(Turned::Health);
        }
        Control::GoAwayAck { .. } | Control::Stamp { .. } => {}
    };
    let alive = || {
        let last = Duration::from_micros(shared.last_call_us.load(Ordering::Relaxed));
        (shared.epoch + last).elapsed() < limits::KEEP_ALIVE_AFTER_CALL
            || shared.lock().slots.waiting() > 0
    };
    let side = Side {
        link: &*shared.link,
        epoch: shared.epoch,
        settings: codec::settings(),
        phase: None,
        health: None,
        ask: Some(&shared.ask),
    };
    if let Err(error) = control::run(side, send, on_frame, alive).await {
        tracing::debug!(%error, "the control stream ended");
        shared.link.close(error.code(), &error.to_string());
    }
}
