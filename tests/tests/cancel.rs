//! Giving up a call: whatever drops its future, the work ends everywhere below it.

use std::time::Duration;

use sinew::{CallOptions, Code, Concurrency, Streaming};
use sinew_tests::{
    Must as _, MustFail as _,
    errand::{ErrandClient, errand},
    hops::{Chain, FOR_EVER, How, Order},
    probe::{Counting, ProbeClient, pattern},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    // A burst of as many calls as a connection may have is not to be the server's concern here.
    let all = Concurrency::Unlimited;
    let server = scene.serve(|server| server.serve(probe.server()).concurrency(all)).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
}

/// Long enough that only a cancel can be what ends a handler.
fn patient() -> CallOptions {
    CallOptions::new().timeout(Duration::from_secs(200))
}

#[tokio::test]
async fn a_dropped_call_drops_its_handler_and_the_connection_goes_on() {
    let (_scene, probe, _server, client) = probe().await;
    let patient = client.with(patient());
    let others: Vec<_> = (0..20).map(|_| tokio::spawn(patient.wait(300))).collect();
    let call = tokio::spawn(patient.hold());
    until("all are at work", || probe.tally().running() == 21).await;
    call.abort();
    until("the handler is gone", || probe.tally().dropped == 1).await;
    for other in others {
        assert_eq!(soon("an answer", other).await.must("a task").must("an answer"), 300);
    }
    assert_eq!(probe.tally().dropped, 1, "no other");
}

#[tokio::test]
async fn a_large_call_that_is_dropped_drops_its_handler() {
    let counting = Counting::new();
    let (_scene, _server, client) = slow(&counting).await;
    let call = tokio::spawn(client.with(patient()).digest(pattern(100_000)));
    until("it is at work", || counting.tally().running() == 1).await;
    call.abort();
    until("the handler is gone", || counting.tally().dropped == 1).await;
}

/// Takes large arguments and never returns.
#[sinew::service]
trait Slow {
    async fn digest(&self, blob: bytes::Bytes) -> u64;
    async fn ticks(&self) -> Streaming<u64>;
}

struct Slowly(Counting);

impl Slow for Slowly {
    async fn digest(&self, blob: bytes::Bytes) -> u64 {
        let turn = self.0.begin();
        std::future::pending::<()>().await;
        turn.end();
        blob.len() as u64
    }

    async fn ticks(&self) -> Streaming<u64> {
        let (writer, ticks) = Streaming::channel();
        let turn = self.0.begin();
        sinew::spawn(async move {
            for tick in 0.. {
                if writer.send(tick).await.is_err() {
                    // Nobody reads any more: that is how this one is meant to end.
                    turn.end();
                    return;
                }
                tokio::time::sleep(ms(1)).await;
            }
        });
        ticks
    }
}

/// A server of it, and a client.
async fn slow(counting: &Counting) -> (Scene, Running, SlowClient) {
    let scene = Scene::new();
    let slowly = Slowly(counting.clone());
    let server = scene.serve(|server| server.serve(SlowServer::new(slowly))).await;
    let client = scene.client(&server).await;
    (scene, server, client)
}

#[tokio::test]
async fn a_dropped_stream_stops_its_writer() {
    let counting = Counting::new();
    let (_scene, _server, client) = slow(&counting).await;
    let mut ticks = client.ticks().await.must("a stream");
    assert_eq!(soon("a tick", ticks.next()).await.must("a tick").must("a number"), 0);
    assert_eq!(counting.tally().running(), 1);
    drop(ticks);
    until("the writer has stopped", || counting.tally().running() == 0).await;
}

#[tokio::test]
async fn the_input_of_a_dropped_call_is_cut_and_its_handler_dropped() {
    let (_scene, probe, _server, client) = probe().await;
    let (writer, numbers) = Streaming::channel();
    let call = tokio::spawn(client.sum(numbers));
    writer.send(1).await.must("a reader");
    until("it is at work", || probe.tally().running() == 1).await;
    call.abort();
    until("the handler is gone", || probe.tally().dropped == 1).await;
    soon("the writer hears of it", async { while writer.send(2).await.is_ok() {} }).await;
}

/// Three hops at work, none of which would end by itself for an hour.
async fn at_work(how: How) -> (Chain, tokio::task::JoinHandle<Result<u32, sinew::Status>>) {
    let chain = Chain::new().await;
    let order = Order { how, ..Order::pausing([0, 0, FOR_EVER]) };
    let call = tokio::spawn(chain.client.with(patient()).go(order));
    until("the last hop is at work", || chain.hops[2].tally().running() == 1).await;
    (chain, call)
}

