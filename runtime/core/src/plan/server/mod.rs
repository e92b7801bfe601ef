//! What a server does with a call: begins it, lets it wait, or says at once that it will not. The one place where the
//! policies of the serving side meet.
//!
//! ```text
//!   arrive ----> cut ---------> a place is free ----> begins ----> leave: what it took, and whose turn it is
//!      |          | shed           | none                ^
//!      v          v                v                     |
//!   refused <-----+------------- queue ------------------+
//!                 full, too long, no time left
//! ```
//! - [`policy::limit`](crate::policy::limit) says how many may be at work,
//! - [`policy::queue`](crate::policy::queue) who waits, and is next,
//! - [`policy::cut`](crate::policy::cut) which calls are not even looked at while there is too much.
//!
//! A group (one identity, one method) has at most its share of the places while others wait. What it has beyond that,
//! because it was alone before, does not stand in the way of the others: as many more may begin, up to half of the limit.
//! After Netflix's `AbstractPartitionedLimiter`. An identity that sends less than an equal part of what is begun neither waits
//! behind those that send more, as long as there is a place for it, nor is it shed for them.
//!
//! # Invariants
//! 1. Every place that is given is given back, whatever becomes of the call.
//! 2. A call that is refused has not begun.
//! 3. A server that has room begins a call at once, whatever is known of it; but for what is cut.
//!
//! # Locks
//! As long as there is room and nothing is cut, three atomic additions begin a call, and three end it: no lock. Else one, for
//! some ten nanoseconds. No waker is woken under it.

mod group;
mod method;
mod seat;
mod terms;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::Waker,
    time::{Duration, Instant},
};

pub use self::{
    group::Group,
    method::{Left, MethodPlan},
    seat::Seat,
    terms::{Arrived, Asks, Concurrency, Config, Refused, Standing},
};
use self::{
    group::Groups,
    seat::{Chair, Was},
};
pub use crate::policy::queue::Refused as Unqueued;
use crate::{
    codes::Criticality,
    limits::{
        CALLER_SHARE, CONCURRENCY_FLOOR_PER_CORE, CUT_WINDOW, QUEUE_INTERVAL, QUEUE_INTERVAL_MAX,
        QUEUE_TARGET,
    },
    policy::{
        cut::{self, Cut},
        limit::{Limit, Load, Seen},
        queue::{Arrival, Queue},
    },
    wire::answer::AdmissionCut,
};

/// One server.
#[derive(Debug)]
pub struct ServerPlan {
    config: Config,
    epoch: Instant,
    /// A call begins without a look at anything else while fewer than this are at work.
    open: AtomicU32,
    at_work: AtomicU32,
    waiting: AtomicU32,
    /// Half of the limit was in use since the last look.
    busy: AtomicBool,
    /// The limit was reached.
    full: AtomicBool,
    /// Somebody waits, or something is cut, or was a moment ago: every call is counted.
    pressed: AtomicBool,
    /// The microsecond of the next look.
    look_us: AtomicU64,
    /// How many levels are admitted.
    admits: AtomicU32,
    /// Calls that an equal part of what begins in a window is.
    fair: AtomicU32,
    /// How long a call waits at most, in microseconds.
    interval_us: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    concurrency: Concurrency,
    limit: Option<Limit>,
    queue: Queue<Arc<Chair>>,
    cut: Cut,
    callers: Groups,
    methods: Groups,
    plans: Vec<Arc<MethodPlan>>,
    /// Calls that left since one began beyond the limit.
    left: u32,
    /// Calls that began since it was last worked out what an equal part of them is.
    begun: u32,
    turned: Instant,
    /// When the window of the limit began.
    began: Instant,
    /// When somebody waited last.
    pressed: Instant,
    /// When there was so much to do, last, that from this class on calls were shed.
    too_much: [Option<Instant>; Criticality::ALL.len()],
    /// When a call was let through that may not end in time, so that it is still known what they take.
    tried: Instant,
}

/// When nothing is shed any more, nobody waits for long for this long all the same: it may have been too early.
const PRESSED_FOR: Duration = Duration::from_secs(5);
/// How often it is looked whether a window is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What takes less than this, with all that is at work beside it, is not held up by it.
const QUICK: Duration = Duration::from_micros(QUEUE_TARGET.as_micros() as u64 / 4);
/// A window where nothing has to be found.
const FIXED_WINDOW: Duration = Duration::from_millis(250);
/// One call in so long is not asked whether it has time enough.
const TRY_EVERY: Duration = Duration::from_secs(1);

type Told = Vec<(Arc<Chair>, Unqueued)>;

/// What finds the number, where it is to be found.
fn limit(concurrency: Concurrency, cores: u32) -> Option<Limit> {
    let floor = cores.max(1) * CONCURRENCY_FLOOR_PER_CORE;
    match concurrency {
        Concurrency::Adaptive { initial, max } => Some(Limit::new(initial, floor, max)),
        Concurrency::Fixed(_) | Concurrency::Unlimited => None,
    }
}

