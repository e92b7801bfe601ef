//! One contender under one fault: a fresh fleet, the load, the fault, its end, and a watch.

use std::time::{Duration, Instant};

use versus_peers::Failure;

use crate::{
    diary::{Diary, now_us},
    figures::{Figures, Marks, When, back},
    fleet::{Fleet, REPLICAS, Site},
    names::{Contender, Fault},
    process::{Usage, pause},
};

/// Whom faults of one replica happen to.
const VICTIM: u8 = 1;
/// Not looked at: connections, caches, the first answers.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the watch lasts at least once the fault is over, and goes on when the victim is back.
const AFTER: Duration = Duration::from_secs(1);
/// Between two looks at whether it is.
const LOOK: Duration = Duration::from_millis(250);
/// After this, every call that began is over and told.
const SETTLED: Duration = Duration::from_millis(1_200);

/// A fleet that is worse than this before its fault, fifty times what the handler takes, has met something else. Such
/// an episode says nothing, and is played again, for whoever it happens to,
const SETTLED_P99_US: u64 = 100_000;
/// and so often at most.
const AGAIN: u32 = 2;

/// One contender's result, and the words of its first failure.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) figures: Figures,
    pub(crate) first_failure: Option<String>,
    /// How many times it was begun again, because calls went badly before there was a fault.
    pub(crate) again: u32,
}

/// # Errors
/// A process does not start, ends before its time, or does not end; or the machine has no time for any of it.
pub(crate) fn play(
    site: &Site,
    contender: Contender,
    fault: Fault,
    length: Duration,
) -> Result<Episode, Failure> {
    let mut again = 0;
    loop {
        let mut episode = once(site, contender, fault, length)?;
        let p99_us = episode.figures.healthy_p99_us;
        if p99_us < SETTLED_P99_US {
            episode.again = again;
            return Ok(episode);
        }
        if again == AGAIN {
            let ms = p99_us / 1_000;
            return Err(format!("p99 is {ms} ms with no fault yet: the machine is too busy").into());
        }
        again += 1;
    }
}

fn once(
    site: &Site,
    contender: Contender,
    fault: Fault,
    length: Duration,
) -> Result<Episode, Failure> {
    let diary = Diary::default();
    let mut fleet = Fleet::start(site, contender, &diary)?;
    pause(WARM_UP);
    let healthy_us = now_us();
    pause((length / 2).max(Duration::from_secs(1)));

    let before = fleet.usage()?;
    let strike_us = now_us();
    strike(&mut fleet, fault, length)?;
    heal(&mut fleet, fault)?;
    let heal_us = now_us();
    let after = fleet.usage()?;

    let mut marks = Marks { healthy_us, strike_us, heal_us, end_us: heal_us };
    watch(&diary, fault, &mut marks, length * 3);
    pause(SETTLED);
    let usage = Usage { cpu_s: after.cpu_s - before.cpu_s, memory_mib: after.memory_mib };
    let log = diary.read();
    site.keep(contender, fault, |out| log.write(out, strike_us))?;
    let figures = Figures::of(&log, fault, VICTIM, marks, usage)?;
    Ok(Episode { figures, first_failure: fleet.first_failure(), again: 0 })
}

/// Begins the fault and lets it last.
fn strike(fleet: &mut Fleet<'_>, fault: Fault, length: Duration) -> Result<(), Failure> {
    match fault {
        Fault::Kill => fleet.kill(VICTIM),
        Fault::Freeze => fleet.signal(VICTIM, "STOP")?,
        Fault::FailFast => fleet.tell(VICTIM, "fail")?,
        Fault::Slow => fleet.tell(VICTIM, "slow")?,
        Fault::AllFail => (0..REPLICAS).try_for_each(|index| fleet.tell(index, "fail"))?,
        Fault::Restart => {
            for index in 0..REPLICAS {
                fleet.stop(index)?;
                // A program takes its time to start; ours would be there at once.
                pause(length / 10);
                fleet.start_again(index)?;
                // As an orchestrator waits before it takes the next.
                pause(length / 10);
            }
            return Ok(());
        }
    }
    pause(length);
    Ok(())
}

/// Ends it.
fn heal(fleet: &mut Fleet<'_>, fault: Fault) -> Result<(), Failure> {
    match fault {
        Fault::Kill => fleet.start_again(VICTIM),
        Fault::Freeze => fleet.signal(VICTIM, "CONT"),
        Fault::FailFast | Fault::Slow => fleet.tell(VICTIM, "ok"),
        Fault::AllFail => (0..REPLICAS).try_for_each(|index| fleet.tell(index, "ok")),
        Fault::Restart => Ok(()),
    }
}

/// Until a victim is back, and a little longer; or for so long.
fn watch(diary: &Diary, fault: Fault, marks: &mut Marks, longest: Duration) {
    let until = Instant::now() + longest;
    while fault.has_victim() && Instant::now() < until {
        pause(LOOK);
        marks.end_us = now_us();
        let mut calls = diary.read().calls.clone();
        calls.sort_by_key(|call| call.begun_us);
        if back(&calls, VICTIM, *marks) != When::Never {
            break;
        }
    }
    pause(AFTER);
    marks.end_us = now_us();
}
