//! What is done to the airline while the travellers travel, one thing after the other.
//!
//! Each fault has its share of the time: for the first half it lasts, in the second the fleet is whole again. The
//! travellers must not notice: what they lose is counted by the fault that was there.

use std::time::Duration;

use sinew::Mesh;
use tokio::time::{Instant, sleep_until};

use crate::{
    Problem,
    api::{CountersClient, Mood},
    arguments::Role,
    fleet::Fleet,
    tally::{Mark, Tally},
};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One process ends at once, without a word.
    Kill,
    /// One process stands still.
    Freeze,
    /// One server takes 300 ms more for each call.
    Slow,
    /// One server fails each call at once.
    FailFast,
    /// All servers of a service are replaced in turn, each with a goodbye.
    Restart,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::Kill, Self::Freeze, Self::Slow, Self::FailFast, Self::Restart];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Slow => "slow",
            Self::FailFast => "fail_fast",
            Self::Restart => "restart",
        }
    }

    /// Whom it is done to.
    pub(crate) fn victim(self) -> Role {
        match self {
            Self::Kill | Self::Slow | Self::FailFast => Role::Fares,
            Self::Freeze => Role::Search,
            Self::Restart => Role::Gateway,
        }
    }
}

/// A fault, and what the travellers saw meanwhile.
#[derive(Debug)]
pub(crate) struct Episode {
    pub(crate) fault: Fault,
    pub(crate) seen: Mark,
}

const SLOW: Duration = Duration::from_millis(300);

/// Does all of it within `length`.
pub(crate) async fn rage(
    fleet: &mut Fleet,
    mesh: &Mesh,
    length: Duration,
    tally: &Tally,
) -> Result<Vec<Episode>, Problem> {
    let began = Instant::now();
    let share = length / (Fault::ALL.len() as u32 + 1);
    let mut episodes = Vec::new();
    for (at, fault) in Fault::ALL.into_iter().enumerate() {
        // The first share belongs to a fleet that is whole.
        let begins = began + share * (at as u32 + 1);
        sleep_until(begins).await;
        let mark = tally.mark();
        strike(fault, fleet, mesh).await?;
        sleep_until(begins + share / 2).await;
        heal(fault, fleet, mesh).await?;
        sleep_until(begins + share * 9 / 10).await;
        episodes.push(Episode { fault, seen: tally.since(mark) });
    }
    Ok(episodes)
}

async fn strike(fault: Fault, fleet: &mut Fleet, mesh: &Mesh) -> Result<(), Problem> {
    let victim = fault.victim();
    match fault {
        Fault::Kill => fleet.kill(victim).await,
        Fault::Freeze => fleet.signal(victim, "STOP").await,
        Fault::Slow => {
            let slow_ms = u32::try_from(SLOW.as_millis())?;
            be(mesh, fleet, victim, Mood { slow_ms, fails: false }).await
        }
        Fault::FailFast => be(mesh, fleet, victim, Mood { slow_ms: 0, fails: true }).await,
        Fault::Restart => fleet.replace(victim).await,
    }
}

async fn heal(fault: Fault, fleet: &mut Fleet, mesh: &Mesh) -> Result<(), Problem> {
    let victim = fault.victim();
    match fault {
        Fault::Kill => fleet.add(victim).await,
        Fault::Freeze => fleet.signal(victim, "CONT").await,
        Fault::Slow | Fault::FailFast => be(mesh, fleet, victim, Mood::default()).await,
        Fault::Restart => Ok(()),
    }
}

/// Tells the first server of a service how to be.
async fn be(mesh: &Mesh, fleet: &Fleet, victim: Role, mood: Mood) -> Result<(), Problem> {
    let counters: CountersClient = mesh.client_at(fleet.target(victim))?;
    Ok(counters.be(mood).await?)
}
