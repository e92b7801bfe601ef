//! What the decisions of one call cost, with nothing sent: begin, pick and settle at the client, arrive and leave at the
//! server.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    hint::black_box,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sinew_core::{
    codes::Criticality,
    plan::{
        client::{ClientPlan, Config, Member, Outcome, Placement},
        server::{self, Arrived, Asks, Left, ServerPlan},
    },
    rng::{Rng as _, SplitMix},
};

/// An endpoint of its own.
struct Endpoint(Member);

impl AsRef<Member> for Endpoint {
    fn as_ref(&self) -> &Member {
        &self.0
    }
}

/// What is different from a plain call at endpoints that are all alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Zones,
    Keys,
    /// A tenth is in the client's aperture.
    Aperture,
    /// Answers say what the server has to do.
    Reports,
}

const ROUNDS: u32 = 7;
const CALLS: u64 = 200_000;

fn main() {
    let mut report = Vec::new();
    for endpoints in [1, 3, 8, 20, 1000] {
        let one = best(Kind::Plain, endpoints, 1);
        let two = best(Kind::Plain, endpoints, 2);
        // Calls per second of two threads, against those of one.
        let scale = 2.0 * one / two;
        println!(
            "{endpoints:>5} endpoints: {one:6.0} ns a call, {two:6.0} ns with two threads ({scale:.2} x)"
        );
        report.push(format!("\"ns_{endpoints}\":{one:.0},\"scale_{endpoints}\":{scale:.2}"));
    }
    let kinds = [
        (Kind::Zones, "in two zones"),
        (Kind::Keys, "by key"),
        (Kind::Aperture, "a tenth in the aperture"),
        (Kind::Reports, "with reports"),
    ];
    for (kind, name) in kinds {
        for endpoints in [3, 20, 1000] {
            let took = best(kind, endpoints, 1);
            println!("{endpoints:>5} endpoints {name}: {took:6.0} ns a call");
            let name = name.replace(' ', "_");
            report.push(format!("\"ns_{endpoints}_{name}\":{took:.0}"));
        }
    }
    for (name, full) in [("admission", false), ("refusal", true)] {
        let one = best_server(full, 1);
        let two = best_server(full, 2);
        println!("{name:>15}: {one:6.0} ns a call, {two:6.0} ns with two threads");
        report.push(format!("\"ns_{name}\":{one:.0},\"ns_{name}_2\":{two:.0}"));
    }
    for stripes in [1, 8] {
        let bytes = bytes_per_member(stripes);
        println!("{bytes:.0} bytes a member with {stripes} threads");
        report.push(format!("\"bytes_member_{stripes}\":{bytes:.0}"));
    }
    let draw = draw();
    println!("{draw:.0} us to draw an aperture of 100 of 1,000");
    report.push(format!("\"us_draw\":{draw:.0}"));
    let allocations = allocations();
    println!("{{{},\"allocations_per_call\":{allocations}}}", report.join(","));
}

/// Nanoseconds per call and thread, of the quickest round.
fn best(kind: Kind, endpoints: usize, threads: usize) -> f64 {
    let rounds = (0..ROUNDS).map(|_| round(kind, endpoints, threads));
    rounds.fold(f64::INFINITY, f64::min)
}

fn world(kind: Kind, endpoints: usize) -> (ClientPlan, Vec<Endpoint>) {
    let now = Instant::now();
    let plan = ClientPlan::new(Config { stripes: 2, ..Config::default() }, now);
    // A third is in the caller's zone.
    let place = |at| Placement {
        near: kind != Kind::Zones || at % 3 == 0,
        inside: kind != Kind::Aperture || at % 10 == 0,
        ..Placement::default()
    };
    let mut members: Vec<_> =
        (0..endpoints).map(|at| Endpoint(plan.member(place(at), false, now))).collect();
    plan.arrange(&mut members);
    members.iter().for_each(|member| member.0.set_connected(true));
    plan.recount(&members);
    (plan, members)
}

