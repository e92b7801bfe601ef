//! Many clients and many servers, each client with an aperture: how even the work is, and how long it takes to be so again
//! when a tenth of the servers leave.
//!
//! # Why
//! The other simulation has each client know all servers, which are a million members where there are a thousand of
//! each. Here a client has the members of its aperture, drawn and drawn again by the plan as production does it, and only
//! what that needs is simulated: calls of one attempt, servers with a number of workers, lists that arrive late.
//!
//! # Not here
//! Failures, retries, handshakes: what a server that leaves had at work is finished, as when it drains.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use sinew_core::{
    plan::client::{ClientPlan, Config, Member, Out, Outcome, Placement, Ticket},
    rng::{Rng as _, SplitMix, below, unit_f64},
};

use super::{disturbed::Disturbed, world::exponential};
use crate::Must as _;

/// What a call takes at a worker, on average, by chance.
const TAKES: Duration = Duration::from_millis(10);
/// From a client to a server, or back.
const ONE_WAY: Duration = Duration::from_micros(100);
/// Within this a client hears of a new list, by chance.
const LISTED_WITHIN: Duration = Duration::from_secs(1);
/// What is counted apart.
const WINDOW: Duration = Duration::from_millis(250);

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// Clients, of which each calls as often as any other.
    pub clients: usize,
    /// Servers.
    pub servers: usize,
    /// Calls that one of them works on at once.
    pub workers: usize,
    /// Servers that a client uses.
    pub aperture: usize,
    /// Whether servers are disturbed now and then: `Disturbed`.
    pub disturbed: bool,
    /// Whether servers say what they have to do.
    pub reports: bool,
    /// The share of their time in which workers have something to do.
    pub utilisation: f64,
    /// For how long calls come.
    pub time: Duration,
    /// When a tenth of the servers leave.
    pub leave: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Clients of each server at the beginning.
    pub clients_of: Vec<u32>,
    /// Calls of each server, before any leaves.
    pub calls_before: Vec<u32>,
    /// Of each window: how even calls were over the servers that are there.
    pub windows: Vec<Spread>,
    /// Connections made after the beginning.
    pub connected: u64,
    /// Calls that went to a server that had left already.
    pub astray: u64,
    /// When the last client had a new aperture.
    pub listed: Duration,
    /// Microseconds of each call that began after the first second.
    pub took_us: Vec<f64>,
}

/// How even something is over the servers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// The most, as a multiple of the mean.
    pub most: f64,
    /// What one of a hundred exceeds, as a multiple of the mean.
    pub p99: f64,
}

impl Seen {
    /// For how long after this time calls were less even than before: by more than a tenth, as one server of a hundred has it.
    pub fn uneven_for(&self, since: Duration) -> Duration {
        let begin = (since.as_secs_f64() / WINDOW.as_secs_f64()) as usize;
        let (before, after) = self.windows.split_at(begin.min(self.windows.len()));
        let usual = before.iter().map(|window| window.p99).sum::<f64>() / before.len() as f64;
        let last = after.iter().rposition(|window| window.p99 > usual * 1.1);
        last.map_or(Duration::ZERO, |last| WINDOW * (last as u32 + 1))
    }
}

