//! Connections: accepted, bounded, served, drained.
//!
//! # Invariants
//! 1. A client that says nothing, or says it slowly, holds a connection and nothing else, and that only for a time.
//! 2. What is bounded is counted before anything is read.

use std::{
    convert::Infallible, fmt, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use sinew_core::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Ingress, IngressError,
    guard::{Closes, Guarded},
    serve::{Connected, Shared},
    tls::{Accepted, Acceptor},
};

/// An ingress that listens. Dropping it closes its connections at once; [`run_until`](Self::run_until) drains them.
#[must_use = "dropping it stops it"]
pub struct Listening {
    address: SocketAddr,
    shared: Arc<ArcSwap<Shared>>,
    tls: Acceptor,
    is_plain_allowed: bool,
    drain: watch::Sender<bool>,
    accepting: JoinSet<JoinSet<()>>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.address).finish()
    }
}

impl Listening {
    /// Where it listens: the port that the system chose, if it was asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves by this from now on: services, callers, pages. Each request goes by one of the two. The address and what is
    /// spoken there stay.
    ///
    /// # Errors
    /// Those of [`Ingress::service`], and [`IngressError::Unprotected`] where it would let in at this address whom `bind` would not;
    /// what was served goes on then.
    pub fn replace(&self, ingress: Ingress) -> Result<(), IngressError> {
        let shared = ingress.shared()?;
        let mut shared = protected(self.address, (&self.tls, self.is_plain_allowed), shared)?;
        shared.bodies = shared.bodies.after(&self.shared.load().bodies);
        self.shared.store(Arc::new(shared));
        Ok(())
    }

    /// Serves until `shutdown` is ready, then drains: takes no more connections, tells those that are open that there will be no
    /// further answer, lets the calls in flight finish for at most 30 s, and closes.
    ///
    /// # Cancel safety
    /// When the future is dropped it stops at once.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.drain.send_replace(true);
        let finish = async {
            while let Some(connections) = self.accepting.join_next().await {
                if let Ok(mut connections) = connections {
                    while connections.join_next().await.is_some() {}
                }
            }
        };
        if timeout(limits::DRAIN_GRACE, finish).await.is_err() {
            tracing::warn!(
                address = %self.address,
                "calls over HTTP were cut off: they did not end within {} s of draining",
                limits::DRAIN_GRACE.as_secs()
            );
        }
    }
}

pub(super) async fn listen(
    address: impl ToSocketAddrs + fmt::Debug,
    (tls, is_plain_allowed): (Acceptor, bool),
    shared: Shared,
) -> Result<Listening, IngressError> {
    let text = format!("{address:?}").trim_matches('"').to_owned();
    let io = |source| IngressError::Address { address: text.clone(), source };
    let listener = TcpListener::bind(address).await.map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    let shared = protected(address, (&tls, is_plain_allowed), shared)?;
    let (drain, draining) = watch::channel(false);
    let shared = Arc::new(ArcSwap::from_pointee(shared));
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(listener, tls.clone(), Arc::clone(&shared), draining));
    tracing::info!(
        %address,
        tls = tls.is_tls(),
        "HTTP is served; /openapi.json says what"
    );
    Ok(Listening { address, shared, tls, is_plain_allowed, drain, accepting })
}

