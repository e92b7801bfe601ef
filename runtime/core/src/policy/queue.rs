//! Calls that wait for a place at a server: which comes next, and which is better told at once that it will not.
//!
//! # Why
//! A queue that takes everything is the usual way to lose a server for good. In order of arrival, once it is longer than
//! the deadlines of what is in it, the server works on nothing but calls that end too late, however many are dropped
//! because they *are* too late: those that are left have just less time than they need. Three things together prevent it:
//!
//! ```text
//!   time      a wait is bounded, not a number: twice what calls take, from 100 ms to 1 s; 20 ms where for so long nobody of
//!             the class has waited less (Maurer, "Fail at Scale", ACM Queue 2015, after CoDel)
//!   order     the most critical first; within a class the first to come, and the last to come once
//!             somebody has waited for too long
//!   deadline  a call whose time is less than half of its method's calls take, and nine tenths while there is too much,
//!             is not begun; it is not even taken if it would be after its wait
//! ```
//!
//! # What differs from the article
//! - That somebody waits is no sign of too much: a thousand callers who come back as soon as they are answered, of handlers
//!   that take a microsecond, leave no queue empty, and each waits for some milliseconds. As in CoDel, what counts is that
//!   everybody waits long.
//! - A call that would wait too long is refused when it comes, by how quickly places become free: being told after a
//!   millisecond is worth more than after twenty.
//! - The last one is never refused for its wait: a worker that is free has something to do.
//! - More than the bound may be in it as long as nothing is known of how quickly places become free: a thousand calls in
//!   one moment, of handlers that take a microsecond, are no overload.
//!
//! # Invariants
//! 1. What was taken is handed out or refused, once.
//! 2. Who leaves it is skipped, and costs nothing when its turn comes.
//! 3. One that did not wait is not refused for its deadline.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    codes::Criticality,
    limits::{QUEUE_INTERVAL, QUEUE_INTERVAL_MAX, QUEUE_MAX, QUEUE_TARGET},
};

const CLASSES: usize = Criticality::ALL.len();
/// How quickly places become free is counted anew so often ...
const COUNTED: Duration = QUEUE_INTERVAL;
/// ... and what is being counted is believed after this long.
const BELIEVED: Duration = Duration::from_millis(50);
/// So many of a class are looked at for one that is not over its share.
const LOOKS: usize = 32;
/// Who waited less is taken for one that did not wait.
const NO_WAIT: Duration = Duration::from_millis(1);

/// What waits.
pub trait Waits {
    /// It does not wait any more.
    fn is_gone(&self) -> bool;
    /// It belongs to those that have more than their share.
    fn is_over_share(&self) -> bool;
}

/// One that wants to wait.
#[derive(Debug)]
pub struct Arrival<T> {
    /// It.
    pub item: T,
    /// Its class.
    pub class: Criticality,
    /// When it is too late.
    pub deadline: Option<Instant>,
    /// What it will take.
    pub need: Duration,
}

/// Why one does not get a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// So many wait already that it would take this long.
    Full {
        /// How many.
        waiting: usize,
        /// How long.
        wait: Duration,
    },
    /// It has waited this long.
    TooLong(Duration),
    /// It has made room for a more critical one.
    Displaced,
    /// There is not enough time left.
    CannotFinish {
        /// What there is.
        left: Duration,
        /// What it would wait, and take.
        need: Duration,
    },
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    since: Instant,
    deadline: Option<Instant>,
    need: Duration,
}

/// Those of one class that wait.
#[derive(Debug)]
struct Class<T> {
    waiting: VecDeque<Waiting<T>>,
    /// Since when somebody has been, and nobody was next who had waited for a short time.
    busy: Option<Instant>,
}

impl<T> Class<T> {
    const EMPTY: Self = Self { waiting: VecDeque::new(), busy: None };
}

/// Those that wait.
#[derive(Debug)]
pub struct Queue<T> {
    classes: [Class<T>; CLASSES],
    /// No wait is too long, and the first to come is always the next.
    unbounded: bool,
    /// How long one waits at most, as long as there is not too much to do.
    interval: Duration,
    /// From this class on there has been too much to do lately.
    pressed: usize,
    /// Since when somebody waits, or when it was counted anew; and the places that have become free since then.
    freed: Option<(Instant, u32)>,
    /// How long it took until one did, before that.
    gap: Option<Duration>,
}

