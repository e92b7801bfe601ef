//! One service that gets more than it can do, and its callers.
//!
//! # Why
//! Whether a server comes back after a stall is decided by everything at once: who repeats, what is queued, in which
//! order, what is dropped. Here the plans of both sides decide, as in production; what is simulated is the network (none),
//! and the workers: so many calls are worked on at once, the others wait for a worker, inside of the handler, where no
//! plan sees them.

mod came;
mod serving;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt,
    time::{Duration, Instant},
};

use sinew_core::{
    codes::{Code, Criticality, Directive, Disposition, Origin, Reason},
    plan::{
        client::{self, ClientPlan, Failed, Member, Placement, Room, Ticket, Turn, Verdict},
        server,
    },
    policy::budget::Purpose,
    rng::{Rng as _, SplitMix, unit_f64},
};

pub use self::came::{Came, Second};
use self::serving::Server;
use super::world::exponential;
use crate::Must as _;

/// How long a call takes a worker.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Always as long.
    Constant(Duration),
    /// By chance, this long in the mean.
    Exponential(Duration),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// No worker gets on with anything between these times; what was begun ends after it.
    Stall(Duration, Duration),
    /// Every call that begins between these times hangs until it is given up.
    Hang(Duration, Duration),
}

/// A share of the calls.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// How critical they are.
    pub class: Criticality,
    /// How many of all.
    pub share: f64,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Overload {
    /// The server's plan; without one it takes everything in order of arrival, and does it whatever became of the caller.
    pub server: Option<server::Config>,
    /// The clients' plan.
    pub client: client::Config,
    /// Attempts of a call.
    pub attempts: u8,
    /// Servers.
    pub servers: usize,
    /// Calls worked on at once, by each of them.
    pub workers: usize,
    /// What one takes.
    pub takes: Takes,
    /// Calls per second, at each of these times until the next.
    pub rate: Vec<(Duration, f64)>,
    /// For how long.
    pub time: Duration,
    /// What a call may take.
    pub timeout: Duration,
    /// What goes wrong.
    pub trouble: Trouble,
    /// Whether an attempt that was not answered in time is followed by another, which has as long: what people write who
    /// have a time-out per attempt.
    pub again_when_late: bool,
    /// Which calls come; all critical where it is empty.
    pub mix: Vec<Mix>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Attempt {
        call: usize,
    },
    Late {
        call: usize,
        attempt: u64,
    },
    Done {
        attempt: u64,
    },
    /// The server's own clock: the deadline of an attempt there.
    Expires {
        attempt: u64,
    },
    /// It has waited as long as it may.
    Waited {
        attempt: u64,
    },
    /// The trouble is over.
    Resume,
    Second,
}

struct Call {
    began: Duration,
    class: Criticality,
    key: u16,
    turn: Turn,
    out: Option<(u64, Ticket, usize)>,
    attempts: u8,
    deadline: Duration,
    sent: Duration,
}

struct Place(Member);

