//! A request's place among the calls that a server works on, or its wait for one.
//!
//! # Invariants
//! 1. A place is given back when the handler is gone, or when the request is, whichever way.
//! 2. A wait ends: with a place, with a refusal, or by its bound.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use sinew_core::{
    codes::{Code, Criticality, Directive, Reason},
    limits,
    plan::server::{Arrived, Asks, Group, Left, MethodPlan, Refused, Seat, ServerPlan, Unqueued},
};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::{Status, millis};

/// Where requests of one method ask for their places.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) plan: Arc<ServerPlan>,
    pub(crate) method: Arc<MethodPlan>,
}

/// One request's turn.
pub(crate) struct Turn {
    admission: Arc<Admission>,
    caller: Arc<Group>,
    asks: Asks,
    state: State,
}

enum State {
    /// It has not asked yet.
    Asks,
    Waits(Box<Wait>),
    Has,
    Over,
}

struct Wait {
    seat: Seat,
    until: Pin<Box<Sleep>>,
    longest: Duration,
}

impl Turn {
    /// Of a request that has not asked for a place yet.
    pub(crate) const fn new(admission: Arc<Admission>, caller: Arc<Group>, asks: Asks) -> Self {
        Self { admission, caller, asks, state: State::Asks }
    }

    /// Whether it may begin at once.
    pub(crate) const fn is_now(&self) -> bool {
        matches!(self.state, State::Has)
    }

    /// Asks for a place, if it has not: it has one then, or waits for one, or is told why not.
    pub(crate) fn ask(&mut self, now: Instant) -> Result<(), Refused> {
        if !matches!(self.state, State::Asks) {
            return Ok(());
        }
        let Admission { plan, method } = &*self.admission;
        let arrived = plan.arrive(self.asks, method, &self.caller, now.into_std());
        self.state = match arrived {
            Arrived::Begins => State::Has,
            Arrived::Waits(seat) => {
                // It ends by itself, whatever becomes of the calls before it.
                let longest = plan.longest_wait().unwrap_or(limits::DEADLINE_MAX);
                let until = Box::pin(sleep_until(now + longest));
                State::Waits(Box::new(Wait { seat, until, longest }))
            }
            Arrived::Refused(why) => {
                self.state = State::Over;
                return Err(why);
            }
        };
        Ok(())
    }

    fn ask_if_new(&mut self) -> Result<(), Refused> {
        match self.state {
            State::Asks => self.ask(Instant::now()),
            _ => Ok(()),
        }
    }

    /// It has to wait for something else: what it has, or waits for, is others' meanwhile.
    pub(crate) fn step_back(&mut self) {
        if matches!(self.state, State::Has | State::Waits(_)) {
            self.give_up();
            self.state = State::Asks;
        }
    }

    /// Ready when it may begin, or why it may not.
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Refused>> {
        self.ask_if_new()?;
        let State::Waits(wait) = &mut self.state else { return Poll::Ready(Ok(())) };
        match wait.seat.poll(cx.waker()) {
            Poll::Ready(Ok(())) => {
                self.state = State::Has;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(why)) => {
                self.state = State::Over;
                Poll::Ready(Err(Refused::Queue(why)))
            }
            Poll::Pending if wait.until.as_mut().poll(cx).is_ready() => {
                let longest = wait.longest;
                self.give_up();
                Poll::Ready(Err(Refused::Queue(Unqueued::TooLong(longest))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// The handler is gone: it has been at work for this long.
    pub(crate) fn leaves(mut self, took: Duration, left: Left, now: Instant) {
        if matches!(std::mem::replace(&mut self.state, State::Over), State::Has) {
            let Admission { plan, method } = &*self.admission;
            plan.leave(method, &self.caller, (took, left), now.into_std());
        }
    }

    fn give_up(&mut self) {
        let Admission { plan, method } = &*self.admission;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Waits(wait) => {
                plan.give_up(wait.seat, Instant::now().into_std());
            }
            State::Has => {
                let nothing = (Duration::ZERO, Left::GivenUp);
                plan.leave(method, &self.caller, nothing, Instant::now().into_std());
            }
            State::Asks | State::Over => {}
        }
    }
}

/// Why a request does not get its turn, for its caller.
pub(crate) fn not_its_turn(method: &str, class: Criticality, why: Refused) -> Status {
    let overloaded = |words: String| {
        Status::rejected(Code::ResourceExhausted, Reason::Overloaded, words)
            .with_directive(Directive::RetryElsewhere(limits::QUEUE_TARGET))
    };
    let why = match why {
        Refused::Queue(why) => why,
        Refused::Shed => {
            return Status::rejected(
                Code::ResourceExhausted,
                Reason::Shed,
                format!(
                    "the server has more to do than it can, and sheds calls as {class} as this one, or of its shed key, \
                     at present: those that are more critical are served"
                ),
            );
        }
    };
    match why {
        Unqueued::Full { waiting, wait } => overloaded(format!(
            "the server works on as many calls as it can, and {waiting} wait: this one would have waited for {}, more than \
             it lets a call wait (QUEUE_INTERVAL, QUEUE_TARGET)",
            millis(wait)
        )),
        Unqueued::TooLong(waited) => overloaded(format!(
            "the server works on as many calls as it can: this one waited for {}, as long as it lets one wait \
             (QUEUE_INTERVAL, QUEUE_TARGET)",
            millis(waited)
        )),
        Unqueued::Displaced => overloaded(
            "the server works on as many calls as it can, and lets more critical ones wait in this one's place".to_owned(),
        ),
        Unqueued::CannotFinish { left, need } => Status::rejected(
            Code::DeadlineExceeded,
            Reason::CannotFinish,
            format!(
                "{} were left of the deadline, and a call of `{method}` takes {} at present, its wait included: it was not \
                 begun",
                millis(left),
                millis(need)
            ),
        ),
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("is_now", &self.is_now()).finish_non_exhaustive()
    }
}