impl<T: Waits> Queue<T> {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            classes: [Class::EMPTY; CLASSES],
            unbounded: false,
            interval: QUEUE_INTERVAL_MAX,
            pressed: CLASSES,
            freed: None,
            gap: None,
        }
    }

    /// One that never refuses for a wait: what it is worth without, for comparison.
    pub fn unbounded() -> Self {
        Self { unbounded: true, ..Self::new() }
    }

    /// How many wait, those that are gone and have not been skipped yet among them.
    pub fn len(&self) -> usize {
        self.classes.iter().map(|class| class.waiting.len()).sum()
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.classes.iter().all(|class| class.waiting.is_empty())
    }

    /// Whether calls of this class have been waiting for so long that there is too much to do.
    pub fn is_overloaded(&self, class: Criticality, now: Instant) -> bool {
        self.has_too_much(class as usize, now)
    }

    fn has_too_much(&self, class: usize, now: Instant) -> bool {
        let long = |since| now.saturating_duration_since(since) >= self.interval;
        !self.unbounded && (class >= self.pressed || self.classes[class].busy.is_some_and(long))
    }

    /// Calls take this long in the mean, if that is known: so long, and twice, nobody's wait says anything.
    pub fn takes(&mut self, mean: Option<Duration>) {
        let twice = mean.map_or(QUEUE_INTERVAL_MAX, |mean| mean * 2);
        self.interval = twice.clamp(QUEUE_INTERVAL, QUEUE_INTERVAL_MAX);
    }

    /// How long one waits at most, as long as there is not too much to do.
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// From which class on there has been too much to do lately: there nobody waits as long as he may otherwise.
    pub fn press(&mut self, from: Option<Criticality>) {
        self.pressed = from.map_or(CLASSES, |class| class as usize);
    }

    /// Whether there is too much to do, and somebody has waited for longer than anybody is to wait then.
    fn is_late(&self, class: usize, now: Instant) -> bool {
        let late =
            |waiting: &Waiting<T>| now.saturating_duration_since(waiting.since) > QUEUE_TARGET;
        self.classes[class].waiting.front().is_some_and(late) && self.has_too_much(class, now)
    }

    fn bound(&self, class: usize, now: Instant) -> Duration {
        match (self.unbounded, self.has_too_much(class, now)) {
            (true, _) => Duration::MAX,
            (false, true) => QUEUE_TARGET / 4,
            (false, false) => self.interval,
        }
    }

    /// How long it takes until a place is free.
    fn gap(&self, now: Instant) -> Duration {
        let Some((since, freed)) = self.freed else { return Duration::ZERO };
        let time = now.saturating_duration_since(since);
        if time >= BELIEVED { time / (freed + 1) } else { self.gap.unwrap_or_default() }
    }

    /// How long one waits behind so many.
    fn wait(&self, behind: usize, now: Instant) -> Duration {
        self.gap(now).saturating_mul(u32::try_from(behind + 1).unwrap_or(u32::MAX))
    }

    /// Takes one, if it is worth its while. One that has to make room for it is added to `displaced`.
    ///
    /// # Errors
    /// Why not, and the arrival's item.
    pub fn enter(
        &mut self,
        arrival: Arrival<T>,
        now: Instant,
        displaced: &mut Vec<(T, Refused)>,
    ) -> Result<(), (T, Refused)> {
        let Arrival { item, class, deadline, need } = arrival;
        let own = class as usize;
        let count = |classes: &[Class<T>]| classes.iter().map(|class| class.waiting.len()).sum();
        let before: usize = count(&self.classes[..=own]);
        let all: usize = count(&self.classes);
        let wait = self.wait(before, now);
        if let Some(deadline) = deadline.filter(|_| !need.is_zero()) {
            let left = deadline.saturating_duration_since(now);
            let need = if before > 0 { wait.saturating_add(need) } else { need };
            if left < need {
                return Err((item, Refused::CannotFinish { left, need }));
            }
        }
        let bound = self.bound(own, now);
        if (before > 0 && wait > bound) || before >= QUEUE_MAX {
            return Err((item, Refused::Full { waiting: all, wait }));
        }
        // Whoever is last now waits longer for it.
        if let Some(last) =
            (own + 1..CLASSES).rev().find(|at| !self.classes[*at].waiting.is_empty())
            && (all >= QUEUE_MAX || self.wait(all, now) > self.bound(last, now))
        {
            let least = self.classes[last].waiting.pop_back();
            displaced.extend(least.map(|least| (least.item, Refused::Displaced)));
        }
        if all == 0 {
            self.freed = Some((now, 0));
        }
        let class = &mut self.classes[own];
        class.busy.get_or_insert(now);
        class.waiting.push_back(Waiting { item, since: now, deadline, need });
        Ok(())
    }

    /// A place is free: who gets it, and how long it has waited. Those that are not worth it any more are added to
    /// `refused`.
    pub fn next(&mut self, now: Instant, refused: &mut Vec<(T, Refused)>) -> Option<(T, Duration)> {
        let late: [bool; CLASSES] = std::array::from_fn(|class| self.is_late(class, now));
        let next = loop {
            let Some((class, at)) = self.find(late) else { break None };
            let Some(next) = self.classes[class].waiting.remove(at) else { break None };
            let waited = now.saturating_duration_since(next.since);
            if next.item.is_gone() {
                continue;
            }
            if let Some(deadline) = next.deadline {
                let left = deadline.saturating_duration_since(now);
                if left.is_zero() || (waited > NO_WAIT && left < next.need) {
                    let why = Refused::CannotFinish { left, need: next.need };
                    refused.push((next.item, why));
                    continue;
                }
            }
            // Once there is too much, the waits are short because the bound is.
            if waited <= QUEUE_TARGET && !self.has_too_much(class, now) {
                self.classes[class].busy = Some(now);
            }
            break Some((next.item, waited));
        };
        for class in (0..CLASSES).rev() {
            if late[class] {
                self.refuse_old(class, now, refused);
            }
            if self.classes[class].waiting.is_empty() {
                self.classes[class].busy = None;
            }
        }
        next
    }

    /// A place became free; it counts if somebody waited for one.
    pub fn freed(&mut self, now: Instant) {
        let Some((since, freed)) = self.freed.filter(|_| !self.is_empty()) else { return };
        let time = now.saturating_duration_since(since);
        self.freed = Some((since, freed + 1));
        if time >= COUNTED {
            self.gap = Some(time / (freed + 1));
            self.freed = Some((now, 0));
        }
    }

    /// Where the next one is, by class, share and order: its class, and its place there. Where a class is late, its last
    /// one is first.
    fn find(&self, late: [bool; CLASSES]) -> Option<(usize, usize)> {
        let fits = |waiting: &Waiting<T>| !waiting.item.is_over_share() || waiting.item.is_gone();
        let mut first = None;
        for (number, class) in self.classes.iter().enumerate() {
            let waiting = &class.waiting;
            let len = waiting.len();
            let at = |place: usize| if late[number] { len - 1 - place } else { place };
            if first.is_none() && len > 0 {
                first = Some((number, at(0)));
            }
            if let Some(place) = (0..len.min(LOOKS)).find(|place| fits(&waiting[at(*place)])) {
                return Some((number, at(place)));
            }
        }
        first
    }

    /// Who is next, if nobody leaves.
    pub fn peek(&self, now: Instant) -> Option<&T> {
        let (class, at) = self.find(std::array::from_fn(|class| self.is_late(class, now)))?;
        self.classes[class].waiting.get(at).map(|waiting| &waiting.item)
    }

    /// While there is too much, who has waited longer than he should is told, except for the last one.
    fn refuse_old(&mut self, class: usize, now: Instant, refused: &mut Vec<(T, Refused)>) {
        while let Some(oldest) = self.classes[class].waiting.front() {
            let waited = now.saturating_duration_since(oldest.since);
            let last = self.len() == 1;
            if !oldest.item.is_gone() && (waited <= QUEUE_TARGET || last) {
                break;
            }
            let Some(oldest) = self.classes[class].waiting.pop_front() else { break };
            if !oldest.item.is_gone() {
                refused.push((oldest.item, Refused::TooLong(waited)));
            }
        }
    }
}

