//! What is known of the calls of one method: what they take, lately and usually.

use std::{
    sync::{Arc, Mutex, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use super::Group;
use crate::{
    digest::Digest,
    limits::METHOD_SHARE,
    policy::limit::{Load, Usual},
};

/// How a handler came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Of its own.
    Ended,
    /// Dropped at its deadline.
    TimedOut,
    /// Dropped because nobody waited any more, or never begun: says nothing.
    GivenUp,
}

/// A call that had less than so many times what is usual says nothing by timing out ...
const ENOUGH: f64 = 3.0;
/// ... and where nothing is usual yet, less than this.
const ENOUGH_UNKNOWN: Duration = Duration::from_secs(1);

/// One method of a server.
#[derive(Debug)]
pub struct MethodPlan {
    /// Its calls at work.
    pub(super) group: Arc<Group>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    took: Digest,
    usual: Usual,
    window: Window,
}

/// What the calls since the last look have come to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Window {
    pub(super) ended: u32,
    pub(super) timed_out: u32,
    pub(super) sum_us: f64,
}

impl MethodPlan {
    pub(super) fn new(now: Instant) -> Self {
        let (took, usual) = (Digest::new(now), Usual::UNKNOWN);
        let known = Mutex::new(Known { took, usual, window: Window::default() });
        Self { group: Arc::new(Group::new(METHOD_SHARE)), known }
    }

    /// What calls of it have of the places while others wait, from here on.
    pub fn set_share(&self, share: f64) {
        self.group.set_share(share);
    }

    /// A call took this long. Where two threads note something at once, one of them does not: a sample more or less
    /// changes nothing, and nobody waits.
    pub(super) fn note(&self, took: Duration, left: Left, now: Instant) {
        let mut known = match self.known.try_lock() {
            Ok(known) => known,
            Err(TryLockError::Poisoned(known)) => known.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        match left {
            Left::Ended => {
                known.took.add(took, now);
                known.window.ended += 1;
                known.window.sum_us += took.as_secs_f64() * 1e6;
            }
            Left::TimedOut => {
                let enough = match known.usual.us() {
                    Some(us) => us * ENOUGH / 1e6,
                    None => ENOUGH_UNKNOWN.as_secs_f64(),
                };
                known.window.timed_out += u32::from(took.as_secs_f64() >= enough);
            }
            Left::GivenUp => {}
        }
    }

    /// What all but this many of a hundred calls take at most; zero where too little is known.
    pub(super) fn percentile(&self, percent: u8) -> Duration {
        self.known().took.percentile(percent).unwrap_or_default()
    }

    pub(super) fn window(&self) -> Window {
        self.known().window
    }

    /// What the window's calls took, and would have taken usually, together, in microseconds; `None` where that is not
    /// known. A new window begins.
    pub(super) fn turn(&self, load: Load) -> Option<(f64, f64)> {
        let mut known = self.known();
        let window = std::mem::take(&mut known.window);
        if window.ended == 0 {
            return None;
        }
        let ended = f64::from(window.ended);
        let usual = known.usual.us();
        known.usual.learn(window.sum_us / ended, window.ended, load);
        usual.map(|usual| (window.sum_us, usual.min(known.usual.us().unwrap_or(usual)) * ended))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