async fn all_gone(chain: &Chain) {
    for (number, hop) in chain.hops.iter().enumerate() {
        until("the hop is gone", || hop.tally().running() == 0).await;
        assert_eq!(hop.tally().dropped, 1, "hop {number} was dropped and did not return");
    }
}

#[tokio::test]
async fn a_call_dropped_at_the_root_drops_the_handlers_of_all_three_hops() {
    let (chain, call) = at_work(How::Await).await;
    call.abort();
    all_gone(&chain).await;
}

#[tokio::test]
async fn a_call_dropped_at_the_root_drops_what_the_hops_spawned() {
    let (chain, call) = at_work(How::Spawn).await;
    call.abort();
    all_gone(&chain).await;
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_ends_the_call_below_it() {
    let (chain, call) = at_work(How::Await).await;
    let Chain { hops, servers: [_front, middle, _back], .. } = chain;
    drop(middle);
    until("the last hop is gone", || hops[2].tally().dropped == 1).await;
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn the_loser_of_a_select_and_of_a_timeout_is_cancelled() {
    let (_scene, probe, _server, client) = probe().await;
    let patient = client.with(patient());
    tokio::select! {
        held = patient.hold() => panic!("it holds for ever: {held:?}"),
        waited = patient.wait(50) => assert_eq!(waited.must("an answer"), 50),
    }
    until("the loser is gone", || probe.tally().dropped == 1).await;
    tokio::time::timeout(ms(50), patient.hold()).await.must_err();
    until("this one too", || probe.tally().dropped == 2).await;
    assert_eq!(probe.tally().running(), 0);
}

#[tokio::test]
async fn calls_go_side_by_side_in_join_spawn_and_a_set() {
    let (_scene, probe, _server, client) = probe().await;
    let began = std::time::Instant::now();
    let (a, b) = tokio::join!(client.wait(200), client.wait(200));
    let spawned = tokio::spawn(client.wait(200));
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..50 {
        set.spawn(client.wait(200));
    }
    assert_eq!((a.must("an answer"), b.must("an answer")), (200, 200));
    assert_eq!(spawned.await.must("a task").must("an answer"), 200);
    assert_eq!(set.join_all().await.len(), 50);
    assert_eq!(probe.tally().ended, 53);
    // One after the other they would take more than 10 s.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_that_was_made_and_never_polled_is_never_sent() {
    let (_scene, probe, _server, client) = probe().await;
    drop(client.echo("never".into()));
    client.echo("one".into()).await.must("an answer");
    assert_eq!(probe.tally().begun, 1);
}

#[tokio::test]
async fn work_spawned_by_a_handler_ends_with_the_call_and_detached_work_does_not() {
    let scene = Scene::new();
    let (spawned, detached) = (Counting::new(), Counting::new());
    let (one, other) = (spawned.clone(), detached.clone());
    let handler = errand(move || {
        let (one, other) = (one.begin(), other.begin());
        async move {
            sinew::spawn(async move {
                std::future::pending::<()>().await;
                one.end();
            });
            sinew::detach(Duration::from_secs(100), async move {
                tokio::time::sleep(ms(300)).await;
                other.end();
            });
            std::future::pending().await
        }
    });
    let server = scene.serve(|server| server.serve(handler)).await;
    let client: ErrandClient = scene.client(&server).await;
    let call = tokio::spawn(client.with(patient()).run());
    until("both have begun", || spawned.tally().begun + detached.tally().begun == 2).await;
    call.abort();
    until("the spawned work is gone", || spawned.tally().dropped == 1).await;
    until("the detached work is done", || detached.tally().ended == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_calls_dropped_at_any_moment_leave_nothing_behind() {
    let (_scene, probe, _server, client) = probe().await;
    let patient = client.with(patient());
    // From before it is sent to after its answer has come.
    for after in 0..100 {
        let call = tokio::spawn(patient.wait(2));
        tokio::time::sleep(Duration::from_micros(after * 40)).await;
        call.abort();
        let _ = call.await;
    }
    until("no handler is left", || probe.tally().running() == 0).await;
    // All places are free: as many calls as a connection may have are taken at once.
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..1024 {
        all.spawn(patient.wait(1));
    }
    for answer in all.join_all().await {
        answer.must("an answer");
    }
}
