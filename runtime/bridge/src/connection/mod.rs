//! The connections to one endpoint: made when needed, kept while they are of use, never used again in doubt.
//!
//! # Invariants
//! 1. A connection carries one request at a time (HTTP/1.1), and the next only after the answer before it was read to its end.
//! 2. How many requests are out at once, and how many connections wait, is bounded.

mod connect;
mod lease;
mod tls;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::client::conn::{http1, http2};
use sinew::{Code, Reason, Status, foreign};
use sinew_core::limits;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
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
    idle: Vec<Idle>,
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
    pub(crate) async fn warm(&self) -> Result<(), Status> {
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
        while let Some(idle) = state.idle.pop() {
            if idle.until > now && !idle.connection.is_closed() {
                return Some(Connection::One(idle.connection));
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end, for so long.
    fn keep(&self, connection: http1::SendRequest<Outgoing>, idle: Duration) {
        if connection.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut state = self.lock();
        // Those that waited longest are first, and have the least to live for.
        if state.idle.len() >= limits::HTTP_IDLE_MAX
            || state.idle.first().is_some_and(|oldest| oldest.until <= now)
        {
            state.idle.remove(0);
        }
        state.idle.push(Idle { connection, until: now + idle });
    }
}

/// A status of an endpoint that cannot be reached.
fn gone(why: String) -> Status {
    foreign::not_sent(Code::Unavailable, Reason::HandshakeFailed, why)
}
