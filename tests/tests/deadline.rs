//! Deadlines over real connections: what is left shrinks from hop to hop, nobody passes anything, and when it is over
//! the work is dropped.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sinew::{CallOptions, Code, Context, Next, Ran, Reason, Request};
use sinew_core::wire::TimeLeft;
use sinew_tests::{
    Must as _, MustFail as _,
    errand::{ErrandClient, errand},
    hops::{Chain, FOR_EVER, How, Order},
    probe::{Counting, ProbeClient},
    raw::{
        Target,
        frames::{self, millis_left},
    },
    scene::{Running, Scene, client_at},
    wait::{ms, until},
};

fn timeout(limit: Duration) -> CallOptions {
    CallOptions::new().timeout(limit)
}

/// A probe, and what calls it.
async fn probe(scene: &Scene) -> (Counting, Running, ProbeClient) {
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (probe, server, client)
}

/// What a probe's handler saw, as a duration.
fn seen(micros: Option<u64>) -> Duration {
    Duration::from_micros(micros.must("a deadline"))
}

/// 500 ms at the root of three hops: each sees what is left above it less the time since and the reserve.
async fn falls_from_hop_to_hop(how: How) {
    let chain = Chain::new().await;
    let mut above = (Instant::now(), ms(500));
    let order = Order { how, ..Order::pausing([5; 3]) };
    let hops = chain.client.with(timeout(ms(500))).go(order).await.must("an answer in time");
    assert_eq!(hops, 3);
    for (number, hop) in chain.hops.iter().enumerate() {
        let seen = hop.seen();
        let left = seen.left.must("a deadline");
        let elapsed = seen.at - above.0;
        let least = above.1.saturating_sub(elapsed + ms(60));
        // Only a call that was made on behalf of another leaves a reserve.
        let reserve = if number == 0 { Duration::ZERO } else { ms(1) };
        let most = above.1 - reserve;
        assert!(
            left < above.1 && (least..=most).contains(&left),
            "hop {number} has {left:?} left, {elapsed:?} after {:?} were left above",
            above.1
        );
        above = (seen.at, left);
    }
}

#[tokio::test]
async fn what_is_left_falls_from_hop_to_hop_when_handlers_call_in_place() {
    falls_from_hop_to_hop(How::Await).await;
}

#[tokio::test]
async fn what_is_left_falls_from_hop_to_hop_when_handlers_call_in_spawned_tasks() {
    falls_from_hop_to_hop(How::Spawn).await;
}

#[tokio::test]
async fn every_hop_is_dropped_when_the_deadline_passes_at_the_last() {
    let chain = Chain::new().await;
    let order = Order::pausing([0, 0, FOR_EVER]);
    let began = Instant::now();
    let status = chain.client.with(timeout(ms(300))).go(order).await.must_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!((ms(200)..Duration::from_secs(5)).contains(&began.elapsed()), "{:?}", began.elapsed());
    for hop in &chain.hops {
        until("the handler is gone", || hop.tally().running() == 0).await;
    }
    assert_eq!(chain.hops[2].tally().dropped, 1);
}

#[tokio::test]
async fn a_call_leaves_a_reserve_to_answer_the_call_that_it_is_made_for() {
    let scene = Scene::new();
    let (_probe, server, _client) = probe(&scene).await;
    // The deadline of the call as the client's stack has it, beside the one of the handler that makes it.
    let deadlines = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&deadlines);
    let note = move |request: Request, next: Next| {
        let handlers = Context::current().and_then(|context| context.deadline());
        noted.lock().must("a list").push((request.deadline(), handlers));
        next.run(request)
    };
    let mesh = scene.mesh_with(|builder| builder.intercept_calls(note)).await;
    let inner: ProbeClient = client_at(&mesh, &[server.address()]);
    let outer = scene
        .serve(|server| {
            server.serve(errand(move || {
                let inner = inner.clone();
                async move { inner.left().await.map(|left| left.unwrap_or(0)) }
            }))
        })
        .await;
    let client: ErrandClient = scene.client(&outer).await;
    client.with(timeout(Duration::from_secs(5))).run().await.must("an answer");
    let deadlines = deadlines.lock().must("a list");
    let [(Some(child), Some(parent))] = deadlines[..] else { panic!("{deadlines:?}") };
    let reserve = parent - child;
    assert!((ms(1)..=ms(250)).contains(&reserve), "{reserve:?}: 1 ms to 5 % of what is left");
}

