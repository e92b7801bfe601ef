//! Whether a history of comings, goings and look-ups can be: what was seen against what was so.
//!
//! # Rules
//! 1. No endpoint is listed for longer than [`BOUND`] after it was withdrawn.
//! 2. No endpoint that lives is missing for longer than [`BOUND`].
//! 3. No call fails while there is an endpoint that lives and that its caller knows, whatever becomes of etcd.
//!
//! Time counts from when nothing was in the way: neither of the one who looks, nor of the server, nor of etcd. What was
//! withdrawn while something was may not have been heard, and is left out of the first rule.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

/// How long news may take where nothing is in the way.
pub const BOUND: Duration = Duration::from_secs(5);

/// Who cannot do what he should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Nobody can.
    Etcd,
    /// The servers behind this gate.
    Servers(usize),
    /// This reader.
    Reader(usize),
}

/// Something was in the way.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) whose: Whose,
    pub(super) from: Instant,
    /// It is not over yet where there is none.
    pub(super) until: Option<Instant>,
}

/// A server's life.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) address: String,
    /// The gate that it reaches etcd through.
    pub(super) gate: usize,
    pub(super) from: Instant,
    pub(super) until: Option<Instant>,
}

/// What a reader saw.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) reader: usize,
    /// Asked afresh, or what a client has known all along.
    pub(super) is_fresh: bool,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) listed: BTreeSet<String>,
}

/// A call that may be repeated.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) reader: usize,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// Why it failed, if it did.
    pub(super) failed: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    pub(super) lives: Vec<Life>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) looks: Vec<Look>,
    pub(super) calls: Vec<Call>,
}

/// What there is to say of it.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// What cannot be.
    pub violations: Vec<String>,
    /// Look-ups that were held against the rules.
    pub judged: usize,
    /// The longest that an endpoint was listed after it was withdrawn, with nothing in the way.
    pub stale: Duration,
    /// The longest that one that lived was missing, with nothing in the way.
    pub missing: Duration,
    /// Calls, whatever was in their way.
    pub calls: usize,
    /// Of those, the ones that failed.
    pub failed: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { violations, judged, stale, missing, calls, failed } = self;
        write!(
            f,
            "{judged} look-ups judged; an endpoint was listed for at most {} ms after it was withdrawn, and missing for at most \
             {} ms while it lived; {failed} of {calls} calls failed, each where none lived that its caller knew; {} violations",
            stale.as_millis(),
            missing.as_millis(),
            violations.len()
        )?;
        violations.iter().take(10).try_for_each(|violation| write!(f, "\n{violation}"))
    }
}

