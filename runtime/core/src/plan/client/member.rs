//! One endpoint as the plan knows it: what it costs, whether it may be asked, and what became of what was sent there.
//!
//! # Why
//! A pick reads every endpoint of a small service and two threads pick at a time, so what a pick needs stands in atomics
//! that whoever learns something publishes, and the machines behind them ([`PeakEwma`], [`Breaker`]) have a lock of
//! their own per endpoint, held for some ten nanoseconds. Nothing here waits or allocates.
//!
//! Two cores that write to one cache line take it from each other, at the price of a whole pick. So a call that succeeds
//! writes only to the stripe of its thread (`stripe.rs`): what it took waits there, and is put into the machines every
//! 10 ms, or at once where it says something new: a first sample, a peak, or anything while the breaker counts failures.
//!
//! # Invariants
//! 1. What is published is what the machines said last: both change under the lock.
//! 2. A ticket is settled exactly once; the calls at work are those not settled.
//! 3. Whatever looks at the machines puts in first what waits in the stripes.

mod breaking;
mod pricing;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

pub(super) use self::pricing::Among;
use super::{
    cuts::{Known, News},
    effects::Sample,
    moment::Moment,
    parts::Placement,
    stripe::{Kept, Stripe},
};
use crate::{
    codes::Criticality,
    limits::SUBSETS_MAX,
    policy::{
        balance::PeakEwma,
        breaker::{self, Breaker, Cause, Phase},
    },
};

/// Why an endpoint is not asked, or not while another can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Out {
    /// It asked to be left: it shuts down, or says that it does not serve.
    Draining,
    /// No connection could be made.
    Unreachable,
    /// Nothing was heard from it while calls were out.
    Silent,
    /// It says that the service cannot do its work there.
    NotServing,
}

impl Out {
    const fn bit(self) -> u32 {
        match self {
            Self::Draining => 1,
            Self::Unreachable => 2,
            Self::Silent => 4,
            Self::NotServing => 128,
        }
    }
}

/// The bits of all of them.
const OUT: u32 = 1 | 2 | 4 | 128;
/// The bits for an open breaker, and for an endpoint without a connection.
const OPEN: u32 = 8;
const COLD: u32 = 16;
/// The bit for an open breaker whose probe is out.
const PROBING: u32 = 32;
/// The bit for an endpoint of which even a success is news: its breaker has failures to forget.
const WATCHED: u32 = 64;
/// The bit for an endpoint whose share grows since its breaker closed.
const RECOVERS: u32 = 256;

/// One endpoint of a plan.
pub struct Member {
    /// Its own among all of a plan, for a call that must not come again.
    id: u64,
    epoch: Instant,
    /// What tells it from the others, in every client.
    hash: u64,
    /// Where it is in the list: a hint.
    place: AtomicU32,
    /// Its share among its peers of the aperture, as an `f64`: a pick reads it of each ...
    weight: AtomicU64,
    /// ... its own, among all that there are, and what it counts at least in the aperture.
    own_weight: AtomicU64,
    floor: AtomicU64,
    inside: AtomicBool,
    near: AtomicBool,
    subset: AtomicU8,
    /// The plan's.
    pub(super) news: Arc<News>,
    /// What it sheds.
    pub(super) cut: Known,
    flags: AtomicU32,
    /// The epoch of the breaker.
    breaker_epoch: AtomicU32,
    /// The cost as an `f32` in the upper half, and the millisecond when it was that in the lower one.
    cost: AtomicU64,
    typical: AtomicU32,
    /// What a failure costs, packed as the cost is; zero where none does.
    penalty: AtomicU64,
    picked_ms: AtomicU32,
    /// The millisecond from which its share grows, plus one; zero where it is whole.
    back_ms: AtomicU32,
    /// The millisecond from which a probe may go.
    probe_ms: AtomicU32,
    inner: Mutex<Inner>,
    stripes: Box<[Stripe]>,
}

struct Inner {
    latency: PeakEwma,
    breaker: Breaker,
}

