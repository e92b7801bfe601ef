//! What a client does with a call: which endpoint gets the next attempt, what its outcome means to everybody, and
//! whether there is another. The one place where the policies of the calling side meet.
//!
//! ```text
//!   begin ------> pick ------> the shell sends it ------> settle ------> an answer: done
//!   deposit       balance,                                latency, breaker, throttle
//!                 breakers,                                   |
//!                 probes, panic                               v  a failure
//!                   ^                                       failed ------> give up, with why
//!                   +---- elsewhere, maybe after a pause ------+
//!                         retry rules, attempts, time, budget
//! ```
//! Where a method is hedged, a second attempt may go beside a first that is slow: `hedging.rs`.
//!
//! # Invariants
//! 1. What may have run is not repeated unless its method says that this is harmless.
//! 2. No more than the allowed number of attempts reaches a server, each at another endpoint as long as there is one.
//! 3. An endpoint that cannot be reached costs neither an attempt nor budget: nothing was sent.
//! 4. At most half of the endpoints, and never the last one, are out for their failures; where more ought to be, all
//!    are used, and where all fail, none is out.
//! 5. A retry is paid for when it is decided, not when it is sent.
//!
//! # Locks
//! One per endpoint, one for what the service's calls share and one for what is known of hedged methods, all held for
//! some ten nanoseconds and never two at a time, except while an opening is decided ([`ClientPlan::settle`]), which is
//! rare. A call that succeeds takes none: it counts in its thread's own stripe, and what is counted there is looked at
//! every 10 ms ([`Member`]).

mod configure;
mod cuts;
mod effects;
mod heard;
mod hedging;
mod keyed;
mod member;
mod mirror;
mod moment;
mod openings;
mod parts;
mod pick;
#[cfg(test)]
mod properties;
mod settling;
mod stripe;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

pub use self::{
    configure::Terms,
    effects::{Effects, Outcome, Sample, ThrottleEffect, effects, is_answer},
    hedging::{Hedging, Unhedged},
    member::{Member, Out, Ticket, View},
    mirror::Unmirrored,
    parts::Placement,
    pick::{Chosen, Picked},
};
use self::{cuts::News, hedging::Hedges, moment::Moment, parts::Parts};
pub use crate::policy::{
    breaker::{Cause, Phase},
    hedge::{After, Counts, End},
    retry::{Failed, Past},
};
use crate::{
    codes::{Criticality, Disposition, Reason},
    limits::{self, SUBSETS_MAX},
    policy::{
        breaker::Breaker,
        budget::{Budget, Purpose},
        cut,
        retry::{self, Again, Cost},
        throttle::Throttle,
    },
    rng::Rng,
};

/// How the endpoint of a call is chosen among those that can be asked. All go by weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Balance {
    /// The one where an answer takes least: latency times calls at work (Finagle's peak EWMA). The default, for it
    /// leaves a slow server alone.
    #[default]
    PeakEwma,
    /// The one with the fewest calls at work, however long they take: where latencies say nothing, because calls differ
    /// by much more than servers do.
    LeastRequest,
    /// One after the other, whatever they have to do: where calls must be spread evenly in numbers. A slow server gets as
    /// many as a quick one.
    RoundRobin,
}

impl Balance {
    const ALL: [Self; 3] = [Self::PeakEwma, Self::LeastRequest, Self::RoundRobin];
}

/// Which mechanisms are at work, and how. All are, but in a simulation that asks what one of them is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// How endpoints are chosen.
    pub balance: Balance,
    /// How many of them a pick looks at; `None`: all up to 8, three of more.
    pub choices: Option<usize>,
    /// Endpoints that fail are left alone for a while.
    pub breakers: bool,
    /// A failure counts as a long latency.
    pub penalty: bool,
    /// What a call puts in for retries; `None`: they cost nothing.
    pub budget: Option<f64>,
    /// A client holds back while servers refuse.
    pub throttle: bool,
    /// Threads that call at the same time without getting into each other's way.
    pub stripes: usize,
    /// Hedges as a share of the calls at most; `None`: as many as there are slow calls.
    pub hedge_extra: Option<f64>,
    /// Calls stay in the caller's zone while it is well.
    pub zones: bool,
    /// A key is sent on where its endpoint has too many calls out.
    pub bounded: bool,
    /// The weights of a split over labels; see [`Placement::subset`].
    pub subsets: [f64; SUBSETS_MAX],
    /// What tells the labels of that split apart, in every process the same: a hash of each.
    pub labels: [u64; SUBSETS_MAX],
    /// The numbers of the policies.
    pub terms: Terms,
    /// A result from before a change of its endpoint counts as one of now: a mistake, which our own tests are to find.
    #[cfg(feature = "fuzzing")]
    pub unstamped: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            balance: Balance::default(),
            choices: None,
            breakers: true,
            penalty: true,
            budget: Some(limits::BUDGET_SHARE),
            throttle: true,
            stripes: 1,
            hedge_extra: Some(limits::HEDGE_EXTRA),
            zones: true,
            bounded: true,
            subsets: [1.0; SUBSETS_MAX],
            labels: std::array::from_fn(|at| at as u64),
            terms: Terms::default(),
            #[cfg(feature = "fuzzing")]
            unstamped: false,
        }
    }
}

