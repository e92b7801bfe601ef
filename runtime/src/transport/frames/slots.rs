//! The calls of one connection that wait for an answer, found by their id without a search.
//!
//! A call id is `generation * SLOTS + index`: a late answer finds its slot in a newer generation and is dropped, and an
//! answer to an id that was never given out is told apart from a late one.

use std::{sync::Arc, task::Waker};

use sinew_core::{
    codes::{Code, Reason},
    limits,
};
use tokio::sync::Notify;

use super::super::Received;
use crate::error::Status;

/// The lane of a call that is on none.
pub(super) const NO_LANE: u32 = u32::MAX;

const SLOTS: u64 = limits::CLIENT_SLOTS as u64;

#[derive(Debug)]
pub(super) struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
    waiting: usize,
    /// How many calls the server takes at once.
    limit: usize,
    /// Whether any call may be due for a nudge.
    young: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            waiting: 0,
            limit: limits::CLIENT_SLOTS,
            young: false,
        }
    }
}

#[derive(Debug)]
struct Entry {
    generation: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting {
        lane: u32,
        batch: u64,
        waker: Option<Waker>,
        age: Age,
        /// Its answer is on its way on a stream of its own; told when nobody wants it any more.
        moving: Option<Arc<Notify>>,
    },
    Done(Result<Received, Status>),
}

/// How long a call has waited, as far as [`Slots::nudge`] needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Since the last nudge.
    New,
    /// Since before it.
    Old,
    /// It was nudged: it has a timer of its own by now.
    Nudged,
}

/// What became of an answer that arrived.
#[derive(Debug)]
pub(super) enum Delivered {
    /// Somebody waits: wake them once the lock is released.
    Wake(Waker),
    /// It is in place; nobody has polled for it yet.
    Stored,
    /// Its call is over: it was dropped or timed out.
    Late,
    /// No such call was ever made.
    Unknown,
}

/// What a poll of one call finds.
pub(super) enum Polled {
    Pending,
    Ready(Result<Received, Status>),
}

impl Slots {
    /// What the server says it takes at once; more than we have is no help.
    pub(super) fn limit(&mut self, max_in_flight: u64) {
        let theirs = usize::try_from(max_in_flight).unwrap_or(usize::MAX);
        self.limit = theirs.min(limits::CLIENT_SLOTS);
    }

    /// A fresh id for a call that goes out in `batch` of `lane`; `None` when all are taken.
    pub(super) fn insert(&mut self, lane: u32, batch: u64) -> Option<u64> {
        if self.waiting >= self.limit {
            return None;
        }
        // A call on a stream of its own has its timer from the beginning.
        let age = if lane == NO_LANE { Age::Nudged } else { Age::New };
        self.young |= age == Age::New;
        let state = State::Waiting { lane, batch, waker: None, age, moving: None };
        let index = match self.free.pop() {
            Some(index) => {
                let entry = &mut self.entries[index as usize];
                entry.generation += 1;
                entry.state = state;
                index
            }
            None if self.entries.len() < limits::CLIENT_SLOTS => {
                self.entries.push(Entry { generation: 0, state });
                u32::try_from(self.entries.len() - 1).ok()?
            }
            None => return None,
        };
        self.waiting += 1;
        Some(self.entries[index as usize].generation * SLOTS + u64::from(index))
    }

    /// Whether any call may be due for a nudge.
    pub(super) fn young(&self) -> bool {
        self.young
    }