#[tokio::test]
async fn the_smaller_of_own_and_inherited_time_holds_in_a_handler() {
    let scene = Scene::new();
    let (_probe, _server, inner) = probe(&scene).await;
    let cases = [
        ("shorter", timeout(ms(1000)), ms(1000)),
        ("longer", timeout(Duration::from_secs(60)), ms(5000)),
        ("none of its own", CallOptions::new().without_deadline_at_my_own_risk(), ms(5000)),
        ("the default", CallOptions::new(), ms(5000)),
    ];
    for (name, options, most) in cases {
        let inner = inner.with(options);
        let outer = errand(move || {
            let inner = inner.clone();
            async move { inner.left().await.map(|left| left.unwrap_or(u64::MAX)) }
        });
        let outer = scene.serve(|server| server.serve(outer)).await;
        let client: ErrandClient = scene.client(&outer).await;
        let left = client.with(timeout(ms(5000))).run().await.must("an answer");
        let left = Duration::from_micros(left);
        assert!((most / 5..=most).contains(&left), "{name}: {left:?} of {most:?}");
    }
}

#[tokio::test]
async fn a_call_has_the_timeout_of_its_options_or_its_method_or_ten_seconds() {
    let scene = Scene::new();
    let (_probe, _server, client) = probe(&scene).await;
    let check = |what: &str, left: Option<u64>, most: Duration| {
        let left = seen(left);
        assert!((most / 5..=most).contains(&left), "{what}: {left:?}");
    };
    let own = client.with(timeout(Duration::from_secs(2)));
    let second = Duration::from_secs(1);
    check("default", client.left().await.must("an answer"), 10 * second);
    check("method", client.left_of_three_seconds().await.must("an answer"), 3 * second);
    check("options", own.left().await.must("an answer"), 2 * second);
    check("options win", own.left_of_three_seconds().await.must("an answer"), 2 * second);
}

#[tokio::test]
async fn a_timeout_of_zero_fails_the_call_before_anything_is_sent() {
    let scene = Scene::new();
    let (probe, _server, client) = probe(&scene).await;
    let status = client.with(timeout(Duration::ZERO)).echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.reason()), (Code::InvalidArgument, Reason::InvalidDeadline));
    assert_eq!(status.ran(), Ran::No);
    client.echo("after it".into()).await.must("an answer");
    assert_eq!(probe.tally().begun, 1, "only the second call");
}

#[tokio::test]
async fn a_call_with_less_than_a_millisecond_left_is_not_sent() {
    let scene = Scene::new();
    let (probe, _server, client) = probe(&scene).await;
    // The connection is there: what keeps the next call from being sent is its time alone.
    client.echo("before it".into()).await.must("an answer");
    let short = client.with(timeout(Duration::from_micros(900)));
    let status = short.echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::No), "{status}");
    assert_eq!(status.attempts(), 0);
    client.echo("after it".into()).await.must("an answer");
    assert_eq!(probe.tally().begun, 2, "only the two others");
}

#[tokio::test]
async fn six_hours_are_held_to_five_minutes_on_both_sides() {
    let hours = Duration::from_secs(6 * 3600);
    let allowed = Duration::from_secs(200)..=Duration::from_secs(300);
    // What the caller's stack makes of it, and what the handler sees.
    let scene = Scene::new();
    let (_probe, server, _client) = probe(&scene).await;
    let noted = Arc::new(Mutex::new(None));
    let note = Arc::clone(&noted);
    let note = move |request: Request, next: Next| {
        let left = request.deadline().map(|deadline| deadline - Instant::now());
        *note.lock().must("a lock") = left;
        next.run(request)
    };
    let mesh = scene.mesh_with(|builder| builder.intercept_calls(note)).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let left = seen(client.with(timeout(hours)).left().await.must("an answer"));
    assert!(allowed.contains(&left), "{left:?} in the handler");
    let left = noted.lock().must("a lock").must("a deadline");
    assert!(allowed.contains(&left), "{left:?} at the caller");

    // A caller that does not hold itself to it.
    let target = Target::new().await;
    let (_raw, mut lane) = target.lane().await;
    let time = TimeLeft::from_duration(hours);
    lane.write(frames::request(0, time, &frames::head("left"), &[])).await;
    let (_, _, body) = lane.answer().await;
    // `Some` of a number above 16 bits: a tag each, then four bytes.
    let micros = u32::from_le_bytes(body[2..6].try_into().must("four bytes"));
    assert!(allowed.contains(&Duration::from_micros(micros.into())), "{micros} us");
}

