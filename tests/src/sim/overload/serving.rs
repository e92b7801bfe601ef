//! The servers: a plan each, and workers that no plan sees.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Wake, Waker},
    time::{Duration, Instant},
};

use sinew_core::{
    codes::{Code, Criticality, Directive, Disposition, Reason},
    limits,
    plan::{
        client::Failed,
        server::{
            Arrived, Asks, Config, Group, Left, MethodPlan, Refused, Seat, ServerPlan, Unqueued,
        },
    },
};

use super::{Event, Run, Takes, Trouble, failure};
use crate::sim::world::exponential;

/// An attempt at the server.
struct There {
    call: usize,
    state: State,
}

enum State {
    Waits(Seat),
    /// In the handler, since then; `running` once a worker has it.
    Works {
        since: Duration,
        running: bool,
    },
    /// Given up, while a worker has it.
    Abandoned,
}

/// Which attempts were woken.
#[derive(Default)]
struct Bell(Mutex<Vec<u64>>);

struct Rings {
    bell: Arc<Bell>,
    attempt: u64,
}

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.bell.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.attempt);
    }
}

pub(super) struct Server {
    pub(super) plan: Option<(ServerPlan, Arc<MethodPlan>, Arc<Group>)>,
    /// Those that have no worker yet.
    line: VecDeque<u64>,
    busy: usize,
    there: BTreeMap<u64, There>,
    bell: Arc<Bell>,
}

impl Server {
    pub(super) fn new(config: Option<Config>, epoch: Instant) -> Self {
        let plan = config.map(|config| {
            let plan = ServerPlan::new(config, epoch);
            let (method, group) = (plan.method(epoch), plan.caller());
            (plan, method, group)
        });
        Self { plan, line: VecDeque::new(), busy: 0, there: BTreeMap::new(), bell: Arc::default() }
    }
}

