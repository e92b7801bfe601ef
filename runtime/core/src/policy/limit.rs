//! How many calls a server works on at once: as many as it takes before they begin to hold each other up.
//!
//! # Why
//! A server that takes whatever comes answers nobody once it is past its capacity: everything is begun, nothing ends in
//! time. The number that it can do with is different on each machine and for each handler, and changes while it runs, so
//! it is found: as long as calls take about what they take where there is little to do, it grows; when they take longer,
//! it shrinks. A gradient, after Netflix's `Gradient2` and Envoy's adaptive concurrency.
//!
//! ```text
//!   a window ends          nobody had to wait for a place    no change; what is usual is learnt; four times its floor, if
//!                                                            calls that timed out had brought it there
//!                          at most 5 ms, of each method      doubled
//!                          at most 1.4 x what is usual       doubled
//!                          at most 2 x                       plus its square root
//!                          more                              times 2 / that, at least halved
//!                          three tenths were dropped at      halved
//!                            their deadline, with time
//!                            enough
//!   half as many again     and take as long as before        on it goes
//!     are at work          and take as much longer           it was full before: back, and no more for some windows
//!   two fifths fewer are   and take as much less             on it goes
//!                          and take as long as before        it was not their number: back, and what they take now is
//!                                                            usual for as long as they do
//! ```
//!
//! # What differs from those
//! - Nothing is pinned to find out what calls take alone: Envoy sets its limit to 3 for that every minute, and refuses
//!   what comes meanwhile. Here it is learnt when there is little to do, and falls at once when less is seen.
//! - A method is compared with itself, so a mix that changes is no slowness.
//! - A dependency that becomes slower does not close the server, and one that was started into too many calls does not
//!   believe that they always take so long. When as many calls are at work as before and a half, those of a server that is
//!   full take a half longer, and those that wait for something else as long as before: that tells the two apart.
//! - Calls that time out count (concurrency-limits #137: a server of which every call hangs until the same time-out looks
//!   steady, and its limit grew to the maximum).
//!
//! # Invariants
//! 1. It stays between its floor and its ceiling.
//! 2. It does not grow unless somebody came for whom there was no place; but from its floor, to which calls that timed out had
//!    brought it, as soon as they end as usual again.

use std::time::Duration;

/// So many times what is usual is no reason to take fewer.
const TOLERANCE: f64 = 2.0;
/// Up to so many times, there is plenty of room.
const PLENTY: f64 = 1.4;
/// On the way back to what it was before calls timed out it grows by this factor.
const BACK: f64 = 4.0;
/// It grows only while so much of it is in use.
const USED: f64 = 0.5;
/// It was lowered, and more than so many times as many are at work: it does not show yet.
const SHOWS: f64 = 1.25;
/// What it changed is judged when so many times as many calls are at work as before ...
const JUDGED_AT: (f64, f64) = (0.6, 1.5);
/// ... or is forgotten after so many windows.
const FORGOTTEN: u32 = 20;
/// It does not grow for so many windows after it was too much, at first and at most.
const HOLD: (u32, u32) = (2, 64);
/// The share of calls that are dropped at their deadline from which too many are at work.
const DROPS: f64 = 0.3;
/// A window ends with so many calls for each that may be at work ...
const ROUNDS: f64 = 2.0;
/// ... but not with fewer, nor with more, than these ...
const CALLS: (f64, f64) = (10.0, 200.0);
/// ... and not before, nor after, this long.
const LONG: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How quickly what is usual becomes less, where many calls say so ...
const FALLS: f64 = 0.3;
/// ... and more, where nobody had to wait ...
const RISES: f64 = 0.03;
/// ... and where there was little to do.
const RISES_CALM: f64 = 0.1;
/// So many calls count half as much as many.
const HALF: f64 = 100.0;

/// How much there was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Fewer calls than half of the limit were at work at any time.
    Calm,
    /// Nobody had to wait for a place.
    Room,
    /// Somebody had to.
    Full,
}

/// What one window showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// How long it was.
    pub time: Duration,
    /// Calls that came to their own end.
    pub ended: u32,
    /// Those that were dropped at their deadline although there had been time enough.
    pub timed_out: u32,
    /// What they took together, as a multiple of what is usual; where that is known.
    pub ratio: Option<f64>,
    /// How many calls were at work in the mean.
    pub at_work: f64,
    /// How much there was to do.
    pub load: Load,
    /// Those of each method took 5 ms at most in the mean, a quarter of what nobody should wait.
    pub quick: bool,
}

