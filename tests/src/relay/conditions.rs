//! What a relay does to packets, as a value: the conditions of one direction.

use std::{ops::RangeInclusive, time::Duration};

/// The longest delay, jitter and holding back. Longer ones are a blackhole.
pub const DELAY_MAX: Duration = Duration::from_secs(3600);

/// Bytes that wait for a slow line unless something else is set.
pub const QUEUE: usize = 256 * 1024;

/// How long a packet is held back that is to be overtaken, unless something else is set.
pub const REORDER_BY: Duration = Duration::from_millis(10);

const SHARES: RangeInclusive<f64> = 0.0..=1.0;

/// Which packets are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From clients to the server.
    ToServer,
    /// From the server to clients.
    ToClient,
    /// All.
    Both,
}

/// One of the two ways through a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

impl Direction {
    pub(super) fn ways(self) -> &'static [Way] {
        match self {
            Self::ToServer => &[Way::ToServer],
            Self::ToClient => &[Way::ToClient],
            Self::Both => &[Way::ToServer, Way::ToClient],
        }
    }
}

/// Loss in bursts, after Gilbert and Elliott: a line that is good or bad, and changes with each packet by chance. A bad
/// time lasts `1 / leave` packets on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// The chance that a good line turns bad, `0.0 ..= 1.0`.
    pub enter: f64,
    /// The chance that a bad line turns good, `0.0 ..= 1.0`.
    pub leave: f64,
    /// The share of packets that a bad line loses, `0.0 ..= 1.0`.
    pub loss: f64,
}

/// What happens to the packets of one direction. Each setter takes and gives the value: what is not set stays perfect.
///
/// # Panics
/// The setters panic where a number is outside of its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) loss: f64,
    pub(super) burst: Option<Burst>,
    pub(super) reorder: f64,
    pub(super) reorder_by: Duration,
    pub(super) duplicate: f64,
    pub(super) corrupt: f64,
    pub(super) rate: Option<u64>,
    pub(super) queue: usize,
    pub(super) blackhole: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self::perfect()
    }
}

impl Conditions {
    /// Everything arrives, in order and at once.
    pub const fn perfect() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            reorder: 0.0,
            reorder_by: REORDER_BY,
            duplicate: 0.0,
            corrupt: 0.0,
            rate: None,
            queue: QUEUE,
            blackhole: false,
        }
    }

    /// How long each packet takes, up to [`DELAY_MAX`]. Served to the millisecond.
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: time(delay), ..self }
    }

    /// The delay becomes uniform in `delay - jitter ..= delay + jitter`, and zero instead of less. Packets then overtake
    /// each other. Up to [`DELAY_MAX`].
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter: time(jitter), ..self }
    }

    /// The share of packets that is lost, each by itself, `0.0 ..= 1.0`.
    pub fn loss(self, loss: f64) -> Self {
        Self { loss: share(loss), ..self }
    }

    /// Loss in bursts, beside [`Conditions::loss`].
    pub fn burst(self, burst: Burst) -> Self {
        let Burst { enter, leave, loss } = burst;
        let burst = Burst { enter: share(enter), leave: share(leave), loss: share(loss) };
        Self { burst: Some(burst), ..self }
    }

    /// The share of packets that is held back, `0.0 ..= 1.0`, so that later ones overtake them.
    pub fn reorder(self, reorder: f64) -> Self {
        Self { reorder: share(reorder), ..self }
    }

    /// For how long those are held back, up to [`DELAY_MAX`]; [`REORDER_BY`] unless set.
    pub fn reorder_by(self, reorder_by: Duration) -> Self {
        Self { reorder_by: time(reorder_by), ..self }
    }

    /// The share of packets that arrives twice, `0.0 ..= 1.0`. Each of the two has its own jitter and damage.
    pub fn duplicate(self, duplicate: f64) -> Self {
        Self { duplicate: share(duplicate), ..self }
    }

    /// The share of packets in which one bit is flipped, `0.0 ..= 1.0`.
    pub fn corrupt(self, corrupt: f64) -> Self {
        Self { corrupt: share(corrupt), ..self }
    }

    /// How fast the line is, in bytes of payload per second, at least 1. All clients share it.
    pub fn rate(self, rate: u64) -> Self {
        assert!(rate > 0, "a rate is at least 1 byte per second: `blackhole` stops everything");
        Self { rate: Some(rate), ..self }
    }

    /// How many bytes may wait for the line, what it is sending included; [`QUEUE`] unless set. A packet that finds no room is dropped, but never on
    /// an idle line. Without a rate nothing waits.
    pub fn queue(self, queue: usize) -> Self {
        Self { queue, ..self }
    }

    /// Whether nothing arrives at all.
    pub fn blackhole(self, blackhole: bool) -> Self {
        Self { blackhole, ..self }
    }
}

#[track_caller]
fn share(share: f64) -> f64 {
    assert!(SHARES.contains(&share), "a share is 0.0 to 1.0, not {share}");
    share
}

#[track_caller]
fn time(time: Duration) -> Duration {
    assert!(time <= DELAY_MAX, "a packet is held for {DELAY_MAX:?} at most, not {time:?}");
    time
}
