//! One endpoint and its connection: made when first needed, shared by all calls, made again when it is lost.
//!
//! # Invariants
//! 1. At most one connection is being made at a time, whoever waits for it; it goes on when they go away.
//! 2. After a failure the next attempt waits for its backoff; a call that comes meanwhile is told so at once.
//! 3. What the plan is told of the endpoint (connected, out of reach, silent, leaving) is said by its latest connection.

mod beside;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use sinew_core::{
    backoff::Backoff,
    codes::{Code, Reason},
    limits,
    plan::client::{Member, Out, Placement},
    policy::silence::Life,
};
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, sleep, timeout},
};

use self::beside::{Renewal, Second};
use crate::{
    chance::Chance,
    discovery::Entry,
    error::{Happening, Status, millis},
    metrics::{At, Counts, Service},
    transport::{Connector, Readiness, Session, Turned},
};

/// Where an endpoint is to be, and how to get there.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) connector: Box<dyn Connector>,
    /// How old a connection becomes before another takes its place.
    pub(crate) age: Duration,
}

/// An address of a service, and the connection to it if there is one. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    /// What discovery says of it.
    entry: ArcSwap<Entry>,
    member: Member,
    /// Where it is counted, and what happens to it noted.
    counts: Arc<Counts>,
    seen: Arc<Service>,
    used: AtomicBool,
    connector: Box<dyn Connector>,
    age: Duration,
    state: Mutex<State>,
    changed: Notify,
    /// What the silence of its connection says; see [`Life`].
    life: AtomicU8,
    /// The number of the connection that took the place of one that was dead: what is on an older one is lost.
    replaced: AtomicU64,
}

struct State {
    connection: Connection,
    /// Counts connections, so that an old one does not speak for a new one.
    made: u64,
    backoff: Backoff,
    second: Second,
    seconds: u64,
    renewal: Option<Renewal>,
}

enum Connection {
    None,
    Making,
    Ready(Arc<dyn Session>),
    Failed { status: Status, until: Instant },
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a look at an endpoint finds.
enum Look {
    Ready(Arc<dyn Session>),
    Wait,
    Failed(Status),
}

impl AsRef<Member> for Endpoint {
    fn as_ref(&self) -> &Member {
        &self.0.member
    }
}

impl Endpoint {
    pub(crate) fn new(target: Target, entry: Entry, member: Member, seen: &Arc<Service>) -> Self {
        let name = Arc::from(target.name);
        Self(Arc::new(Shared {
            counts: seen.endpoint(&name),
            seen: Arc::clone(seen),
            used: AtomicBool::new(false),
            name,
            entry: ArcSwap::from_pointee(entry),
            member,
            connector: target.connector,
            age: target.age,
            state: Mutex::new(State {
                connection: Connection::None,
                made: 0,
                backoff: Backoff::new(),
                second: Second::None,
                seconds: 0,
                renewal: None,
            }),
            changed: Notify::new(),
            life: AtomicU8::new(Life::Alive as u8),
            replaced: AtomicU64::new(0),
        }))
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// What discovery says of it: where it is, its zone, its labels.
    pub(crate) fn entry(&self) -> Arc<Entry> {
        self.0.entry.load_full()
    }

    /// Whether discovery says that it has this label.
    pub(super) fn has_label(&self, (name, value): (&str, &str)) -> bool {
        self.0.entry.load().about.labels.get(name).is_some_and(|known| known == value)
    }

    /// Discovery says something else of it, which is worth this to the plan. Its connection stays.
    pub(crate) fn set_entry(&self, entry: &Entry, placement: Placement) {
        self.0.member.set_placement(placement);
        self.0.entry.store(Arc::new(entry.clone()));
    }

    pub(crate) fn member(&self) -> &Member {
        &self.0.member
    }

    /// Where it is counted.
    pub(super) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// An attempt goes there.
    #[inline]
    pub(super) fn attempted(&self) {
        self.0.counts.attempted();
        if !self.0.used.load(Ordering::Relaxed) && !self.0.used.swap(true, Ordering::Relaxed) {
            self.0.decided(Happening::FirstUse);
        }
    }

    /// Whether it has been silent for so long that calls which may be repeated leave it.
    pub(crate) fn is_suspect(&self) -> bool {
        self.0.life.load(Ordering::Relaxed) >= Life::Suspect as u8
    }

    /// Whether it has been silent for so long that it is given up.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.life.load(Ordering::Relaxed) >= Life::Dead as u8
    }

    /// The number of its connection, for [`has_replaced`](Self::has_replaced).
    pub(crate) fn connection(&self) -> u64 {
        self.0.replaced.load(Ordering::Acquire)
    }

    /// Whether that connection was dead, and another took its place.
    pub(crate) fn has_replaced(&self, connection: u64) -> bool {
        self.0.replaced.load(Ordering::Acquire) != connection
    }

