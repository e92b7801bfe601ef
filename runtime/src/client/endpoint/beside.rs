//! Connections beside the one that an endpoint has: a second one while the first is crowded, and its successor when it
//! has become old.
//!
//! # Why
//! One connection carries as many calls as its server takes at once (1,024), and is driven by one task. Where four
//! fifths of that are out, a second one takes what comes (gRPC proposal A105 does the same with streams), and goes when
//! the first had room for 30 s. And a connection that lives for ever keeps its first certificate and its first path for
//! ever: after an hour, give or take a tenth so that clients do not come back together, calls move to a new one. Those
//! in flight end where they are; none fails for it.
//!
//! # Invariants
//! 1. There are never more than two that take calls, and never more than one of each kind being made.
//! 2. Neither ever takes away a connection that works before there is another.

use std::{
    sync::{Arc, MutexGuard, Weak},
    time::Duration,
};

use sinew_core::{limits, policy::silence::Life, rng::unit_f64};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{Connection, Shared, State};
use crate::{
    chance::Chance,
    error::Happening,
    metrics::At,
    transport::{Readiness, Session, Turned},
};

/// The second connection of an endpoint.
pub(super) enum Second {
    None,
    Making,
    Ready {
        session: Arc<dyn Session>,
        /// Counts second connections, so that an old one does not speak for a new one.
        number: u64,
        /// When the first was crowded last.
        used: Instant,
    },
}

/// What makes a successor when a connection has become old; ends with it.
pub(super) struct Renewal(JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    /// The connection for another call, where the first is crowded.
    pub(super) fn beside(
        self: &Arc<Self>,
        state: &mut State,
        first: &Arc<dyn Session>,
    ) -> Arc<dyn Session> {
        match &mut state.second {
            Second::Ready { session, used, .. } if session.readiness() == Readiness::Ready => {
                *used = Instant::now();
                // Both crowded: each gets half of what comes.
                if session.is_crowded() && fastrand::bool() {
                    return Arc::clone(first);
                }
                Arc::clone(session)
            }
            Second::Making => Arc::clone(first),
            Second::None | Second::Ready { .. } => {
                state.second = Second::Making;
                tokio::spawn(make_second(Arc::downgrade(self)));
                Arc::clone(first)
            }
        }
    }

    /// A second connection turned: what does not work is not kept.
    fn second_turned(&self, number: u64, turned: Turned) {
        let over = match turned {
            Turned::Life(life) => life >= Life::Suspect,
            Turned::Refused | Turned::Draining | Turned::Gone => true,
            Turned::Health => false,
        };
        if over {
            let second = self.lock().take_second(number);
            if second.is_some() {
                self.counts.note(At::Ended);
                self.decided(Happening::SecondEnded);
            }
            // Not under the lock: what is dropped here may close, and tell.
            drop(second);
        }
    }

    /// When this connection has become old, another takes its place.
    pub(super) fn renew_in_time(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) {
        let jitter = limits::CONNECTION_AGE_JITTER * (2.0 * unit_f64(&mut Chance) - 1.0);
        let age = self.age.mul_f64(1.0 + jitter);
        let renewal = tokio::spawn(renew(Arc::downgrade(self), state.made, age));
        state.renewal = Some(Renewal(renewal));
    }
}

impl Shared {
    /// Whether there is nothing more to renew: a successor takes over, or the connection is gone.
    fn is_renewed(self: &Arc<Self>, made: u64, successor: Option<Arc<dyn Session>>) -> bool {
        let state = self.lock();
        if state.made != made || !matches!(state.connection, Connection::Ready(_)) {
            return true;
        }
        let Some(successor) = successor else { return false };
        tracing::debug!(
            endpoint = %self.name,
            "calls move to a new connection: theirs is old (CONNECTION_AGE)"
        );
        self.counts.note(At::Renewed);
        self.decided(Happening::Renewed);
        self.succeed(state, successor);
        true
    }
}

impl State {
    fn take_second(&mut self, number: u64) -> Option<Second> {
        match &self.second {
            Second::Ready { number: known, .. } if *known == number => {
                Some(std::mem::replace(&mut self.second, Second::None))
            }
            _ => None,
        }
    }
}

async fn make_second(endpoint: Weak<Shared>) {
    let Some(shared) = endpoint.upgrade() else { return };
    let session = timeout(limits::CONNECT_ATTEMPT, shared.connector.connect()).await;
    let Ok(Ok(session)) = session else {
        // The first goes on; whoever finds it crowded after a moment tries again.
        sleep(limits::CONNECT_ATTEMPT).await;
        shared.lock().second = Second::None;
        return;
    };
    let number = {
        let mut state = shared.lock();
        state.seconds += 1;
        let number = state.seconds;
        let session = Arc::clone(&session);
        state.second = Second::Ready { session, number, used: Instant::now() };
        number
    };
    shared.counts.note(At::Made);
    shared.decided(Happening::SecondConnected);
    tracing::debug!(endpoint = %shared.name, "a second connection takes calls: the first is crowded (CROWDED)");
    let weak = endpoint.clone();
    session.observe(Box::new(move |turned| {
        if let Some(shared) = weak.upgrade() {
            shared.second_turned(number, turned);
        }
    }));
    drop((session, shared));
    // Until the first had room for long enough.
    loop {
        sleep(limits::SECOND_CONNECTION_KEPT / 3).await;
        let Some(shared) = endpoint.upgrade() else { return };
        let mut state = shared.lock();
        let idle = match &state.second {
            Second::Ready { number: known, used, .. } if *known == number => used.elapsed(),
            _ => return,
        };
        if idle >= limits::SECOND_CONNECTION_KEPT {
            let second = state.take_second(number);
            drop(state);
            drop(second);
            shared.counts.note(At::NotNeeded);
            shared.decided(Happening::SecondEnded);
            tracing::debug!(endpoint = %shared.name, "the second connection is not needed any more");
            return;
        }
    }
}

/// Makes a successor once the connection is old, as often as it takes; the old one goes on meanwhile.
async fn renew(endpoint: Weak<Shared>, made: u64, age: Duration) {
    sleep(age).await;
    while let Some(shared) = endpoint.upgrade() {
        let session = timeout(limits::CONNECT_ATTEMPT, shared.connector.connect()).await;
        if shared.is_renewed(made, session.ok().and_then(Result::ok)) {
            return;
        }
        drop(shared);
        sleep(age.mul_f64(limits::CONNECTION_AGE_JITTER)).await;
    }
}