fn round(kind: Kind, endpoints: usize, threads: usize) -> f64 {
    let (plan, members) = world(kind, endpoints);
    let took: Duration = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|seed| {
                scope.spawn({
                    let (plan, members) = (&plan, &members);
                    move || calls(kind, plan, members, seed)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    });
    took.as_nanos() as f64 / CALLS as f64
}

fn calls(kind: Kind, plan: &ClientPlan, members: &[Endpoint], stripe: usize) -> Duration {
    let mut rng = SplitMix::new(stripe as u64);
    let began = Instant::now();
    let mut now = began;
    for call in 0..CALLS {
        let key = (kind == Kind::Keys).then_some(call);
        let mut turn = plan.begin(stripe, 3, true, now).with_key(key);
        let Some(picked) = plan.pick(members, &mut turn, now, &mut rng) else { continue };
        // An answer after 200 us, by a clock that costs nothing: reading one is the transport's cost.
        let later = now + Duration::from_micros(200);
        let of = members[picked.at].as_ref();
        if kind == Kind::Reports {
            of.report(stripe, 1, later);
        }
        black_box(plan.settle(members, of, (picked.ticket, Outcome::Answered), later, &mut rng));
        now += Duration::from_micros(5);
    }
    began.elapsed()
}

/// The same of a server: a call that has a place at once, or, where all places are taken and enough wait, none.
fn best_server(full: bool, threads: usize) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        let concurrency = server::Concurrency::Fixed(if full { 1 } else { 64 });
        let plan = ServerPlan::new(server::Config { concurrency, ..Default::default() }, begin);
        let (plan, method, caller) = (&plan, &plan.method(begin), &plan.caller());
        let asks = Asks { class: Criticality::Critical, key: 0, deadline: None };
        let mut waiting = Vec::new();
        // So long after the first has begun to wait, no other may.
        for later in [0, 0, 1, 1, 1] {
            if full {
                let now = begin + Duration::from_secs(later);
                if let Arrived::Waits(seat) = plan.arrive(asks, method, caller, now) {
                    waiting.push(seat);
                }
            }
        }
        let took: Duration = thread::scope(|scope| {
            let mut all = Vec::new();
            for _ in 0..threads {
                all.push(scope.spawn(move || served(plan, (asks, method, caller), begin)));
            }
            all.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
        });
        took.as_nanos() as f64 / CALLS as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn served(
    plan: &ServerPlan,
    (asks, method, caller): (Asks, &Arc<server::MethodPlan>, &Arc<server::Group>),
    epoch: Instant,
) -> Duration {
    let began = Instant::now();
    let mut now = epoch + Duration::from_secs(2);
    for _ in 0..CALLS {
        let arrived = black_box(plan.arrive(asks, method, caller, now));
        if matches!(arrived, Arrived::Begins) {
            let later = now + Duration::from_micros(20);
            plan.leave(method, caller, (Duration::from_micros(20), Left::Ended), later);
        }
        now += Duration::from_micros(5);
    }
    began.elapsed()
}

/// What a client of a thousand endpoints keeps for each of them.
fn bytes_per_member(stripes: usize) -> f64 {
    const MANY: usize = 1000;
    let now = Instant::now();
    let plan = ClientPlan::new(Config { stripes, ..Config::default() }, now);
    let mut members = Vec::with_capacity(MANY);
    let kept = allocation_counter::measure(|| {
        let member = |_| Endpoint(plan.member(Placement::default(), false, now));
        members.extend((0..MANY).map(member));
    });
    kept.bytes_current as f64 / MANY as f64 + size_of::<Member>() as f64
}

/// Microseconds of working out which of 1,000 endpoints are in a client's aperture: once per change of the list.
fn draw() -> f64 {
    let plan = ClientPlan::new(Config::default(), Instant::now());
    let mut placements = vec![Placement::default(); 1000];
    for (at, placement) in placements.iter_mut().enumerate() {
        placement.hash = SplitMix::new(at as u64).next_u64();
    }
    let rounds = (0..u64::from(ROUNDS)).map(|client| {
        let began = Instant::now();
        plan.draw_aperture(client, 100, black_box(&mut placements));
        began.elapsed().as_secs_f64() * 1e6
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// The most that a call of any kind makes.
fn allocations() -> f64 {
    let made = [Kind::Plain, Kind::Zones, Kind::Keys].map(|kind| {
        let (plan, members) = world(kind, 3);
        calls(kind, &plan, &members, 1);
        allocation_counter::measure(|| _ = calls(kind, &plan, &members, 1)).count_total
    });
    made.into_iter().max().unwrap_or_default() as f64 / CALLS as f64
}
