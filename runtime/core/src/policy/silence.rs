//! When an endpoint that says nothing is taken for dead.
//!
//! # Why
//! QUIC notices a peer that is gone after its idle time, 10 s here; a process that was killed, frozen or cut off must be
//! left long before. Every packet is a sign of life. But a handler that takes a second is silent too, for there is
//! nothing to acknowledge: so whoever waits asks, and only a question without an answer is silence.
//!
//! ```text
//!   calls out, nothing heard for   20 ms             a question: a PING, which any peer acknowledges
//!   a question, and nothing for    2 PTO             somebody may ask the host (a hint, never needed)
//!                                  3 PTO, >= 300 ms  suspect: no new calls; those that may be repeated go elsewhere
//!                                  1 s               dead: the others fail too, "maybe processed"
//!   anything heard                                   alive, at once
//! ```
//! While calls are out and nothing else is heard, each question comes after twice the time of the one before, 500 ms at
//! most: a call that waits for a minute costs two packets a second.
//!
//! A lone endpoint is never given up: there is nowhere else to go.

use std::time::{Duration, Instant};

use crate::limits::{ASK_FIRST, ASK_MAX, DEAD_AFTER, HINT_PTO, SUSPECT_AFTER, SUSPECT_PTO};

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
    packets: u64,
    heard: Option<Instant>,
    /// The question that is out.
    asked: Option<Instant>,
    /// After how long without a packet the next one is asked.
    patience: Duration,
    life: Life,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What the silence says.
    pub life: Life,
    /// The peer is to be asked for a sign of life.
    pub ask: bool,
}

/// An acknowledgement and an answer: more packets than these are traffic.
const OF_A_QUESTION: u64 = 3;

impl Default for Silence {
    fn default() -> Self {
        Self::new()
    }
}

impl Silence {
    /// Nothing is expected yet.
    pub const fn new() -> Self {
        Self { packets: 0, heard: None, asked: None, patience: ASK_FIRST, life: Life::Alive }
    }