/// An attempt that was let through, to be settled once.
#[derive(Debug, Clone, Copy)]
#[must_use = "what was let through must be settled"]
pub struct Ticket {
    pub(super) breaker: breaker::Ticket,
    stripe: usize,
    /// The microsecond of the plan when it went out.
    sent_us: u64,
    /// It is not the first of its call.
    pub(super) again: bool,
    /// How critical its call is.
    pub(super) class: Criticality,
}

impl Ticket {
    /// Whether it decides over the endpoint's return.
    pub const fn is_probe(&self) -> bool {
        self.breaker.is_probe()
    }
}

/// What the end of an attempt did to the breaker of its endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// It asks to be opened.
    pub(super) asks_to_open: Option<Cause>,
    /// It lets calls through again.
    pub(super) closed: bool,
}

/// What there is to know of an endpoint, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Why it gets no calls, if so.
    pub out: Option<Out>,
    /// Where its breaker stands.
    pub breaker: Phase,
    /// Attempts at work there.
    pub at_work: u32,
    /// Attempts sent so far, modulo 2^32.
    pub sent: u32,
    /// What an answer is expected to take.
    pub latency: Option<Duration>,
    /// Its share among its peers.
    pub weight: f64,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("placement", &self.placement()).finish_non_exhaustive()
    }
}

impl Member {
    pub(super) fn new(
        (id, placement): (u64, Placement),
        news: Arc<News>,
        stripes: usize,
        breaker: Breaker,
        (epoch, now): (Instant, Instant),
    ) -> Self {
        let member = Self {
            id,
            epoch,
            // Unknown to others, it is told apart by this client alone.
            hash: if placement.hash == 0 { id } else { placement.hash },
            place: AtomicU32::new(0),
            weight: AtomicU64::new(0),
            own_weight: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            inside: AtomicBool::new(true),
            near: AtomicBool::new(true),
            subset: AtomicU8::new(0),
            news,
            cut: Known::default(),
            flags: AtomicU32::new(COLD),
            breaker_epoch: AtomicU32::new(0),
            cost: AtomicU64::new(0),
            typical: AtomicU32::new(0),
            penalty: AtomicU64::new(0),
            picked_ms: AtomicU32::new(0),
            back_ms: AtomicU32::new(0),
            probe_ms: AtomicU32::new(0),
            inner: Mutex::new(Inner { latency: PeakEwma::new(), breaker }),
            stripes: (0..stripes.max(1)).map(|_| Stripe::default()).collect(),
        };
        member.picked_ms.store(member.ms(now), Relaxed);
        member.set_placement(placement);
        member
    }

    /// Its own among all of a plan.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The millisecond of the plan.
    pub(super) fn ms(&self, now: Instant) -> u32 {
        Moment::new(self.epoch, now).ms()
    }

    // -- what the shell knows --

    /// Whether it has a connection that takes calls.
    pub fn set_connected(&self, connected: bool) {
        if connected {
            self.flags.fetch_and(!COLD, Relaxed);
        } else {
            self.flags.fetch_or(COLD, Relaxed);
        }
    }

    /// What discovery says of it.
    pub fn placement(&self) -> Placement {
        Placement {
            weight: self.own_weight(),
            near: self.is_near(),
            hash: self.hash,
            subset: self.subset.load(Relaxed),
            inside: self.is_inside(),
            floor: f64::from_bits(self.floor.load(Relaxed)),
        }
    }

    /// Discovery says something else of it. Its hash stays: that is its address's.
    pub fn set_placement(&self, placement: Placement) {
        let (own, floor) = (placement.weight.max(0.0), placement.floor.max(0.0));
        self.weight.store(own.max(floor).to_bits(), Relaxed);
        self.own_weight.store(own.to_bits(), Relaxed);
        self.floor.store(floor.to_bits(), Relaxed);
        self.inside.store(placement.inside, Relaxed);
        self.near.store(placement.near, Relaxed);
        self.subset.store(placement.subset, Relaxed);
        self.news.is_stale();
    }

