//! One connection from the server's side: requests off the lanes, handlers beside each other, answers back in batches.
//!
//! # Invariants
//! 1. What a call may still take is known from its frame and the age of its batch: a request that lay in a queue, even
//!    while this process was frozen, is as old as it is.
//! 2. A call holds its place until its handler has been dropped, whatever its caller does.
//! 3. A peer that does not read its answers is not read from, and no handler makes more of them: see `room.rs`.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sinew_core::{
    age::AgeTracker,
    codes::{Code, Reason},
    deadline::on_arrival,
    limits,
    plan::server::Group,
    wire::{frame::TimeLeft, kinds},
};
use tokio::time::Instant;

use super::{
    super::{
        Serve,
        link::{Link, LinkError},
    },
    control::{self, Control, LAST_GOAWAY, Side},
    drain::{Counted, Drain},
    io::ReadError,
    outbox::micros_between,
    room::Answers,
    served::{Ended, Served},
    streams,
};
use crate::{call::context::Peer, error::Status};

/// What the lanes and streams of one connection share.
pub(super) struct Conn {
    pub(super) link: Arc<dyn Link>,
    pub(super) serve: Arc<dyn Serve>,
    pub(super) epoch: Instant,
    pub(super) peer: Arc<Peer>,
    pub(super) caller: Arc<Group>,
    pub(super) drain: Arc<Drain>,
    pub(super) answers: Answers,
    ages: Mutex<AgeTracker>,
    min_rtt_us: AtomicU64,
    in_flight: AtomicUsize,
    /// The last goodbye that the peer acknowledged.
    acknowledged: AtomicU8,
    /// Bidirectional streams that the peer has open, and how many it may.
    streams: AtomicUsize,
    stream_limit: AtomicUsize,
    errors: Mutex<Vec<Instant>>,
    resets: Mutex<Resets>,
}

/// What is left of the resets that a peer has free: a burst, filled again at a rate.
#[derive(Debug)]
struct Resets {
    left: f64,
    at: Instant,
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("link", &self.link).finish_non_exhaustive()
    }
}

/// A place among the calls in flight, held until the handler is gone.
#[derive(Debug)]
pub(super) struct Place(Arc<Conn>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.drain.add_in_flight(-1);
    }
}

impl Conn {
    /// A place for one more call.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Place, Status> {
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.drain.add_in_flight(1);
        let place = Place(Arc::clone(self));
        // Counted first, then looked: a drain that has seen no call in flight has been seen by every later one.
        if self.drain.phase() >= 2 {
            return Err(Status::rejected(
                Code::Unavailable,
                Reason::Draining,
                "the server is shutting down and takes no more calls; another endpoint will",
            ));
        }
        if before >= limits::IN_FLIGHT_MAX as usize {
            return Err(Status::rejected(
                Code::ResourceExhausted,
                Reason::TooManyInFlight,
                format!(
                    "{} calls of this connection are in flight on the server already, its limit per connection (IN_FLIGHT_MAX); try again when one has ended",
                    limits::IN_FLIGHT_MAX
                ),
            ));
        }
        Ok(place)
    }

    /// How old bytes are that were stamped by the peer and have just been read.
    pub(super) fn age(&self, sent_at_us: u64, read_at: Instant) -> Duration {
        let read_us = micros_between(self.epoch, read_at);
        let mut ages = self.ages.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(ages.observe(read_us, sent_at_us))
    }

    /// When a call ends by our clock, and whether its time was "zero".
    pub(super) fn deadline(
        &self,
        left: TimeLeft,
        read_at: Instant,
        age: Duration,
    ) -> (Option<Instant>, bool) {
        let left = match left {
            TimeLeft::Micros(us) => Duration::from_micros(us).min(limits::DEADLINE_MAX),
            TimeLeft::Unbounded => return (None, false),
            TimeLeft::Zero => return (Some(read_at), true),
        };
        let deadline = on_arrival(read_at.into_std(), left, age, self.min_rtt());
        (Some(Instant::from_std(deadline)), false)
    }

    /// The smallest round trip to the caller; zero as long as it is not known.
    pub(super) fn min_rtt(&self) -> Duration {
        let us = self.min_rtt_us.load(Ordering::Relaxed);
        if us == u64::MAX { Duration::ZERO } else { Duration::from_micros(us) }
    }

    fn sample_rtt(&self) {
        if let Some(rtt) = self.link.min_rtt() {
            let us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
            self.min_rtt_us.fetch_min(us, Ordering::Relaxed);
        }
    }

    /// Whether a handler has to wait for its turn: its answer would have to wait.
    pub(super) fn must_wait(&self, served: &Served) -> bool {
        served.answers_are_large() && !self.answers.waiting.is_open()
    }

    /// Waits until there is room for a handler's answer, or its time is over, or its caller gone.
    pub(super) async fn wait_for_turn(&self, served: &mut Served) {
        if self.must_wait(served) {
            served.step_back();
            tokio::select! {
                biased;
                () = self.answers.waiting.opened() => {}
                () = served.given_up() => {}
            }
        }
    }

    /// Runs a handler once there is room for its answer, or its time is over, or its caller gone.
    pub(super) async fn serve_in_turn(&self, mut served: Served) -> Ended {
        self.wait_for_turn(&mut served).await;
        served.await
    }

    /// A stream of the peer began: more credit once most of it is in use.
    pub(super) fn stream_opened(&self) {
        let open = self.streams.fetch_add(1, Ordering::AcqRel) + 1;
        let limit = self.stream_limit.load(Ordering::Acquire);
        if open * 2 > limit && limit < limits::PEER_BI_STREAMS_MAX as usize {
            let raised = (limit * 2).min(limits::PEER_BI_STREAMS_MAX as usize);
            self.stream_limit.store(raised, Ordering::Release);
            self.link.set_max_peer_bi(raised as u32);
        }
    }

    pub(super) fn stream_closed(&self) {
        self.streams.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts an error that this side has to reset or answer; too many in too short a time end the connection.
    pub(super) fn note_error(&self) {
        let now = Instant::now();
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.retain(|at| now.saturating_duration_since(*at) < limits::FORCED_ERRORS_WINDOW);
        errors.push(now);
        if errors.len() > limits::FORCED_ERRORS_MAX as usize {
            drop(errors);
            self.close_for_load(&format!(
                "more than {} malformed calls in {} s on one connection, the server's limit (FORCED_ERRORS_MAX)",
                limits::FORCED_ERRORS_MAX,
                limits::FORCED_ERRORS_WINDOW.as_secs()
            ));
        }
    }
}

