//! Clients, servers and the time between them.

mod choose;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    limits,
    plan::client::{
        After, ClientPlan, Config, End, Failed, Hedging, Member, Out, Outcome, Placement, Room,
        Ticket, Turn, Verdict, is_answer,
    },
    rng::{SplitMix, below, unit_f64},
};

pub use self::choose::Choose;
use self::choose::{Durations, Pool};

/// What a server does with a call that a worker takes.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// Answers after this.
    Answers(Duration),
    /// Its handler returns Unavailable after this.
    Fails(Duration),
    /// Refuses it at once, for it has too much to do.
    Refuses,
    /// Refuses it at once, for it drains.
    Drains,
    /// Dies with it: the connection is lost.
    Dies,
    /// Says nothing, ever.
    Hangs,
}

/// What becomes of a call that a worker takes at this time.
pub type Decide = Box<dyn Fn(Duration, &mut SplitMix) -> Fate>;

/// A server: its workers, and what it does with a call at a time.
pub struct ServerSpec {
    /// Calls at work at once; others wait in order.
    pub workers: usize,
    /// What becomes of a call that is taken at this time.
    pub fate: Decide,
}

impl fmt::Debug for ServerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSpec").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// What is simulated.
#[derive(Debug)]
pub struct Setup {
    /// Which mechanisms are at work.
    pub config: Config,
    /// Clients, each with a plan of its own.
    pub clients: usize,
    /// Servers.
    pub servers: Vec<ServerSpec>,
    /// Calls per second of all clients together, by chance (Poisson).
    pub rate: f64,
    /// For how long calls come.
    pub time: Duration,
    /// What comes before this is not counted.
    pub warm_up: Duration,
    /// What a call may take.
    pub timeout: Duration,
    /// Attempts of a call.
    pub attempts: u8,
    /// Whether calls may be repeated.
    pub idempotent: bool,
    /// From a client to a server, or back.
    pub one_way: Duration,
    /// How long after a server began to drain its successor is there.
    pub away: Duration,
    /// Whether servers say with each answer what they have to do.
    pub reports: bool,
    /// When a second attempt goes beside a slow first.
    pub hedge: Option<After>,
    /// Who chooses where an attempt goes.
    pub choose: Choose,
}