    /// A session that takes calls, if there is one.
    pub(crate) fn ready(&self) -> Option<Arc<dyn Session>> {
        let mut state = self.0.lock();
        let session = match &state.connection {
            Connection::Ready(session) if session.readiness() == Readiness::Ready => {
                Arc::clone(session)
            }
            _ => return None,
        };
        Some(if session.is_crowded() { self.0.beside(&mut state, &session) } else { session })
    }

    /// A session that takes calls; connects if need be.
    ///
    /// # Cancel safety
    /// A connection that is being made is finished for whoever comes next.
    pub(crate) async fn session(&self) -> Result<Arc<dyn Session>, Status> {
        loop {
            match self.look() {
                Look::Ready(session) => return Ok(session),
                Look::Failed(status) => return Err(status),
                Look::Wait => {}
            }
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            // It may have changed before we listened.
            match self.look() {
                Look::Ready(session) => return Ok(session),
                Look::Failed(status) => return Err(status),
                Look::Wait => changed.await,
            }
        }
    }

    /// Resolves when something changed: its connection, or it fell silent.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }

    /// Connects if it is time to, without waiting for it.
    pub(crate) fn warm(&self) {
        let _ = self.look();
    }

    /// When an endpoint that failed may be tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match &self.0.lock().connection {
            Connection::Failed { until, .. } => Some(*until),
            Connection::None | Connection::Making | Connection::Ready(_) => None,
        }
    }

    fn look(&self) -> Look {
        let mut state = self.0.lock();
        match &state.connection {
            Connection::Ready(session) if session.readiness() == Readiness::Ready => {
                return Look::Ready(Arc::clone(session));
            }
            Connection::Making => return Look::Wait,
            Connection::Failed { status, until } if Instant::now() < *until => {
                return Look::Failed(status.clone());
            }
            // A session that drains lives on in the calls that it still carries.
            Connection::Ready(_) | Connection::Failed { .. } | Connection::None => {}
        }
        state.connection = Connection::Making;
        drop(state);
        self.0.member.set_connected(false);
        // Made before the task is: whatever becomes of it, even if it is never begun, nobody waits for ever.
        let making = Making { shared: Arc::clone(&self.0), done: false };
        tokio::spawn(making.connect());
        Look::Wait
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of it.
    fn decided(&self, what: Happening) {
        self.seen.decided(Some(&self.name), what);
    }

    /// A connection that was made is the endpoint's from now on. What is on the one before it, if any, is lost.
    fn adopt(self: &Arc<Self>, mut state: MutexGuard<'_, State>, session: Arc<dyn Session>) {
        let before = std::mem::replace(&mut state.connection, Connection::None);
        if let Connection::Ready(_) = before {
            self.replaced.store(state.made + 1, Ordering::Release);
            self.counts.note(At::Replaced);
            self.decided(Happening::Replaced);
        } else {
            self.decided(Happening::Connected);
        }
        self.succeed(state, session);
        if let Connection::Ready(dead) = before {
            dead.nudge();
        }
    }

    /// A connection that was made is the endpoint's from now on. What is on the one before it ends there.
    fn succeed(self: &Arc<Self>, mut state: MutexGuard<'_, State>, session: Arc<dyn Session>) {
        state.backoff.reset();
        state.made += 1;
        let (made, weak) = (state.made, Arc::downgrade(self));
        let now = Instant::now().into_std();
        self.life.store(Life::Alive as u8, Ordering::Relaxed);
        for out in [Out::Draining, Out::Unreachable, Out::Silent] {
            self.member.set_out(out, false, now);
        }
        self.member.set_out(Out::NotServing, !session.serves(self.seen.name()), now);
        self.member.set_connected(true);
        let ready = Connection::Ready(Arc::clone(&session));
        let before = std::mem::replace(&mut state.connection, ready);
        self.counts.note(At::Made);
        self.renew_in_time(&mut state);
        drop(state);
        drop(before);
        session.observe(Box::new(move |turned| {
            if let Some(shared) = weak.upgrade() {
                shared.turned(made, turned);
            }
        }));
    }

    /// Its connection is dead, and may only have lost its way: makes another beside it, until one of the two lives.
    async fn connect_beside(endpoint: Weak<Self>, made: u64) {
        while let Some(endpoint) = endpoint.upgrade() {
            let session = timeout(limits::CONNECT_ATTEMPT, endpoint.connector.connect()).await;
            let session = session.ok().and_then(Result::ok);
            let Some(wait) = endpoint.take_the_place(made, session) else { return };
            drop(endpoint);
            sleep(wait).await;
        }
    }

    /// A connection beside takes the place of the dead one, if it came about; else how long to wait for the next. `None`
    /// when it is over.
    fn take_the_place(
        self: &Arc<Self>,
        made: u64,
        session: Option<Arc<dyn Session>>,
    ) -> Option<Duration> {
        let mut state = self.lock();
        let dead = self.life.load(Ordering::Relaxed) >= Life::Dead as u8;
        if state.made != made || !dead || matches!(state.connection, Connection::Making) {
            return None;
        }
        match session {
            Some(session) => {
                tracing::info!(endpoint = %self.name, "an endpoint is reached by another connection");
                self.adopt(state, session);
                self.changed.notify_waiters();
                None
            }
            None => Some(state.backoff.next(&mut Chance)),
        }
    }

    /// Its connection says what its silence means.
    fn lives(&self, life: Life) {
        let before = self.life.swap(life as u8, Ordering::Relaxed);
        match life {
            Life::Suspect if before < life as u8 => self.decided(Happening::Silent),
            Life::Dead if before < life as u8 => self.decided(Happening::Dead),
            Life::Alive | Life::Quiet if before >= Life::Suspect as u8 => {
                self.decided(Happening::Heard);
            }
            Life::Alive | Life::Quiet | Life::Suspect | Life::Dead => {}
        }
    }

    /// A connection says how it is.
    fn turned(self: &Arc<Self>, made: u64, turned: Turned) {
        // Under the lock: what the next connection says comes after it.
        let mut state = self.lock();
        if state.made != made {
            return;
        }
        let now = Instant::now().into_std();
        match turned {
            Turned::Life(life) => {
                self.lives(life);
                let silent = life >= Life::Suspect;
                if silent {
                    self.changed.notify_waiters();
                }
                if life == Life::Dead {
                    tokio::spawn(Self::connect_beside(Arc::downgrade(self), made));
                }
                if self.member.set_out(Out::Silent, silent, now) {
                    tracing::info!(endpoint = %self.name, ?life, "an endpoint fell silent, or was heard again");
                }
            }
            Turned::Refused => {
                self.life.store(Life::Dead as u8, Ordering::Relaxed);
                self.member.set_connected(false);
                self.member.set_out(Out::Unreachable, true, now);
                // What is out there is still waited for on the connection that there was; the next call needs another.
                let status = Status::not_sent(
                    Code::Unavailable,
                    Reason::ConnectionLost,
                    "the host says that nobody listens at the port any more",
                );
                let wait = state.backoff.next(&mut Chance);
                state.connection = Connection::Failed { status, until: Instant::now() + wait };
                state.made += 1;
                self.changed.notify_waiters();
                self.counts.note(At::PortClosed);
                self.decided(Happening::PortClosed);
                tracing::info!(endpoint = %self.name, "an endpoint is gone: nobody listens there");
            }
            Turned::Draining => {
                self.member.set_connected(false);
                if self.member.set_out(Out::Draining, true, now) {
                    self.counts.note(At::Drained);
                    self.decided(Happening::Draining);
                    tracing::debug!(endpoint = %self.name, "an endpoint takes no more calls");
                }
            }
            Turned::Health => {
                let Connection::Ready(session) = &state.connection else { return };
                let service = self.seen.name();
                let serves = session.serves(service);
                if self.member.set_out(Out::NotServing, !serves, now) {
                    self.decided(if serves { Happening::Serving } else { Happening::NotServing });
                    tracing::info!(endpoint = %self.name, service, serves, "an endpoint says how it is");
                }
            }
            Turned::Gone => {
                self.member.set_connected(false);
                self.life.store(Life::Alive as u8, Ordering::Relaxed);
                self.member.set_out(Out::Silent, false, now);
                // One that asked to be left has been counted.
                if self.member.out() != Some(Out::Draining) {
                    self.counts.note(At::Ended);
                    self.decided(Happening::Disconnected);
                }
            }
        }
    }
}

