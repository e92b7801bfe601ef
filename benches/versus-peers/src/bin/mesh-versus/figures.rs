//! What a fault came to, out of the log alone.
//!
//! # How
//! A call is **touched** by a fault when the replica that fails or is slow executed it; where the replica is dead or
//! frozen, when the call failed, took longer than 25 ms (ten times what the handler does), or was repeated as far as
//! its caller is told. The replica is **left** when the last touched call is over, single ones among many aside:
//! clients probe. It is **back** when it answers half of its share again. Both look at half a second at a time, because
//! one call says nothing.

use crate::{
    diary::{Call, Log},
    fleet::REPLICAS,
    names::Fault,
    process::Usage,
};

/// Ten times the handler's time: what is slower met something.
const LATE_US: u64 = 25_000;
/// A failed call is one that took all of its time: who asked has nothing to show for it.
const DEADLINE_US: u64 = 1_000_000;
/// What is looked at together.
const WINDOW_US: u64 = 500_000;
/// Of the calls in a window: with fewer touched ones the replica is left, a third would be its share.
const LEFT_BELOW: f64 = 0.1;
/// Of its share: with so many answers it is back.
const BACK_FROM: f64 = 0.5;

/// When what happened, in microseconds of the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    /// The load has settled.
    pub(crate) healthy_us: u64,
    /// The fault begins,
    pub(crate) strike_us: u64,
    /// and is over: who was killed is ready again.
    pub(crate) heal_us: u64,
    /// What begins after this is not looked at.
    pub(crate) end_us: u64,
}

/// A time that may never have come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    Ms(f64),
    Never,
    /// The fault knows no such thing.
    Meaningless,
}

/// One contender under one fault.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// From the strike to the end of the watch.
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    /// While the fault lasted; failed calls count as a whole deadline.
    pub(crate) p99_us: u64,
    /// Before.
    pub(crate) healthy_p99_us: u64,
    pub(crate) left: When,
    pub(crate) back: When,
    /// The first call that it answered again.
    pub(crate) first_back: When,
    /// Executions at the replicas per call, while the fault lasted.
    pub(crate) attempts_per_call: f64,
    /// The same in the second half of that time: what was saved up for retries is spent then.
    pub(crate) attempts_later: f64,
    /// Good answers, while the fault lasted.
    pub(crate) calls_per_s: f64,
    /// The caller's and its sidecar's, while the fault lasted, and per call made.
    pub(crate) cpu_s: f64,
    pub(crate) cpu_us_per_call: f64,
    /// The caller's and its sidecar's, resident, when the fault was over.
    pub(crate) memory_mib: f64,
    /// What calls failed with, and how many.
    pub(crate) failed_with: String,
}

impl Figures {
    /// `usage` is what was used while the fault lasted.
    ///
    /// # Errors
    /// There are no calls to look at.
    pub(crate) fn of(
        log: &Log,
        fault: Fault,
        victim: u8,
        marks: Marks,
        usage: Usage,
    ) -> Result<Self, &'static str> {
        let mut calls = log.calls.clone();
        calls.sort_by_key(|call| call.begun_us);
        let healthy = between(&calls, marks.healthy_us, marks.strike_us);
        let during = between(&calls, marks.strike_us, marks.heal_us);
        let all = between(&calls, marks.strike_us, marks.end_us);
        if healthy.is_empty() || during.is_empty() {
            return Err("not one call is over");
        }
        let seconds = (marks.heal_us - marks.strike_us) as f64 / 1e6;
        let answered = during.iter().filter(|call| !call.failed()).count();
        let middle_us = marks.strike_us.midpoint(marks.heal_us);
        let codes = log.codes(marks.strike_us).into_iter();
        let codes: Vec<_> = codes.map(|(code, count)| format!("{code} {count}")).collect();
        let (left, back, first_back) = if fault.has_victim() {
            (
                left(log, during, fault, victim, marks),
                back(&calls, victim, marks),
                first_back(&calls, victim, marks),
            )
        } else {
            (When::Meaningless, When::Meaningless, When::Meaningless)
        };
        Ok(Self {
            calls: all.len(),
            failed: all.iter().filter(|call| call.failed()).count(),
            p99_us: p99(during),
            healthy_p99_us: p99(healthy),
            left,
            back,
            first_back,
            attempts_per_call: executions_per_call(log, during),
            attempts_later: executions_per_call(log, between(&calls, middle_us, marks.heal_us)),
            calls_per_s: answered as f64 / seconds,
            cpu_s: usage.cpu_s,
            cpu_us_per_call: usage.cpu_s * 1e6 / during.len() as f64,
            memory_mib: usage.memory_mib,
            failed_with: codes.join(", "),
        })
    }
}