/// The plan of one client of one service.
#[derive(Debug)]
pub struct ClientPlan {
    /// As it began: which mechanisms are at work is read from here.
    config: Config,
    /// As it is now: what may have changed since is read from here.
    current: RwLock<Config>,
    /// Of that, what each pick reads.
    balance: AtomicU8,
    epoch: Instant,
    /// What each stripe has not put into the budget yet.
    deposits: Box<[Deposits]>,
    shared: Mutex<Shared>,
    /// There were refusals lately: the throttle counts.
    refused: AtomicBool,
    /// Which shares of the calls go where, and where too many breakers are open.
    parts: Parts,
    /// Whether that is out of date, because an endpoint went or came back; and whether one sheds something.
    news: Arc<News>,
    /// The millisecond from which some probe is due, plus one; zero where none is.
    probe_ms: AtomicU32,
    /// Held while it is decided whether one more endpoint may be out.
    openings: Mutex<()>,
    hedges: Mutex<Hedges>,
    members: AtomicU64,
    cursor: AtomicU64,
}

/// The second in the upper half, and the calls that began in it in the lower one.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Deposits(AtomicU64);

#[derive(Debug)]
struct Shared {
    budget: Budget,
    /// Of each class: what is less critical is refused first, and held back first.
    throttles: [Throttle; Criticality::ALL.len()],
    last_refusal: Instant,
}

/// Where one call stands.
#[derive(Debug, Clone)]
pub struct Turn {
    stripe: usize,
    began: Moment,
    attempts_left: u8,
    past: Past,
    idempotent: bool,
    /// A second attempt beside the first was asked for.
    hedged: bool,
    /// What its endpoint is found by, if it has such a thing.
    key: Option<u64>,
    /// What stands for its trace, if it has one.
    trace: Option<u64>,
    /// What its side of a split is found by: that, or drawn when it was needed first.
    side: Option<u64>,
    class: Criticality,
    /// Its class and whom it is for, as servers shed.
    level: u16,
    /// Endpoints in a row that could not be reached.
    unreached: usize,
    /// Where it has been, by id; zero where it has not.
    tried: [u64; limits::ATTEMPTS_MAX as usize],
    /// Where it is.
    at: u64,
}

/// What there is for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many endpoints are known.
    pub endpoints: usize,
    /// The time that the call has left; `None` for any.
    pub left: Option<Duration>,
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The failure is the call's.
    GiveUp(Why),
    /// Pick again now.
    Next,
    /// Pick again after this long.
    NextAfter(Duration),
    /// No endpoint can be reached: wait until one can, as long as the call is willing to.
    WaitForReady,
}

/// Why a failure is the call's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Trying again is no use, or might do it twice.
    Final,
    /// It had as many attempts as it may have.
    NoAttempts,
    /// There is no time for another one.
    NoTime,
    /// The budget for retries is used up.
    NoBudget,
}

/// What changed with an endpoint, for whoever keeps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Its breaker opened.
    Opened {
        /// Why.
        cause: Cause,
        /// Until when, at least.
        until: Instant,
    },
    /// Its breaker ought to have opened, and too many others are out.
    Spared {
        /// Why it ought to.
        cause: Cause,
    },
    /// Its breaker lets calls through again.
    Closed,
}