/// A connection that is being made. Puts the endpoint back if that is torn down.
struct Making {
    shared: Arc<Shared>,
    done: bool,
}

impl Making {
    async fn connect(mut self) {
        let made = timeout(limits::CONNECT_ATTEMPT, self.shared.connector.connect()).await;
        let made = made.unwrap_or_else(|_| Err(no_answer(limits::CONNECT_ATTEMPT)));
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        match made {
            Ok(session) => shared.adopt(state, session),
            Err(status) => {
                let wait = state.backoff.next(&mut Chance);
                tracing::debug!(endpoint = %shared.name, %status, wait = %millis(wait), "could not connect");
                let now = Instant::now();
                shared.counts.note(At::ConnectFailed);
                if shared.member.set_out(Out::Unreachable, true, now.into_std()) {
                    shared.decided(Happening::unreachable(status.message()));
                }
                state.connection = Connection::Failed { status, until: now + wait };
                drop(state);
            }
        }
        self.done = true;
        shared.changed.notify_waiters();
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.done {
            self.shared.lock().connection = Connection::None;
            self.shared.changed.notify_waiters();
        }
    }
}

fn no_answer(after: Duration) -> Status {
    Status::not_sent(
        Code::Unavailable,
        Reason::HandshakeFailed,
        format!(
            "no answer to the handshake within {}; is a server listening there?",
            millis(after)
        ),
    )
}