/// The limit of one server.
#[derive(Clone, Debug)]
pub struct Limit {
    floor: f64,
    most: f64,
    limit: f64,
    /// The multiple that calls take for another reason than their number.
    slack: f64,
    trial: Option<Trial>,
    /// What it was before calls timed out; zero where they did not, or it is that again.
    before: f64,
    /// It was lowered: the calls of the next window are those of before.
    lowered: bool,
    /// Windows in which it does not grow, and how many the next time.
    hold: (u32, u32),
}

/// How it was before it was changed.
#[derive(Clone, Copy, Debug)]
struct Trial {
    limit: f64,
    ratio: f64,
    at_work: f64,
    windows: u32,
}

impl Limit {
    /// Begins with `initial`, and never leaves `floor` to `most`.
    pub fn new(initial: u32, floor: u32, most: u32) -> Self {
        let most = f64::from(most.max(1));
        let floor = f64::from(floor.max(1)).min(most);
        let limit = f64::from(initial).clamp(floor, most);
        Self {
            floor,
            most,
            limit,
            slack: 1.0,
            trial: None,
            before: 0.0,
            lowered: false,
            hold: (0, HOLD.0),
        }
    }

    /// How many calls may be at work.
    pub const fn get(&self) -> u32 {
        self.limit as u32
    }

    /// Whether a window of this length, in which so many calls ended and so many timed out, says enough. Where
    /// none ends but by timing out, a few do: each that begins until then is one more that its server may still work on when
    /// nobody waits for it.
    pub fn is_over(&self, time: Duration, ended: u32, timed_out: u32) -> bool {
        let calls = f64::from(ended) + f64::from(timed_out);
        let enough = (self.limit * ROUNDS).clamp(CALLS.0, CALLS.1);
        let hangs = ended == 0 && calls >= CALLS.0;
        let enough = calls >= enough || hangs;
        time >= LONG.1 || (time >= LONG.0 && enough)
    }

    /// A window is over.
    pub fn window(&mut self, seen: Seen) {
        let calls = f64::from(seen.ended) + f64::from(seen.timed_out);
        if seen.timed_out > 0 && f64::from(seen.timed_out) >= calls * DROPS {
            self.trial = None;
            self.before = self.before.max(self.limit);
            return self.set(self.limit / 2.0);
        }
        let Some(ratio) = seen.ratio else {
            // Nothing is known of what is usual: what ends, ends well.
            if seen.load == Load::Full && seen.ended > 0 {
                self.set(self.limit + self.limit.sqrt());
            }
            return;
        };
        self.slack = self.slack.min(ratio).max(1.0);
        if std::mem::take(&mut self.lowered) || seen.at_work > self.limit * SHOWS {
            return;
        }
        if seen.load != Load::Full {
            self.trial = None;
            if seen.load == Load::Calm {
                self.hold = (0, HOLD.0);
            }
            // Callers that were refused for so long hold back, and few come: at its floor it would wait for more of them, and
            // they for it.
            if self.limit <= self.floor && ratio / self.slack <= PLENTY {
                self.set((self.limit * BACK).min(self.before.max(self.floor)));
            }
            return;
        }
        if seen.quick {
            // A call of some microseconds takes a thousand times as long among a thousand others, for that is how long they
            // wait for a processor. To let them wait for a place instead is dearer, and nobody's gain.
            self.trial = None;
            return self.set(self.limit * 2.0);
        }
        if self.judge(ratio, seen.at_work) {
            return;
        }
        let above = ratio / self.slack;
        let held = self.hold.0 > 0;
        self.hold.0 = self.hold.0.saturating_sub(1);
        let to = if above > TOLERANCE {
            self.limit * (TOLERANCE / above).clamp(0.5, 0.9)
        } else if held || seen.at_work < self.limit * USED {
            return;
        } else if above <= PLENTY {
            (self.limit * BACK).min(self.before).max(self.limit * 2.0)
        } else {
            self.limit + self.limit.sqrt()
        };
        if to >= self.before {
            self.before = 0.0;
        }
        let now = Trial { limit: self.limit, ratio, at_work: seen.at_work, windows: 0 };
        self.trial.get_or_insert(now);
        self.set(to);
    }

    /// Whether what was changed is taken back.
    fn judge(&mut self, ratio: f64, at_work: f64) -> bool {
        let Some(mut trial) = self.trial.take() else { return false };
        let calls = at_work / trial.at_work.max(1.0);
        let longer = ratio / trial.ratio > f64::midpoint(1.0, calls);
        trial.windows += 1;
        if (JUDGED_AT.0..JUDGED_AT.1).contains(&calls) {
            self.trial = Some(trial).filter(|trial| trial.windows < FORGOTTEN);
            return false;
        }
        if longer && calls < 1.0 {
            self.slack = ratio;
        } else if longer {
            self.hold = (self.hold.1, (self.hold.1 * 2).min(HOLD.1));
        }
        if longer {
            self.set(trial.limit);
        }
        longer
    }

