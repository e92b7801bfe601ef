//! What must hold when everything is over: of all calls together, and of what each process counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use sinew::{Happening, Mesh};
use sinew_core::limits;

use super::{
    journal::{Ended, Kept, Outcome, Whose},
    service::{Next, Own},
    world::World,
};

/// Every rule that is about more than one event.
pub fn at_rest(world: &World) {
    let mut broken = Vec::new();
    {
        let kept = world.journal.look();
        all_over(&kept, &mut broken);
        no_retry_below(&kept, &mut broken);
        budget(&kept, &mut broken);
    }
    for (whose, up) in world.up() {
        gauges(whose, &up.mesh, world, &mut broken);
        breakers(whose, &up.mesh, world, &mut broken);
    }
    for what in broken {
        world.journal.breaks(what);
    }
}

/// Every call has one end, and so has every handler.
fn all_over(kept: &Kept, broken: &mut Vec<String>) {
    for (number, call) in kept.calls.iter().filter(|(_, call)| call.ended.is_none()) {
        broken.push(format!("call {number} never ended: {:?}", call.begun));
    }
    for (number, run) in kept.runs.iter().filter(|(_, run)| run.ended.is_none()) {
        broken.push(format!("run {number} of call {} never ended", run.call));
    }
    for (number, call) in &kept.calls {
        let Some((_, Outcome::Answered(run))) = call.ended else { continue };
        let returned = kept.runs.get(&run).and_then(|run| run.ended);
        if !matches!(returned, Some((_, Ended::Returned { well: true } | Ended::Crashed))) {
            broken
                .push(format!("call {number} was answered by run {run}, which ended {returned:?}"));
        }
    }
}

/// What serves a retry does not retry below: of the runs of one call, one at most is of its first attempt.
fn no_retry_below(kept: &Kept, broken: &mut Vec<String>) {
    for (number, call) in &kept.calls {
        let repeats = |run: &&u64| {
            let calls = kept.runs.get(run).map_or(&[][..], |run| &run.calls);
            calls.iter().any(|call| kept.calls.get(call).is_some_and(|call| call.runs.len() > 1))
        };
        let repeating = call.runs.iter().filter(repeats).count();
        if repeating > 1 {
            broken.push(format!("{repeating} runs of call {number} repeated a call below"));
        }
    }
}

/// Retries stay within what the calls have paid in, and the reserve.
fn budget(kept: &Kept, broken: &mut Vec<String>) {
    #[derive(Default)]
    struct Spent {
        calls: u32,
        again: u32,
        first: Option<Instant>,
        last: Option<Instant>,
    }
    let mut all: BTreeMap<(Whose, &str), Spent> = BTreeMap::new();
    for call in kept.calls.values() {
        let spent = all.entry((call.begun.by, call.begun.service)).or_default();
        spent.calls += 1;
        spent.again += (call.runs.len() as u32).saturating_sub(1);
        spent.first = spent.first.min(Some(call.at)).or(Some(call.at));
        if call.runs.len() > 1 {
            spent.last = Some(call.at);
        }
    }
    for ((whose, service), spent) in all {
        let (Some(first), Some(last)) = (spent.first, spent.last) else { continue };
        let seconds = last.saturating_duration_since(first).as_secs_f64().ceil();
        let reserve =
            limits::BUDGET_RESERVE_MAX as f64 + seconds * limits::BUDGET_RESERVE_PER_S as f64;
        let may = f64::from(spent.calls) * limits::BUDGET_SHARE + reserve;
        if f64::from(spent.again) > may {
            broken.push(format!(
                "{whose:?} repeated {} of {} calls of {service}, and may {may:.1}",
                spent.again, spent.calls
            ));
        }
    }
}

/// The sum of all series of a metric whose labels begin so.
fn sum(text: &str, name: &str) -> f64 {
    let of = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ', ',']).then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    text.lines().filter_map(of).sum()
}