#[tokio::test]
async fn a_handler_has_no_deadline_when_the_call_says_so() {
    let scene = Scene::new();
    let (_probe, _server, client) = probe(&scene).await;
    let unbounded = client.with(CallOptions::new().without_deadline_at_my_own_risk());
    assert_eq!(unbounded.left().await.must("an answer"), None);
}

#[tokio::test]
async fn a_handler_is_dropped_at_its_deadline_when_nobody_cancels_it() {
    let target = Target::new().await;
    let (_raw, mut lane) = target.lane().await;
    let began = Instant::now();
    lane.write(frames::request(5, millis_left(300), &frames::head("hold"), &[])).await;
    let status = lane.status(5).await;
    assert_eq!((status.code, status.reason), (Code::DeadlineExceeded, Reason::Expired));
    assert_eq!(status.disposition.ran(), Ran::Maybe);
    assert!(began.elapsed() >= ms(200), "{:?}", began.elapsed());
    let tally = target.tally();
    assert_eq!((tally.begun, tally.dropped), (1, 1), "gone before the answer is sent");
}

#[tokio::test]
async fn a_call_that_expired_on_its_way_reaches_no_handler() {
    let target = Target::new().await;
    let (raw, mut lane) = target.lane().await;
    // The first call shows how far the clocks are apart; the next says that it was written 2 s before that.
    tokio::time::sleep(ms(5)).await;
    lane.write([frames::stamp(raw.now_us() + 2_000_000), frames::echo(1, "fresh")].concat()).await;
    assert_eq!(lane.answer().await.0, 1);
    let late = frames::request(2, millis_left(500), &frames::head("hold"), &[]);
    lane.write([raw.now(), late].concat()).await;
    let status = lane.status(2).await;
    assert_eq!((status.code, status.reason), (Code::DeadlineExceeded, Reason::ExpiredOnArrival));
    assert_eq!(status.disposition.ran(), Ran::No);
    assert_eq!(target.tally().begun, 1, "only the fresh one");
}

#[tokio::test]
async fn detached_work_has_its_own_time_and_outlives_the_call_that_began_it() {
    let scene = Scene::new();
    let (_probe, _server, inner) = probe(&scene).await;
    let (report, reported) = tokio::sync::oneshot::channel();
    let report = Arc::new(Mutex::new(Some(report)));
    let outer = errand(move || {
        let (inner, report) = (inner.clone(), report.lock().must("a lock").take());
        async move {
            sinew::detach(Duration::from_secs(20), async move {
                tokio::time::sleep(ms(300)).await;
                let left = inner.with(timeout(Duration::from_secs(60))).left().await;
                let _ = report.must("one call").send(left);
            });
            std::future::pending().await
        }
    });
    let outer = scene.serve(|server| server.serve(outer)).await;
    let client: ErrandClient = scene.client(&outer).await;
    let status = client.with(timeout(ms(100))).run().await.must_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let left = sinew_tests::wait::soon("the detached work ends", reported).await.must("a report");
    let left = seen(left.must("an answer"));
    assert!((ms(4000)..ms(20_000)).contains(&left), "{left:?}");
}

#[tokio::test]
async fn detached_work_is_cut_at_its_own_limit() {
    let cut = sinew::detach(ms(20), std::future::pending::<()>()).await.must("a task");
    assert_eq!(cut, None);
    let done = sinew::detach(Duration::from_secs(60), async { 7 }).await.must("a task");
    assert_eq!(done, Some(7));
}

#[tokio::test]
async fn spawned_work_is_cut_at_the_deadline_when_the_handler_is_done_long_before() {
    let scene = Scene::new();
    let counting = Counting::new();
    let counted = counting.clone();
    let outer = errand(move || {
        let turn = counted.begin();
        async move {
            sinew::spawn(async move {
                std::future::pending::<()>().await;
                turn.end();
            });
            Ok(1)
        }
    });
    let outer = scene.serve(|server| server.serve(outer)).await;
    let client: ErrandClient = scene.client(&outer).await;
    client.with(timeout(ms(1000))).run().await.must("an answer");
    assert_eq!(counting.tally().running(), 1, "it outlives the handler");
    until("it is cut", || counting.tally().dropped == 1).await;
}
