//! One endpoint and its connection: made when first needed, shared by all calls, made again when it is lost.
//!
//! # Invariants
//! 1. At most one connection is being made at a time, whoever waits for it; it goes on when they go away.
//! 2. After a failure the next attempt waits for its backoff; a call that comes meanwhile is told so at once.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sinew_core::{
    backoff::Backoff,
    codes::{Code, Reason},
    limits,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    chance::Chance,
    error::{Status, millis},
    transport::{Connector, Readiness, Session},
};

/// An address of a service, and the connection to it if there is one.
#[derive(Debug)]
pub(crate) struct Endpoint {
    name: Arc<str>,
    shared: Arc<Shared>,
}

struct Shared {
    connector: Box<dyn Connector>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    connection: Connection,
    backoff: Backoff,
}

enum Connection {
    None,
    Making,
    Ready(Arc<dyn Session>),
    Failed { status: Status, until: Instant },
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connector", &self.connector).finish_non_exhaustive()
    }
}

/// What a look at an endpoint finds.
enum Look {
    Ready(Arc<dyn Session>),
    Wait,
    Failed(Status),
}

impl Endpoint {
    pub(crate) fn new(name: &str, connector: Box<dyn Connector>) -> Self {
        Self {
            name: Arc::from(name),
            shared: Arc::new(Shared {
                connector,
                state: Mutex::new(State { connection: Connection::None, backoff: Backoff::new() }),
                changed: Notify::new(),
            }),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A session that takes calls, if there is one.
    pub(crate) fn ready(&self) -> Option<Arc<dyn Session>> {
        match &self.shared.lock().connection {
            Connection::Ready(session) if session.readiness() == Readiness::Ready => {
                Some(Arc::clone(session))
            }
            _ => None,
        }
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
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            // It may have changed before we listened.
            match self.look() {
                Look::Ready(session) => return Ok(session),
                Look::Failed(status) => return Err(status),
                Look::Wait => changed.await,
            }
        }
    }

    /// Connects if it is time to, without waiting for it.
    pub(crate) fn warm(&self) {
        let _ = self.look();
    }

    /// When an endpoint that failed may be tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match &self.shared.lock().connection {
            Connection::Failed { until, .. } => Some(*until),
            Connection::None | Connection::Making | Connection::Ready(_) => None,
        }
    }

    fn look(&self) -> Look {
        let mut state = self.shared.lock();
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
        // Made before the task is: whatever becomes of it, even if it is never begun, nobody waits for ever.
        let making = Making { shared: Arc::clone(&self.shared), done: false };
        tokio::spawn(making.connect(Arc::clone(&self.name)));
        Look::Wait
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is being made. Puts the endpoint back if that is torn down.
struct Making {
    shared: Arc<Shared>,
    done: bool,
}

impl Making {
    async fn connect(mut self, name: Arc<str>) {
        let made = timeout(limits::CONNECT_ATTEMPT, self.shared.connector.connect()).await;
        let made = made.unwrap_or_else(|_| Err(no_answer(limits::CONNECT_ATTEMPT)));
        let mut state = self.shared.lock();
        state.connection = match made {
            Ok(session) => {
                state.backoff.reset();
                Connection::Ready(session)
            }
            Err(status) => {
                let wait = state.backoff.next(&mut Chance);
                tracing::debug!(endpoint = %name, %status, wait = %millis(wait), "could not connect");
                Connection::Failed { status, until: Instant::now() + wait }
            }
        };
        drop(state);
        self.done = true;
        self.shared.changed.notify_waiters();
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
