//! One request, run under its deadline, in its context, with its panics caught.
//!
//! # Invariants
//! 1. The handler is not polled once its deadline has passed or its caller has gone; it is dropped at once, and
//!    reported only after that.
//! 2. A panic is this call's error and nobody else's.
//! 3. It is not polled before it has its place, and the place is given back once it is gone.
//! 4. A handler that is done when first polled costs no timer.

use std::{
    any::Any,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    limits,
    plan::server::{Left, Refused},
};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::fault::panicked;
use crate::{
    call::context::Context,
    error::{Status, millis},
    metrics::Came,
    transport::{
        Begun, BoxFuture, Kept, Reply,
        turn::{Turn, not_its_turn},
    },
};

/// A handler at work.
pub(crate) struct Served {
    context: Context,
    kept: Arc<Kept>,
    /// `None` once dropped.
    work: Option<BoxFuture<'static, Reply>>,
    arrived: Instant,
    begun: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Its place among the calls at work, or its wait for one.
    turn: Option<Turn>,
    left: Left,
}

/// How a handler ended, and what it took.
pub(crate) struct Ended {
    /// `None`: the caller went away, nobody waits for an answer.
    pub(crate) reply: Option<Reply>,
    pub(crate) context: Context,
    pub(crate) queued: std::time::Duration,
    pub(crate) worked: std::time::Duration,
    /// It has not begun.
    pub(crate) refused: bool,
}

impl Served {
    pub(crate) fn new(begun: Begun, arrived: Instant) -> Self {
        Self {
            context: begun.context,
            kept: begun.kept,
            work: Some(begun.work),
            arrived,
            begun: None,
            timer: None,
            turn: begun.turn,
            left: Left::Ended,
        }
    }