impl ClientPlan {
    /// A plan that knows nothing.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            current: RwLock::new(config),
            balance: AtomicU8::new(config.balance as u8),
            epoch: now,
            deposits: (0..config.stripes.max(1)).map(|_| Deposits::default()).collect(),
            shared: Mutex::new(Shared {
                budget: Budget::with(config.budget_terms(), now),
                throttles: Criticality::ALL.map(|_| Throttle::new(config.terms.throttle, now)),
                last_refusal: now,
            }),
            refused: AtomicBool::new(false),
            parts: Parts::new(),
            news: Arc::new(News::new(config.stripes)),
            probe_ms: AtomicU32::new(0),
            openings: Mutex::new(()),
            hedges: Mutex::new(Hedges::new()),
            members: AtomicU64::new(0),
            cursor: AtomicU64::new(0),
        }
    }

    /// An endpoint, new to this plan. A `fresh` one, that joins others, begins with a tenth of its share.
    pub fn member(&self, placement: Placement, fresh: bool, now: Instant) -> Member {
        let id = self.members.fetch_add(1, Relaxed) + 1;
        self.news.is_stale();
        let (news, stripes) = (Arc::clone(&self.news), self.config.stripes);
        let breaker = Breaker::new(self.current().terms.breaker, now);
        let member = Member::new((id, placement), news, stripes, breaker, (self.epoch, now));
        if fresh {
            member.come_back(now);
        }
        member
    }

    /// Held while it is decided.
    fn openings(&self) -> MutexGuard<'_, ()> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment::new(self.epoch, now)
    }

    fn ms(&self, now: Instant) -> u32 {
        self.moment(now).ms()
    }

    /// Begins a call with at most `attempts` of them. It pays into the budget, once. The `stripe` is the number of the
    /// thread: calls of threads with different numbers share no counter, as long as there are enough stripes.
    pub fn begin(&self, stripe: usize, attempts: u8, idempotent: bool, now: Instant) -> Turn {
        let began = self.moment(now);
        if self.config.budget.is_some() {
            self.deposit(stripe, began);
        }
        Turn {
            stripe,
            began,
            attempts_left: attempts.clamp(1, limits::ATTEMPTS_MAX),
            past: Past { attempts: 0, drained: false },
            idempotent,
            hedged: false,
            key: None,
            trace: None,
            side: None,
            class: Criticality::Critical,
            level: cut::level(Criticality::Critical, 0),
            unreached: 0,
            tried: [0; limits::ATTEMPTS_MAX as usize],
            at: 0,
        }
    }

    /// One addition per call; what a second brought is put in its place when the next one begins, or when somebody asks.
    fn deposit(&self, stripe: usize, at: Moment) {
        let second = at.second();
        let deposits = &self.deposits[stripe % self.deposits.len()];
        if deposits.0.load(Relaxed) >> 32 != second & 0xffff_ffff {
            let mut shared = self.shared();
            deposits.fold(&mut shared.budget, second, at.now());
        }
        deposits.0.fetch_add(1, Relaxed);
    }

    fn fold(&self, budget: &mut Budget, now: Instant) {
        let second = now.saturating_duration_since(self.epoch).as_secs();
        self.deposits.iter().for_each(|deposits| deposits.fold(budget, second, now));
    }

    /// Brings a new set of endpoints into the order in which picks look for them. In another order all is as well, and
    /// takes longer where there are many.
    pub fn arrange<M: AsRef<Member>>(&self, members: &mut [M]) {
        let place = |member: &Member| (!member.is_inside(), parts::number(member, &self.config));
        members.sort_by_key(|member| place(member.as_ref()));
    }

    /// To be called when the set of endpoints has changed, and those that are called are the new ones.
    pub fn recount<M: AsRef<Member>>(&self, members: &[M]) {
        self.news.many.store(members.len() > limits::PICK_ALL_UP_TO, Relaxed);
        self.news.alone.store(members.len() == 1, Relaxed);
        let members = || members.iter().map(AsRef::as_ref);
        members().enumerate().for_each(|(place, member)| member.set_place(place));
        self.parts.publish(members(), &self.current());
        let inside = members().filter(|member| member.is_inside());
        let due = inside.filter_map(Member::probe_at_ms).min();
        self.probe_ms.store(due.map_or(0, |ms| ms.wrapping_add(1).max(1)), Relaxed);
    }

    /// Whether an attempt of this class may go, or would most likely be refused anyway.
    pub fn throttle(&self, class: Criticality, now: Instant, rng: &mut impl Rng) -> bool {
        if !self.config.throttle || !self.refused.load(Relaxed) {
            return true;
        }
        self.shared().throttles[class as usize].admit(now, rng)
    }

    /// What follows an attempt that failed.
    pub fn failed(
        &self,
        turn: &mut Turn,
        failed: &Failed,
        Room { endpoints, left }: Room,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Verdict {
        if failed.disposition != Disposition::NotSent {
            turn.past.attempts = turn.past.attempts.saturating_add(1);
        }
        let terms = self.current().terms.retry;
        let again = retry::again(failed, turn.idempotent, turn.past, terms, rng);
        let (cost, wait, here_too) = match again {
            Again::No => return Verdict::GiveUp(Why::Final),
            Again::Unreached => return turn.unreached(failed, endpoints),
            Again::Yes { cost, wait, here_too } => (cost, wait, here_too),
        };
        turn.unreached = 0;
        turn.attempts_left -= 1;
        if turn.attempts_left == 0 {
            return Verdict::GiveUp(Why::NoAttempts);
        }
        if left.is_some_and(|left| wait + limits::SEND_MIN >= left) {
            return Verdict::GiveUp(Why::NoTime);
        }
        let purpose = match cost {
            Cost::Free => None,
            Cost::Usual => Some(Purpose::Any),
            Cost::Overload => Some(Purpose::Overload),
        };
        if let Some(purpose) = purpose
            && !self.withdraw(purpose, now)
        {
            return Verdict::GiveUp(Why::NoBudget);
        }
        turn.note_tried();
        turn.past.drained |= failed.reason == Reason::Draining;
        // The only endpoint that sends its calls elsewhere: it, or its successor, will be there again soon.
        let wait = if !here_too && endpoints < 2 { wait.max(terms.first) } else { wait };
        if wait.is_zero() { Verdict::Next } else { Verdict::NextAfter(wait) }
    }

    /// Pays for an attempt beside or after another one, if there is enough.
    pub fn withdraw(&self, purpose: Purpose, now: Instant) -> bool {
        if self.config.budget.is_none() {
            return true;
        }
        let mut shared = self.shared();
        self.fold(&mut shared.budget, now);
        shared.budget.withdraw(purpose, now)
    }

    /// What the budget holds, in thousandths of a retry.
    pub fn budget(&self, now: Instant) -> u64 {
        let mut shared = self.shared();
        self.fold(&mut shared.budget, now);
        shared.budget.balance(now)
    }

    /// Whether a call may be made once more although it may have run: there are attempts and a budget for it.
    pub fn may_repeat(&self, turn: &Turn, now: Instant) -> bool {
        let paid = self.config.budget.is_none() || self.budget(now) >= 1000;
        turn.idempotent && turn.attempts_left > 1 && paid
    }

    /// Whether there were refusals lately, so that attempts may be held back.
    pub fn holds_back(&self) -> bool {
        self.config.throttle && self.refused.load(Relaxed)
    }

    /// Whether so many breakers are open, in some zone at least, that none counts.
    pub fn panics(&self) -> bool {
        self.parts.any_panics()
    }

    /// Takes into account what became of endpoints since the last time.
    fn refresh<M: AsRef<Member>>(&self, members: &[M]) {
        // Before the look at them: what happens during it makes it out of date again.
        let stale = &self.news.stale;
        if stale.load(Relaxed) && stale.swap(false, Acquire) {
            self.recount(members);
        }
    }
}