/// Those that began from one time on and before another; `calls` are in that order.
fn between(calls: &[Call], from_us: u64, to_us: u64) -> &[Call] {
    let first = calls.partition_point(|call| call.begun_us < from_us);
    let last = calls.partition_point(|call| call.begun_us < to_us);
    calls.get(first..last).unwrap_or_default()
}

fn p99(calls: &[Call]) -> u64 {
    let mut times: Vec<_> = calls
        .iter()
        .map(|call| if call.failed() { DEADLINE_US.max(call.took_us) } else { call.took_us })
        .collect();
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().unwrap_or_default()
}

/// How often replicas began each of these calls, on average. They are numbered as they began.
fn executions_per_call(log: &Log, calls: &[Call]) -> f64 {
    let numbers = calls.iter().map(|call| call.number);
    let (Some(first), Some(last)) = (numbers.clone().min(), numbers.max()) else {
        return 0.0;
    };
    let these = first..=last;
    let executions = log.executions.iter();
    executions.filter(|one| these.contains(&one.call)).count() as f64 / calls.len() as f64
}

/// When the calls that the fault touched began and were over, in the order in which they began.
///
/// A replica that executes says exactly which those are. Of one that is dead or frozen they are known by what became
/// of them.
fn touched(log: &Log, during: &[Call], fault: Fault, victim: u8, marks: Marks) -> Vec<(u64, u64)> {
    let mut touched: Vec<_> = if fault.executes() {
        let at_victim = log.executions.iter().filter(|one| one.replica == victim);
        let times = at_victim.map(|one| one.at_us);
        let meanwhile = marks.strike_us..marks.heal_us;
        times.filter(|at| meanwhile.contains(at)).map(|at| (at, at)).collect()
    } else {
        let repeated = |call: &Call| call.attempts.is_some_and(|attempts| attempts > 1);
        let held = |call: &&Call| call.failed() || call.took_us > LATE_US || repeated(call);
        let held = during.iter().filter(held);
        held.map(|call| (call.begun_us, call.begun_us + call.took_us)).collect()
    };
    touched.sort_unstable();
    touched
}

/// From the strike to the end of the last touched call before a second without any, single ones aside.
fn left(log: &Log, during: &[Call], fault: Fault, victim: u8, marks: Marks) -> When {
    let touched = touched(log, during, fault, victim, marks);
    let many = LEFT_BELOW * rate_per_window(during, marks);
    let (mut first, mut last_begun, mut last_over) = (0, marks.strike_us, marks.strike_us);
    for (at, &(begun, over)) in touched.iter().enumerate() {
        while touched[first].0 + WINDOW_US <= begun {
            first += 1;
        }
        let is_early = begun < marks.strike_us + WINDOW_US;
        if !is_early && ((at + 1 - first) as f64) < many {
            continue;
        }
        // It was left, and this is something else: a busy machine, or a return.
        if begun > last_begun + 2 * WINDOW_US {
            break;
        }
        (last_begun, last_over) = (begun, last_over.max(over));
    }
    // What goes on until the end is not left, whatever comes then.
    if last_begun + 2 * WINDOW_US >= marks.heal_us {
        return When::Never;
    }
    When::Ms((last_over - marks.strike_us) as f64 / 1e3)
}

fn rate_per_window(during: &[Call], marks: Marks) -> f64 {
    let length = (marks.heal_us - marks.strike_us).max(1) as f64;
    during.len() as f64 * WINDOW_US as f64 / length
}

/// From the end of the fault to where the first half second begins in which the victim answers half of its share.
pub(crate) fn back(calls: &[Call], victim: u8, marks: Marks) -> When {
    let after = between(calls, marks.heal_us, marks.end_us);
    let of_victim = |call: &&Call| call.replica == Some(victim);
    for first in after.iter().filter(of_victim) {
        let until = first.begun_us + WINDOW_US;
        if until > marks.end_us {
            break;
        }
        let window = between(after, first.begun_us, until);
        let answered = window.iter().filter(|call| !call.failed()).count();
        let share = answered as f64 / f64::from(REPLICAS);
        if window.iter().filter(of_victim).count() as f64 >= BACK_FROM * share {
            return When::Ms((first.begun_us - marks.heal_us) as f64 / 1e3);
        }
    }
    When::Never
}

