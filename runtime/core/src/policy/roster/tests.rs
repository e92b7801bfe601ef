//! Every state against every event, the rules one by one, and all of them under any order of events.

use std::{fmt::Write as _, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::tests::start;

const MS: Duration = Duration::from_millis(1);

/// An endpoint whose id is `a1` at the address `a`.
#[derive(Debug, Clone, PartialEq)]
struct At(String);

impl Listed for At {
    fn id(&self) -> &str {
        &self.0
    }

    fn address(&self) -> &str {
        &self.0[..1]
    }
}

/// `"a1 b1"`.
fn ats(words: &str) -> Vec<At> {
    words.split_whitespace().map(|word| At(word.to_owned())).collect()
}

fn words(list: &[At]) -> String {
    list.iter().map(|at| at.0.as_str()).collect::<Vec<_>>().join(" ")
}

fn ids(words: &str) -> Withdrawn {
    Withdrawn::Ids(words.split_whitespace().map(str::to_owned).collect())
}

fn says(words: &str, withdrawn: Withdrawn) -> Heard<At> {
    Heard::Snapshot(Snapshot { endpoints: ats(words), withdrawn })
}

/// A roster, and the list as its client has it.
struct Client {
    roster: Roster<At>,
    list: Vec<At>,
    now: Instant,
}

impl Client {
    fn new(sources: usize) -> Self {
        Self { roster: Roster::new(sources), list: Vec::new(), now: start() }
    }

    fn of(words: &str) -> Self {
        let mut client = Self::new(1);
        client.hear(0, says(words, Withdrawn::NONE));
        client
    }

    fn hear(&mut self, source: usize, heard: Heard<At>) {
        self.roster.hear(source, heard, self.now);
        self.poll();
    }

    fn poll(&mut self) {
        if let Some(list) = self.roster.poll(self.now) {
            self.list = list;
        }
    }

    /// Time goes by, from wakeup to wakeup.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wakeup) = self.roster.next_wakeup().filter(|wakeup| *wakeup <= end) {
            assert!(wakeup >= self.now || self.roster.changed.is_some(), "a wakeup in the past");
            self.now = self.now.max(wakeup);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    fn words(&self) -> String {
        words(&self.list)
    }
}

/// A source that has listed four, in each state.
fn states() -> [(&'static str, Client); 4] {
    let mut restored = Client::new(1);
    restored.roster.restore(0, ats("a1 b1 c1 d1"), restored.now);
    restored.poll();
    let mut losing = Client::of("a1 b1 c1 d1");
    losing.hear(0, says("a1", Withdrawn::NONE));
    losing.wait(ROSTER_DEBOUNCE);
    [
        ("unheard", Client::new(1)),
        ("restored", restored),
        ("listed", Client::of("a1 b1 c1 d1")),
        ("losing", losing),
    ]
}

#[test]
fn every_state_answers_every_event() {
    let events = [
        ("failed", Heard::Failed),
        ("empty", says("", Withdrawn::NONE)),
        ("empty, took a1 back", says("", ids("a1"))),
        ("empty, took all back", says("", Withdrawn::Rest)),
        ("a1", says("a1", Withdrawn::NONE)),
        ("a1, took b1 c1 back", says("a1", ids("b1 c1"))),
        ("a1, took all others back", says("a1", Withdrawn::Rest)),
        ("four others", says("w1 x1 y1 z1", Withdrawn::NONE)),
        ("a2 b1 c1 d1", says("a2 b1 c1 d1", Withdrawn::NONE)),
    ];
    let mut table = String::new();
    for (event, heard) in events {
        for (state, mut client) in states() {
            client.hear(0, heard.clone());
            client.wait(2 * ROSTER_DEBOUNCE);
            let soon = client.words();
            client.wait(ROSTER_LEASE);
            let later = client.words();
            let after = if later == soon { String::new() } else { format!(" -> {later}") };
            let _ = writeln!(table, "{state:9} {event}: {soon}{after}");
        }
    }
    assert_eq!(
        table,
        "\
unheard   failed: 
restored  failed: a1 b1 c1 d1
listed    failed: a1 b1 c1 d1
losing    failed: a1 d1 -> a1
unheard   empty: 
restored  empty: a1 b1 c1 d1
listed    empty: a1 b1 c1 d1
losing    empty: a1 d1 -> a1
unheard   empty, took a1 back: 
restored  empty, took a1 back: b1 c1 d1
listed    empty, took a1 back: b1 c1 d1
losing    empty, took a1 back: d1
unheard   empty, took all back: 
restored  empty, took all back: 
listed    empty, took all back: 
losing    empty, took all back: 
unheard   a1: a1
restored  a1: a1
listed    a1: a1 d1 -> a1
losing    a1: a1 d1 -> a1
unheard   a1, took b1 c1 back: a1
restored  a1, took b1 c1 back: a1
listed    a1, took b1 c1 back: a1
losing    a1, took b1 c1 back: a1 d1 -> a1
unheard   a1, took all others back: a1
restored  a1, took all others back: a1
listed    a1, took all others back: a1
losing    a1, took all others back: a1
unheard   four others: w1 x1 y1 z1
restored  four others: w1 x1 y1 z1
listed    four others: w1 x1 y1 z1
losing    four others: w1 x1 y1 z1
unheard   a2 b1 c1 d1: a2 b1 c1 d1
restored  a2 b1 c1 d1: a2 b1 c1 d1
listed    a2 b1 c1 d1: a2 b1 c1 d1
losing    a2 b1 c1 d1: a2 d1 -> a2 b1 c1 d1
"
    );
}

#[test]
fn changes_that_come_together_are_one() {
    let mut client = Client::of("a1 b1");
    client.hear(0, says("a1 b1 c1", Withdrawn::NONE));
    client.now += ROSTER_DEBOUNCE - MS;
    client.hear(0, says("a1 b1 c1 d1", Withdrawn::NONE));
    assert_eq!(client.words(), "a1 b1", "it is too early");
    client.wait(MS);
    assert_eq!(client.words(), "a1 b1 c1 d1", "the first change waits for its time and no longer");
}

#[test]
fn the_first_list_waits_for_nothing() {
    let mut client = Client::new(2);
    client.hear(1, says("a1", Withdrawn::NONE));
    assert_eq!(client.words(), "a1");
}

#[test]
fn what_comes_back_while_its_loss_is_not_out_yet_has_never_left() {
    let mut client = Client::of("a1 b1");
    client.hear(0, says("a1", Withdrawn::Rest));
    client.now += MS;
    client.hear(0, says("a1 b1", Withdrawn::NONE));
    assert_eq!(client.roster.next_wakeup(), None);
    client.wait(ROSTER_DEBOUNCE);
    assert_eq!(client.words(), "a1 b1");
}

#[test]
fn what_flaps_is_taken_back_once_a_second() {
    let mut client = Client::of("a1 b1");
    let (mut seen, mut came) = (true, 0);
    for step in 0..100 {
        let list = if step % 2 == 0 { "a1" } else { "a1 b1" };
        client.hear(0, says(list, Withdrawn::Rest));
        client.wait(Duration::from_millis(150));
        let is = client.words().contains("b1");
        came += u32::from(is && !seen);
        seen = is;
    }
    assert!((1..=15).contains(&came), "{came} times in 15 s");
}

#[test]
fn the_only_one_is_taken_back_at_once() {
    let mut client = Client::of("a1");
    client.hear(0, says("", Withdrawn::Rest));
    client.wait(2 * ROSTER_DEBOUNCE);
    assert_eq!(client.words(), "");
    client.hear(0, says("a1", Withdrawn::NONE));
    assert_eq!(client.words(), "a1");
}

#[test]
fn an_address_is_one_endpoint_whoever_lists_it() {
    let mut client = Client::new(2);
    client.hear(1, says("a1 b1", Withdrawn::NONE));
    client.hear(0, says("a2 c1", Withdrawn::NONE));
    client.wait(2 * ROSTER_DEBOUNCE);
    assert_eq!(client.words(), "a2 c1 b1");
    client.hear(0, says("c1", Withdrawn::Rest));
    client.wait(2 * ROSTER_RETURN);
    assert_eq!(client.words(), "c1 a1 b1", "the other source still lists that address");
}

#[test]
fn what_another_source_lists_makes_up_for_one_that_fails() {
    let mut client = Client::new(2);
    client.hear(0, Heard::Failed);
    client.hear(1, says("a1", Withdrawn::NONE));
    client.hear(0, says("", Withdrawn::NONE));
    client.wait(ROSTER_LEASE);
    assert_eq!(client.words(), "a1");
}

#[test]
fn only_so_many_are_kept() {
    // Two bytes of address each, so that there are enough of them.
    #[derive(Debug, Clone, PartialEq)]
    struct Number(String);
    impl Listed for Number {
        fn id(&self) -> &str {
            &self.0
        }
        fn address(&self) -> &str {
            &self.0
        }
    }
    let mut roster = Roster::new(3);
    let now = start();
    for round in 0..9 {
        let numbers = (0..2000).map(|n| Number((round * 1500 + n).to_string())).collect();
        let heard = Snapshot { endpoints: numbers, withdrawn: Withdrawn::NONE };
        roster.hear(round % 3, Heard::Snapshot(heard), now);
        let source = &roster.sources[round % 3];
        assert!(source.listed.len() + source.lost.len() <= ENDPOINTS_MAX);
    }
    assert_eq!(roster.poll(now).unwrap().len(), ENDPOINTS_MAX);
}

fn event() -> impl Strategy<Value = Heard<At>> {
    let endpoint = (0..6u8, 1..3u8).prop_map(|(at, id)| format!("{}{id}", (b'a' + at) as char));
    let ids = vec(endpoint.clone(), 0..3).prop_map(|ids| Withdrawn::Ids(ids.into_iter().collect()));
    let withdrawn = prop_oneof![4 => Just(Withdrawn::NONE), 2 => ids, 1 => Just(Withdrawn::Rest)];
    let snapshot = (vec(endpoint, 0..6), withdrawn);
    prop_oneof![
        1 => Just(Heard::Failed),
        6 => snapshot.prop_map(|(endpoints, withdrawn)| {
            let endpoints = endpoints.into_iter().map(At).collect();
            Heard::Snapshot(Snapshot { endpoints, withdrawn })
        }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_heard_the_rules_hold(
        events in vec((0..2usize, event(), 0..4000u64), 1..40),
    ) {
        let mut client = Client::new(2);
        let mut lists: Vec<BTreeSet<String>> = vec![BTreeSet::new(); 2];
        let mut took_back = false;
        for (source, heard, pause) in events {
            let before = client.list.clone();
            let listed: Vec<String> = client.roster.listed(source).iter().map(|at| at.0.clone()).collect();
            client.hear(source, heard.clone());
            match &heard {
                Heard::Failed => prop_assert_eq!(words(client.roster.listed(source)), listed.join(" ")),
                // Nothing but what was taken back goes with an empty answer.
                Heard::Snapshot(Snapshot { endpoints, withdrawn }) if endpoints.is_empty() => {
                    let stays = listed.iter().filter(|id| !withdrawn.contains(id));
                    let stays: Vec<_> = stays.cloned().collect();
                    prop_assert_eq!(words(client.roster.listed(source)), stays.join(" "));
                }
                Heard::Snapshot(Snapshot { endpoints, .. }) => {
                    lists[source] = endpoints.iter().map(|at| at.0.clone()).collect();
                    prop_assert!(client.roster.listed(source).iter().all(|at| lists[source].contains(&at.0)));
                }
            }
            client.wait(Duration::from_millis(pause));
            let addresses: BTreeSet<_> = client.list.iter().map(Listed::address).collect();
            prop_assert_eq!(addresses.len(), client.list.len(), "an address twice");
            took_back |= matches!(&heard, Heard::Snapshot(one) if one.withdrawn != Withdrawn::NONE);
            prop_assert!(!client.list.is_empty() || before.is_empty() || took_back);
            // What was taken back goes with the next change that is let through.
            took_back &= Duration::from_millis(pause) < 2 * ROSTER_DEBOUNCE;
        }
        // In the end, everything that a source lists is there, and nothing that it lost.
        client.wait(8 * ROSTER_LEASE);
        for source in 0..2 {
            for at in client.roster.listed(source) {
                prop_assert!(client.list.iter().any(|one| one.address() == at.address()));
            }
            let source = &client.roster.sources[source];
            prop_assert!(source.lost.is_empty() || source.listed.is_empty());
        }
        prop_assert_eq!(client.roster.next_wakeup(), None);
    }

    #[test]
    fn without_being_taken_back_half_goes_in_a_lease_at_most(
        first in 1..40usize,
        left in vec((1..40usize, 0..9000u64), 1..10),
    ) {
        #[derive(Debug, Clone, PartialEq)]
        struct Number(String);
        impl Listed for Number {
            fn id(&self) -> &str { &self.0 }
            fn address(&self) -> &str { &self.0 }
        }
        let snapshot = |count: usize| Heard::Snapshot(Snapshot {
            endpoints: (0..count).map(|n| Number(format!("{n:02}"))).collect(),
            withdrawn: Withdrawn::NONE,
        });
        let mut roster = Roster::new(1);
        let mut now = start();
        roster.hear(0, snapshot(first), now);
        let mut sizes = vec![(now, roster.poll(now).unwrap().len())];
        let mut fewest = first;
        for (count, pause) in left {
            fewest = fewest.min(count);
            roster.hear(0, snapshot(fewest), now);
            let end = now + Duration::from_millis(pause);
            while now <= end {
                sizes.extend(roster.poll(now).map(|list| (now, list.len())));
                now += Duration::from_millis(50);
            }
        }
        for (at, size) in &sizes {
            for (later, fewer) in &sizes {
                let within = later >= at && *later - *at < ROSTER_LEASE - ROSTER_DEBOUNCE;
                prop_assert!(!within || fewer * 2 >= *size, "{size} to {fewer}");
            }
        }
    }
}