    fn set(&mut self, limit: f64) {
        let limit = limit.clamp(self.floor, self.most);
        self.lowered = limit < self.limit;
        self.limit = limit;
    }
}

/// What calls of one method take where there is little to do.
#[derive(Clone, Copy, Debug)]
pub struct Usual(Option<f64>);

impl Usual {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self(None);

    /// In microseconds, where it is known.
    pub const fn us(self) -> Option<f64> {
        self.0
    }

    /// So many calls of a window took this long in the mean.
    pub fn learn(&mut self, mean_us: f64, calls: u32, load: Load) {
        let mean_us = mean_us.max(1.0);
        let usual = *self.0.get_or_insert(mean_us);
        let share = match (mean_us < usual, load) {
            (true, _) => FALLS,
            (false, Load::Calm) => RISES_CALM,
            (false, Load::Room) => RISES,
            (false, Load::Full) => 0.0,
        };
        let calls = f64::from(calls);
        self.0 = Some((mean_us - usual).mul_add(share * calls / (calls + HALF), usual));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const WINDOW: Duration = Duration::from_millis(200);

    fn seen(ended: u32, ratio: f64) -> Seen {
        let at_work = f64::from(ended) / 10.0 * ratio;
        let quick = false;
        let ratio = Some(ratio);
        Seen { time: WINDOW, ended, timed_out: 0, ratio, at_work, load: Load::Full, quick }
    }

    /// So many windows of a server that works on `workers` calls at once, however many it has taken.
    fn full(limit: &mut Limit, workers: f64, windows: usize) {
        for _ in 0..windows {
            let ratio = (f64::from(limit.get()) / workers).max(1.0);
            let ended = f64::from(limit.get()).min(workers) * 10.0;
            limit.window(seen(ended as u32, ratio));
        }
    }

    /// So many windows of a server whose calls wait for something else, `ratio` times as long as usual.
    fn waiting(limit: &mut Limit, ratio: f64, windows: usize) {
        for _ in 0..windows {
            let ended = f64::from(limit.get()) * 10.0 / ratio;
            limit.window(seen(ended as u32, ratio));
        }
    }

    #[test]
    fn it_finds_what_a_server_can_do_from_above_and_from_below() {
        for initial in [4, 64, 1000] {
            let mut limit = Limit::new(initial, 4, 4096);
            full(&mut limit, 30.0, 40);
            assert!((30..=70).contains(&limit.get()), "from {initial}: {}", limit.get());
        }
    }

    #[test]
    fn as_many_as_there_are_quick_ones_may_be_at_work() {
        let mut limit = Limit::new(64, 4, 4096);
        for windows in 1..=4 {
            let at_work = f64::from(limit.get());
            limit.window(Seen { quick: true, at_work, ..seen(20_000, at_work) });
            assert_eq!(limit.get(), 64 << windows);
        }
        // Nobody had to wait any more.
        limit.window(Seen { quick: true, load: Load::Room, ..seen(20_000, 500.0) });
        assert_eq!(limit.get(), 1024);
        full(&mut limit, 30.0, 40);
        assert!((30..=70).contains(&limit.get()), "{}", limit.get());
    }

    #[test]
    fn a_dependency_that_became_slow_is_not_taken_for_too_many_calls() {
        let mut limit = Limit::new(64, 4, 4096);
        waiting(&mut limit, 1.0, 2);
        let before = limit.get();
        waiting(&mut limit, 10.0, 10);
        assert!(limit.get() >= before, "{before} to {}", limit.get());
    }

    #[test]
    fn calls_that_hang_until_they_time_out_bring_it_down() {
        let mut limit = Limit::new(64, 4, 4096);
        for _ in 0..4 {
            limit.window(Seen { timed_out: 64, ended: 0, ratio: None, ..seen(0, 1.0) });
        }
        assert_eq!(limit.get(), 4);
        full(&mut limit, 30.0, 4);
        assert!(limit.get() >= 30, "{}", limit.get());
    }

    #[test]
    fn once_calls_end_again_it_leaves_its_floor_even_if_few_dare_to_come() {
        let mut limit = Limit::new(64, 4, 4096);
        full(&mut limit, 64.0, 1);
        for _ in 0..8 {
            limit.window(Seen { timed_out: 64, ended: 0, ratio: None, ..seen(0, 1.0) });
        }
        assert_eq!(limit.get(), 4);
        let few = |ratio| Seen { load: Load::Calm, ..seen(10, ratio) };
        // These still wait for what nobody waits for any more.
        limit.window(few(3.0));
        limit.window(few(3.0));
        assert_eq!(limit.get(), 4);
        for _ in 0..4 {
            limit.window(few(1.0));
        }
        assert_eq!(limit.get(), 16);
        // One that calls did not bring there stays.
        let mut limit = Limit::new(4, 4, 4096);
        limit.window(few(1.0));
        assert_eq!(limit.get(), 4);
    }

    #[test]
    fn without_anybody_to_wait_it_stays() {
        let mut limit = Limit::new(64, 4, 4096);
        for ratio in [0.5, 1.0, 1.3, 5.0] {
            limit.window(Seen { load: Load::Room, ..seen(100, ratio) });
            assert_eq!(limit.get(), 64, "{ratio}");
        }
    }

    #[test]
    fn what_calls_take_for_another_reason_is_forgotten_when_they_no_longer_do() {
        let mut limit = Limit::new(64, 4, 4096);
        waiting(&mut limit, 4.0, 3);
        assert!(limit.slack >= 4.0);
        limit.window(Seen { load: Load::Room, ..seen(100, 1.0) });
        full(&mut limit, 30.0, 40);
        assert!((30..=70).contains(&limit.get()), "{}", limit.get());
    }

    #[test]
    fn what_is_usual_falls_quickly_and_rises_only_where_there_is_little_to_do() {
        let mut usual = Usual::UNKNOWN;
        usual.learn(1000.0, 900, Load::Full);
        usual.learn(5000.0, 900, Load::Full);
        assert_eq!(usual.us(), Some(1000.0));
        usual.learn(2000.0, 900, Load::Room);
        let room = usual.us().unwrap();
        usual.learn(2000.0, 900, Load::Calm);
        let calm = usual.us().unwrap() - room;
        assert!(room > 1000.0 && calm > room - 1000.0, "{room} {calm}");
        let mut few = usual;
        few.learn(100.0, 10, Load::Full);
        assert!(few.us().unwrap() > usual.us().unwrap() * 0.95, "ten calls say little");
        for _ in 0..20 {
            usual.learn(100.0, 900, Load::Full);
        }
        assert!(usual.us().unwrap() < 115.0);
    }

    #[test]
    fn a_window_takes_two_rounds_of_calls_or_a_second() {
        let limit = Limit::new(64, 4, 4096);
        let ms = Duration::from_millis;
        assert!(!limit.is_over(ms(49), 10_000, 0));
        assert!(!limit.is_over(ms(500), 127, 0));
        assert!(limit.is_over(ms(50), 128, 0));
        assert!(limit.is_over(ms(1000), 0, 0));
        // Few that time out are enough where none comes to its own end.
        assert!(!limit.is_over(ms(49), 0, 10));
        assert!(!limit.is_over(ms(50), 0, 9));
        assert!(limit.is_over(ms(50), 0, 10));
        assert!(!limit.is_over(ms(50), 1, 100));
    }

    #[test]
    fn every_state_answers_every_event() {
        let states: [(&str, u32, u32); 3] =
            [("floor", 4, 4), ("between", 64, 4), ("most", 4096, 4)];
        let events: [(&str, Seen); 6] = [
            ("room", Seen { load: Load::Room, ..seen(100, 9.0) }),
            ("plenty", seen(100, 1.05)),
            ("some", seen(100, 1.9)),
            ("slow", seen(100, 2.5)),
            ("drops", Seen { timed_out: 50, ..seen(100, 1.0) }),
            ("new", Seen { ratio: None, ..seen(100, 1.0) }),
        ];
        let mut table = String::new();
        for (state, initial, floor) in states {
            write!(table, "{state:<8}").unwrap();
            for (event, seen) in events {
                let mut limit = Limit::new(initial, floor, 4096);
                limit.window(Seen { at_work: f64::from(initial), ..seen });
                write!(table, " {event} {:<4}", limit.get()).unwrap();
            }
            table.push('\n');
        }
        assert_eq!(table, STATES);
    }

    const STATES: &str = "\
floor    room 4    plenty 8    some 6    slow 4    drops 4    new 6   
between  room 64   plenty 128  some 72   slow 51   drops 32   new 72  
most     room 4096 plenty 4096 some 4096 slow 3276 drops 2048 new 4096
";
}
