//! One server, its calls, and a clock that is turned by hand.

use std::sync::atomic::AtomicUsize;
use std::task::{Poll, Wake};

use super::*;
use crate::{
    rng::{SplitMix, below},
    tests::start,
};

#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Tried {
    plan: ServerPlan,
    method: Arc<MethodPlan>,
    caller: Arc<Group>,
    woken: Arc<Woken>,
    now: Instant,
}

const MS: Duration = Duration::from_millis(1);
const ASKS: Asks = Asks { class: Criticality::Critical, key: 0, deadline: None };

impl Tried {
    fn with(config: Config) -> Self {
        let now = start();
        let plan = ServerPlan::new(config, now);
        let (method, caller) = (plan.method(now), plan.caller());
        Self { plan, method, caller, woken: Arc::default(), now }
    }

    fn fixed(places: u32) -> Self {
        Self::with(Config { concurrency: Concurrency::Fixed(places), ..Config::default() })
    }

    fn arrive(&self, asks: Asks) -> Arrived {
        self.of(&self.caller, asks)
    }

    fn of(&self, caller: &Arc<Group>, asks: Asks) -> Arrived {
        self.plan.arrive(asks, &self.method, caller, self.now)
    }

    /// So many calls that begin.
    fn begin(&self, calls: usize) {
        for _ in 0..calls {
            assert!(matches!(self.arrive(ASKS), Arrived::Begins));
        }
    }

    fn waits(&self, asks: Asks) -> Seat {
        match self.arrive(asks) {
            Arrived::Waits(seat) => seat,
            other => panic!("{other:?}"),
        }
    }

    fn poll(&self, seat: &Seat) -> Poll<Result<(), Unqueued>> {
        seat.poll(&Waker::from(Arc::clone(&self.woken)))
    }

    fn leave(&self) {
        self.leave_of(&self.caller);
    }

    fn leave_of(&self, caller: &Group) {
        self.plan.leave(&self.method, caller, (MS, Left::Ended), self.now);
    }
}

#[test]
fn a_call_begins_while_there_is_room_waits_while_there_is_none_and_is_woken() {
    let tried = Tried::fixed(2);
    tried.begin(2);
    let seat = tried.waits(ASKS);
    assert!(tried.poll(&seat).is_pending());
    assert_eq!(tried.woken.0.load(Relaxed), 0);
    tried.leave();
    assert_eq!(tried.woken.0.load(Relaxed), 1);
    assert_eq!(tried.poll(&seat), Poll::Ready(Ok(())));
    assert_eq!(tried.plan.at_work(), 2);
    tried.leave();
    tried.leave();
    assert_eq!(tried.plan.at_work(), 0);
}

#[test]
fn who_goes_while_it_waits_or_has_just_been_told_to_begin_leaves_no_place_behind() {
    let tried = Tried::fixed(1);
    tried.begin(1);
    let (first, second, third) = (tried.waits(ASKS), tried.waits(ASKS), tried.waits(ASKS));
    assert!(tried.plan.give_up(first, tried.now));
    tried.leave();
    assert_eq!(tried.poll(&second), Poll::Ready(Ok(())));
    assert!(!tried.plan.give_up(second, tried.now), "it could have begun");
    assert_eq!(tried.poll(&third), Poll::Ready(Ok(())), "and so may the next");
    tried.leave();
    assert_eq!((tried.plan.at_work(), tried.caller.at_work()), (0, 0));
    assert_eq!(tried.plan.standing().waiting, 0);
}

#[test]
fn no_more_than_the_limit_are_at_work_however_long_it_is_full() {
    let mut tried = Tried::fixed(4);
    tried.begin(4);
    let mut seats = Vec::new();
    for _ in 0..1000 {
        tried.now += MS;
        for _ in 0..3 {
            if let Arrived::Waits(seat) = tried.arrive(ASKS) {
                seats.push(seat);
            }
        }
        // What is shed leaves fewer.
        if tried.plan.at_work() > 0 {
            tried.leave();
        }
        assert!(tried.plan.at_work() <= 4, "{}", tried.plan.at_work());
    }
    assert!(!seats.is_empty());
}

