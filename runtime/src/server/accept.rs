//! Connections in, and the goodbye to them.
//!
//! # Invariants
//! 1. A connection is served only once its peer's certificate was verified.
//! 2. A handshake that fails, or hangs, concerns nobody else.
//! 3. A drain ends: its patience, its grace and its flush are bounded.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use sinew_core::{limits, wire::kinds};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{ServerCore, shares::Shares};
use crate::{
    call::context::ServingGuard,
    error::millis,
    identity::{self, Identity, ServerTls, Side},
    metrics::Accepted,
    transport::{
        Serve,
        frames::{self, Counted, Drain},
        link::Link,
        links::Links,
        quic::{Network, QuicEndpoint},
    },
};

/// Whom a server trusts, and the connections that are looked at again when that changes.
#[derive(Debug, Clone)]
pub(super) struct Trusts {
    pub(super) identity: Identity,
    pub(super) links: Arc<Links>,
}

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Accepting {
    endpoint: QuicEndpoint,
    address: SocketAddr,
    drain: Arc<Drain>,
    task: JoinHandle<()>,
    _serving: ServingGuard,
}

/// Listens and serves whoever connects.
pub(super) fn listen(
    (address, network): (SocketAddr, &Network),
    tls: ServerTls,
    trusts: Trusts,
    core: Arc<ServerCore>,
    shares: Shares,
) -> std::io::Result<Accepting> {
    let secret = trusts.identity.reset_secret();
    let endpoint = QuicEndpoint::server(address, tls, Some(&secret), network)?;
    let address = endpoint.local_addr()?;
    let drain = Arc::new(Drain::new());
    let looked_at: Weak<Drain> = Arc::downgrade(&drain);
    core.metrics().add_server(looked_at);
    let task = tokio::spawn(accept(endpoint.clone(), core, (shares, trusts), Arc::clone(&drain)));
    Ok(Accepting { endpoint, address, drain, task, _serving: ServingGuard::new() })
}

async fn accept(
    endpoint: QuicEndpoint,
    core: Arc<ServerCore>,
    (shares, trusts): (Shares, Trusts),
    drain: Arc<Drain>,
) {
    while let Some(accepting) = endpoint.accept().await {
        let serve: Arc<dyn Serve> = core.clone();
        let core = Arc::clone(&core);
        let counted = Counted::new(&drain);
        let (shares, trusts) = (shares.clone(), trusts.clone());
        let metrics = Arc::clone(core.metrics());
        tokio::spawn(async move {
            let (remote, known) = (accepting.remote(), trusts.identity.generation());
            match accepting
                .handshake(|chain| {
                    identity::peer_identity(chain).map_err(|error| error.to_string())
                })
                .await
            {
                Ok(link) => match shares.take(&link.peer().identity) {
                    Ok(_share) => {
                        metrics.accepted(Accepted::Served);
                        trusts.links.add(&link, Side::Client, (&trusts.identity, known));
                        served(link, serve, counted, &core).await;
                    }
                    Err(open) => {
                        metrics.accepted(Accepted::TooMany);
                        let identity = &link.peer().identity;
                        tracing::warn!(%remote, %identity, open, "an identity has too many connections");
                        link.close(
                            kinds::CLOSE_TOO_MANY_CONNECTIONS,
                            &format!(
                                "{open} connections of `{identity}` are open on this server, and one identity may have \
                                 half of what is free (`max_connections`)"
                            ),
                        );
                    }
                },
                Err(error) => {
                    metrics.accepted(Accepted::HandshakeFailed);
                    tracing::debug!(%remote, %error, "a handshake failed");
                }
            }
        });
    }
}

/// Serves a connection until it ends, or its peer may call nothing any more.
async fn served(link: Arc<dyn Link>, serve: Arc<dyn Serve>, counted: Counted, core: &ServerCore) {
    let peer = Arc::clone(&link);
    let identity = &peer.peer().identity;
    let mut serving = pin!(frames::serve(link, serve, counted));
    let disowned = async {
        // Who comes while nothing is allowed to him hears so from each of his calls.
        core.governed().becomes(true, identity).await;
        core.governed().becomes(false, identity).await;
        // His calls are denied from now on, and answered: those answers are to arrive.
        sleep(limits::DRAIN_FLUSH).await;
    };
    tokio::select! {
        () = &mut serving => return,
        () = disowned => {}
    }
    tracing::info!(%identity, "a connection is closed: the policy lets its peer call nothing any more");
    let why = format!("the policy of this server lets `{identity}` call nothing any more");
    peer.close(kinds::CLOSE_WRONG_IDENTITY, &why);
    serving.await;
}

impl Accepting {
    pub(super) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Says goodbye in two steps, waits for what runs, flushes and closes.
    pub(super) async fn drain(self, grace: Duration) {
        let began = Instant::now();
        let drain = &self.drain;
        drain.enter(1);
        // Who is refused has sent nothing, and goes elsewhere or waits.
        self.endpoint.refuse_new();
        until(began + limits::DRAIN_ACK, || drain.all_acknowledged(1)).await;
        drain.enter(2);
        // Whoever listens hears the second goodbye before the connection is gone.
        until(Instant::now() + limits::DRAIN_SAID, || drain.all_acknowledged(2)).await;
        let finished = until(began + grace.max(limits::DRAIN_ACK), || drain.in_flight() == 0).await;
        if !finished {
            tracing::warn!(
                calls = drain.in_flight(),
                grace = %millis(grace),
                "calls were still at work when the grace ended; they are cut, `drain_grace` moves it"
            );
        }
        // Only a client knows that nothing of it is on its way: it closes a connection that it has no more use for.
        until(Instant::now() + limits::DRAIN_ACK, || drain.connections() == 0).await;
        drain.enter(3);
        until(Instant::now() + limits::DRAIN_FLUSH, || drain.flushed()).await;
        let code = if finished { kinds::CLOSE_DONE } else { kinds::CLOSE_SHUTDOWN };
        self.endpoint.close(code, "the server has shut down");
        let _ = tokio::time::timeout(limits::DRAIN_FLUSH, self.endpoint.wait_idle()).await;
    }
}

/// Waits for `done`, at most until `limit`. Whether it came.
async fn until(limit: Instant, done: impl Fn() -> bool) -> bool {
    while !done() {
        if Instant::now() >= limit {
            return false;
        }
        sleep(limits::DRAIN_TICK).await;
    }
    true
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
        self.endpoint.close(kinds::CLOSE_SHUTDOWN, "the server has shut down");
    }
}