impl ServerPlan {
    /// A server that has nothing to do.
    pub fn new(config: Config, now: Instant) -> Self {
        let queue = if config.bounded_wait { Queue::new() } else { Queue::unbounded() };
        let plan = Self {
            config,
            epoch: now,
            open: AtomicU32::new(0),
            at_work: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            busy: AtomicBool::new(false),
            full: AtomicBool::new(false),
            pressed: AtomicBool::new(false),
            look_us: AtomicU64::new(0),
            admits: AtomicU32::new(cut::LEVELS as u32),
            fair: AtomicU32::new(0),
            interval_us: AtomicU64::new(QUEUE_INTERVAL_MAX.as_micros() as u64),
            state: Mutex::new(State {
                concurrency: config.concurrency,
                limit: limit(config.concurrency, config.cores),
                queue,
                cut: Cut::new(now),
                callers: Groups::default(),
                methods: Groups::default(),
                plans: Vec::new(),
                left: 0,
                begun: 0,
                turned: now,
                began: now,
                pressed: now,
                too_much: [None; Criticality::ALL.len()],
                tried: now,
            }),
        };
        let state = plan.state();
        plan.publish(&state);
        drop(state);
        plan
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a call waits at most; `None` for as long as it likes.
    pub fn longest_wait(&self) -> Option<Duration> {
        let interval = Duration::from_micros(self.interval_us.load(Relaxed));
        self.config.bounded_wait.then_some(interval)
    }

    /// Works on so many calls from here on. Those at work stay; where they are more, fewer begin until they are not.
    pub fn set_concurrency(&self, concurrency: Concurrency) {
        let mut state = self.state();
        if state.concurrency != concurrency {
            state.concurrency = concurrency;
            state.limit = limit(concurrency, self.config.cores);
            // What waits is looked at when the next call comes or leaves.
            self.publish(&state);
        }
    }

    /// A method that it serves.
    pub fn method(&self, now: Instant) -> Arc<MethodPlan> {
        let method = Arc::new(MethodPlan::new(now));
        let mut state = self.state();
        state.methods.add(&method.group);
        state.plans.push(Arc::clone(&method));
        drop(state);
        method
    }

    /// An identity that calls it; counted as long as anybody has it.
    pub fn caller(&self) -> Arc<Group> {
        let group = Arc::new(Group::new(CALLER_SHARE));
        self.state().callers.add(&group);
        group
    }

    /// A call came.
    #[inline]
    pub fn arrive(
        &self,
        asks: Asks,
        method: &Arc<MethodPlan>,
        group: &Arc<Group>,
        now: Instant,
    ) -> Arrived {
        if self.open.load(Relaxed) > self.at_work.fetch_add(1, SeqCst) {
            group.enter();
            method.group.enter();
            return Arrived::Begins;
        }
        self.at_work.fetch_sub(1, SeqCst);
        self.arrive_pressed(asks, method, group, now)
    }

    /// There may be no place for it.
    #[cold]
    fn arrive_pressed(
        &self,
        asks: Asks,
        method: &Arc<MethodPlan>,
        group: &Arc<Group>,
        now: Instant,
    ) -> Arrived {
        let mut told = Told::new();
        let mut state = self.state();
        self.look(&mut state, now);
        group.came();
        let spared = self.spares(group);
        let admitted = state.cut.arrive(cut::level(asks.class, asks.key)) || spared;
        let arrived = if !admitted && self.config.cut {
            Arrived::Refused(Refused::Shed)
        } else if (spared || state.queue.is_empty())
            && self.has_place(&mut state, (method, group), now)
        {
            self.begin(method, group);
            state.begun += 1;
            state.cut.begin(Duration::ZERO);
            Arrived::Begins
        } else {
            self.full.store(true, Relaxed);
            self.wait(&mut state, asks, (method, group), now, &mut told)
        };
        let wakers = self.hand_out(&mut state, now, told);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        match arrived {
            // Its turn was at once: it was only others that could not begin.
            Arrived::Waits(seat) if seat.begins() => Arrived::Begins,
            arrived => arrived,
        }
    }

    fn wait(
        &self,
        state: &mut State,
        asks: Asks,
        (method, group): (&Arc<MethodPlan>, &Arc<Group>),
        now: Instant,
        told: &mut Told,
    ) -> Arrived {
        state.pressed = now;
        // Nobody is over a share of what there is only one for.
        let limit = self.limit(state);
        let places = |groups: &Groups| if groups.are_several() { limit } else { u32::MAX };
        let places = (places(&state.callers), places(&state.methods));
        let chair = Arc::new(Chair::new(Arc::clone(group), Arc::clone(method), places));
        let arrival = Arrival {
            item: Arc::clone(&chair),
            class: asks.class,
            deadline: asks.deadline,
            need: self.need(state, asks.class, method, now),
        };
        match state.queue.enter(arrival, now, told) {
            Ok(()) => Arrived::Waits(Seat(chair)),
            Err((_, why)) => {
                state.cut.refuse();
                Arrived::Refused(Refused::Queue(why))
            }
        }
    }

    /// What a call of this method will take, if it is to be asked whether it has so long.
    fn need(
        &self,
        state: &mut State,
        class: Criticality,
        method: &MethodPlan,
        now: Instant,
    ) -> Duration {
        if !self.config.feasibility {
            return Duration::ZERO;
        }
        if now.saturating_duration_since(state.tried) >= TRY_EVERY {
            state.tried = now;
            return Duration::ZERO;
        }
        method.percentile(if state.queue.is_overloaded(class, now) { 90 } else { 50 })
    }

    fn limit(&self, state: &State) -> u32 {
        match (state.concurrency, &state.limit) {
            (_, Some(limit)) => limit.get(),
            (Concurrency::Fixed(limit), None) => limit,
            (Concurrency::Unlimited | Concurrency::Adaptive { .. }, None) => u32::MAX,
        }
    }

    /// Whether a call of this method and caller may begin.
    fn has_place(
        &self,
        state: &mut State,
        (method, caller): (&MethodPlan, &Group),
        now: Instant,
    ) -> bool {
        let (limit, at_work) = (self.limit(state), self.at_work.load(SeqCst));
        if at_work < limit {
            return true;
        }
        let beyond = state.callers.beyond(caller, limit, now)
            + state.methods.beyond(&method.group, limit, now);
        at_work.saturating_sub(beyond.min(limit / 2)) < limit
    }

    fn begin(&self, method: &MethodPlan, group: &Group) {
        self.at_work.fetch_add(1, SeqCst);
        group.enter();
        method.group.enter();
    }

    /// A call that had a place is over: it has been at work for this long.
    #[inline]
    pub fn leave(
        &self,
        method: &MethodPlan,
        group: &Group,
        (took, left): (Duration, Left),
        now: Instant,
    ) {
        group.leave();
        method.group.leave();
        let before = self.at_work.fetch_sub(1, SeqCst);
        method.note(took, left, now);
        if before >= self.open.load(Relaxed) / 2 && !self.busy.load(Relaxed) {
            self.busy.store(true, Relaxed);
        }
        let pressed = self.waiting.load(SeqCst) > 0 || self.pressed.load(Relaxed);
        if pressed || self.us(now) >= self.look_us.load(Relaxed) {
            self.left(now);
        }
    }

    #[cold]
    fn left(&self, now: Instant) {
        let mut state = self.state();
        state.queue.freed(now);
        self.look(&mut state, now);
        state.left = state.left.wrapping_add(1);
        let wakers = self.hand_out(&mut state, now, Told::new());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A call goes away that waited, or was just told that it may begin. Whether it waited still: it may have waited too
    /// long for its taste.
    #[expect(clippy::needless_pass_by_value, reason = "a seat is given up once")]
    pub fn give_up(&self, seat: Seat, now: Instant) -> bool {
        match seat.0.give_up() {
            Was::Waiting => {
                let mut state = self.state();
                state.cut.refuse();
                // It is skipped when it is its turn; where it was the only one, that is now.
                let wakers = self.hand_out(&mut state, now, Told::new());
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
                true
            }
            Was::Begun => {
                self.leave(&seat.0.method, &seat.0.group, (Duration::ZERO, Left::GivenUp), now);
                false
            }
            Was::Over => false,
        }
    }

    /// Gives what places there are to those that wait, and says what is known now to whoever looks without a lock.
    fn hand_out(&self, state: &mut State, now: Instant, mut told: Told) -> Vec<Waker> {
        let mut wakers = Vec::new();
        loop {
            self.waiting.store(state.queue.len() as u32, SeqCst);
            // After it is known that somebody waits: who leaves from here on, looks.
            let limit = self.limit(state);
            if state.queue.is_empty() || !self.has_place_for_next(state, limit, now) {
                break;
            }
            let Some((chair, waited)) = state.queue.next(now, &mut told) else { continue };
            self.begin(&chair.method, &chair.group);
            state.begun += 1;
            state.cut.begin(waited);
            wakers.extend(chair.tell(Ok(())));
        }
        for (chair, why) in told {
            state.cut.refuse();
            wakers.extend(chair.tell(Err(why)));
        }
        self.publish(state);
        wakers
    }

    /// Whether whoever is next may begin: there is a place, or one that is taken by others beyond their shares.
    fn has_place_for_next(&self, state: &mut State, limit: u32, now: Instant) -> bool {
        if self.at_work.load(SeqCst) < limit {
            state.left = 0;
            return true;
        }
        // The limit was lowered: as long as more are at work, one begins for two that leave, so that nobody waits for all
        // of them.
        if state.left >= 2 {
            state.left = 0;
            return true;
        }
        let next = state.queue.peek(now).map(Arc::clone);
        next.is_some_and(|next| self.has_place(state, (&next.method, &next.group), now))
    }

    fn publish(&self, state: &State) {
        let pressed =
            !state.queue.is_empty() || state.cut.is_active() || self.waiting.load(Relaxed) > 0;
        self.pressed.store(pressed || self.pressed.load(Relaxed), Relaxed);
        let open = if self.pressed.load(Relaxed) { 0 } else { self.limit(state) };
        self.open.store(open, Relaxed);
    }

    fn us(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_micros() as u64
    }

    /// Looks whether the windows are over.
    fn look(&self, state: &mut State, now: Instant) {
        if self.us(now) < self.look_us.load(Relaxed) {
            return;
        }
        self.look_us.store(self.us(now + LOOK_EVERY), Relaxed);
        state.cut.tick(now);
        if let Some(class) = state.cut.sheds_from().filter(|_| self.config.cut) {
            state.too_much[class as usize] = Some(now);
        }
        let lately = |at: Instant| now.saturating_duration_since(at) < PRESSED_FOR;
        let too_much = |class: &Criticality| state.too_much[*class as usize].is_some_and(lately);
        state.queue.press(Criticality::ALL.into_iter().find(too_much));
        let calm = now.saturating_duration_since(state.pressed) >= QUEUE_INTERVAL * 3;
        if calm && state.queue.is_empty() && !state.cut.is_active() {
            self.pressed.store(false, Relaxed);
        }
        if self.config.cut {
            self.admits.store(u32::from(state.cut.admits()), Relaxed);
        }
        if now.saturating_duration_since(state.turned) >= CUT_WINDOW {
            state.turned = now;
            let began = std::mem::take(&mut state.begun);
            self.fair.store(state.callers.turn(began), Relaxed);
        }
        self.window(state, now);
    }

    fn window(&self, state: &mut State, now: Instant) {
        let State { limit, plans, began, queue, .. } = state;
        let time = now.saturating_duration_since(*began);
        let (mut ended, mut timed_out, mut took) = (0, 0, 0.0);
        let mut quick = true;
        for method in plans.iter() {
            let window = method.window();
            quick &= window.sum_us <= f64::from(window.ended) * QUICK.as_micros() as f64;
            took += window.sum_us;
            ended += window.ended;
            timed_out += window.timed_out;
        }
        let is_over = |limit: &Limit| limit.is_over(time, ended, timed_out);
        if !limit.as_ref().map_or(time >= FIXED_WINDOW, is_over) {
            return;
        }
        let (busy, full) = (self.busy.swap(false, Relaxed), self.full.swap(false, Relaxed));
        let load = match (busy, full) {
            (_, true) => Load::Full,
            (true, false) => Load::Room,
            (false, false) => Load::Calm,
        };
        let mut sums = (0.0, 0.0);
        for (took, usual) in plans.iter().filter_map(|method| method.turn(load)) {
            sums = (sums.0 + took, sums.1 + usual);
        }
        let ratio = (sums.1 > 0.0).then(|| sums.0 / sums.1);
        // Little's law.
        let at_work = sums.0 / time.as_secs_f64().max(1e-9) / 1e6;
        if let Some(limit) = limit {
            limit.window(Seen { time, ended, timed_out, ratio, at_work, load, quick });
        }
        if ended > 0 {
            queue.takes(Some(Duration::from_micros((took / f64::from(ended)) as u64)));
            self.interval_us.store(queue.interval().as_micros() as u64, Relaxed);
        }
        *began = now;
    }

    /// What is shed at present.
    pub fn cut(&self) -> Option<AdmissionCut> {
        cut::told(self.admits.load(Relaxed) as u16)
    }

    /// What of this caller's is shed at present, as it is told: nothing of one that sends less than others.
    #[inline]
    pub fn cut_of(&self, caller: &Group) -> Option<AdmissionCut> {
        self.cut().filter(|_| !self.spares(caller))
    }

    /// Whether a caller sends less than an equal part of what is begun: what is too much comes from others.
    fn spares(&self, caller: &Group) -> bool {
        caller.lately() < self.fair.load(Relaxed)
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        let limit = self.limit(&state);
        Standing {
            at_work: self.at_work.load(SeqCst),
            limit: (limit != u32::MAX).then_some(limit),
            waiting: state.queue.len() as u32,
            cut: self.cut(),
        }
    }

    /// Calls at work.
    #[inline]
    pub fn at_work(&self) -> u32 {
        self.at_work.load(Relaxed)
    }
}
