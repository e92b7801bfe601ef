//! Connections that never leave the process: a pair of links over bounded byte pipes.
//!
//! # Why
//! `Client::local` and most tests want the whole pipeline without a socket, a certificate or a
//! clock. They must meet what QUIC does, and where QUIC leaves a choice its harsher side, or code
//! passes here and fails there:
//!
//! - a stream shows at the peer with its first byte or end, not when it is opened;
//! - bytes that were not read when the connection closes are lost, finished or not;
//! - credit comes back when the peer is through with a stream, and lowering the limit takes nothing
//!   back.
//!
//! # Invariants
//! 1. No task, timer or clock: everything happens in the call that causes it, in any runtime.
//! 2. All changes go through [`Shared::with`]: under the lock nothing is woken and no foreign
//!    destructor runs.
//! 3. A side closes, with code 0, when its link and all its halves of streams are dropped.
//!
//! # Not here
//! Loss, delay and the window of a whole connection: there are none. TLS: the caller says who both
//! sides are.

mod due;
mod pipe;
mod state;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::spiffe::SpiffeId;
use tokio::sync::Notify;

use self::{
    due::Due,
    state::{Kind, Side, State},
};
use super::link::{Link, LinkError, LinkFuture, LinkPeer, LinkRecv, LinkSend, printable};

/// A connection between `client` and `server`: the client's end, then the server's.
pub(crate) fn pair(client: SpiffeId, server: SpiffeId) -> (Arc<dyn Link>, Arc<dyn Link>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::new()), changed: Notify::new() });
    let end = |side, identity| -> Arc<dyn Link> {
        let hold = Arc::new(Hold { shared: Arc::clone(&shared), side });
        Arc::new(MemoryLink { hold, peer: LinkPeer { identity, address: None } })
    };
    (end(Side::Client, server), end(Side::Server, client))
}

/// What both sides hold.
struct Shared {
    state: Mutex<State>,
    /// Rung when streams came, credit came back or the connection closed. One bell for all: it
    /// rings a few times per stream, for a handful of listeners.
    changed: Notify,
}

impl Shared {
    /// Changes the state, and does what follows from it once the lock is free.
    fn with<T>(&self, change: impl FnOnce(&mut State, &mut Due) -> T) -> T {
        let mut due = Due::default();
        let outcome = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut state, &mut due)
        };
        if due.settle() {
            self.changed.notify_waiters();
        }
        outcome
    }

    /// Tries `attempt` now and after every ring of the bell until it is ready.
    ///
    /// Cancel safe: what an attempt took is returned in the same poll.
    async fn until<T>(&self, attempt: impl Fn(&mut State) -> Poll<T>) -> T {
        loop {
            // Made before the attempt: it hears every ring from now on.
            let changed = self.changed.notified();
            if let Poll::Ready(value) = self.with(|state, _| attempt(state)) {
                return value;
            }
            changed.await;
        }
    }

    fn close(&self, by: Side, code: u32, reason: &str) {
        let reason = printable(reason.as_bytes());
        self.with(|state, due| state.close(by, code, reason, due));
    }
}

/// Keeps one side of the connection open: shared by its link and its halves of streams, as quinn
/// counts them.
struct Hold {
    shared: Arc<Shared>,
    side: Side,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.close(self.side, 0, "");
    }
}

/// One end of the connection.
struct MemoryLink {
    hold: Arc<Hold>,
    peer: LinkPeer,
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        self.close(0, "");
    }
}

impl MemoryLink {
    async fn open(&self, kind: Kind) -> Result<u64, LinkError> {
        let Hold { shared, side } = &*self.hold;
        shared.until(|state| state.open(*side, kind)).await
    }

    async fn accept(&self, kind: Kind) -> Result<u64, LinkError> {
        let Hold { shared, side } = &*self.hold;
        shared.until(|state| state.accept(*side, kind)).await
    }

    fn send(&self, id: u64) -> Box<dyn LinkSend> {
        Box::new(MemorySend(Half { hold: Arc::clone(&self.hold), id }))
    }