impl AsRef<Member> for Place {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

struct Run<'a> {
    setup: &'a Overload,
    epoch: Instant,
    now: Duration,
    sequence: u64,
    attempts: u64,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    client: ClientPlan,
    members: Vec<Place>,
    servers: Vec<Server>,
    calls: Vec<Option<Call>>,
    rng: SplitMix,
    refusals: Vec<f64>,
    came: Came,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Overload {
    /// Critical calls, one attempt each, of a server with all mechanisms: 30 workers, 100 ms, a second for each call.
    pub fn new(rate: f64, time: Duration) -> Self {
        Self {
            server: Some(server::Config { cores: 2, ..server::Config::default() }),
            client: client::Config { throttle: false, ..client::Config::default() },
            attempts: 1,
            servers: 1,
            workers: 30,
            takes: Takes::Constant(Duration::from_millis(100)),
            rate: vec![(Duration::ZERO, rate)],
            time,
            timeout: Duration::from_secs(1),
            trouble: Trouble::None,
            again_when_late: false,
            mix: Vec::new(),
        }
    }

    /// Plays it.
    pub fn run(&self, seed: u64) -> Came {
        let epoch = Instant::now();
        let client = ClientPlan::new(self.client, epoch);
        let member = |_| {
            let member = Place(client.member(Placement::default(), false, epoch));
            member.0.set_connected(true);
            member
        };
        let members: Vec<Place> = (0..self.servers).map(member).collect();
        let server = |_| Server::new(self.server, epoch);
        let servers = (0..self.servers).map(server).collect();
        let mut run = Run {
            setup: self,
            epoch,
            now: Duration::ZERO,
            sequence: 0,
            attempts: 0,
            events: BinaryHeap::new(),
            client,
            members,
            servers,
            calls: Vec::new(),
            rng: SplitMix::new(seed),
            refusals: Vec::new(),
            came: Came::default(),
        };
        run.came.seconds.resize(self.time.as_secs() as usize + 1, Second::default());
        run.after(Duration::ZERO, Event::Arrive);
        run.after(Duration::from_secs(1), Event::Second);
        if let Trouble::Stall(_, end) | Trouble::Hang(_, end) = self.trouble {
            run.after(end, Event::Resume);
        }
        while let Some(Reverse((at, _, event))) = run.events.pop() {
            run.now = at;
            run.happens(event);
            run.listen();
        }
        run.came.seconds.pop();
        run.refusals.sort_unstable_by(f64::total_cmp);
        let at = run.refusals.len() * 99 / 100;
        run.came.refused_p99_ms = run.refusals.get(at).copied().unwrap_or_default();
        run.came.refused = run.refusals.len() as u32;
        run.came
    }
}

impl Run<'_> {
    fn after(&mut self, wait: Duration, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now + wait, self.sequence, event)));
    }

    fn instant(&self) -> Instant {
        self.epoch + self.now
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let last = self.came.seconds.len() - 1;
        &mut self.came.seconds[(at.as_secs() as usize).min(last)]
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Attempt { call } => self.attempt(call),
            Event::Late { call, attempt } => self.late(call, attempt),
            Event::Done { attempt } => self.done(attempt),
            Event::Expires { attempt } => self.expires(attempt),
            Event::Waited { attempt } => self.waited(attempt),
            Event::Resume => (0..self.servers.len()).for_each(|at| self.work(at)),
            Event::Second => {
                let limit =
                    self.servers[0].plan.as_ref().and_then(|(plan, ..)| plan.standing().limit);
                self.second(self.now - Duration::from_millis(1)).limit = limit.unwrap_or(0);
                if self.now < self.setup.time {
                    self.after(Duration::from_secs(1), Event::Second);
                }
            }
        }
    }

    // -- callers --

    fn arrive(&mut self) {
        if self.now >= self.setup.time {
            return;
        }
        let rate = self.setup.rate.iter().rev().find(|(from, _)| *from <= self.now);
        let (_, rate) = rate.must("a rate from the beginning");
        let gap = exponential(Duration::from_secs_f64(1.0 / rate), &mut self.rng);
        self.after(gap, Event::Arrive);
        let mut class = Criticality::Critical;
        let mut drawn = unit_f64(&mut self.rng);
        for mix in &self.setup.mix {
            if drawn < mix.share {
                class = mix.class;
                break;
            }
            drawn -= mix.share;
        }
        let key = (self.rng.next_u64() >> 48) as u16;
        let turn = self.client.begin(0, self.setup.attempts, true, self.instant());
        let call = Call {
            began: self.now,
            class,
            key,
            turn,
            out: None,
            attempts: 0,
            deadline: self.now + self.setup.timeout,
            sent: self.now,
        };
        self.calls.push(Some(call));
        let call = self.calls.len() - 1;
        self.second(self.now).offered += 1;
        self.came.classes.entry(class as u8).or_default().0 += 1;
        self.attempt(call);
    }

    fn attempt(&mut self, id: usize) {
        let now = self.instant();
        if self.calls[id].is_none() {
            return;
        }
        let class = self.calls[id].as_ref().map_or(Criticality::Critical, |call| call.class);
        if !self.client.throttle(class, now, &mut self.rng) {
            self.calls[id] = None;
            return;
        }
        let Some(call) = &mut self.calls[id] else { return };
        let picked = self.client.pick(&self.members, &mut call.turn, now, &mut self.rng);
        let picked = picked.must("an endpoint");
        self.attempts += 1;
        let attempt = self.attempts * self.servers.len() as u64 + picked.at as u64;
        call.out = Some((attempt, picked.ticket, picked.at));
        call.sent = self.now;
        call.attempts += 1;
        let there = (call.class, call.key, call.deadline);
        self.second(self.now).sent += 1;
        self.after(there.2 - self.now, Event::Late { call: id, attempt });
        self.reach(id, attempt, there);
    }

    fn late(&mut self, id: usize, attempt: u64) {
        let now = self.instant();
        let Some(call) = self.calls[id].as_mut() else { return };
        let Some((_, ticket, at)) = call.out.take_if(|(known, ..)| *known == attempt) else {
            return;
        };
        let again = self.setup.again_when_late && call.attempts < self.setup.attempts;
        call.deadline = self.now + self.setup.timeout;
        let failed = failure(Disposition::Unknown, Code::DeadlineExceeded, Reason::Expired);
        let outcome = client::Outcome::Failed { failed: &failed, had: Some(self.setup.timeout) };
        let member = &self.members[at].0;
        self.client.settle(&self.members, member, (ticket, outcome), now, &mut self.rng);
        if again && self.client.withdraw(Purpose::Any, now) {
            self.attempt(id);
        } else {
            self.calls[id] = None;
        }
    }

    /// What the server says of an attempt; `None` for a value.
    fn answer(&mut self, id: usize, attempt: u64, failed: Option<Failed>) {
        let now = self.instant();
        let Some(call) = self.calls[id].as_mut() else { return };
        let Some((_, ticket, at)) = call.out.take_if(|(known, ..)| *known == attempt) else {
            return;
        };
        let member = &self.members[at].0;
        if let Some((plan, ..)) = &self.servers[at].plan {
            member.report(0, plan.at_work(), now);
        }
        let Some(failed) = failed else {
            let settled = (ticket, client::Outcome::Answered);
            self.client.settle(&self.members, member, settled, now, &mut self.rng);
            let (began, class) = (call.began, call.class);
            self.calls[id] = None;
            self.second(began).good += 1;
            self.came.classes.entry(class as u8).or_default().1 += 1;
            return;
        };
        self.refusals.push((self.now - call.sent).as_secs_f64() * 1e3);
        let left = call.deadline.saturating_sub(self.now);
        let outcome = client::Outcome::Failed { failed: &failed, had: Some(left) };
        self.client.settle(&self.members, member, (ticket, outcome), now, &mut self.rng);
        let room = Room { endpoints: self.members.len(), left: Some(left) };
        match self.client.failed(&mut call.turn, &failed, room, now, &mut self.rng) {
            Verdict::GiveUp(_) | Verdict::WaitForReady => self.calls[id] = None,
            Verdict::Next => self.after(Duration::ZERO, Event::Attempt { call: id }),
            Verdict::NextAfter(wait) => self.after(wait, Event::Attempt { call: id }),
        }
    }
}

const fn failure(disposition: Disposition, code: Code, reason: Reason) -> Failed {
    let origin = Origin::PeerRuntime;
    Failed { code, reason, disposition, directive: Directive::Default, origin }
}