impl<T: Waits> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Item {
        id: u32,
        gone: bool,
        over: bool,
    }

    impl Waits for Item {
        fn is_gone(&self) -> bool {
            self.gone
        }
        fn is_over_share(&self) -> bool {
            self.over
        }
    }

    const fn item(id: u32) -> Item {
        Item { id, gone: false, over: false }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    struct Tried {
        queue: Queue<Item>,
        t0: Instant,
        refused: Vec<(Item, Refused)>,
    }

    impl Tried {
        fn new() -> Self {
            let mut queue = Queue::new();
            queue.takes(Some(ms(1)));
            Self { queue, t0: start(), refused: Vec::new() }
        }

        fn arrive(&mut self, item: Item, class: Criticality, at: u64) -> Result<(), Refused> {
            let arrival = Arrival { item, class, deadline: None, need: Duration::ZERO };
            let entered = self.queue.enter(arrival, self.t0 + ms(at), &mut self.refused);
            entered.map_err(|(_, why)| why)
        }

        fn due(&mut self, id: u32, at: u64, left: u64, need: u64) -> Result<(), Refused> {
            let now = self.t0 + ms(at);
            let arrival = Arrival {
                item: item(id),
                class: Criticality::Critical,
                deadline: Some(now + ms(left)),
                need: ms(need),
            };
            self.queue.enter(arrival, now, &mut self.refused).map_err(|(_, why)| why)
        }

        fn next(&mut self, at: u64) -> Option<u32> {
            let now = self.t0 + ms(at);
            self.queue.freed(now);
            self.queue.next(now, &mut self.refused).map(|(item, _)| item.id)
        }
    }

    #[test]
    fn the_most_critical_come_first_and_within_a_class_the_first_to_come() {
        let mut tried = Tried::new();
        for (id, class) in [(1, Criticality::Sheddable), (2, Criticality::Critical)] {
            tried.arrive(item(id), class, 0).unwrap();
            tried.arrive(item(id + 10), class, 0).unwrap();
        }
        let order: Vec<u32> = std::iter::from_fn(|| tried.next(1)).collect();
        assert_eq!(order, [2, 12, 1, 11]);
    }

    #[test]
    fn when_somebody_waited_long_while_there_is_too_much_the_last_to_come_is_next() {
        let mut tried = Tried::new();
        for id in 0..30 {
            tried.arrive(item(id), Criticality::Critical, 0).unwrap();
        }
        // A place every millisecond, and a wait of 30 for it: from the twentieth on, nobody waits less than 20.
        for at in 1..=119 {
            tried.arrive(item(29 + at), Criticality::Critical, u64::from(at)).unwrap();
            assert_eq!(tried.next(u64::from(at)), Some(at - 1), "in order");
        }
        assert!(!tried.queue.is_overloaded(Criticality::Critical, tried.t0 + ms(119)));
        assert_eq!(tried.next(121), Some(148), "the last to come");
        let told: Vec<_> = tried.refused.drain(..).map(|(item, _)| item.id).collect();
        assert_eq!(told, (119..=129).collect::<Vec<_>>(), "who waited for more than 20 ms");
        assert_eq!(tried.next(160), Some(147));
        assert_eq!(tried.next(161), Some(146), "the last one is not refused for its wait");
        assert_eq!(tried.next(162), None);
    }

    #[test]
    fn a_queue_that_is_never_empty_is_not_too_much_as_long_as_waits_are_short() {
        let mut tried = Tried::new();
        // Twenty callers who come back as soon as they are answered, and two places a millisecond.
        for caller in 0..20 {
            tried.arrive(item(caller), Criticality::Critical, 0).unwrap();
        }
        for at in 1..1000_u32 {
            for turn in [2 * at - 2, 2 * at - 1] {
                assert_eq!(tried.next(at.into()), Some(turn % 20));
                tried.arrive(item(turn % 20), Criticality::Critical, at.into()).unwrap();
            }
            assert!(!tried.queue.is_overloaded(Criticality::Critical, tried.t0 + ms(at.into())));
        }
        assert!(tried.refused.is_empty());
    }

    #[test]
    fn a_burst_is_taken_as_long_as_nothing_is_known_of_how_long_it_takes() {
        let mut tried = Tried::new();
        for id in 0..1000 {
            tried.arrive(item(id), Criticality::Critical, 0).unwrap();
        }
        assert_eq!(tried.queue.len(), 1000);
    }

    #[test]
    fn the_first_moments_of_a_burst_do_not_say_how_quickly_places_become_free() {
        let mut tried = Tried::new();
        for at in 0..5 {
            for id in 0..200 {
                tried.arrive(item(id), Criticality::Critical, at).unwrap();
            }
            assert!(tried.next(at).is_some());
        }
        // Later they do.
        assert!(tried.arrive(item(1), Criticality::Critical, 60).is_err());
    }

    #[test]
    fn who_would_wait_too_long_is_told_when_it_comes() {
        let mut tried = Tried::new();
        // A place every 10 ms: more than ten do not wait, and not more than one when there was too much before.
        let mut waiting = Vec::new();
        for at in 0..30_u32 {
            let now = u64::from(at) * 10;
            tried.queue.press((at >= 15).then_some(Criticality::Critical));
            for _ in 0..3 {
                let _ = tried.arrive(item(at), Criticality::Critical, now);
            }
            tried.next(now);
            waiting.push(tried.queue.len());
        }
        assert!(waiting.iter().all(|waiting| *waiting <= 11), "{waiting:?}");
        assert!(waiting[20..].iter().all(|waiting| *waiting <= 2), "{waiting:?}");
        let mut arrivals = (0..5).map(|_| tried.arrive(item(1), Criticality::Critical, 290));
        let refused = arrivals.find_map(Result::err).unwrap();
        assert!(matches!(refused, Refused::Full { wait, .. } if wait > QUEUE_TARGET / 4));
        // The more critical one is next, and somebody less critical makes room for it.
        let before = tried.queue.len();
        tried.arrive(item(7), Criticality::CriticalPlus, 290).unwrap();
        assert_eq!(tried.queue.len(), before);
        assert_eq!(tried.refused.last().unwrap().1, Refused::Displaced);
        assert_eq!(tried.next(291), Some(7));
    }

    #[test]
    fn where_calls_take_long_a_wait_is_no_sign_of_too_much() {
        let mut queue = Queue::<Item>::new();
        assert_eq!(queue.interval(), QUEUE_INTERVAL_MAX, "nothing is known");
        for (takes, interval) in [(1, 100), (200, 400), (5000, 1000)] {
            queue.takes(Some(ms(takes)));
            assert_eq!(queue.interval(), ms(interval));
        }
    }

    #[test]
    fn nothing_is_taken_while_no_place_becomes_free() {
        let mut tried = Tried::new();
        tried.arrive(item(1), Criticality::Critical, 0).unwrap();
        assert!(tried.arrive(item(2), Criticality::Critical, 10).is_ok());
        assert!(tried.arrive(item(3), Criticality::Critical, 300).is_err());
    }

    #[test]
    fn a_call_that_cannot_end_in_time_is_not_taken_and_not_begun() {
        let mut tried = Tried::new();
        let refused = tried.due(1, 0, 9, 10).unwrap_err();
        assert_eq!(refused, Refused::CannotFinish { left: ms(9), need: ms(10) });
        tried.due(2, 0, 15, 10).unwrap();
        assert_eq!(tried.next(6), None);
        assert_eq!(tried.refused[0].1, Refused::CannotFinish { left: ms(9), need: ms(10) });
        tried.due(3, 10, 15, 10).unwrap();
        assert_eq!(tried.next(14), Some(3));
        tried.due(4, 20, 1, 0).unwrap();
        assert_eq!(tried.next(21), None, "its time is over");
    }

    #[test]
    fn who_is_gone_is_skipped_and_who_is_over_its_share_comes_after_the_others() {
        let mut tried = Tried::new();
        let critical = Criticality::Critical;
        tried.arrive(Item { gone: true, ..item(1) }, critical, 0).unwrap();
        tried.arrive(Item { over: true, ..item(2) }, critical, 0).unwrap();
        tried.arrive(Item { over: true, ..item(3) }, critical, 0).unwrap();
        tried.arrive(item(4), critical, 0).unwrap();
        tried.arrive(item(5), Criticality::Sheddable, 0).unwrap();
        let order: Vec<u32> = std::iter::from_fn(|| tried.next(1)).collect();
        assert_eq!(order, [4, 5, 2, 3]);
        assert!(tried.refused.is_empty());
    }

    #[test]
    fn what_was_taken_is_handed_out_or_refused_once() {
        use crate::rng::{SplitMix, below};
        for seed in 0..100 {
            let mut rng = SplitMix::new(seed);
            let mut tried = Tried::new();
            let (mut now, mut taken, mut ended) = (0, Vec::new(), Vec::new());
            for id in 0..2000 {
                now += below(&mut rng, 4);
                let class = Criticality::ALL[below(&mut rng, 4) as usize];
                let arrived = match below(&mut rng, 2) {
                    0 => tried.arrive(item(id), class, now),
                    _ => tried.due(id, now, below(&mut rng, 100), below(&mut rng, 20)),
                };
                if arrived.is_ok() {
                    taken.push(id);
                }
                if below(&mut rng, 3) == 0 {
                    ended.extend(tried.next(now));
                }
            }
            while let Some(id) = tried.next(now) {
                ended.push(id);
            }
            ended.extend(tried.refused.iter().map(|(item, _)| item.id));
            ended.sort_unstable();
            assert_eq!(ended, taken, "seed {seed}");
            assert!(tried.queue.is_empty());
            assert!(tried.queue.classes.iter().all(|class| class.busy.is_none()));
        }
    }
}