    fn recv(&self, id: u64) -> Box<dyn LinkRecv> {
        Box::new(MemoryRecv(Half { hold: Arc::clone(&self.hold), id }))
    }
}

impl Link for MemoryLink {
    fn certificates(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn peer(&self) -> &LinkPeer {
        &self.peer
    }

    fn open_bi(&self) -> LinkFuture<'_, Result<(Box<dyn LinkSend>, Box<dyn LinkRecv>), LinkError>> {
        Box::pin(async {
            let id = self.open(Kind::Bi).await?;
            Ok((self.send(id), self.recv(id)))
        })
    }

    fn open_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkSend>, LinkError>> {
        Box::pin(async { Ok(self.send(self.open(Kind::Uni).await?)) })
    }

    fn accept_bi(
        &self,
    ) -> LinkFuture<'_, Result<(Box<dyn LinkSend>, Box<dyn LinkRecv>), LinkError>> {
        Box::pin(async {
            let id = self.accept(Kind::Bi).await?;
            Ok((self.send(id), self.recv(id)))
        })
    }

    fn accept_uni(&self) -> LinkFuture<'_, Result<Box<dyn LinkRecv>, LinkError>> {
        Box::pin(async { Ok(self.recv(self.accept(Kind::Uni).await?)) })
    }

    fn closed(&self) -> LinkFuture<'_, LinkError> {
        let Hold { shared, side } = &*self.hold;
        Box::pin(shared.until(|state| state.lost(*side).map_or(Poll::Pending, Poll::Ready)))
    }

    /// The first close counts: on a connection that is gone already this does nothing.
    fn close(&self, code: u32, reason: &str) {
        self.hold.shared.close(self.hold.side, code, reason);
    }

    fn min_rtt(&self) -> Option<Duration> {
        None
    }

    fn heard(&self) -> Option<(u64, Duration)> {
        None
    }

    fn is_refused(&self) -> LinkFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Never above 256. Lowering it takes nothing back that the peer was granted: it shows as
    /// streams end.
    fn set_max_peer_bi(&self, streams: u32) {
        let Hold { shared, side } = &*self.hold;
        shared.with(|state, due| state.set_max_peer_bi(*side, streams, due));
    }
}

impl fmt::Debug for MemoryLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLink")
            .field("side", &self.hold.side)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// One side's part in one direction of a stream.
struct Half {
    hold: Arc<Hold>,
    id: u64,
}

impl Half {
    fn with<T>(&self, change: impl FnOnce(&mut State, (Side, u64), &mut Due) -> T) -> T {
        let at = (self.hold.side, self.id);
        self.hold.shared.with(|state, due| change(state, at, due))
    }

    fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("side", &self.hold.side)
            .field("stream", &self.id)
            .finish_non_exhaustive()
    }
}

/// The sending half.
struct MemorySend(Half);

impl LinkSend for MemorySend {
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), LinkError>> {
        if data.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.0.with(|state, at, due| state.write(at, cx, data, due))
    }

    fn finish(&mut self) {
        self.0.with(|state, at, due| state.finish(at, due));
    }

    fn reset(&mut self, code: u64) {
        self.0.with(|state, at, due| state.reset(at, code, due));
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u64>, LinkError>> {
        self.0.with(|state, at, due| state.stopped(at, cx, due))
    }
}

impl Drop for MemorySend {
    fn drop(&mut self) {
        self.0.with(|state, at, due| state.drop_send(at, due));
    }
}

impl fmt::Debug for MemorySend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show("MemorySend", f)
    }
}

/// The receiving half.
struct MemoryRecv(Half);

impl LinkRecv for MemoryRecv {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        self.0.with(|state, at, due| state.read(at, cx, due))
    }

    fn stop(&mut self, code: u64) {
        self.0.with(|state, at, due| state.stop(at, code, due));
    }
}

impl Drop for MemoryRecv {
    fn drop(&mut self) {
        self.0.with(|state, at, due| state.drop_recv(at, due));
    }
}

impl fmt::Debug for MemoryRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show("MemoryRecv", f)
    }
}
