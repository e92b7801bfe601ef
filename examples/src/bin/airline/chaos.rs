//! What is done to the airline while the travellers travel, one thing after the other.
//!
//! Each fault has its share of the time: for the first part it lasts, in the second the fleet is whole again. The
//! travellers must not notice: what they lose is counted by the fault that was there.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Problem,
    api::Mood,
    arguments::{REPLICAS, Role},
    attempts::{Attempts, now_us},
    fleet::Fleet,
    tally::{Mark, Tally},
    watch::Watch,
};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One process ends at once, without a word: a server of plain HTTP, where there is one.
    Kill,
    /// One process stands still.
    Freeze,
    /// One server takes 300 ms more for each call.
    Slow,
    /// One server fails each call at once.
    FailFast,
    /// The packets to and from one server vanish, while its process lives.
    Blackhole,
    /// Nobody can announce itself, nor hear who has: the etcd is killed, and comes back.
    Etcd,
    /// All servers of a service are replaced in turn, each with a goodbye.
    Restart,
}

impl Fault {
    /// The last one takes as long as it takes, and must not keep another waiting.
    const ALL: [Self; 7] = [
        Self::Kill,
        Self::Freeze,
        Self::Slow,
        Self::FailFast,
        Self::Blackhole,
        Self::Etcd,
        Self::Restart,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Slow => "slow",
            Self::FailFast => "fail_fast",
            Self::Blackhole => "blackhole",
            Self::Etcd => "etcd",
            Self::Restart => "restart",
        }
    }

    /// What it is done to, for people.
    pub(crate) fn struck(self) -> &'static str {
        match self {
            Self::Etcd => "discovery",
            _ => self.victim().name(),
        }
    }

    /// Whose processes it is done to, or who is asked how it went.
    pub(crate) fn victim(self) -> Role {
        match self {
            Self::Kill | Self::Slow | Self::FailFast => Role::Fares,
            Self::Freeze | Self::Blackhole => Role::Search,
            Self::Etcd | Self::Restart => Role::Gateway,
        }
    }
}

/// A fault, and what came of it.
#[derive(Debug)]
pub(crate) struct Episode {
    pub(crate) fault: Fault,
    /// What the travellers saw meanwhile.
    pub(crate) seen: Mark,
    /// How often any process tried a call again.
    pub(crate) retried: u64,
    /// When the bad server was left, and used again: see [`Watch`]. Both are `None` where all are replaced.
    pub(crate) left_us: Option<u64>,
    pub(crate) back_us: Option<u64>,
}

const SLOW: Duration = Duration::from_millis(300);
/// Longer ones show nothing new.
const SHARE_MAX: Duration = Duration::from_secs(20);

/// Does all of it: within `length`, if it does not take long to start a process.
pub(crate) async fn rage(
    fleet: &mut Fleet,
    length: Duration,
    tally: &Tally,
    attempts: &Attempts,
) -> Result<Vec<Episode>, Problem> {
    let faults = Fault::ALL.into_iter().filter(|fault| *fault != Fault::Etcd || fleet.has_etcd());
    let faults: Vec<_> = faults.collect();
    let share = SHARE_MAX.min(length / (faults.len() as u32 + 1));
    // The first share belongs to a fleet that is whole.
    sleep(share).await;
    let mut episodes = Vec::new();
    for fault in faults {
        let (mark, retries) = (tally.mark(), fleet.retries().await? + attempts.retries());

        let victim = match fault {
            Fault::Kill => fleet.mortal_port()?,
            _ => fleet.first_port(fault.victim())?,
        };
        let (begins, struck) = (Instant::now(), now_us());
        strike(fault, fleet).await?;
        sleep_until(begins + share * 2 / 5).await;
        let healing = now_us();
        heal(fault, fleet).await?;
        let healed = now_us();
        sleep(share * 11 / 20).await;

        let successor = match fault {
            Fault::Kill => fleet.risen_port()?,
            _ => victim,
        };
        let attempts_at = fleet.attempts(fault.victim(), struck).await?;
        let watch = Watch::new(attempts_at, REPLICAS);
        episodes.push(Episode {
            fault,
            seen: tally.since(mark),
            retried: fleet.retries().await? + attempts.retries() - retries,
            left_us: watch.left_us(victim, struck..healing),
            back_us: watch.back_us(successor, healed..now_us()),
        });
    }
    Ok(episodes)
}

async fn strike(fault: Fault, fleet: &mut Fleet) -> Result<(), Problem> {
    let victim = fault.victim();
    let well = Mood::default();
    match fault {
        Fault::Kill => fleet.kill().await,
        Fault::Freeze => fleet.signal(victim, "STOP").await,
        Fault::Slow => {
            let slow_ms = u32::try_from(SLOW.as_millis())?;
            fleet.be(victim, Mood { slow_ms, ..well }).await
        }
        Fault::FailFast => fleet.be(victim, Mood { fails: true, ..well }).await,
        Fault::Blackhole => fleet.be(victim, Mood { swallowed: true, ..well }).await,
        Fault::Etcd => fleet.kill_etcd().await,
        Fault::Restart => fleet.replace(victim).await,
    }
}

async fn heal(fault: Fault, fleet: &mut Fleet) -> Result<(), Problem> {
    let victim = fault.victim();
    match fault {
        Fault::Kill => fleet.rise().await,
        Fault::Freeze => fleet.signal(victim, "CONT").await,
        Fault::Slow | Fault::FailFast | Fault::Blackhole => fleet.be(victim, Mood::default()).await,
        Fault::Etcd => fleet.rise_etcd().await,
        Fault::Restart => Ok(()),
    }
}
