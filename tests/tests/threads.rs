//! What holds of a client's plan when two threads decide at once.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    limits,
    plan::client::{
        Balance, ClientPlan, Config, Event, Failed, Member, Outcome, Picked, Placement,
    },
    rng::SplitMix,
};
use sinew_tests::Must as _;

const UNAVAILABLE: Failed = Failed {
    code: Code::Unavailable,
    reason: Reason::None,
    disposition: Disposition::Processed,
    directive: Directive::Default,
    origin: Origin::PeerHandler,
};

struct Endpoint(Member);

impl AsRef<Member> for Endpoint {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

struct World {
    plan: ClientPlan,
    members: Vec<Endpoint>,
    now: Instant,
}

impl World {
    fn new(endpoints: usize) -> Self {
        let now = Instant::now();
        let plan = ClientPlan::new(
            Config { stripes: 2, balance: Balance::RoundRobin, ..Config::default() },
            now,
        );
        let member = |_| Endpoint(plan.member(Placement::default(), false, now));
        let mut members: Vec<_> = (0..endpoints).map(member).collect();
        members.iter().for_each(|member| member.0.set_connected(true));
        plan.arrange(&mut members);
        plan.recount(&members);
        Self { plan, members, now }
    }

    /// Attempts, so many at each endpoint, all of them out.
    fn sent(&self, each: usize, rng: &mut SplitMix) -> Vec<Vec<Picked>> {
        let mut sent: Vec<Vec<Picked>> = self.members.iter().map(|_| Vec::new()).collect();
        while sent.iter().any(|sent| sent.len() < each) {
            let mut turn = self.plan.begin(0, 1, true, self.now);
            let picked = self.plan.pick(&self.members, &mut turn, self.now, rng).must("one");
            if sent[picked.at].len() < each {
                sent[picked.at].push(picked);
            } else {
                self.settle(&picked, Outcome::Answered, rng);
            }
        }
        sent
    }

    fn settle(&self, picked: &Picked, outcome: Outcome<'_>, rng: &mut SplitMix) -> Option<Event> {
        let of = self.members[picked.at].as_ref();
        self.plan.settle(&self.members, of, (picked.ticket, outcome), self.now, rng)
    }
}

/// Both endpoints ought to go, and one of them may: they ask at once, as nearly as can be.
#[test]
fn of_two_that_ask_at_once_one_is_out() {
    let failure = Outcome::Failed { failed: &UNAVAILABLE, had: None };
    for round in 0..5000 {
        let world = World::new(2);
        let sent = world.sent(limits::BREAKER_IN_A_ROW as usize, &mut SplitMix::new(round));
        let here = AtomicUsize::new(0);
        let ask = |at: usize| {
            let mut rng = SplitMix::new(round);
            let (last, before) = sent[at].split_last().must("some");
            for picked in before {
                assert_eq!(world.settle(picked, failure, &mut rng), None);
            }
            // Not asleep: who is woken comes too late.
            here.fetch_add(1, Ordering::SeqCst);
            while here.load(Ordering::SeqCst) < 2 {
                spin_loop();
            }
            world.settle(last, failure, &mut rng)
        };
        let events = thread::scope(|scope| {
            let other = scope.spawn(|| ask(1));
            [ask(0), other.join().must("a thread")]
        });
        let opened = events.iter().filter(|event| matches!(event, Some(Event::Opened { .. })));
        assert_eq!(opened.count(), 1, "{events:?}");
    }
}
