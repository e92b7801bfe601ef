//! The connections to one endpoint: made when needed, kept while they are of use, never used again in doubt.
//!
//! # Invariants
//! 1. A connection carries one request at a time (HTTP/1.1), and the next only after the answer before it was read to its end.
//! 2. How many requests are out at once, and how many connections wait, is bounded.

mod connect;
mod lease;
mod tls;

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hyper::client::conn::{http1, http2};
use sinew::{Code, Reason, Status, foreign};
use sinew_core::limits;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};

pub(crate) use self::{
    lease::{Lease, Sent, describe, idle_for},
    tls::{Tls, TlsOptions},
};
use crate::{address::Address, request::Outgoing};

/// A connection that takes requests.
#[derive(Debug)]
enum Connection {
    One(http1::SendRequest<Outgoing>),
    Many(http2::SendRequest<Outgoing>),
}

/// How long a connection may take to be ready again: its task need only run once.
const READY: Duration = Duration::from_millis(10);

impl Connection {
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::One(connection) => {
                connection.is_ready()
                    || matches!(Box::pin(timeout(READY, connection.ready())).await, Ok(Ok(())))
            }
            Self::Many(connection) => connection.ready().await.is_ok(),
        }
    }
}

/// The connections to one endpoint.
pub(crate) struct Pool {
    address: Address,
    tls: Option<Tls>,
    /// `h2c`: HTTP/2 is spoken without TLS, and without asking.
    is_prior_knowledge: bool,
    state: Mutex<State>,
    /// Requests that may be out at once.
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    /// The one that was used last is last.
    idle: VecDeque<Idle>,
    /// A task closes those that have waited for long enough.
    is_reaped: bool,
    many: Option<http2::SendRequest<Outgoing>>,
}

/// A connection that nobody uses.
struct Idle {
    connection: http1::SendRequest<Outgoing>,
    until: Instant,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.address.to_string()).finish()
    }
}

impl Pool {
    pub(crate) fn new(address: Address, tls: Option<Tls>, is_prior_knowledge: bool) -> Self {
        Self {
            address,
            tls,
            is_prior_knowledge,
            state: Mutex::default(),
            places: Arc::new(Semaphore::new(limits::HTTP_CONNECTIONS_MAX)),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection and keeps it for the first request.
    pub(crate) async fn warm(self: &Arc<Self>) -> Result<(), Status> {
        match self.connect().await? {
            Connection::One(connection) => self.keep(connection, limits::HTTP_IDLE),
            Connection::Many(connection) => self.lock().many = Some(connection),
        }
        Ok(())
    }

    /// A connection that takes a request now: one that waits, else a new one.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place, and the connection if one is being made.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, Status> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| gone("the pool is closed".to_owned()))?;
        while let Some(mut connection) = self.waiting() {
            if connection.is_ready().await {
                return Ok(Lease::new(Arc::clone(self), connection, place, true));
            }
        }
        // Rare, and large: whatever is moved with a future is moved with each call.
        let connection = Box::pin(self.connect()).await?;
        if let Connection::Many(many) = &connection {
            self.lock().many = Some(many.clone());
        }
        Ok(Lease::new(Arc::clone(self), connection, place, false))
    }

    /// A connection that waits and is still of use.
    fn waiting(&self) -> Option<Connection> {
        let mut state = self.lock();
        match &state.many {
            Some(many) if !many.is_closed() => return Some(Connection::Many(many.clone())),
            Some(_) => state.many = None,
            None => {}
        }
        let now = Instant::now();
        while let Some(idle) = state.idle.pop_back() {
            if idle.until > now && !idle.connection.is_closed() {
                return Some(Connection::One(idle.connection));
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end, for so long.
    fn keep(self: &Arc<Self>, connection: http1::SendRequest<Outgoing>, idle: Duration) {
        if connection.is_closed() {
            return;
        }
        let until = Instant::now() + idle;
        let mut state = self.lock();
        if state.idle.len() >= limits::HTTP_IDLE_MAX {
            state.idle.pop_front();
        }
        state.idle.push_back(Idle { connection, until });
        if !std::mem::replace(&mut state.is_reaped, true) {
            tokio::spawn(reap(Arc::downgrade(self)));
        }
    }

    /// Closes what has waited for long enough; when to look again, if anything is left.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        state.idle.retain(|idle| idle.until > now && !idle.connection.is_closed());
        let next = state.idle.iter().map(|idle| idle.until).min();
        state.is_reaped = next.is_some();
        next
    }
}

/// Closes connections that nobody used in time, until none wait.
async fn reap(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_old()) {
        sleep_until(next).await;
    }
}

/// A status of an endpoint that cannot be reached.
fn gone(why: String) -> Status {
    foreign::not_sent(Code::Unavailable, Reason::HandshakeFailed, why)
}