    /// Sets or clears a reason not to ask it; whether that was news. What comes back gets its share by and by.
    pub fn set_out(&self, out: Out, is: bool, now: Instant) -> bool {
        let before = if is {
            self.flags.fetch_or(out.bit(), Relaxed)
        } else {
            self.flags.fetch_and(!out.bit(), Relaxed)
        };
        let news = (before & out.bit() == 0) == is;
        if news && !is && out != Out::Draining {
            self.come_back(now);
        }
        if news {
            self.news.is_stale();
        }
        news
    }

    /// What the server says of its calls at work, everybody's, to whoever calls from that stripe.
    pub fn report(&self, stripe: usize, in_flight: u32, now: Instant) {
        // Nobody compares the only one with others.
        if self.news.alone.load(Relaxed) {
            return;
        }
        let now_ms = self.ms(now);
        let (sent, ours) = self.calls(stripe, now_ms);
        self.stripe(stripe).report(in_flight, sent, now_ms);
        if !self.news.many.load(Relaxed) {
            return;
        }
        // The call that brings it is among ours still, and not among the server's.
        let others = in_flight.saturating_sub(ours.saturating_sub(1));
        self.news.heard(stripe).note(self.place.load(Relaxed), others, now_ms);
    }

    /// It is at this place of the list.
    pub(super) fn set_place(&self, place: usize) {
        self.place.store(place as u32, Relaxed);
    }

    fn stripe(&self, stripe: usize) -> &Stripe {
        &self.stripes[stripe % self.stripes.len()]
    }

    /// Attempts sent so far and those at work; what other stripes count, as it was within this millisecond.
    fn calls(&self, stripe: usize, now_ms: u32) -> (u32, u32) {
        let own = self.stripe(stripe);
        if self.stripes.len() == 1 {
            return own.calls();
        }
        own.calls_with(now_ms, || {
            self.stripes.iter().filter(|other| !std::ptr::eq(*other, own)).map(Stripe::calls)
        })
    }

    // -- what a pick asks --

    /// Its share among its peers of the aperture, however long it has been there.
    pub(super) fn weight(&self) -> f64 {
        f64::from_bits(self.weight.load(Relaxed))
    }

    /// Its share among all endpoints that there are.
    pub(super) fn own_weight(&self) -> f64 {
        f64::from_bits(self.own_weight.load(Relaxed))
    }

    /// Whether it is in the aperture.
    pub(super) fn is_inside(&self) -> bool {
        self.inside.load(Relaxed)
    }

    /// Whether it is in the caller's zone.
    pub(super) fn is_near(&self) -> bool {
        self.near.load(Relaxed)
    }

    /// What keys are matched with.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Which label of a split it has.
    pub(super) fn subset(&self) -> usize {
        usize::from(self.subset.load(Relaxed)).min(SUBSETS_MAX - 1)
    }

    /// Our own calls there, as a thread of this stripe knows them.
    pub(super) fn at_work(&self, stripe: usize, now_ms: u32) -> u32 {
        self.calls(stripe, now_ms).1
    }

    /// Whether it asked to be left.
    pub(super) fn is_draining(&self) -> bool {
        self.flags.load(Relaxed) & Out::Draining.bit() != 0
    }

    /// Whether it may be asked like any other.
    pub(super) fn is_usable(&self) -> bool {
        self.flags.load(Relaxed) & (OPEN | OUT) == 0
    }

    /// Whether only its breaker is in the way.
    pub(super) fn is_open_only(&self) -> bool {
        self.flags.load(Relaxed) & (OPEN | OUT) == OPEN
    }

    /// Whether its breaker is open, whatever else.
    pub(super) fn is_open(&self) -> bool {
        self.flags.load(Relaxed) & OPEN != 0
    }

    /// Why it is out, its breaker apart.
    pub fn out(&self) -> Option<Out> {
        let flags = self.flags.load(Relaxed);
        if flags & OUT == 0 {
            return None;
        }
        [Out::Draining, Out::Unreachable, Out::Silent, Out::NotServing]
            .into_iter()
            .find(|out| flags & out.bit() != 0)
    }

    /// Whether it has no connection.
    pub fn is_cold(&self) -> bool {
        self.flags.load(Relaxed) & COLD != 0
    }

