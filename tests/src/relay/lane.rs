//! What becomes of each packet of one direction: the decision alone, without sockets and without a clock.
//!
//! # Why
//! Chance and time are arguments here, so that a seed repeats a bad day packet by packet, and an hour of it is tested in
//! a millisecond.
//!
//! ```text
//!   packet -> blackhole? -> lost? -> once or twice -> queue of the line -> delay, jitter, held back, damaged -> Delivery
//! ```
//!
//! # Invariants
//! 1. Every packet takes the same number of draws, whatever the conditions: more loss does not change which packets are
//!    duplicated, and a blackhole does not change what comes after it.
//! 2. Without jitter and reordering, packets are delivered in the order in which they came, unless the delay is set
//!    to less on the way.

use std::time::Duration;

use sinew_core::rng::{below, unit_f64};

use super::{chance::Seeded, conditions::Conditions, counts::Counts};

/// One packet as it is to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// When, on the clock of `now`.
    pub at: Duration,
    /// The bit to flip, counted from the first byte's lowest.
    pub flip: Option<usize>,
}

impl Delivery {
    /// Does to the packet what was decided.
    pub fn damage(&self, packet: &mut [u8]) {
        if let Some((flip, byte)) =
            self.flip.and_then(|flip| Some((flip, packet.get_mut(flip / 8)?)))
        {
            *byte ^= 1 << (flip % 8);
        }
    }
}

/// One direction of a relay.
#[derive(Debug)]
pub struct Lane {
    conditions: Conditions,
    chance: Seeded,
    is_bad: bool,
    /// When the line has sent all that was taken in.
    free_at: Duration,
    pub(super) counts: Counts,
}

/// The chances of one packet.
struct Draws {
    turn: f64,
    loss: f64,
    burst: f64,
    duplicate: f64,
    copies: [CopyDraws; 2],
}

struct CopyDraws {
    jitter: f64,
    reorder: f64,
    corrupt: f64,
    bit: usize,
}

impl Draws {
    fn of(chance: &mut Seeded, len: usize) -> Self {
        let (turn, loss) = (unit_f64(chance), unit_f64(chance));
        let (burst, duplicate) = (unit_f64(chance), unit_f64(chance));
        let copies = [(); 2].map(|()| CopyDraws {
            jitter: unit_f64(chance),
            reorder: unit_f64(chance),
            corrupt: unit_f64(chance),
            bit: below(chance, 8 * len as u64) as usize,
        });
        Self { turn, loss, burst, duplicate, copies }
    }
}

impl Lane {
    /// A direction in which nothing was sent yet.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: Seeded::new(seed),
            is_bad: false,
            free_at: Duration::ZERO,
            counts: Counts::default(),
        }
    }

    /// What holds for the next packets. What was decided stays.
    pub fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// The conditions that hold.
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// What was decided so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What becomes of a packet of `len` bytes that comes at `now`, which never goes back. None, one or two deliveries.
    pub fn decide(&mut self, now: Duration, len: usize) -> impl Iterator<Item = Delivery> + use<> {
        let draws = Draws::of(&mut self.chance, len);
        self.counts.received += 1;
        let is_lost = self.is_lost(&draws);
        let (mut first, mut second) = (None, None);
        if self.conditions.blackhole {
            self.counts.blackholed += 1;
        } else if is_lost {
            self.counts.lost += 1;
        } else {
            first = self.send(now, len, &draws.copies[0]);
            if draws.duplicate < self.conditions.duplicate {
                self.counts.duplicated += 1;
                second = self.send(now, len, &draws.copies[1]);
            }
        }
        first.into_iter().chain(second)
    }

    fn is_lost(&mut self, draws: &Draws) -> bool {
        let burst = self.conditions.burst;
        self.is_bad = burst.is_some_and(|burst| match self.is_bad {
            true => draws.turn >= burst.leave,
            false => draws.turn < burst.enter,
        });
        let in_burst = self.is_bad && burst.is_some_and(|burst| draws.burst < burst.loss);
        in_burst || draws.loss < self.conditions.loss
    }

    fn send(&mut self, now: Duration, len: usize, draws: &CopyDraws) -> Option<Delivery> {
        let Conditions { delay, jitter, reorder, reorder_by, corrupt, .. } = self.conditions;
        let Some(departure) = self.departure(now, len) else {
            self.counts.dropped_by_rate += 1;
            return None;
        };
        let mut at =
            departure + (delay + jitter.mul_f64(2.0 * draws.jitter)).saturating_sub(jitter);
        if draws.reorder < reorder {
            self.counts.reordered += 1;
            at += reorder_by;
        }
        let is_damaged = len > 0 && draws.corrupt < corrupt;
        self.counts.corrupted += u64::from(is_damaged);
        Some(Delivery { at, flip: is_damaged.then_some(draws.bit) })
    }

    /// When the line has sent the packet; `None` where it finds no room to wait.
    fn departure(&mut self, now: Duration, len: usize) -> Option<Duration> {
        let waits = self.free_at.saturating_sub(now);
        let begin = now + waits;
        // Without a rate what waited for an earlier one is still ahead.
        let Some(rate) = self.conditions.rate else {
            return Some(begin);
        };
        let waiting = waits.as_secs_f64() * rate as f64;
        if !waits.is_zero() && waiting + len as f64 > self.conditions.queue as f64 {
            return None;
        }
        self.free_at = begin + Duration::from_secs_f64(len as f64 / rate as f64);
        Some(self.free_at)
    }
}

#[cfg(test)]
mod tests;