impl Log {
    /// Holds every look-up against the rules.
    pub(super) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for look in &self.looks {
            self.judge(look, &mut verdict);
        }
        verdict.calls = self.calls.len();
        for call in &self.calls {
            let Some(why) = &call.failed else { continue };
            verdict.failed += 1;
            if !self.is_excused(call) {
                verdict.violations.push(format!("a call of reader {} failed: {why}", call.reader));
            }
        }
        verdict
    }

    fn judge(&self, look: &Look, verdict: &mut Verdict) {
        let Some(calm) = self.calm_since(look, &[Whose::Etcd, Whose::Reader(look.reader)]) else {
            return;
        };
        verdict.judged += 1;
        let kind = if look.is_fresh { "asked afresh" } else { "known" };
        let reader = look.reader;
        let mut lived = BTreeSet::new();
        for life in self.lives.iter().filter(|life| life.from < look.ended) {
            let address = &*life.address;
            lived.insert(address);
            let is_listed = look.listed.contains(address);
            // Whoever was withdrawn after the look lived then.
            let gone = life.until.filter(|until| *until <= look.ended);
            let (news, is_wrong) = match gone {
                None => (life.from, !is_listed),
                Some(until) if until > look.began => continue,
                Some(until) => (until, is_listed && !self.lives_on(life, until, look)),
            };
            if !is_wrong {
                continue;
            }
            let Some(calm_of_server) = self.calm_since(look, &[Whose::Servers(life.gate)]) else {
                continue;
            };
            let since = news.max(calm).max(calm_of_server);
            let late = look.began.saturating_duration_since(since);
            let (worst, words) = match gone {
                Some(_) => (&mut verdict.stale, "is listed"),
                None => (&mut verdict.missing, "is missing"),
            };
            *worst = late.max(*worst);
            if late > BOUND {
                let known = format!("{address} {words} ({kind}, reader {reader}) {late:?} after");
                verdict.violations.push(format!("{known} that could be known to be wrong"));
            }
        }
        for stranger in look.listed.iter().filter(|address| !lived.contains(&***address)) {
            verdict.violations.push(format!("{stranger} is listed ({kind}) and never was there"));
        }
    }

    /// Whether a life that has ended may be listed all the same: another is at its address by then, or its word may not have
    /// been heard.
    fn lives_on(&self, life: &Life, until: Instant, look: &Look) -> bool {
        let follows = |other: &Life| {
            other.address == life.address && other.from >= until && other.from < look.ended
        };
        self.is_troubled(life.gate, until) || self.lives.iter().any(follows)
    }

    /// Whether no endpoint lived all the time that its caller knew all the time.
    fn is_excused(&self, call: &Call) -> bool {
        let lived = |life: &Life| {
            life.from <= call.began && life.until.is_none_or(|until| until > call.ended)
        };
        !self.lives.iter().any(|life| lived(life) && self.knew(call, &life.address))
    }

    /// Whether a caller had heard of an endpoint when he began, and had not forgotten it when he was done.
    fn knew(&self, call: &Call, address: &str) -> bool {
        let own = |look: &&Look| look.reader == call.reader && !look.is_fresh;
        let until_then = self.looks.iter().filter(own).filter(|look| look.began <= call.ended);
        let before = until_then.clone().rfind(|look| look.ended <= call.began);
        let meanwhile = until_then.filter(|look| look.began > call.began);
        before.is_some()
            && before.into_iter().chain(meanwhile).all(|look| look.listed.contains(address))
    }

    /// Since when nothing was in the way of any of these; `None` where something was during the look.
    fn calm_since(&self, look: &Look, whose: &[Whose]) -> Option<Instant> {
        let mut calm = self.lives.first().map_or(look.began, |life| life.from);
        for trouble in self.troubles.iter().filter(|trouble| whose.contains(&trouble.whose)) {
            match trouble.until {
                _ if trouble.from > look.ended => {}
                Some(until) if until <= look.began => calm = calm.max(until),
                _ => return None,
            }
        }
        Some(calm)
    }

    /// Whether the word that a server was withdrawn may not have got through.
    fn is_troubled(&self, gate: usize, withdrawn: Instant) -> bool {
        const SAYING: Duration = Duration::from_secs(2);
        self.troubles.iter().any(|trouble| {
            let concerns =
                matches!(trouble.whose, Whose::Etcd) || trouble.whose == Whose::Servers(gate);
            let is_over = trouble.until.is_some_and(|until| until <= withdrawn);
            concerns && !is_over && trouble.from <= withdrawn + SAYING
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look by reader 0 at a second, at a history of `a`, which lived from second 0 to 20, and `b`, which lives on.
    fn violations(at: u64, listed: &[&str], troubles: &[(Whose, u64, Option<u64>)]) -> usize {
        let zero = Instant::now();
        let second = |n: u64| zero + Duration::from_secs(n);
        let life = |address: &str, until: Option<u64>| Life {
            address: address.to_owned(),
            gate: 1,
            from: zero,
            until: until.map(second),
        };
        let trouble = |(whose, from, until): &(Whose, u64, Option<u64>)| Trouble {
            whose: *whose,
            from: second(*from),
            until: until.map(second),
        };
        let look = Look {
            reader: 0,
            is_fresh: true,
            began: second(at),
            ended: second(at),
            listed: listed.iter().map(|address| (*address).to_owned()).collect(),
        };
        let log = Log {
            lives: vec![life("a", Some(20)), life("b", None)],
            troubles: troubles.iter().map(trouble).collect(),
            looks: vec![look],
            calls: Vec::new(),
        };
        log.verdict().violations.len()
    }

    #[test]
    fn what_is_right_is_right() {
        assert_eq!(violations(10, &["a", "b"], &[]), 0);
        assert_eq!(violations(3, &[], &[]), 0, "they came just now");
        assert_eq!(violations(24, &["a", "b"], &[]), 0, "it was withdrawn just now");
        assert_eq!(violations(30, &["b"], &[]), 0);
    }

    #[test]
    fn what_cannot_be_is_found() {
        assert_eq!(violations(10, &["b"], &[]), 1, "`a` lives");
        assert_eq!(violations(10, &[], &[]), 2);
        assert_eq!(violations(26, &["a", "b"], &[]), 1, "`a` was withdrawn");
        assert_eq!(violations(10, &["a", "b", "c"], &[]), 1, "nobody knows `c`");
    }

    /// A call by reader 0 from second 10 to 12 that failed, where `a` lives until a second and was known at these.
    fn excused(lived_until: Option<u64>, known: &[(u64, bool)]) -> bool {
        let zero = Instant::now();
        let second = |n: u64| zero + Duration::from_secs(n);
        let look = |(at, knows): &(u64, bool)| Look {
            reader: 0,
            is_fresh: false,
            began: second(*at),
            ended: second(*at),
            listed: knows.then(|| "a".to_owned()).into_iter().collect(),
        };
        let (from, until) = (zero, lived_until.map(second));
        let life = Life { address: "a".to_owned(), gate: 1, from, until };
        let call =
            Call { reader: 0, began: second(10), ended: second(12), failed: Some("no".to_owned()) };
        let looks = known.iter().map(look).collect();
        let log = Log { lives: vec![life], looks, calls: vec![call], ..Log::default() };
        // What was known is judged for itself; here it is the call that counts.
        !log.verdict().violations.iter().any(|words| words.starts_with("a call of reader 0 failed"))
    }

    #[test]
    fn a_call_may_fail_only_where_nobody_lived_whom_its_caller_knew() {
        assert!(!excused(None, &[(9, true)]), "it lived, and was known");
        assert!(!excused(Some(13), &[(8, false), (9, true), (11, true)]));
        assert!(excused(Some(11), &[(9, true)]), "it was withdrawn meanwhile");
        assert!(excused(None, &[]), "nobody had heard of it");
        assert!(excused(None, &[(9, false), (11, true)]), "it was heard of too late");
        assert!(excused(None, &[(9, true), (11, false)]), "it was forgotten meanwhile");
        assert!(!excused(None, &[(9, true), (13, false)]), "it was forgotten later");
    }

    #[test]
    fn what_is_in_the_way_excuses_whom_it_concerns_and_not_for_longer() {
        for whose in [Whose::Etcd, Whose::Reader(0), Whose::Servers(1)] {
            assert_eq!(violations(10, &[], &[(whose, 5, None)]), 0, "{whose:?}");
            assert_eq!(violations(10, &[], &[(whose, 5, Some(8))]), 0, "{whose:?}");
            assert_eq!(violations(14, &[], &[(whose, 5, Some(8))]), 2, "{whose:?}");
        }
        for whose in [Whose::Reader(1), Whose::Servers(0)] {
            assert_eq!(violations(10, &[], &[(whose, 5, None)]), 2, "{whose:?}");
        }
        // The word did not get through, or it did, and this reader heard it late.
        assert_eq!(violations(40, &["a", "b"], &[(Whose::Servers(1), 18, Some(22))]), 0);
        assert_eq!(violations(40, &["a", "b"], &[(Whose::Reader(0), 18, Some(22))]), 1);
    }
}