/// What is at work is nothing, and what was begun was counted once.
fn gauges(whose: Whose, mesh: &Mesh, world: &World, broken: &mut Vec<String>) {
    let text = mesh.metrics().to_string();
    for gauge in
        ["sinew_client_endpoint_in_flight", "sinew_server_in_flight", "sinew_server_waiting"]
    {
        let value = sum(&text, gauge);
        if value != 0.0 {
            broken.push(format!("{whose:?} is at rest, and its {gauge} is {value}"));
        }
    }
    let kept = world.journal.look();
    let mut begun: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for call in kept.calls.values().filter(|call| call.begun.by == whose) {
        *begun.entry((call.begun.service, call.begun.method)).or_default() += 1;
    }
    for ((service, method), begun) in begun {
        let name = format!("sinew_client_calls_total{{service=\"{service}\",method=\"{method}\"");
        let counted = sum(&text, &name);
        if counted != f64::from(begun) {
            broken.push(format!(
                "{whose:?} began {begun} of {service}/{method} and counts {counted}"
            ));
        }
    }
}

/// A breaker closes for what it let through since it opened, and for nothing that was sent before.
fn breakers(whose: Whose, mesh: &Mesh, world: &World, broken: &mut Vec<String>) {
    let kept = world.journal.look();
    for service in ["sim.Front", "sim.Middle", "sim.Back"] {
        let mut opened: BTreeMap<String, Instant> = BTreeMap::new();
        for decision in mesh.decisions(service) {
            let Some(endpoint) = decision.endpoint.as_deref() else { continue };
            match decision.what {
                Happening::BreakerOpened { .. } => {
                    opened.insert(endpoint.to_owned(), decision.at);
                }
                Happening::BreakerClosed => {
                    let Some(since) = opened.remove(endpoint) else { continue };
                    let host = world.host_of(endpoint);
                    let counts = kept.runs.values().any(|run| {
                        let call = kept.calls.get(&run.call);
                        let ours = call.is_some_and(|call| {
                            call.begun.by == whose && call.begun.service == service
                        });
                        let returned = matches!(
                            run.ended,
                            Some((at, Ended::Returned { .. })) if at <= decision.at
                        );
                        ours && returned && Some(run.on.host) == host && run.at >= since
                    });
                    if !counts {
                        broken.push(format!(
                            "{whose:?}: the breaker of {endpoint} opened at {:.1} ms and closed at {:.1} ms, and nothing \
                             was sent there in between",
                            kept.ms(since),
                            kept.ms(decision.at)
                        ));
                    }
                }
                _ => {}
            }
        }
    }
}

/// After everything was put right, calls in a row succeed, and a caller that goes away leaves nothing behind.
pub async fn normal(world: &World, calls: usize) {
    let hops = world.cast.tiers.len();
    for host in &world.cast.callers {
        let Some((own, next)) = world.caller(*host) else { continue };
        for number in 0..calls {
            let done = super::callers::all_the_way(&own, &next, hops, number % 2 == 0).await;
            if let Err(why) = done {
                let what = format!("call {number} in a row after the end of all faults: {why}");
                world.journal.breaks(what);
            }
        }
        left_behind(world, &own, &next, hops).await;
    }
}

async fn left_behind(world: &World, own: &Own, next: &Next, hops: usize) {
    let before: BTreeSet<u64> = world.journal.look().runs.keys().copied().collect();
    super::callers::leave(own, next, hops).await;
    let kept = world.journal.look();
    let new = kept.runs.iter().filter(|(number, _)| !before.contains(number));
    let alive: Vec<u64> =
        new.filter(|(_, run)| run.ended.is_none()).map(|(number, _)| *number).collect();
    drop(kept);
    if !alive.is_empty() {
        let what = format!("runs {alive:?} go on half a second after their caller went away");
        world.journal.breaks(what);
    }
}

/// How long calls may take to end by themselves.
pub const LONGEST: Duration = Duration::from_secs(4);