    /// A look at the connection: packets received so far, whether calls are out, and its probe time-out.
    pub fn look(&mut self, packets: u64, calls_out: bool, pto: Duration, now: Instant) -> Look {
        if packets != self.packets {
            let quiet = self.asked.is_some() && packets - self.packets <= OF_A_QUESTION;
            self.patience = if quiet { (self.patience * 2).min(ASK_MAX) } else { ASK_FIRST };
            self.packets = packets;
            self.heard = Some(now);
            self.asked = None;
            self.life = Life::Alive;
            return Look { life: self.life, ask: false };
        }
        if !calls_out && self.life == Life::Alive {
            *self = Self { packets, heard: Some(now), ..Self::new() };
            return Look { life: self.life, ask: false };
        }
        let Some(asked) = self.asked else {
            let heard = *self.heard.get_or_insert(now);
            let ask = now.saturating_duration_since(heard) >= self.patience;
            self.asked = ask.then_some(now);
            return Look { life: self.life, ask };
        };
        let silent = now.saturating_duration_since(asked);
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
        Look { life: self.life, ask: false }
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
    use std::fmt::Write as _;

    use super::*;
    use crate::tests::start;

    const PTO: Duration = Duration::from_millis(27);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Looks every 10 ms from `from` to `to`, with calls out; the last finding, and how often it asked.
    fn wait(silence: &mut Silence, packets: u64, t0: Instant, from: u64, to: u64) -> (Life, u32) {
        let mut asked = 0;
        for at in (from..=to).step_by(10) {
            asked += u32::from(silence.look(packets, true, PTO, t0 + ms(at)).ask);
        }
        (silence.life(), asked)
    }

    #[test]
    fn a_question_without_an_answer_grows_worse_and_a_packet_ends_it() {
        let t0 = start();
        let mut silence = Silence::new();
        assert_eq!(wait(&mut silence, 1, t0, 0, 10), (Life::Alive, 0));
        assert_eq!(wait(&mut silence, 1, t0, 20, 70), (Life::Alive, 1));
        assert_eq!(wait(&mut silence, 1, t0, 80, 310), (Life::Quiet, 0));
        assert_eq!(wait(&mut silence, 1, t0, 320, 1010), (Life::Suspect, 0));
        assert_eq!(wait(&mut silence, 1, t0, 1020, 1020), (Life::Dead, 0));
        assert_eq!(wait(&mut silence, 2, t0, 1030, 1030), (Life::Alive, 0));
    }

    #[test]
    fn a_handler_that_takes_long_is_asked_after_and_is_not_silent() {
        let t0 = start();
        let mut silence = Silence::new();
        let (mut packets, mut asked, mut worst) = (1, 0, Life::Alive);
        for at in (0..10_000).step_by(10) {
            let look = silence.look(packets, true, PTO, t0 + ms(at));
            worst = worst.max(look.life);
            if look.ask {
                asked += 1;
                // It acknowledges, and answers.
                packets += 2;
            }
        }
        assert_eq!(worst, Life::Alive);
        // 20 ms, 40, ... 500, and so on.
        assert!((20..30).contains(&asked), "{asked}");
    }

    #[test]
    fn traffic_makes_it_ask_soon_again() {
        let t0 = start();
        let mut silence = Silence::new();
        let mut packets = 1;
        for at in (0..3000).step_by(10) {
            packets += 2 * u64::from(silence.look(packets, true, PTO, t0 + ms(at)).ask);
        }
        silence.look(packets + 50, true, PTO, t0 + ms(3000));
        assert_eq!(wait(&mut silence, packets + 50, t0, 3010, 3020), (Life::Alive, 1));
    }

    #[test]
    fn an_idle_connection_is_not_silent() {
        let t0 = start();
        let mut silence = Silence::new();
        for at in [0, 9000] {
            let look = silence.look(1, false, PTO, t0 + ms(at));
            assert_eq!(look, Look { life: Life::Alive, ask: false });
        }
        // A call went out: from now on something is expected, in its time.
        assert_eq!(wait(&mut silence, 1, t0, 9010, 9010), (Life::Alive, 0));
        assert_eq!(wait(&mut silence, 1, t0, 9020, 9030), (Life::Alive, 1));
    }

    #[test]
    fn a_suspect_stays_one_when_its_calls_have_left() {
        let t0 = start();
        let mut silence = Silence::new();
        assert_eq!(wait(&mut silence, 1, t0, 0, 320).0, Life::Suspect);
        assert_eq!(silence.look(1, false, PTO, t0 + ms(330)).life, Life::Suspect);
        assert_eq!(silence.look(1, false, PTO, t0 + ms(1330)).life, Life::Dead);
        assert_eq!(silence.look(2, false, PTO, t0 + ms(1400)).life, Life::Alive);
    }

    #[test]
    fn a_long_way_is_given_more_time() {
        let t0 = start();
        let mut silence = Silence::new();
        let far = ms(600);
        let mut look = |at| silence.look(1, true, far, t0 + ms(at)).life;
        look(0);
        look(20);
        assert_eq!(look(1810), Life::Quiet);
        assert_eq!(look(1820), Life::Dead);
    }

    #[test]
    fn a_hint_counts_until_something_is_heard() {
        let t0 = start();
        let mut silence = Silence::new();
        silence.look(1, true, PTO, t0);
        silence.refused();
        assert_eq!(silence.look(1, true, PTO, t0 + ms(60)).life, Life::Dead);
        assert_eq!(silence.look(2, true, PTO, t0 + ms(61)).life, Life::Alive);
    }

    #[test]
    fn every_state_answers_every_event() {
        let t0 = start();
        // What it is at `t0`, with calls out since so many milliseconds before.
        let since = |millis: u64| {
            let mut silence = Silence::new();
            wait(&mut silence, 1, t0 - ms(millis), 0, millis);
            silence
        };
        let refused = |mut silence: Silence| {
            silence.refused();
            silence
        };
        let states = [
            ("idle", Silence::new()),
            ("waits", since(10)),
            ("has asked", since(20)),
            ("quiet", since(100)),
            ("suspect", since(400)),
            ("dead", since(1100)),
            ("refused", refused(since(10))),
            ("asked so", refused(since(20))),
        ];
        let mut table = String::new();
        for (state, made) in states {
            for (event, packets, calls_out, later) in [
                ("a packet", 2, true, 0),
                ("at once", 1, true, 0),
                ("no calls out", 1, false, 0),
                ("10 ms", 1, true, 10),
                ("200 ms", 1, true, 200),
                ("1 s", 1, true, 1000),
            ] {
                // One look at 10 ms after the other is what it gets; here the last of them is what counts.
                let mut silence = made;
                let look = silence.look(packets, calls_out, PTO, t0 + ms(later));
                assert_eq!(look.life, silence.life(), "{state}, {event}");
                let ask = if look.ask { " and asks" } else { "" };
                writeln!(table, "{state:<9} {event:<12} {:?}{ask}", look.life).unwrap();
            }
        }
        assert_eq!(table, STATES);
    }

    const STATES: &str = "\
idle      a packet     Alive
idle      at once      Alive
idle      no calls out Alive
idle      10 ms        Alive
idle      200 ms       Alive
idle      1 s          Alive
waits     a packet     Alive
waits     at once      Alive
waits     no calls out Alive
waits     10 ms        Alive and asks
waits     200 ms       Alive and asks
waits     1 s          Alive and asks
has asked a packet     Alive
has asked at once      Alive
has asked no calls out Alive
has asked 10 ms        Alive
has asked 200 ms       Quiet
has asked 1 s          Dead
quiet     a packet     Alive
quiet     at once      Quiet
quiet     no calls out Quiet
quiet     10 ms        Quiet
quiet     200 ms       Quiet
quiet     1 s          Dead
suspect   a packet     Alive
suspect   at once      Suspect
suspect   no calls out Suspect
suspect   10 ms        Suspect
suspect   200 ms       Suspect
suspect   1 s          Dead
dead      a packet     Alive
dead      at once      Dead
dead      no calls out Dead
dead      10 ms        Dead
dead      200 ms       Dead
dead      1 s          Dead
refused   a packet     Alive
refused   at once      Dead
refused   no calls out Dead
refused   10 ms        Dead and asks
refused   200 ms       Dead and asks
refused   1 s          Dead and asks
asked so  a packet     Alive
asked so  at once      Dead
asked so  no calls out Dead
asked so  10 ms        Dead
asked so  200 ms       Dead
asked so  1 s          Dead
";
}