/// What is served at this address, if those may be let in there who would be.
fn protected(
    address: SocketAddr,
    (tls, is_plain_allowed): (&Acceptor, bool),
    shared: Shared,
) -> Result<Shared, IngressError> {
    let callers = &shared.callers;
    let wrong = |problem: &str| IngressError::Unprotected { address, problem: problem.to_owned() };
    // Who shows no certificate was let in for the token that he has to have.
    if tls.may_lack() && !callers.has_tokens() && !callers.lets_in_anybody {
        return Err(wrong(
            "it began with tokens beside certificates, and lets in who shows neither without them: start it again",
        ));
    }
    let knows_callers = callers.has_tokens() || tls.asks();
    if address.ip().to_canonical().is_loopback() {
        let checks_host = !knows_callers && !callers.lets_in_anybody;
        return Ok(Shared { checks_host, ..shared });
    }
    if !knows_callers && !callers.lets_in_anybody {
        return Err(wrong(
            "anybody could call: say who may with `bearer_token` or `client_roots`, or say that anybody may with \
             `let_in_anybody`",
        ));
    }
    if !tls.is_tls() && !is_plain_allowed {
        return Err(wrong(
            "what is said crosses the network in the clear: add `tls(chain, key)`, or say that something else protects \
             it with `insecure_plain_http`",
        ));
    }
    Ok(shared)
}

/// Accepts until it is drained; what is left are the connections.
async fn accept(
    listener: TcpListener,
    tls: Acceptor,
    shared: Arc<ArcSwap<Shared>>,
    mut draining: watch::Receiver<bool>,
) -> JoinSet<()> {
    let places = Arc::new(Semaphore::new(limits::HTTP_CLIENTS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drained(&mut draining) => return connections,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: those that end make room.
                tracing::warn!(%error, "a connection over HTTP could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!(%address, "a connection over HTTP was closed: there are HTTP_CLIENTS_MAX");
            continue;
        };
        let _ = tcp.set_nodelay(true);
        let (tls, shared, draining) = (tls.clone(), Arc::clone(&shared), draining.clone());
        connections.spawn(async move {
            begin(tcp, address, &tls, shared, draining).await;
            drop(place);
        });
    }
}

/// Ready when it drains, or is dropped.
async fn drained(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|drains| *drains).await.map(drop);
}

async fn begin(
    tcp: TcpStream,
    address: SocketAddr,
    tls: &Acceptor,
    shared: Arc<ArcSwap<Shared>>,
    draining: watch::Receiver<bool>,
) {
    let accepted = match timeout(limits::HTTP_HEAD_TIMEOUT, tls.accept(tcp)).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%error, %address, "TLS did not begin"),
        Err(_) => return tracing::debug!(%address, "TLS did not begin in time"),
    };
    let certified = match accepted.certified() {
        Ok(certified) => certified,
        Err(why) => return tracing::debug!(why, %address, "a client's certificate names nobody"),
    };
    if let Some(stranger) = certified.as_ref().filter(|id| !shared.load().callers.knows(id)) {
        return tracing::debug!(%stranger, %address, "a client's certificate is of another trust domain");
    }
    let connected = Arc::new(Connected::new(Some(address), certified));
    match accepted {
        Accepted::Plain(tcp) => run(tcp, connected, shared, draining).await,
        Accepted::Tls(tls) => run(*tls, connected, shared, draining).await,
    }
}