impl Conn {
    /// Why a stream could not be read, as far as it is the peer's doing.
    pub(super) fn note_read_error(&self, error: &ReadError) {
        match error {
            ReadError::Frame(_) | ReadError::Stalled | ReadError::Truncated => self.note_error(),
            ReadError::Flood => self.close_for_load(&error.to_string()),
            ReadError::Link(LinkError::StreamReset(_)) => self.note_reset(),
            ReadError::Link(_) | ReadError::Finished => {}
        }
    }

    /// A call that its caller took back: each has cost work, so only so many are free.
    pub(super) fn note_reset(&self) {
        let now = Instant::now();
        let mut resets = self.resets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = now.saturating_duration_since(resets.at).as_secs_f64();
        let most = f64::from(limits::RESETS_BURST);
        resets.left = (resets.left + filled * f64::from(limits::RESETS_PER_S)).min(most) - 1.0;
        resets.at = now;
        let exhausted = resets.left < 0.0;
        drop(resets);
        if exhausted {
            self.close_for_load(&format!(
                "calls are reset faster than the {} per second that the server takes (RESETS_PER_S)",
                limits::RESETS_PER_S
            ));
        }
    }

    fn close_for_load(&self, why: &str) {
        tracing::warn!(peer = %self.peer.identity, why, "a connection is closed for its load");
        self.link.close(kinds::CLOSE_EXCESSIVE_LOAD, why);
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(link: Arc<dyn Link>, serve: Arc<dyn Serve>, counted: Counted) {
    let peer = link.peer();
    let peer = Arc::new(Peer { identity: peer.identity.clone(), address: peer.address });
    let caller = serve.caller(&peer);
    let drain = Arc::clone(counted.drain());
    let conn = Arc::new(Conn {
        link,
        serve,
        epoch: Instant::now(),
        peer,
        caller,
        drain,
        answers: Answers::new(),
        ages: Mutex::new(AgeTracker::new()),
        min_rtt_us: AtomicU64::new(u64::MAX),
        in_flight: AtomicUsize::new(0),
        acknowledged: AtomicU8::new(0),
        streams: AtomicUsize::new(0),
        stream_limit: AtomicUsize::new(limits::PEER_BI_STREAMS_START as usize),
        errors: Mutex::default(),
        resets: Mutex::new(Resets { left: f64::from(limits::RESETS_BURST), at: Instant::now() }),
    });
    let control = tokio::spawn(run_control(Arc::clone(&conn)));
    loop {
        match conn.link.accept_bi().await {
            Ok((send, recv)) => {
                conn.stream_opened();
                tokio::spawn(streams::accept(Arc::clone(&conn), send, recv));
            }
            Err(error) => {
                tracing::debug!(%error, peer = %conn.peer.identity, "a connection ended");
                break;
            }
        }
    }
    control.abort();
    conn.drain.forget_acknowledged(conn.acknowledged.swap(u8::MAX, Ordering::AcqRel));
    drop(counted);
}

async fn run_control(conn: Arc<Conn>) {
    let send = match conn.link.open_uni().await {
        Ok(send) => send,
        Err(_) => return,
    };
    let on_frame = |frame: Control| match frame {
        Control::GoAwayAck { phase } => {
            // Who knows of the second knows of the first.
            let known = conn.acknowledged.load(Ordering::Acquire);
            let acknowledged = &conn.acknowledged;
            let news = known < phase && phase <= LAST_GOAWAY;
            if news
                && acknowledged
                    .compare_exchange(known, phase, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            {
                (known + 1..=phase).for_each(|phase| conn.drain.add_acknowledged(phase));
            }
        }
        Control::Stamp { sent_at_us, read_at_us } => {
            let mut ages = conn.ages.lock().unwrap_or_else(PoisonError::into_inner);
            ages.observe(read_at_us, sent_at_us);
        }
        Control::GoAway | Control::Settings(_) | Control::Health { .. } => {}
    };
    let alive = || {
        conn.sample_rtt();
        false
    };
    let side = Side {
        link: &*conn.link,
        epoch: conn.epoch,
        settings: conn.serve.settings(),
        phase: Some(conn.drain.subscribe()),
        health: Some(conn.serve.health()),
        ask: None,
    };
    if let Err(error) = control::run(side, send, on_frame, alive).await {
        tracing::debug!(%error, peer = %conn.peer.identity, "the control stream ended");
        conn.link.close(error.code(), &error.to_string());
    }
}