fn first_back(calls: &[Call], victim: u8, marks: Marks) -> When {
    let mut after = between(calls, marks.heal_us, marks.end_us).iter();
    after
        .find(|call| call.replica == Some(victim))
        .map_or(When::Never, |call| When::Ms((call.begun_us - marks.heal_us) as f64 / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diary::Execution;

    const MARKS: Marks =
        Marks { healthy_us: 0, strike_us: 1_000_000, heal_us: 5_000_000, end_us: 9_000_000 };

    /// 500 calls a second for 9 s, each answered after 2 ms by the next of three, or whatever `but` makes of it.
    fn log(but: impl Fn(&mut Call)) -> Log {
        let mut log = Log::default();
        for number in 0..4_500 {
            let mut call = Call {
                number,
                begun_us: number * 2_000,
                took_us: 2_000,
                replica: Some((number % 3) as u8),
                attempts: None,
                code: "Ok".to_owned(),
            };
            but(&mut call);
            if let Some(replica) = call.replica {
                log.executions.push(Execution { call: number, replica, at_us: call.begun_us });
            }
            log.calls.push(call);
        }
        log
    }

    fn figures(fault: Fault, but: impl Fn(&mut Call)) -> Figures {
        Figures::of(&log(but), fault, 1, MARKS, Usage::default()).expect("calls")
    }

    fn lasts(call: &Call) -> bool {
        (MARKS.strike_us..MARKS.heal_us).contains(&call.begun_us)
    }

    #[test]
    fn nothing_is_left_when_nothing_happens() {
        let figures = figures(Fault::Kill, |_| {});
        assert_eq!((figures.calls, figures.failed), (4_000, 0));
        assert_eq!((figures.p99_us, figures.healthy_p99_us), (2_000, 2_000));
        assert_eq!(figures.left, When::Ms(0.0));
        assert!(matches!(figures.back, When::Ms(ms) if ms < 10.0));
        assert!((figures.attempts_per_call - 1.0).abs() < 1e-9);
        assert!((figures.calls_per_s - 500.0).abs() < 1.0);
    }

    #[test]
    fn a_third_that_fails_until_the_end_is_never_left_and_the_p99_is_the_deadline() {
        let figures = figures(Fault::Kill, |call| {
            if lasts(call) && call.replica == Some(1) {
                call.replica = None;
                call.code = "Unavailable".to_owned();
            }
        });
        assert_eq!(figures.left, When::Never);
        assert_eq!(figures.p99_us, DEADLINE_US);
        assert!((660..=670).contains(&figures.failed), "{}", figures.failed);
        assert_eq!(figures.failed_with, format!("Unavailable {}", figures.failed));
    }

    #[test]
    fn a_victim_is_left_when_the_calls_it_held_up_are_over_and_probes_do_not_count() {
        let figures = figures(Fault::Freeze, |call| {
            let since = call.begun_us.saturating_sub(MARKS.strike_us);
            if !lasts(call) || call.replica != Some(1) {
                return;
            }
            call.replica = Some(0);
            let is_probe = since > 1_000_000 && since % 1_000_000 < 6_000;
            if since < 300_000 || is_probe {
                call.took_us = 300_000.max(330_000 - since);
            }
        });
        assert!(matches!(figures.left, When::Ms(ms) if (590.0..=600.0).contains(&ms)));
    }

    #[test]
    fn a_slow_one_that_keeps_a_sixth_of_the_calls_is_never_left() {
        let keeps = |share: u64| {
            figures(Fault::Slow, move |call| {
                if lasts(call) && call.replica == Some(1) && call.number % share != 1 {
                    call.replica = Some(0);
                }
            })
        };
        assert_eq!(keeps(6).left, When::Never);
        assert!(matches!(keeps(30).left, When::Ms(ms) if ms <= 500.0));
    }

    #[test]
    fn a_machine_that_stands_still_later_is_not_the_fault() {
        let held = |from_us: u64| {
            figures(Fault::Kill, move |call| {
                let since = call.begun_us.saturating_sub(MARKS.strike_us);
                if lasts(call) && (since < 100_000 || (from_us..from_us + 200_000).contains(&since))
                {
                    call.took_us = 60_000;
                }
            })
        };
        assert!(matches!(held(3_500_000).left, When::Ms(ms) if ms < 200.0));
        assert!(matches!(held(300_000).left, When::Ms(ms) if (500.0..600.0).contains(&ms)));
    }

    #[test]
    fn one_is_back_with_half_of_its_share_and_not_with_the_first_answer() {
        let figures = figures(Fault::Kill, |call| {
            let since = call.begun_us.saturating_sub(MARKS.heal_us);
            let is_rare = call.number % 30 != 1;
            if call.begun_us >= MARKS.strike_us && since < 2_000_000 && is_rare {
                call.replica = Some(0);
            }
        });
        assert!(matches!(figures.first_back, When::Ms(ms) if ms < 100.0));
        assert!(matches!(figures.back, When::Ms(ms) if (1_500.0..2_000.0).contains(&ms)));
    }

    #[test]
    fn executions_belong_to_the_calls_of_the_window() {
        let mut log = log(|_| {});
        let again = log.executions.clone().into_iter();
        log.executions.extend(again.filter(|one| one.at_us >= 3_000_000));
        let of = |log| Figures::of(log, Fault::AllFail, 1, MARKS, Usage::default());
        let figures = of(&log).expect("calls");
        assert!((figures.attempts_per_call - 1.5).abs() < 1e-9);
        assert!((figures.attempts_later - 2.0).abs() < 1e-9);
        assert_eq!(figures.left, When::Meaningless);
    }
}