impl Deposits {
    /// Puts what was paid in where it belongs. Who adds to the second that is just over adds to the new one.
    fn fold(&self, budget: &mut Budget, second: u64, now: Instant) {
        let known = self.0.swap((second & 0xffff_ffff) << 32, Relaxed);
        budget.deposit(known & 0xffff_ffff, known >> 32, now);
    }
}

impl Turn {
    /// The call belongs to the endpoint that this finds: [`policy::rendezvous`](crate::policy::rendezvous).
    #[must_use]
    pub const fn with_key(mut self, key: Option<u64>) -> Self {
        self.key = key;
        self
    }

    /// The call is part of this trace, by its hash: [`of_trace`](crate::policy::rendezvous::of_trace).
    #[must_use]
    pub const fn with_trace(mut self, trace: Option<u64>) -> Self {
        self.trace = trace;
        self.side = trace;
        self
    }

    /// Whether it belongs to an endpoint of its own.
    pub const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the call may run twice.
    pub const fn idempotent(&self) -> bool {
        self.idempotent
    }

    fn unreached(&mut self, failed: &Failed, endpoints: usize) -> Verdict {
        self.unreached += 1;
        if self.unreached < endpoints {
            return Verdict::Next;
        }
        self.unreached = 0;
        match failed.reason {
            // Somebody else answers there: waiting does not change who it is.
            Reason::WrongIdentity => Verdict::GiveUp(Why::Final),
            _ => Verdict::WaitForReady,
        }
    }

    fn note_tried(&mut self) {
        if let Some(free) = self.tried.iter_mut().find(|id| **id == 0) {
            *free = self.at;
        }
    }

    fn has_tried(&self, id: u64) -> bool {
        self.tried.contains(&id)
    }
}