    /// Whether it may be polled where its frame arrived.
    pub(crate) fn in_place(&self) -> bool {
        self.turn.as_ref().is_none_or(Turn::is_now) && self.kept.pace.in_place(self.arrived)
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Whether its method's answers mostly need streams of their own.
    pub(crate) fn answers_are_large(&self) -> bool {
        self.kept.pace.answers_are_large()
    }

    /// Ready when nobody waits for the handler any more: its time is over or its caller gone.
    pub(crate) async fn given_up(&mut self) {
        let cancelled = poll_fn(|cx| match self.context.poll_cancelled(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        match self.context.inner().deadline {
            Some(deadline) => drop(timeout_at(deadline, cancelled).await),
            None => cancelled.await,
        }
    }

    fn end(&mut self, reply: Option<Reply>, now: Instant) -> Poll<Ended> {
        // The slot is free, and the caller told, only once the handler is gone.
        let work = self.work.take();
        let dropped = catch_unwind(AssertUnwindSafe(move || drop(work)));
        let reply = match dropped {
            Ok(()) => reply,
            Err(panic) => reply.map(|_| self.panicked(&*panic)),
        };
        if let Some(Reply::Value { body, .. } | Reply::App { body, .. }) = &reply {
            self.kept.pace.note_answer(body.len());
        }
        let begun = self.begun.unwrap_or(now);
        let worked = now.saturating_duration_since(begun);
        if let Some(turn) = self.turn.take() {
            let left = if reply.is_some() { self.left } else { Left::GivenUp };
            turn.leaves(worked, left, now);
        }
        let refused = self.begun.is_none();
        match &reply {
            Some(_) if refused => {}
            Some(reply) => self.kept.counts.ended(came(reply), worked),
            None => self.kept.counts.cancelled(worked),
        }
        Poll::Ready(Ended {
            refused,
            reply,
            context: self.context.clone(),
            queued: begun.saturating_duration_since(self.arrived),
            worked,
        })
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Reply {
        self.kept.counts.panicked();
        Reply::Status(panicked(self.context.method(), panic))
    }

    fn note_first(&self, first: bool, now: Instant) {
        if let Some(begun) = self.begun.filter(|_| first) {
            self.kept.pace.note(now.saturating_duration_since(begun), now);
        }
    }

    /// It waits for the room of its answer, and holds no place meanwhile.
    pub(crate) fn step_back(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.step_back();
        }
    }

    /// Asks for a place at once: why there is none, if so.
    pub(crate) fn ask(&mut self) -> Result<(), Status> {
        match self.turn.as_mut().map_or(Ok(()), |turn| turn.ask(self.arrived)) {
            Ok(()) => Ok(()),
            Err(why) => Err(self.not_its_turn(why)),
        }
    }

    fn not_its_turn(&self, why: Refused) -> Status {
        let class = self.context.inner().criticality.unwrap_or_default();
        not_its_turn(self.context.method(), class, why)
    }

    /// Its turn: ready when it may begin, or with the end that it comes to instead.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Poll<Ended>>> {
        let Some(turn) = self.turn.as_mut().filter(|turn| !turn.is_now()) else {
            return Poll::Ready(None);
        };
        let ended = match turn.poll(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(None),
            Poll::Ready(Err(why)) => {
                let status = self.not_its_turn(why);
                self.end(Some(Reply::Status(status)), Instant::now())
            }
            Poll::Pending if self.context.poll_cancelled(cx.waker()) => {
                self.end(None, Instant::now())
            }
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(ended))
    }

    /// The first look at a call: it must have time left and somebody who waits.
    fn may_begin(&mut self, now: Instant) -> Result<(), Option<Reply>> {
        if self.context.is_cancelled() {
            return Err(None);
        }
        match self.context.inner().deadline {
            Some(deadline) if now >= deadline => Err(Some(Reply::Status(Status::rejected(
                Code::DeadlineExceeded,
                Reason::Expired,
                format!(
                    "the deadline passed {} before the handler could start",
                    millis(now.saturating_duration_since(deadline))
                ),
            )))),
            _ => Ok(()),
        }
    }
}

impl Future for Served {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Ended> {
        let this = &mut *self;
        let first = this.begun.is_none();
        if first {
            match this.turn(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(ended)) => return ended,
                Poll::Ready(None) => {}
            }
            let now = Instant::now();
            this.begun = Some(now);
            if let Err(reply) = this.may_begin(now) {
                this.left = Left::GivenUp;
                return this.end(reply, now);
            }
        } else if this.context.is_cancelled() {
            return this.end(None, Instant::now());
        }
        let Some(work) = &mut this.work else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Ready(reply)) => {
                let now = Instant::now();
                this.note_first(first, now);
                return this.end(Some(reply), now);
            }
            Ok(Poll::Pending) if first => this.note_first(first, Instant::now()),
            Ok(Poll::Pending) => {}
            Err(panic) => {
                this.left = Left::GivenUp;
                let reply = this.panicked(&*panic);
                return this.end(Some(reply), Instant::now());
            }
        }
        if this.context.poll_cancelled(cx.waker()) {
            return this.end(None, Instant::now());
        }
        if let Some(deadline) = this.context.inner().deadline {
            let begun = this.begun.unwrap_or(deadline);
            let timer =
                this.timer.get_or_insert_with(|| Box::pin(sleep_until(answer_by(deadline, begun))));
            if timer.as_mut().poll(cx).is_ready() {
                let now = Instant::now();
                this.left = Left::TimedOut;
                let status = out_of_time(&this.context, this.begun.unwrap_or(now), now);
                return this.end(Some(Reply::Status(status)), now);
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("context", &self.context).finish_non_exhaustive()
    }
}

/// What the metrics call it.
fn came(reply: &Reply) -> Came {
    match reply {
        Reply::Value { .. } | Reply::Stream { .. } => Came::Ok,
        Reply::App { .. } => Came::App,
        Reply::Status(status) => Came::Status(status.code()),
    }
}

/// When a handler is dropped so that its caller still hears why, and where the time went: a little before it stops
/// waiting.
fn answer_by(deadline: Instant, begun: Instant) -> Instant {
    let left = deadline.saturating_duration_since(begun);
    deadline - (left / 20).min(limits::RESERVE_MIN)
}

fn out_of_time(context: &Context, begun: Instant, now: Instant) -> Status {
    Status::runtime(
        Code::DeadlineExceeded,
        Reason::Expired,
        Disposition::Unknown,
        Origin::PeerRuntime,
        format!(
            "the deadline passed while the handler of `{}` was at work, after {}; it was dropped",
            context.method(),
            millis(now.saturating_duration_since(begun))
        ),
    )
}