async fn run<S>(
    io: S,
    connected: Arc<Connected>,
    shared: Arc<ArcSwap<Shared>>,
    mut draining: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (closes, activity) = (Closes::default(), connected.activity.clone());
    let io = TokioIo::new(Guarded::new(io, closes.clone()));
    let service = service_fn(move |request: Request<Incoming>| {
        let (connected, shared, closes) =
            (Arc::clone(&connected), Arc::clone(&shared), closes.clone());
        async move {
            let shared = shared.load_full();
            let mut response = shared.serve(&connected, request).await;
            if closes.get() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drained(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = activity.idle_for(limits::HTTP_CLIENT_IDLE) => {
            connection.as_mut().graceful_shutdown();
            // Who goes on is answered; who does not is gone.
            match timeout(limits::HTTP_BODY_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!("a connection over HTTP was closed: nobody uses it"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection over HTTP ended early");
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEAD_TIMEOUT)
        .max_headers(limits::HTTP_HEADERS_MAX)
        .max_buf_size(limits::HTTP_HEAD_MAX + limits::HTTP_TARGET_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::HTTP_STREAMS_MAX)
        .max_header_list_size(limits::HTTP_HEAD_MAX as u32)
        .keep_alive_interval(limits::HTTP_PING)
        .keep_alive_timeout(limits::HTTP_HEAD_TIMEOUT);
    builder
}

#[cfg(test)]
mod tests {
    use sinew::SpiffeId;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::{Instant, sleep},
    };

    use super::*;

    /// A connection that is served, in memory and in virtual time, and what it holds unread at most.
    fn served(holds: usize, title: &str) -> (DuplexStream, JoinSet<()>) {
        let own = SpiffeId::new("spiffe://prod.example/shop").unwrap();
        let shared = Ingress::new(&own.trust_domain()).title(title).shared().unwrap();
        let shared = Arc::new(ArcSwap::from_pointee(shared));
        let (near, far) = duplex(holds);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (_drain, draining) = watch::channel(false);
            run(far, Arc::new(Connected::default()), shared, draining).await;
        });
        (near, task)
    }

    /// After how long it has ended; none within an hour.
    async fn ends(mut task: JoinSet<()>) -> Option<u64> {
        let began = Instant::now();
        let hour = Duration::from_secs(3600);
        timeout(hour, task.join_next()).await.ok().map(|_| began.elapsed().as_secs())
    }

    const PING: u8 = 6;
    const ACK: u8 = 1;

    /// A client of HTTP/2 that answers each ping, so that its connection is known to live, and asks for nothing.
    async fn lives(mut io: DuplexStream) {
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut head = [0; 9];
        while io.read_exact(&mut head).await.is_ok() {
            let [a, b, c, kind, flags, ..] = head;
            let mut content = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            if io.read_exact(&mut content).await.is_err() {
                return;
            }
            if kind == PING && flags & ACK == 0 {
                head[4] |= ACK;
                let _ = io.write_all(&[&head[..], &content].concat()).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_uses_ends_however_well_it_is() {
        let (io, task) = served(64 * 1024, "");
        let client = tokio::spawn(lives(io));
        let ended = ends(task).await;
        let limit = limits::HTTP_CLIENT_IDLE.as_secs();
        assert!(ended.is_some_and(|ended| (limit..=limit + 1).contains(&ended)), "{ended:?}");
        client.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_of_http_1_without_a_request_ends_sooner() {
        let (mut io, task) = served(64 * 1024, "");
        io.write_all(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 204");
        let ended = ends(task).await;
        let limit = limits::HTTP_HEAD_TIMEOUT.as_secs();
        assert!(ended.is_some_and(|ended| (limit..=limit + 1).contains(&ended)), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_of_an_answer_is_hung_up_on() {
        let (mut io, task) = served(64, "");
        let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
        io.write_all(request).await.unwrap();
        let ended = ends(task).await;
        let limit = limits::HTTP_WRITE_TIMEOUT.as_secs();
        assert!(ended.is_some_and(|ended| (limit..=limit + 1).contains(&ended)), "{ended:?}");
    }

    /// The time counts from when something was taken last, and not for the whole of an answer; nor is a connection idle
    /// on which one is taken.
    #[tokio::test(start_paused = true)]
    async fn who_takes_an_answer_slowly_gets_all_of_it() {
        const PIECE: usize = 64 * 1024;
        let (mut io, task) = served(PIECE, &"x".repeat(16 * PIECE));
        let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        io.write_all(request).await.unwrap();
        let (mut all, mut piece) = (Vec::new(), vec![0; PIECE]);
        loop {
            sleep(limits::HTTP_WRITE_TIMEOUT * 9 / 10).await;
            match io.read(&mut piece).await.unwrap() {
                0 => break,
                read => all.extend_from_slice(&piece[..read]),
            }
        }
        assert!(all.starts_with(b"HTTP/1.1 200") && all.ends_with(b"}"), "it is whole");
        assert!(ends(task).await.is_some());
    }
}