#[test]
fn without_a_limit_nobody_waits() {
    let tried = Tried::with(Config { concurrency: Concurrency::Unlimited, ..Config::default() });
    tried.begin(100_000);
    assert_eq!(tried.plan.standing().limit, None);
}

#[test]
fn one_caller_that_hangs_leaves_the_others_half_of_the_places() {
    let tried = Tried::fixed(100);
    let other = tried.plan.caller();
    tried.begin(100);
    let begun = (0..200).filter(|_| matches!(tried.of(&other, ASKS), Arrived::Begins)).count();
    assert_eq!(begun, 50);
    assert!(matches!(tried.arrive(ASKS), Arrived::Waits(_) | Arrived::Refused(_)));
}

#[test]
fn one_method_that_hangs_leaves_the_others_half_of_the_places_whoever_calls() {
    let tried = Tried::fixed(100);
    let other = tried.plan.method(tried.now);
    tried.begin(100);
    let arrive = |method| tried.plan.arrive(ASKS, method, &tried.caller, tried.now);
    let begun = (0..200).filter(|_| matches!(arrive(&other), Arrived::Begins)).count();
    assert_eq!(begun, 50);
    assert!(!matches!(arrive(&tried.method), Arrived::Begins));
}

#[test]
fn who_has_more_than_half_waits_for_those_that_have_less() {
    let tried = Tried::fixed(4);
    let other = tried.plan.caller();
    tried.begin(3);
    assert!(matches!(tried.of(&other, ASKS), Arrived::Begins));
    let own = tried.waits(ASKS);
    let Arrived::Begins = tried.of(&other, ASKS) else { panic!("what is beyond a share") };
    let Arrived::Waits(theirs) = tried.of(&other, ASKS) else { panic!("a place") };
    tried.leave_of(&other);
    assert_eq!(tried.poll(&theirs), Poll::Ready(Ok(())), "although it came later");
    assert!(tried.poll(&own).is_pending());
}

