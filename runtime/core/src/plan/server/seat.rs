//! A call that waits for its place: what its task and the plan tell each other.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use super::{Group, MethodPlan};
use crate::policy::queue::{Refused, Waits};

/// One call's wait, seen from its task.
#[derive(Debug)]
#[must_use = "a call that waits gives up its seat when it goes"]
pub struct Seat(pub(super) Arc<Chair>);

#[derive(Debug)]
pub(super) struct Chair {
    pub(super) group: Arc<Group>,
    pub(super) method: Arc<MethodPlan>,
    /// How many places there are, for who has more than his share: of the callers, and of the methods.
    places: (u32, u32),
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Waits(Option<Waker>),
    Begins,
    Refused(Refused),
    Gone,
}

impl Seat {
    pub(super) fn begins(&self) -> bool {
        matches!(*self.0.state(), State::Begins)
    }

    /// Ready when the call may begin, or why it may not.
    pub fn poll(&self, waker: &Waker) -> Poll<Result<(), Refused>> {
        let mut state = self.0.state();
        match &mut *state {
            State::Waits(known) => {
                match known {
                    Some(known) => known.clone_from(waker),
                    None => *known = Some(waker.clone()),
                }
                Poll::Pending
            }
            State::Begins => Poll::Ready(Ok(())),
            State::Refused(why) => Poll::Ready(Err(*why)),
            State::Gone => Poll::Pending,
        }
    }
}

/// How a wait was when its call gave it up.
pub(super) enum Was {
    Waiting,
    Begun,
    Over,
}

impl Chair {
    pub(super) const fn new(
        group: Arc<Group>,
        method: Arc<MethodPlan>,
        places: (u32, u32),
    ) -> Self {
        Self { group, method, places, state: Mutex::new(State::Waits(None)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the call; its waker is to be woken once no lock is held.
    #[must_use]
    pub(super) fn tell(&self, what: Result<(), Refused>) -> Option<Waker> {
        let told = what.map_or_else(State::Refused, |()| State::Begins);
        match std::mem::replace(&mut *self.state(), told) {
            State::Waits(waker) => waker,
            State::Begins | State::Refused(_) | State::Gone => None,
        }
    }

    pub(super) fn give_up(&self) -> Was {
        match std::mem::replace(&mut *self.state(), State::Gone) {
            State::Waits(_) => Was::Waiting,
            State::Begins => Was::Begun,
            State::Refused(_) | State::Gone => Was::Over,
        }
    }
}

impl Waits for Arc<Chair> {
    fn is_gone(&self) -> bool {
        matches!(&*self.state(), State::Gone)
    }

    fn is_over_share(&self) -> bool {
        self.group.beyond(self.places.0) > 0 || self.method.group.beyond(self.places.1) > 0
    }
}
