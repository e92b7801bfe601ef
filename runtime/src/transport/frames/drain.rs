//! The goodbye of a server: how far it is, and what it still waits for.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use tokio::sync::watch;

use crate::metrics::LooksAtServer;

/// How a server says goodbye to all its connections, and knows that they understood.
#[derive(Debug)]
pub(crate) struct Drain {
    /// 0: serving, 1: please no more calls, 2: refused as not processed, 3: answers are flushed, then closed.
    phase: watch::Sender<u8>,
    /// The same, for a look per call.
    phase_now: AtomicU8,
    connections: AtomicUsize,
    /// How many connections acknowledged the first and the second goodbye.
    acknowledged: [AtomicUsize; 2],
    in_flight: AtomicUsize,
    /// Lanes and answers that are not acknowledged yet.
    unflushed: AtomicUsize,
}

/// A connection of a server, counted from before its handshake until it is gone.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Drain>);

impl Counted {
    pub(crate) fn new(drain: &Arc<Drain>) -> Self {
        drain.connections.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(drain))
    }

    /// The goodbye that it is told.
    pub(super) fn drain(&self) -> &Arc<Drain> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Something that a drain waits for before the connection may be closed.
#[derive(Debug)]
pub(super) struct Flushing(Arc<Drain>);

impl Flushing {
    pub(super) fn new(drain: &Arc<Drain>) -> Self {
        drain.unflushed.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(drain))
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        self.0.unflushed.fetch_sub(1, Ordering::AcqRel);
    }
}

impl LooksAtServer for Drain {
    fn now(&self) -> (usize, usize) {
        (self.in_flight(), self.connections())
    }
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(0),
            phase_now: AtomicU8::new(0),
            connections: AtomicUsize::new(0),
            acknowledged: [AtomicUsize::new(0), AtomicUsize::new(0)],
            in_flight: AtomicUsize::new(0),
            unflushed: AtomicUsize::new(0),
        }
    }

    /// Whether every answer has been taken by its caller.
    pub(crate) fn flushed(&self) -> bool {
        self.unflushed.load(Ordering::Acquire) == 0
    }

    pub(crate) fn enter(&self, phase: u8) {
        self.phase_now.store(phase, Ordering::SeqCst);
        self.phase.send_replace(phase);
    }

    /// Follows the phase.
    pub(super) fn subscribe(&self) -> watch::Receiver<u8> {
        let mut phase = self.phase.subscribe();
        // Who comes while the goodbye is being said hears it too.
        if self.phase() > 0 {
            phase.mark_changed();
        }
        phase
    }

    /// A connection knows of one more phase than before.
    pub(super) fn add_acknowledged(&self, phase: u8) {
        self.acknowledged[usize::from(phase > 1)].fetch_add(1, Ordering::AcqRel);
    }

    /// A connection that knew of this phase, and of those before, is gone.
    pub(super) fn forget_acknowledged(&self, phase: u8) {
        for known in &self.acknowledged[..usize::from(phase)] {
            known.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// A call began or ended.
    pub(super) fn add_in_flight(&self, by: isize) {
        self.in_flight.fetch_add(by.cast_unsigned(), Ordering::SeqCst);
    }

    pub(crate) fn phase(&self) -> u8 {
        self.phase_now.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Whether every connection knows of this phase, 1 or 2.
    pub(crate) fn all_acknowledged(&self, phase: u8) -> bool {
        let known = &self.acknowledged[usize::from(phase > 1)];
        known.load(Ordering::Acquire) >= self.connections()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }
}