impl Setup {
    /// Calls that may be repeated, of clients that have every mechanism, over a network that takes no time.
    pub fn new(servers: Vec<ServerSpec>, rate: f64, time: Duration) -> Self {
        Self {
            config: Config::default(),
            clients: 1,
            servers,
            rate,
            time,
            warm_up: Duration::ZERO,
            timeout: Duration::from_secs(10),
            attempts: limits::ATTEMPTS,
            idempotent: true,
            one_way: Duration::ZERO,
            away: Duration::from_secs(10),
            reports: true,
            hedge: None,
            choose: Choose::Plan,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Calls that began, after the warm-up.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Attempts that reached a server.
    pub attempts: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts that nobody answered in time.
    pub timeouts: u64,
    /// Attempts per server.
    pub per_server: Vec<u64>,
    /// Handlers that began, of one call, at most.
    pub most_runs: u32,
    /// Second attempts beside a slow first.
    pub hedges: u64,
    /// Questions to servers what they have to do.
    pub probes: u64,
    /// Microseconds of the calls that were answered.
    latencies: Vec<f64>,
}

impl Stats {
    /// A quantile of the time that an answered call took, in milliseconds.
    pub fn quantile_ms(&mut self, quantile: f64) -> f64 {
        self.latencies.sort_unstable_by(f64::total_cmp);
        let at = (self.latencies.len() as f64 * quantile) as usize;
        self.latencies
            .get(at.min(self.latencies.len().saturating_sub(1)))
            .map_or(f64::NAN, |us| us / 1e3)
    }

    /// The share of groups of so many answered calls, in the order of their ends, of which one took longer than this.
    pub fn slow_groups(&self, of: usize, than_ms: f64) -> f64 {
        // Before a quantile is asked for: that sorts them.
        let slow = |group: &[f64]| group.iter().any(|us| *us > than_ms * 1e3);
        let slow = self.latencies.chunks_exact(of).filter(|group| slow(group)).count();
        slow as f64 / (self.latencies.len() / of) as f64
    }

    /// The share of attempts that went to these servers.
    pub fn share(&self, servers: &[usize]) -> f64 {
        let there: u64 = servers.iter().map(|at| self.per_server[*at]).sum();
        there as f64 / self.per_server.iter().sum::<u64>().max(1) as f64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Again(usize),
    Hedge { call: usize, attempt: u64 },
    Reach { call: usize, attempt: u64, server: usize },
    Done { call: usize, attempt: u64, server: usize, ends: Ends, met: Met },
    Answer { call: usize, attempt: u64, ends: Ends, at_work: u32 },
    Back { client: usize, server: usize },
    Late { call: usize },
    Probe { client: usize, server: usize },
    Told { client: usize, server: usize, at_work: u32, took_us: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ends {
    Well,
    Unavailable,
    Refused,
    Draining,
    Lost,
}

/// How many calls an attempt met at its server, and when.
type Met = (u32, Duration);

struct Server {
    spec: ServerSpec,
    busy: usize,
    queue: VecDeque<(usize, u64, Met)>,
    durations: Durations,
}

impl Server {
    fn at_work(&self) -> u32 {
        (self.busy + self.queue.len()) as u32
    }
}

struct Client {
    plan: ClientPlan,
    members: Vec<Place>,
    pool: Pool,
}

/// A member that belongs to a server.
struct Place(Member);

impl AsRef<Member> for Place {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

struct Call {
    client: usize,
    began: Duration,
    turn: Turn,
    attempts: u32,
    runs: u32,
    /// One, or two where a hedge is out.
    out: Vec<Sent>,
    hedging: Option<Hedging>,
    counts: bool,
}

/// An attempt that is out.
struct Sent {
    attempt: u64,
    server: usize,
    ticket: Ticket,
    is_hedge: bool,
}

impl Call {
    fn waits_for(&self, attempt: u64) -> Option<usize> {
        self.out.iter().position(|sent| sent.attempt == attempt)
    }
}

/// The simulation.
pub struct World {
    setup: Setup,
    epoch: Instant,
    now: Duration,
    sequence: u64,
    /// Attempts so far.
    sent: u64,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    servers: Vec<Server>,
    clients: Vec<Client>,
    calls: Vec<Option<Call>>,
    free: Vec<usize>,
    rng: SplitMix,
    stats: Stats,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

impl World {
    /// Plays a setup to its end.
    pub fn run(mut setup: Setup, seed: u64) -> Stats {
        let epoch = Instant::now();
        let servers: Vec<Server> = std::mem::take(&mut setup.servers)
            .into_iter()
            .map(|spec| Server {
                spec,
                busy: 0,
                queue: VecDeque::new(),
                durations: Durations::default(),
            })
            .collect();
        let clients = (0..setup.clients)
            .map(|_| {
                let plan = ClientPlan::new(setup.config, epoch);
                let member = |_| Place(plan.member(Placement::default(), false, epoch));
                let members: Vec<Place> = (0..servers.len()).map(member).collect();
                members.iter().for_each(|member| member.0.set_connected(true));
                Client { plan, members, pool: Pool::default() }
            })
            .collect();
        let stats = Stats { per_server: vec![0; servers.len()], ..Stats::default() };
        let mut world = Self {
            setup,
            epoch,
            now: Duration::ZERO,
            sequence: 0,
            sent: 0,
            events: BinaryHeap::new(),
            servers,
            clients,
            calls: Vec::new(),
            free: Vec::new(),
            rng: SplitMix::new(seed),
            stats,
        };
        world.after(Duration::ZERO, Event::Arrive);
        while let Some(Reverse((at, _, event))) = world.events.pop() {
            world.now = at;
            world.happens(event);
        }
        world.stats
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now + wait, self.sequence, event)));
    }

    fn instant(&self) -> Instant {
        self.epoch + self.now
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Again(call) => self.attempt(call),
            Event::Hedge { call, attempt } => self.hedge(call, attempt),
            Event::Reach { call, attempt, server } => {
                let met = (self.servers[server].at_work(), self.now);
                self.servers[server].queue.push_back((call, attempt, met));
                self.work(server);
            }
            Event::Done { call, attempt, server, ends, met: (met, came) } => {
                self.servers[server].busy -= 1;
                self.servers[server].durations.ended(met, self.now - came);
                self.answer(call, attempt, server, ends);
                self.work(server);
            }
            Event::Answer { call, attempt, ends, at_work } => {
                self.answered(call, attempt, ends, at_work);
            }
            Event::Back { client, server } => {
                let member = &self.clients[client].members[server].0;
                member.set_out(Out::Draining, false, self.instant());
            }
            Event::Late { call } => self.late(call),
            Event::Probe { client, server } => self.probed(client, server),
            Event::Told { client, server, at_work, took_us } => {
                self.told(client, server, at_work, took_us);
            }
        }
    }

    fn arrive(&mut self) {
        if self.now < self.setup.time {
            let gap = -(1.0 - unit_f64(&mut self.rng)).ln() / self.setup.rate;
            self.after(Duration::from_secs_f64(gap), Event::Arrive);
        }
        let client = below(&mut self.rng, self.setup.clients as u64) as usize;
        let plan = &self.clients[client].plan;
        let turn = plan.begin(0, self.setup.attempts, self.setup.idempotent, self.instant());
        let counts = self.now >= self.setup.warm_up;
        self.stats.calls += u64::from(counts);
        let call = Call {
            client,
            began: self.now,
            turn,
            attempts: 0,
            runs: 0,
            out: Vec::new(),
            hedging: None,
            counts,
        };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.calls.push(None);
                self.calls.len() - 1
            }
        };
        self.calls[id] = Some(call);
        self.after(self.setup.timeout, Event::Late { call: id });
        self.attempt(id);
    }

    /// Sends the next attempt of a call.
    fn attempt(&mut self, id: usize) {
        let now = self.instant();
        let Some((server, ticket)) = self.choose(id) else { return };
        let Some(call) = &mut self.calls[id] else { return };
        let client = &self.clients[call.client];
        let hedging = match (self.setup.hedge, call.attempts) {
            (Some(after), 0) => Some(client.plan.hedge_admit(1, after, now)),
            _ => None,
        };
        let due = hedging.as_ref().and_then(Hedging::next_wakeup);
        call.hedging = hedging;
        let attempt = self.send(id, server, ticket, false);
        if let Some(due) = due {
            self.after(due - now, Event::Hedge { call: id, attempt });
        }
    }

    /// Sends an attempt: its number, of all that were ever sent, so that what comes late is not taken for another's.
    fn send(&mut self, id: usize, server: usize, ticket: Ticket, is_hedge: bool) -> u64 {
        self.sent += 1;
        let attempt = self.sent;
        if let Some(call) = &mut self.calls[id] {
            call.attempts += 1;
            call.out.push(Sent { attempt, server, ticket, is_hedge });
            if call.counts {
                self.stats.attempts += 1;
                self.stats.hedges += u64::from(is_hedge);
                self.stats.per_server[server] += 1;
            }
        }
        self.after(self.setup.one_way, Event::Reach { call: id, attempt, server });
        attempt
    }

    /// The first attempt is slow: sends a second, if the plan has one.
    fn hedge(&mut self, id: usize, attempt: u64) {
        let now = self.instant();
        let Some(call) = &mut self.calls[id] else { return };
        let waits = call.waits_for(attempt).is_some();
        let Some(hedging) = call.hedging.as_mut().filter(|_| waits) else { return };
        let client = &self.clients[call.client];
        let left = Some((call.began + self.setup.timeout).saturating_sub(self.now));
        let turn = (&mut call.turn, hedging);
        let picked = client.plan.hedge_wake(&client.members, turn, left, now, &mut self.rng);
        if let Ok(picked) = picked {
            self.send(id, picked.at, picked.ticket, true);
        }
    }

    /// What is left of a call's attempts when one of them has ended: given up.
    fn give_up(&mut self, id: usize, end: End) {
        let now = self.instant();
        let Some(call) = &mut self.calls[id] else { return };
        let client = &self.clients[call.client];
        for Sent { server, ticket, .. } in call.out.drain(..) {
            let member = &client.members[server].0;
            let lost = (ticket, Outcome::Abandoned);
            client.plan.settle(&client.members, member, lost, now, &mut self.rng);
        }
        if let Some(hedging) = call.hedging.take() {
            client.plan.hedge_settle(hedging, end, now);
        }
    }

    /// Gives work to the workers of a server that have none.
    fn work(&mut self, at: usize) {
        while self.servers[at].busy < self.servers[at].spec.workers {
            let Some((call, attempt, met)) = self.servers[at].queue.pop_front() else { return };
            // Nobody waits for it any more.
            if self.calls[call].as_ref().is_none_or(|known| known.waits_for(attempt).is_none()) {
                continue;
            }
            let fate = (self.servers[at].spec.fate)(self.now, &mut self.rng);
            let runs = matches!(fate, Fate::Answers(_) | Fate::Fails(_) | Fate::Dies | Fate::Hangs);
            if let Some(call) = &mut self.calls[call] {
                call.runs += u32::from(runs);
            }
            let (takes, ends) = match fate {
                Fate::Answers(takes) => (takes, Ends::Well),
                Fate::Fails(takes) => (takes, Ends::Unavailable),
                Fate::Hangs => continue,
                Fate::Refuses => {
                    self.answer(call, attempt, at, Ends::Refused);
                    continue;
                }
                Fate::Drains => {
                    self.answer(call, attempt, at, Ends::Draining);
                    continue;
                }
                Fate::Dies => {
                    self.answer(call, attempt, at, Ends::Lost);
                    continue;
                }
            };
            self.servers[at].busy += 1;
            self.after(takes, Event::Done { call, attempt, server: at, ends, met });
        }
    }

    fn answer(&mut self, call: usize, attempt: u64, server: usize, ends: Ends) {
        let at_work = self.servers[server].at_work();
        self.after(self.setup.one_way, Event::Answer { call, attempt, ends, at_work });
    }

    fn answered(&mut self, id: usize, attempt: u64, ends: Ends, at_work: u32) {
        let now = self.instant();
        let Some(call) = &mut self.calls[id] else { return };
        let Some(at) = call.waits_for(attempt) else { return };
        let Sent { server, ticket, is_hedge, .. } = call.out.remove(at);
        let client = &self.clients[call.client];
        let member = &client.members[server].0;
        if self.setup.reports && ends == Ends::Well {
            member.report(0, at_work, now);
        }
        let had = Some((call.began + self.setup.timeout).saturating_sub(self.now));
        let failed = match ends {
            Ends::Well => {
                let settled = (ticket, Outcome::Answered);
                client.plan.settle(&client.members, member, settled, now, &mut self.rng);
                self.give_up(id, if is_hedge { End::Hedge } else { End::First });
                return self.ends(id, true);
            }
            Ends::Unavailable => failure(Disposition::Processed, Code::Unavailable, Reason::None),
            Ends::Lost => failure(Disposition::Unknown, Code::Unavailable, Reason::ConnectionLost),
            Ends::Draining => failure(Disposition::Rejected, Code::Unavailable, Reason::Draining),
            Ends::Refused => {
                failure(Disposition::Rejected, Code::ResourceExhausted, Reason::Overloaded)
            }
        };
        self.stats.failures += u64::from(call.counts && ends != Ends::Draining);
        let settled = (ticket, Outcome::Failed { failed: &failed, had });
        client.plan.settle(&client.members, member, settled, now, &mut self.rng);
        let leaves = ends == Ends::Draining && member.set_out(Out::Draining, true, now);
        let of = call.client;
        if !call.out.is_empty() && !is_answer(&failed) {
            // The other may yet answer.
            if let Some(hedging) = &mut call.hedging {
                client.plan.hedge_one_failed(hedging);
            }
            return;
        }
        if let Some(hedging) = call.hedging.take() {
            client.plan.hedge_settle(hedging, End::Failed, now);
        }
        let room = Room { endpoints: client.members.len(), left: had };
        let verdict = client.plan.failed(&mut call.turn, &failed, room, now, &mut self.rng);
        if leaves {
            // It connects again when there is somebody to connect to.
            self.after(self.setup.away, Event::Back { client: of, server });
        }
        match verdict {
            Verdict::GiveUp(_) | Verdict::WaitForReady => self.ends(id, false),
            Verdict::Next => self.attempt(id),
            Verdict::NextAfter(wait) => self.after(wait, Event::Again(id)),
        }
    }

    fn late(&mut self, id: usize) {
        let now = self.instant();
        let Some(call) = &mut self.calls[id] else { return };
        // The place was given to another call meanwhile.
        if self.now < call.began + self.setup.timeout {
            return;
        }
        for Sent { server, ticket, .. } in std::mem::take(&mut call.out) {
            self.stats.timeouts += u64::from(call.counts);
            let client = &self.clients[call.client];
            let failed = failure(Disposition::Unknown, Code::DeadlineExceeded, Reason::Expired);
            let outcome = Outcome::Failed { failed: &failed, had: Some(self.setup.timeout) };
            let member = &client.members[server].0;
            client.plan.settle(&client.members, member, (ticket, outcome), now, &mut self.rng);
        }
        self.give_up(id, End::Abandoned);
        self.ends(id, false);
    }

    fn ends(&mut self, id: usize, well: bool) {
        let Some(call) = self.calls[id].take() else { return };
        self.free.push(id);
        self.stats.most_runs = self.stats.most_runs.max(call.runs);
        if !call.counts {
            return;
        }
        if well {
            self.stats.latencies.push((self.now - call.began).as_secs_f64() * 1e6);
        } else {
            self.stats.failed += 1;
        }
    }
}

const fn failure(disposition: Disposition, code: Code, reason: Reason) -> Failed {
    let origin = match disposition {
        Disposition::Processed => Origin::PeerHandler,
        Disposition::Unknown => Origin::Transport,
        Disposition::NotSent | Disposition::Rejected => Origin::PeerRuntime,
    };
    Failed { code, reason, disposition, directive: Directive::Default, origin }
}

/// A time around `mean` by chance, as the times between rare events are.
pub(super) fn exponential(mean: Duration, rng: &mut SplitMix) -> Duration {
    mean.mul_f64(-(1.0 - unit_f64(rng)).ln())
}