    /// For how long a probe has been due; `None` where none is.
    pub(super) fn probe_due(&self, now_ms: u32) -> Option<Duration> {
        if self.flags.load(Relaxed) & (OPEN | PROBING | OUT) != OPEN {
            return None;
        }
        let over = now_ms.wrapping_sub(self.probe_ms.load(Relaxed));
        (over < u32::MAX / 2).then(|| Duration::from_millis(u64::from(over)))
    }

    /// When its probe is due, in milliseconds of the plan; `None` where none is.
    pub(super) fn probe_at_ms(&self) -> Option<u32> {
        let due = self.flags.load(Relaxed) & (OPEN | PROBING | OUT) == OPEN;
        due.then(|| self.probe_ms.load(Relaxed))
    }

    /// How many milliseconds ago it was picked last; `now_ms` is this millisecond of the plan, which a pick works out once
    /// for all endpoints.
    pub(super) fn untouched_ms(&self, now_ms: u32) -> u32 {
        let over = now_ms.wrapping_sub(self.picked_ms.load(Relaxed));
        if over < u32::MAX / 2 { over } else { 0 }
    }

    /// Its share begins with a tenth and grows.
    pub(super) fn come_back(&self, now: Instant) {
        self.flags.fetch_and(!RECOVERS, Relaxed);
        self.back_ms.store(self.ms(now).wrapping_add(1).max(1), Relaxed);
    }

    // -- an attempt --

    /// Lets an attempt through: a probe where one is due. `None` where the breaker refuses; in a `panic` it is not asked.
    pub(super) fn admit(&self, stripe: usize, panic: bool, at: Moment) -> Option<Ticket> {
        let breaker = if self.flags.load(Relaxed) & (OPEN | PROBING) == 0 {
            // Closed: there is nothing to ask the machine but its epoch.
            breaker::Ticket::of_epoch(self.breaker_epoch.load(Relaxed))
        } else {
            let mut inner = self.lock();
            let admitted = match inner.breaker.admit(at.now()) {
                None if panic => Some(inner.breaker.admit_in_panic()),
                admitted => admitted,
            };
            self.publish_breaker(&inner);
            admitted?
        };
        self.stripe(stripe).began();
        // Written once in a millisecond, whoever comes first.
        let since = at.ms().wrapping_sub(self.picked_ms.load(Relaxed));
        if (1..u32::MAX / 2).contains(&since) {
            self.picked_ms.store(at.ms(), Relaxed);
        }
        let class = Criticality::Critical;
        Some(Ticket { breaker, stripe, sent_us: at.us(), again: false, class })
    }

    /// What was let through goes out only now: what it waited for before was not the endpoint's answer.
    pub fn begins(&self, ticket: &mut Ticket, now: Instant) {
        ticket.sent_us = Moment::new(self.epoch, now).us();
    }

    /// An attempt was answered: whether it is over by this. Where the machines would make something new of it, it is not.
    #[inline]
    pub(super) fn answered(&self, ticket: &Ticket, at: Moment) -> bool {
        let took_us = at.us().saturating_sub(ticket.sent_us);
        let over = self.is_nothing_new(ticket, took_us, at);
        if over {
            self.stripe(ticket.stripe).ended();
        }
        over
    }

    /// An attempt is over. What it means for the latency is `sample`.
    pub(super) fn settle(
        &self,
        ticket: Ticket,
        verdict: breaker::Verdict,
        sample: Sample,
        at: Moment,
    ) -> Settled {
        self.stripe(ticket.stripe).ended();
        let now = at.now();
        let took_us = at.us().saturating_sub(ticket.sent_us);
        let took = Duration::from_micros(took_us);
        let mut inner = self.lock();
        self.gather(&mut inner);
        match sample {
            Sample::None => {}
            Sample::Took => inner.latency.observe(took, now),
            Sample::AtLeast(cost) => inner.latency.penalise(cost.max(took), now),
            Sample::IfRaises => {
                let known = inner.latency.cost_us(now);
                if known.is_some_and(|known| took.as_secs_f64() * 1e6 > known) {
                    inner.latency.at_least(took, now);
                }
            }
        }
        if sample != Sample::None {
            self.publish_latency(&inner.latency, now);
        }
        let asks_to_open = inner.breaker.settle(ticket.breaker, verdict, now);
        let before = self.flags.load(Relaxed);
        self.publish_breaker(&inner);
        let closed = before & OPEN != 0 && !self.is_open();
        if closed && before & PROBING != 0 {
            self.come_back(now);
            self.flags.fetch_or(RECOVERS, Relaxed);
        }
        Settled { asks_to_open, closed }
    }