#[test]
fn a_method_that_takes_long_is_not_begun_for_a_call_that_waited_and_has_little_time() {
    let mut tried = Tried::fixed(1);
    for _ in 0..200 {
        tried.begin(1);
        tried.plan.leave(&tried.method, &tried.caller, (MS * 50, Left::Ended), tried.now);
    }
    tried.now += Duration::from_secs(1);
    tried.begin(1);
    // One a second is not asked.
    let due = |left| Asks { deadline: Some(tried.now + left), ..ASKS };
    let spared = tried.waits(due(MS * 10));
    let refused = tried.arrive(due(MS * 10));
    let Arrived::Refused(Refused::Queue(Unqueued::CannotFinish { left, need })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(left, MS * 10);
    assert!(need >= MS * 50, "{need:?}");
    drop(spared);
}

#[test]
fn under_too_much_the_least_critical_are_shed_before_they_are_looked_at_and_callers_hear_of_it() {
    let mut tried = Tried::fixed(4);
    tried.begin(4);
    let (mut shed, mut critical) = (0, 0);
    for step in 0..2000_u32 {
        tried.now += MS;
        if step % 10 == 0 {
            tried.leave();
        }
        let class = if step % 20 == 0 { Criticality::Critical } else { Criticality::Sheddable };
        match tried.arrive(Asks { class, key: (step * 7919) as u16, deadline: None }) {
            Arrived::Refused(Refused::Shed) => shed += 1,
            Arrived::Refused(_) if class == Criticality::Critical => critical += 1,
            _ => {}
        }
    }
    assert!(shed > 1000, "{shed}");
    assert_eq!(critical, 0);
    let told = tried.plan.cut().expect("a cut");
    assert!(told.criticality >= Criticality::SheddablePlus as u8, "{told:?}");
    // And nothing is when it is over.
    for _ in 0..4000 {
        tried.now += MS;
        if tried.plan.at_work() > 0 {
            tried.leave();
        }
    }
    assert!(matches!(tried.arrive(ASKS), Arrived::Begins));
    assert_eq!(tried.plan.cut(), None);
}

#[test]
fn places_are_conserved_whatever_comes_and_goes() {
    for seed in 0..200 {
        let mut rng = SplitMix::new(seed);
        let mut tried = Tried::with(Config {
            concurrency: Concurrency::Adaptive { initial: 8, max: 16 },
            ..Config::default()
        });
        let callers: Vec<_> = (0..3).map(|_| tried.plan.caller()).collect();
        let mut at_work: Vec<usize> = Vec::new();
        let mut waiting: Vec<(usize, Seat)> = Vec::new();
        for _ in 0..3000 {
            tried.now += MS / 4 * below(&mut rng, 8) as u32;
            let who = below(&mut rng, 3) as usize;
            match below(&mut rng, 8) {
                0..4 => {
                    let class = Criticality::ALL[below(&mut rng, 4) as usize];
                    let left = MS * below(&mut rng, 200) as u32;
                    let asks = Asks {
                        class,
                        key: below(&mut rng, 1 << 16) as u16,
                        deadline: Some(tried.now + left),
                    };
                    match tried.of(&callers[who], asks) {
                        Arrived::Begins => at_work.push(who),
                        Arrived::Waits(seat) => waiting.push((who, seat)),
                        Arrived::Refused(_) => {}
                    }
                }
                4..7 if !at_work.is_empty() => {
                    let who = at_work.swap_remove(below(&mut rng, at_work.len() as u64) as usize);
                    let left = [Left::Ended, Left::TimedOut][below(&mut rng, 2) as usize];
                    let took = MS * below(&mut rng, 30) as u32;
                    tried.plan.leave(&tried.method, &callers[who], (took, left), tried.now);
                }
                _ if !waiting.is_empty() => {
                    let at = below(&mut rng, waiting.len() as u64) as usize;
                    tried.plan.give_up(waiting.swap_remove(at).1, tried.now);
                }
                _ => {}
            }
            let mut still = Vec::new();
            for (who, seat) in waiting.drain(..) {
                match tried.poll(&seat) {
                    Poll::Pending => still.push((who, seat)),
                    Poll::Ready(Ok(())) => at_work.push(who),
                    Poll::Ready(Err(_)) => {}
                }
            }
            waiting = still;
            assert_eq!(tried.plan.at_work() as usize, at_work.len(), "seed {seed}");
            assert!(at_work.len() <= 16 + 8, "seed {seed}: {}", at_work.len());
        }
        for (who, caller) in callers.iter().enumerate() {
            let own = at_work.iter().filter(|at| **at == who).count();
            assert_eq!(caller.at_work() as usize, own);
        }
    }
}

/// One identity floods a server, another calls now and then: the one that floods is refused, the other never, nor told that
/// it would be.
#[test]
fn who_has_less_than_its_share_neither_waits_nor_is_shed_for_who_has_more() {
    let mut tried = Tried::fixed(16);
    let other = tried.plan.caller();
    let mut rng = SplitMix::new(7);
    let (mut seats, mut at_work) = (Vec::new(), 0_u32);
    let (mut refused, mut others, mut told) = (0, 0, false);
    for step in 0..40_000_u32 {
        tried.now += MS / 4;
        let asks = Asks { key: below(&mut rng, 1 << 16) as u16, ..ASKS };
        match tried.arrive(asks) {
            Arrived::Begins => at_work += 1,
            Arrived::Waits(seat) => seats.push(seat),
            Arrived::Refused(_) => refused += 1,
        }
        let now_begun = |seat: &Seat| matches!(tried.poll(seat), Poll::Ready(Ok(())));
        at_work += seats.iter().filter(|seat| now_begun(seat)).count() as u32;
        seats.retain(|seat| tried.poll(seat).is_pending());
        if step % 8 == 0 && at_work > 0 {
            at_work -= 1;
            tried.leave();
        }
        if step > 4_000 && step % 40 == 0 {
            let asks = Asks { key: below(&mut rng, 1 << 16) as u16, ..ASKS };
            let arrived = tried.of(&other, asks);
            let own = tried.caller.at_work();
            assert!(matches!(arrived, Arrived::Begins), "step {step}: {arrived:?}, {own} at work");
            others += 1;
            assert_eq!(tried.plan.cut_of(&other), None, "step {step}");
            told |= tried.plan.cut_of(&tried.caller).is_some();
            tried.leave_of(&other);
        }
    }
    assert!(refused > 20_000 && others > 800 && told, "{refused} {others} {told}");
}