impl Spread {
    /// Of these.
    pub fn of(counts: impl Iterator<Item = u32>) -> Self {
        let mut counts: Vec<f64> = counts.map(f64::from).collect();
        counts.sort_unstable_by(f64::total_cmp);
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let at = |share: f64| counts[((counts.len() - 1) as f64 * share) as usize] / mean;
        Self { most: at(1.0), p99: at(0.99) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Reach(usize),
    Done { call: usize, server: usize },
    Answer { call: usize, at_work: u32 },
    Leave,
    List(usize),
    Window,
}

struct Server {
    is_there: bool,
    disturbed: Option<Disturbed>,
    busy: usize,
    queue: VecDeque<usize>,
    window: u32,
}

impl Server {
    fn at_work(&self) -> u32 {
        (self.busy + self.queue.len()) as u32
    }
}

struct Client {
    plan: ClientPlan,
    number: u64,
    members: Vec<Place>,
}

/// A member, and the server that it stands for.
#[derive(Clone)]
struct Place(std::sync::Arc<(Member, usize)>);

impl AsRef<Member> for Place {
    fn as_ref(&self) -> &Member {
        &self.0.0
    }
}

struct Call {
    client: usize,
    place: Place,
    ticket: Ticket,
    began: Duration,
}

/// The simulation.
struct World {
    crowd: Crowd,
    epoch: Instant,
    now: Duration,
    sequence: u64,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    servers: Vec<Server>,
    clients: Vec<Client>,
    calls: Vec<Option<Call>>,
    free: Vec<usize>,
    rng: SplitMix,
    seen: Seen,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Crowd {
    /// Plays it to its end.
    pub fn run(self, seed: u64) -> Seen {
        let epoch = Instant::now();
        let mut rng = SplitMix::new(seed);
        let mut chance = SplitMix::new(rng.next_u64());
        let server = |_| Server {
            is_there: true,
            disturbed: self.disturbed.then(|| Disturbed::new(self.time * 2, &mut chance)),
            busy: 0,
            queue: VecDeque::new(),
            window: 0,
        };
        let servers = (0..self.servers).map(server).collect();
        let client = |_| Client {
            plan: ClientPlan::new(Config::default(), epoch),
            number: rng.next_u64(),
            members: Vec::new(),
        };
        let clients = (0..self.clients).map(client).collect();
        let seen = Seen {
            clients_of: vec![0; self.servers],
            calls_before: vec![0; self.servers],
            ..Seen::default()
        };
        let mut world = World {
            crowd: self,
            epoch,
            now: Duration::ZERO,
            sequence: 0,
            events: BinaryHeap::new(),
            servers,
            clients,
            calls: Vec::new(),
            free: Vec::new(),
            rng,
            seen,
        };
        (0..self.clients).for_each(|client| world.list(client));
        let apertures = world.clients.iter().flat_map(|client| &client.members);
        apertures.for_each(|place| world.seen.clients_of[place.0.1] += 1);
        (world.seen.connected, world.seen.listed) = (0, Duration::ZERO);
        world.after(Duration::ZERO, Event::Arrive);
        world.after(WINDOW, Event::Window);
        if let Some(leave) = self.leave {
            world.after(leave, Event::Leave);
        }
        while let Some(Reverse((at, _, event))) = world.events.pop() {
            world.now = at;
            world.happens(event);
        }
        world.seen
    }
}

impl World {
    fn after(&mut self, wait: Duration, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now + wait, self.sequence, event)));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Reach(call) => {
                let Some(known) = &self.calls[call] else { return };
                let server = known.place.0.1;
                self.servers[server].queue.push_back(call);
                self.work(server);
            }
            Event::Done { call, server } => {
                self.servers[server].busy -= 1;
                let at_work = self.servers[server].at_work();
                self.after(ONE_WAY, Event::Answer { call, at_work });
                self.work(server);
            }
            Event::Answer { call, at_work } => self.answered(call, at_work),
            Event::Leave => self.leave(),
            Event::List(client) => self.list(client),
            Event::Window => self.window(),
        }
    }

    fn arrive(&mut self) {
        if self.now >= self.crowd.time {
            return;
        }
        let mut rate = (self.crowd.servers * self.crowd.workers) as f64 / TAKES.as_secs_f64();
        if self.crowd.disturbed {
            rate *= Disturbed::SPEED;
        }
        let gap = exponential(Duration::from_secs(1), &mut self.rng);
        self.after(gap.div_f64(rate * self.crowd.utilisation), Event::Arrive);
        let at = below(&mut self.rng, self.clients.len() as u64) as usize;
        let (now, client) = (self.epoch + self.now, &self.clients[at]);
        let mut turn = client.plan.begin(0, 1, true, now);
        let picked = client.plan.pick(&client.members, &mut turn, now, &mut self.rng);
        let picked = picked.must("an endpoint");
        let place = client.members[picked.at].clone();
        let server = place.0.1;
        self.seen.astray += u64::from(!self.servers[server].is_there);
        self.servers[server].window += 1;
        if self.crowd.leave.is_none_or(|leave| self.now < leave) {
            self.seen.calls_before[server] += 1;
        }
        let call = Some(Call { client: at, place, ticket: picked.ticket, began: self.now });
        let id = self.free.pop().unwrap_or_else(|| {
            self.calls.push(None);
            self.calls.len() - 1
        });
        self.calls[id] = call;
        self.after(ONE_WAY, Event::Reach(id));
    }

    fn work(&mut self, at: usize) {
        while self.servers[at].busy < self.crowd.workers {
            let Some(call) = self.servers[at].queue.pop_front() else { return };
            self.servers[at].busy += 1;
            let slower = match &self.servers[at].disturbed {
                Some(disturbed) => disturbed.slower(self.now),
                None => 1,
            };
            let takes = exponential(TAKES, &mut self.rng) * slower;
            self.after(takes, Event::Done { call, server: at });
        }
    }

    fn answered(&mut self, id: usize, at_work: u32) {
        let Some(Call { client, place, ticket, began }) = self.calls[id].take() else { return };
        self.free.push(id);
        let (now, client) = (self.epoch + self.now, &self.clients[client]);
        if self.crowd.reports {
            place.as_ref().report(0, at_work, now);
        }
        let settled = (ticket, Outcome::Answered);
        client.plan.settle(&client.members, place.as_ref(), settled, now, &mut self.rng);
        if began >= Duration::from_secs(1) {
            self.seen.took_us.push((self.now - began).as_secs_f64() * 1e6);
        }
    }

    /// A tenth of the servers say goodbye to their clients, which hear of the new list later.
    fn leave(&mut self) {
        let going = |at: usize| at % 10 == 3;
        let now = self.epoch + self.now;
        for client in &self.clients {
            for place in client.members.iter().filter(|place| going(place.0.1)) {
                place.as_ref().set_out(Out::Draining, true, now);
            }
        }
        let gone = self.servers.iter_mut().enumerate().filter(|(at, _)| going(*at));
        gone.for_each(|(_, server)| server.is_there = false);
        for client in 0..self.clients.len() {
            let wait = LISTED_WITHIN.mul_f64(unit_f64(&mut self.rng));
            self.after(wait, Event::List(client));
        }
    }

    /// A client hears which servers there are, and draws its aperture.
    fn list(&mut self, at: usize) {
        let listed: Vec<usize> =
            (0..self.servers.len()).filter(|at| self.servers[*at].is_there).collect();
        let mut placements: Vec<Placement> = listed.iter().map(|at| placement(*at)).collect();
        let client = &mut self.clients[at];
        client.plan.draw_aperture(client.number, self.crowd.aperture, &mut placements);
        let now = self.epoch + self.now;
        let fresh = !client.members.is_empty();
        let mut known: BTreeMap<usize, Place> =
            client.members.drain(..).map(|place| (place.0.1, place)).collect();
        let inside = listed.iter().zip(&placements).filter(|(_, placement)| placement.inside);
        for (server, placement) in inside {
            let place = known.remove(server).unwrap_or_else(|| {
                self.seen.connected += 1;
                let member = client.plan.member(*placement, fresh, now);
                member.set_connected(true);
                Place(std::sync::Arc::new((member, *server)))
            });
            place.as_ref().set_placement(*placement);
            client.members.push(place);
        }
        client.plan.arrange(&mut client.members);
        client.plan.recount(&client.members);
        self.seen.listed = self.now;
    }

    fn window(&mut self) {
        let there = self.servers.iter().filter(|server| server.is_there);
        self.seen.windows.push(Spread::of(there.map(|server| server.window)));
        self.servers.iter_mut().for_each(|server| server.window = 0);
        if self.now < self.crowd.time {
            self.after(WINDOW, Event::Window);
        }
    }
}

/// What is listed of a server: its hash is that of an address.
fn placement(at: usize) -> Placement {
    Placement { hash: SplitMix::new(at as u64).next_u64(), ..Placement::default() }
}
