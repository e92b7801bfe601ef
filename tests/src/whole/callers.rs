//! Who calls when: calls of a seed, each with its deadline, and some whose caller does not wait for the answer.

use std::time::Duration;

use sinew_core::rng::{SplitMix, below};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    faults::{Cast, one_of},
    net::Host,
    service::{Next, Own, Step, watch},
};

/// A call that is to be made.
#[derive(Debug, Clone)]
pub struct Planned {
    /// When.
    pub at: Duration,
    /// By whom.
    pub by: Host,
    what: What,
    /// Its caller goes away after this.
    leaves: Option<Duration>,
}

#[derive(Debug, Clone)]
enum What {
    Call(Vec<Step>),
    Watch(Step),
}

/// The calls of this time: some per second from each caller, and now and then many at once.
pub fn planned(cast: &Cast, time: Duration, rng: &mut SplitMix) -> Vec<Planned> {
    let mut all = Vec::new();
    let millis = time.as_millis() as u64;
    for by in &cast.callers {
        let every = 40 + below(rng, 80);
        let mut at = below(rng, every);
        while at < millis {
            all.push(one(cast, (*by, at), rng));
            at += 1 + below(rng, 2 * every);
        }
        for _ in 0..below(rng, 3) {
            let at = below(rng, millis);
            for _ in 0..10 + below(rng, 40) {
                all.push(one(cast, (*by, at + below(rng, 20)), rng));
            }
        }
    }
    all.sort_by_key(|planned| planned.at);
    all
}

fn one(cast: &Cast, (by, at): (Host, u64), rng: &mut SplitMix) -> Planned {
    let hops = 1 + below(rng, cast.tiers.len() as u64);
    let steps: Vec<Step> = (0..hops).map(|_| step(rng)).collect();
    let what = match (below(rng, 20), steps.first()) {
        (0, Some(step)) => What::Watch(Step { limit_ms: 2000, ..*step }),
        _ => What::Call(steps),
    };
    let leaves = (below(rng, 8) == 0).then(|| Duration::from_millis(1 + below(rng, 200)));
    Planned { at: Duration::from_millis(at), by, what, leaves }
}

fn step(rng: &mut SplitMix) -> Step {
    let takes = [0, 0, 1, 2, 5, 20, 100, 300];
    let limits = [20, 50, 100, 300, 500, 1000, 2000, 3000];
    Step {
        writes: below(rng, 3) == 0,
        limit_ms: *one_of(&limits, rng),
        takes_ms: *one_of(&takes, rng),
        fails: below(rng, 40) == 0,
    }
}

/// Makes a call, in a task of its own.
pub fn make(planned: Planned, own: Own, next: Next) -> JoinHandle<()> {
    tokio::spawn(async move {
        let call = async {
            match (planned.what, &next) {
                (What::Watch(step), Next::Front(front)) => watch(front, &own, step).await,
                (What::Watch(step), next) => next.call(&own, vec![step]).await,
                (What::Call(steps), next) => next.call(&own, steps).await,
            }
        };
        let _ = match planned.leaves {
            Some(leaves) => timeout(leaves, call).await.ok(),
            None => Some(call.await),
        };
    })
}

/// A call through all hops that has time enough: whether it succeeds, and if not, why.
///
/// # Errors
/// What it failed with.
pub async fn all_the_way(own: &Own, next: &Next, hops: usize, writes: bool) -> Result<(), String> {
    let step = Step { writes, limit_ms: 3000, takes_ms: 1, fails: false };
    next.call(own, vec![step; hops]).await.map(drop).map_err(|status| status.to_string())
}

/// A call through all hops whose caller goes away; the last hop would take for ever.
pub async fn leave(own: &Own, next: &Next, hops: usize) {
    let mut steps = vec![Step { writes: true, limit_ms: 60_000, takes_ms: 1, fails: false }; hops];
    if let Some(last) = steps.last_mut() {
        last.takes_ms = 50_000;
    }
    let _ = timeout(Duration::from_millis(200), next.call(own, steps)).await;
    sleep(Duration::from_millis(500)).await;
}