impl Run<'_> {
    pub(super) fn reach(&mut self, call: usize, attempt: u64, of: (Criticality, u16, Duration)) {
        let at = self.of(attempt);
        let (class, key, deadline) = of;
        let now = self.instant();
        let Some((plan, method, group)) = &self.servers[at].plan else {
            let state = State::Works { since: self.now, running: false };
            self.servers[at].there.insert(attempt, There { call, state });
            self.servers[at].line.push_back(attempt);
            return self.work(at);
        };
        let asks = Asks { class, key, deadline: Some(self.epoch + deadline) };
        let state = match plan.arrive(asks, method, group, now) {
            Arrived::Begins => State::Works { since: self.now, running: false },
            Arrived::Waits(seat) => {
                let waker = self.waker(attempt);
                let _ = seat.poll(&waker);
                // What was decided in the meantime is heard of all the same.
                self.servers[at]
                    .bell
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(attempt);
                if let Some(longest) = plan.longest_wait() {
                    self.after(longest, Event::Waited { attempt });
                }
                State::Waits(seat)
            }
            Arrived::Refused(why) => return self.answer(call, attempt, Some(refusal(why))),
        };
        let begins = matches!(state, State::Works { .. });
        self.servers[at].there.insert(attempt, There { call, state });
        self.after(deadline.saturating_sub(self.now), Event::Expires { attempt });
        if begins {
            self.servers[at].line.push_back(attempt);
            self.work(at);
        }
    }

    fn of(&self, attempt: u64) -> usize {
        (attempt % self.servers.len() as u64) as usize
    }

    fn waker(&self, attempt: u64) -> Waker {
        let at = self.of(attempt);
        Waker::from(Arc::new(Rings { bell: Arc::clone(&self.servers[at].bell), attempt }))
    }

    /// Calls that were told something.
    pub(super) fn listen(&mut self) {
        (0..self.servers.len()).for_each(|at| self.listen_at(at));
    }

    fn listen_at(&mut self, at: usize) {
        loop {
            let bell = &self.servers[at].bell.0;
            let rung = std::mem::take(&mut *bell.lock().unwrap_or_else(PoisonError::into_inner));
            if rung.is_empty() {
                return;
            }
            for attempt in rung {
                let waker = self.waker(attempt);
                let Some(there) = self.servers[at].there.get_mut(&attempt) else { continue };
                let State::Waits(seat) = &there.state else { continue };
                match seat.poll(&waker) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => {
                        there.state = State::Works { since: self.now, running: false };
                        self.servers[at].line.push_back(attempt);
                        self.work(at);
                    }
                    Poll::Ready(Err(why)) => {
                        let call = there.call;
                        self.servers[at].there.remove(&attempt);
                        self.answer(call, attempt, Some(refusal(Refused::Queue(why))));
                    }
                }
            }
        }
    }

    /// Gives work to the workers that have none.
    pub(super) fn work(&mut self, at: usize) {
        if let Trouble::Stall(from, to) = self.setup.trouble
            && (from..to).contains(&self.now)
        {
            return;
        }
        while self.servers[at].busy < self.setup.workers {
            let Some(attempt) = self.servers[at].line.pop_front() else { return };
            let Some(there) = self.servers[at].there.get_mut(&attempt) else { continue };
            let State::Works { running, .. } = &mut there.state else { continue };
            if let Trouble::Hang(from, to) = self.setup.trouble
                && (from..to).contains(&self.now)
            {
                // It waits for something that does not come, and takes no worker.
                continue;
            }
            *running = true;
            self.servers[at].busy += 1;
            let mut takes = match self.setup.takes {
                Takes::Constant(takes) => takes,
                Takes::Exponential(mean) => exponential(mean, &mut self.rng),
            };
            if let Trouble::Stall(from, to) = self.setup.trouble
                && self.now < from
                && self.now + takes > from
            {
                takes += to - from;
            }
            self.after(takes, Event::Done { attempt });
        }
    }

    pub(super) fn done(&mut self, attempt: u64) {
        let at = self.of(attempt);
        self.servers[at].busy -= 1;
        let now = self.now;
        self.second(now).worked += 1;
        let there = self.servers[at].there.remove(&attempt);
        let waited_for = there.as_ref().is_some_and(|there| {
            let known = self.calls[there.call].as_ref();
            known.is_some_and(|call| call.out.is_some_and(|(known, ..)| known == attempt))
        });
        if !waited_for {
            self.second(now).wasted += 1;
        }
        if let Some(There { call, state: State::Works { since, .. }, .. }) = there {
            self.leave(at, since, Left::Ended);
            self.answer(call, attempt, None);
        }
        self.work(at);
    }

    fn leave(&self, at: usize, since: Duration, left: Left) {
        if let Some((plan, method, group)) = &self.servers[at].plan {
            plan.leave(method, group, (self.now - since, left), self.instant());
        }
    }

    pub(super) fn expires(&mut self, attempt: u64) {
        let at = self.of(attempt);
        let now = self.instant();
        let Some(there) = self.servers[at].there.get_mut(&attempt) else { return };
        match std::mem::replace(&mut there.state, State::Abandoned) {
            State::Waits(seat) => {
                self.servers[at].there.remove(&attempt);
                if let Some((plan, ..)) = &self.servers[at].plan {
                    plan.give_up(seat, now);
                }
            }
            State::Works { since, running } => {
                // A worker that has it cannot be stopped; what waits for one is dropped.
                if !running {
                    self.servers[at].there.remove(&attempt);
                }
                self.leave(at, since, Left::TimedOut);
            }
            State::Abandoned => {}
        }
    }

    pub(super) fn waited(&mut self, attempt: u64) {
        let at = self.of(attempt);
        let now = self.instant();
        let Some(there) = self.servers[at].there.get(&attempt) else { return };
        if !matches!(there.state, State::Waits(_)) {
            return;
        }
        let Some(There { call, state: State::Waits(seat), .. }) =
            self.servers[at].there.remove(&attempt)
        else {
            return;
        };
        if let Some((plan, ..)) = &self.servers[at].plan
            && plan.give_up(seat, now)
        {
            let why = Refused::Queue(Unqueued::TooLong(limits::QUEUE_INTERVAL));
            self.answer(call, attempt, Some(refusal(why)));
        }
    }
}

fn refusal(why: Refused) -> Failed {
    match why {
        Refused::Shed => failure(Disposition::Rejected, Code::ResourceExhausted, Reason::Shed),
        Refused::Queue(Unqueued::CannotFinish { .. }) => {
            failure(Disposition::Rejected, Code::DeadlineExceeded, Reason::Expired)
        }
        // As a server says it.
        Refused::Queue(_) => Failed {
            directive: Directive::RetryElsewhere(limits::QUEUE_TARGET),
            ..failure(Disposition::Rejected, Code::ResourceExhausted, Reason::Overloaded)
        },
    }
}