    /// How many calls wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether so many wait that another connection pays.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting as f64 > self.limit as f64 * limits::CROWDED
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(usize::try_from(id % SLOTS).ok()?)?;
        (entry.generation == id / SLOTS).then_some(entry)
    }

    /// Puts an answer in its place.
    pub(super) fn deliver(&mut self, id: u64, answer: Result<Received, Status>) -> Delivered {
        let index = usize::try_from(id % SLOTS).unwrap_or(usize::MAX);
        let Some(entry) = self.entries.get_mut(index) else { return Delivered::Unknown };
        if entry.generation < id / SLOTS {
            return Delivered::Unknown;
        }
        if entry.generation > id / SLOTS {
            return Delivered::Late;
        }
        match &mut entry.state {
            State::Waiting { waker, .. } => {
                let waker = waker.take();
                entry.state = State::Done(answer);
                self.waiting -= 1;
                waker.map_or(Delivered::Stored, Delivered::Wake)
            }
            State::Free | State::Done(_) => Delivered::Late,
        }
    }

    /// The answer of a call, if it is there; its slot is free afterwards.
    pub(super) fn poll(&mut self, id: u64, waker: &Waker) -> Polled {
        let Some(entry) = self.entry(id) else { return Polled::Pending };
        match &mut entry.state {
            State::Waiting { waker: slot, .. } => {
                match slot {
                    Some(known) if known.will_wake(waker) => {}
                    other => *other = Some(waker.clone()),
                }
                Polled::Pending
            }
            State::Free => Polled::Pending,
            State::Done(_) => {
                let State::Done(answer) = std::mem::replace(&mut entry.state, State::Free) else {
                    return Polled::Pending;
                };
                self.free.push((id % SLOTS) as u32);
                Polled::Ready(answer)
            }
        }
    }

    /// Why there is no id left.
    pub(super) fn exhausted(&self) -> Status {
        Status::not_sent(
            Code::ResourceExhausted,
            Reason::TooManyInFlight,
            format!(
                "{} calls are in flight on this connection already, as many as the server takes",
                self.waiting
            ),
        )
    }

    /// The answer of a call is on its way on a stream of its own. Whether the call still waits; if it is given up
    /// later, `unwanted` hears of it.
    pub(super) fn moving(&mut self, id: u64, unwanted: &Arc<Notify>) -> bool {
        match self.entry(id) {
            Some(Entry { state: State::Waiting { moving, .. }, .. }) => {
                *moving = Some(Arc::clone(unwanted));
                true
            }
            _ => false,
        }
    }

    /// Gives a call up. Returns its lane if it was still waiting there.
    pub(super) fn abandon(&mut self, id: u64) -> Option<u32> {
        let entry = self.entry(id)?;
        let state = std::mem::replace(&mut entry.state, State::Free);
        let lane = match state {
            State::Free => return None,
            State::Waiting { lane, moving, .. } => {
                self.waiting -= 1;
                if let Some(moving) = moving {
                    moving.notify_one();
                }
                Some(lane)
            }
            State::Done(_) => None,
        };
        self.free.push((id % SLOTS) as u32);
        lane
    }

    /// Wakes, once each, the calls that have waited since before the last time.
    ///
    /// Most calls are over before they get that old, and have never needed a timer.
    pub(super) fn nudge(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        self.young = false;
        for entry in &mut self.entries {
            let State::Waiting { age, waker, .. } = &mut entry.state else { continue };
            match age {
                Age::New => {
                    *age = Age::Old;
                    self.young = true;
                }
                Age::Old => {
                    *age = Age::Nudged;
                    wakers.extend(waker.take());
                }
                Age::Nudged => {}
            }
        }
        wakers
    }

    /// Wakes every call that waits.
    pub(super) fn wake_waiting(&mut self) -> Vec<Waker> {
        let waiting = self.entries.iter_mut().filter_map(|entry| match &mut entry.state {
            State::Waiting { waker, .. } => waker.take(),
            _ => None,
        });
        waiting.collect()
    }

    /// Ends every waiting call of `lane` (of all lanes: `None`) with what `status` says of it; `taken` is the number of
    /// batches that the lane's writer took, so that `status` is told whether the call left this process.
    pub(super) fn fail(
        &mut self,
        lane: Option<u32>,
        taken: impl Fn(u32) -> u64,
        status: impl Fn(bool) -> Status,
    ) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for entry in &mut self.entries {
            let State::Waiting { lane: at, batch, waker, .. } = &mut entry.state else {
                continue;
            };
            if lane.is_some_and(|lane| lane != *at) {
                continue;
            }
            let sent = *batch < taken(*at);
            wakers.extend(waker.take());
            entry.state = State::Done(Err(status(sent)));
            self.waiting -= 1;
        }
        wakers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<Received, Status> {
        Err(Status::not_sent(Code::Unavailable, Reason::None, "x"))
    }

    #[test]
    fn a_late_answer_is_told_apart_from_one_to_a_call_that_never_was() {
        let mut slots = Slots::default();
        let first = slots.insert(0, 0).unwrap();
        assert_eq!(slots.abandon(first), Some(0));
        assert!(matches!(slots.deliver(first, refused()), Delivered::Late));
        let second = slots.insert(0, 0).unwrap();
        assert_ne!(first, second);
        assert!(matches!(slots.deliver(first, refused()), Delivered::Late));
        assert!(matches!(slots.deliver(second + SLOTS, refused()), Delivered::Unknown));
        assert!(matches!(slots.deliver(77, refused()), Delivered::Unknown));
        assert!(matches!(slots.deliver(second, refused()), Delivered::Stored));
        assert!(matches!(slots.deliver(second, refused()), Delivered::Late));
        assert!(matches!(slots.poll(second, Waker::noop()), Polled::Ready(Err(_))));
        assert_eq!(slots.waiting(), 0);
    }

    #[test]
    fn a_dying_lane_ends_its_own_calls_and_knows_which_of_them_left() {
        let mut slots = Slots::default();
        let sent = slots.insert(1, 0).unwrap();
        let queued = slots.insert(1, 1).unwrap();
        let other = slots.insert(2, 0).unwrap();
        slots.fail(
            Some(1),
            |_| 1,
            |sent| {
                Status::not_sent(
                    Code::Unavailable,
                    Reason::None,
                    if sent { "sent" } else { "queued" },
                )
            },
        );
        for (id, word) in [(sent, "sent"), (queued, "queued")] {
            let Polled::Ready(Err(status)) = slots.poll(id, Waker::noop()) else { panic!("done") };
            assert_eq!(status.message(), word);
        }
        assert!(matches!(slots.poll(other, Waker::noop()), Polled::Pending));
        assert_eq!(slots.waiting(), 1);
    }

    #[test]
    fn a_call_is_nudged_once_and_only_if_it_waits_long() {
        let mut slots = Slots::default();
        let id = slots.insert(0, 0).unwrap();
        assert!(matches!(slots.poll(id, Waker::noop()), Polled::Pending));
        assert_eq!((slots.nudge().len(), slots.young()), (0, true));
        assert_eq!((slots.nudge().len(), slots.young()), (1, false));
        assert!(matches!(slots.poll(id, Waker::noop()), Polled::Pending));
        assert_eq!((slots.nudge().len(), slots.young()), (0, false));
        slots.insert(NO_LANE, 0).unwrap();
        assert!(!slots.young());
    }

    #[test]
    fn ids_run_out_at_the_bound_and_come_back() {
        let mut slots = Slots::default();
        let ids: Vec<u64> = std::iter::from_fn(|| slots.insert(0, 0)).collect();
        assert_eq!(ids.len(), limits::CLIENT_SLOTS);
        slots.abandon(ids[5]);
        assert!(slots.insert(0, 0).is_some());
        assert!(slots.insert(0, 0).is_none());
    }
}