    /// Leaves a success for later where the machines would make nothing new of it.
    fn is_nothing_new(&self, ticket: &Ticket, took_us: u64, at: Moment) -> bool {
        let cost = self.cost.load(Relaxed);
        let peak_us = f64::from(f32::from_bits((cost >> 32) as u32));
        let new = cost == 0
            || took_us as f64 > peak_us
            || self.flags.load(Relaxed) & (OPEN | PROBING | WATCHED) != 0
            || !ticket.breaker.is_of_epoch(self.breaker_epoch.load(Relaxed));
        !new && self.stripe(ticket.stripe).keep(took_us, at.ms())
    }

    /// Puts what waits in the stripes into the machines, all of it as one: what it weighs is the time that it spans.
    fn gather(&self, inner: &mut Inner) {
        if let Some(kept) = self.stripes.iter().filter_map(Stripe::take).reduce(Kept::and) {
            let at = self.epoch + Duration::from_millis(u64::from(kept.last_ms));
            inner.latency.observe_many(kept.mean(), kept.count, at);
            inner.breaker.succeeded(kept.count, at);
        }
    }

    /// The service's own speed here.
    pub fn typical(&self) -> Option<Duration> {
        let typical = f32::from_bits(self.typical.load(Relaxed));
        (typical > 0.0).then(|| Duration::from_secs_f64(f64::from(typical) / 1e6))
    }

    /// For people.
    pub fn view(&self, now: Instant) -> View {
        let mut inner = self.lock();
        self.gather(&mut inner);
        let add = |(sent, at_work): (u32, u32), (more_sent, more): (u32, u32)| {
            (sent.wrapping_add(more_sent), at_work + more)
        };
        let (sent, at_work) = self.stripes.iter().map(Stripe::calls).fold((0, 0), add);
        View {
            out: self.out(),
            breaker: inner.breaker.phase(),
            at_work,
            sent,
            latency: inner.latency.cost_us(now).map(|us| Duration::from_secs_f64(us / 1e6)),
            weight: self.own_weight() * self.share(self.ms(now)),
        }
    }

    fn publish_latency(&self, latency: &PeakEwma, now: Instant) {
        let pack = |us: f64, at: Instant| {
            let us = (us as f32).max(f32::MIN_POSITIVE);
            u64::from(us.to_bits()) << 32 | u64::from(self.ms(at))
        };
        if latency.peak_us() > 0.0 {
            self.cost.store(pack(latency.peak_us(), now), Relaxed);
        }
        let penalty = latency.penalty().map_or(0, |(cost, since)| pack(cost, since));
        if penalty != self.penalty.load(Relaxed) {
            self.penalty.store(penalty, Relaxed);
        }
        self.typical.store((latency.typical_us().unwrap_or(0.0) as f32).to_bits(), Relaxed);
    }

    fn publish_breaker(&self, inner: &Inner) {
        let breaker = &inner.breaker;
        let mut flags = match breaker.phase() {
            Phase::Closed | Phase::Ramp => 0,
            Phase::Open { until, .. } => {
                // A probe that goes a millisecond late is refused by nobody; one that goes early is.
                self.probe_ms.store(self.ms(until).wrapping_add(1), Relaxed);
                OPEN
            }
            Phase::Probing => OPEN | PROBING,
        };
        if !breaker.is_plain() || inner.latency.penalty().is_some() {
            flags |= WATCHED;
        }
        self.breaker_epoch.store(breaker.epoch(), Relaxed);
        let known = self.flags.load(Relaxed);
        if known & (OPEN | PROBING | WATCHED) != flags {
            self.flags.fetch_or(flags, Relaxed);
            self.flags.fetch_and(!(OPEN | PROBING | WATCHED) | flags, Relaxed);
        }
    }
}
