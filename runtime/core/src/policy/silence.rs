//! When an endpoint that says nothing is taken for dead.
//!
//! # Why
//! QUIC notices a peer that is gone after its idle time, 10 s here; a process that was killed, frozen or cut off must be
//! left long before. Every packet is a sign of life, so silence can be told from slowness: a slow server still
//! acknowledges.
//!
//! ```text
//!   calls out, nothing heard for   2 PTO             somebody may ask the host (a hint, never needed)
//!                                  3 PTO, >= 300 ms  suspect: no new calls; those that may be repeated go elsewhere
//!                                  1 s               dead: the others fail too, "maybe processed"
//!   anything heard                                   alive, at once
//! ```
//! A lone endpoint is never given up: there is nowhere else to go.

use std::time::{Duration, Instant};

use crate::limits::{DEAD_AFTER, HINT_PTO, SUSPECT_AFTER, SUSPECT_PTO};

/// What silence says of an endpoint. Each is worse than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// It was heard lately, or nothing is expected of it.
    #[default]
    Alive,
    /// It ought to have been heard by now.
    Quiet,
    /// It is as good as gone.
    Suspect,
    /// It is gone.
    Dead,
}

/// Watches one connection.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Since when something is expected.
    since: Option<Instant>,
    packets: u64,
    life: Life,
}

impl Default for Silence {
    fn default() -> Self {
        Self::new()
    }
}

impl Silence {
    /// Nothing is expected yet.
    pub const fn new() -> Self {
        Self { since: None, packets: 0, life: Life::Alive }
    }

    /// A look at the connection: packets received so far, whether calls are out, and its probe time-out.
    pub fn look(&mut self, packets: u64, calls_out: bool, pto: Duration, now: Instant) -> Life {
        if packets != self.packets || (!calls_out && self.life == Life::Alive) {
            self.packets = packets;
            self.since = calls_out.then_some(now);
            self.life = Life::Alive;
            return self.life;
        }
        let since = *self.since.get_or_insert(now);
        let silent = now.saturating_duration_since(since);
        let suspect = (pto * SUSPECT_PTO).max(SUSPECT_AFTER);
        let life = if silent >= DEAD_AFTER.max(suspect) {
            Life::Dead
        } else if silent >= suspect {
            Life::Suspect
        } else if silent >= pto * HINT_PTO {
            Life::Quiet
        } else {
            Life::Alive
        };
        // Only a packet makes it better.
        self.life = self.life.max(life);
        self.life
    }

    /// The host says that nobody listens there. A hint: a packet outweighs it.
    pub fn refused(&mut self) {
        self.life = Life::Dead;
    }

    /// What was found last.
    pub const fn life(&self) -> Life {
        self.life
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    const PTO: Duration = Duration::from_millis(27);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn silence_with_calls_out_grows_worse_and_a_packet_ends_it() {
        let t0 = start();
        let mut silence = Silence::new();
        let mut look = |packets, at| silence.look(packets, true, PTO, t0 + ms(at));
        assert_eq!(look(1, 0), Life::Alive);
        assert_eq!(look(1, 53), Life::Alive);
        assert_eq!(look(1, 54), Life::Quiet);
        assert_eq!(look(1, 299), Life::Quiet);
        assert_eq!(look(1, 300), Life::Suspect);
        assert_eq!(look(1, 1000), Life::Dead);
        assert_eq!(look(2, 1001), Life::Alive);
        assert_eq!(look(2, 1300), Life::Quiet);
    }

    #[test]
    fn an_idle_connection_is_not_silent() {
        let t0 = start();
        let mut silence = Silence::new();
        assert_eq!(silence.look(1, false, PTO, t0), Life::Alive);
        assert_eq!(silence.look(1, false, PTO, t0 + ms(9000)), Life::Alive);
        // A call went out: from now on something is expected.
        assert_eq!(silence.look(1, true, PTO, t0 + ms(9100)), Life::Alive);
        assert_eq!(silence.look(1, true, PTO, t0 + ms(9399)), Life::Quiet);
    }

    #[test]
    fn a_suspect_stays_one_when_its_calls_have_left() {
        let t0 = start();
        let mut silence = Silence::new();
        silence.look(1, true, PTO, t0);
        assert_eq!(silence.look(1, true, PTO, t0 + ms(300)), Life::Suspect);
        assert_eq!(silence.look(1, false, PTO, t0 + ms(310)), Life::Suspect);
        assert_eq!(silence.look(1, false, PTO, t0 + ms(1310)), Life::Dead);
        assert_eq!(silence.look(2, false, PTO, t0 + ms(1400)), Life::Alive);
    }

    #[test]
    fn a_long_way_is_given_more_time() {
        let t0 = start();
        let mut silence = Silence::new();
        let far = ms(600);
        silence.look(1, true, far, t0);
        assert_eq!(silence.look(1, true, far, t0 + ms(1700)), Life::Quiet);
        assert_eq!(silence.look(1, true, far, t0 + ms(1800)), Life::Dead);
    }

    #[test]
    fn a_hint_counts_until_something_is_heard() {
        let t0 = start();
        let mut silence = Silence::new();
        silence.look(1, true, PTO, t0);
        silence.refused();
        assert_eq!(silence.look(1, true, PTO, t0 + ms(60)), Life::Dead);
        assert_eq!(silence.look(2, true, PTO, t0 + ms(61)), Life::Alive);
    }
}
