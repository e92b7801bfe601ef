//! A client has a bounded number of calls out, and a method that hangs leaves the others their share.

use std::{task::Poll, time::Duration};

use sinew::{CallOptions, Code, Concurrency, Mesh, Ran, Reason, ServerBuilder};
use sinew_core::limits;
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::{Counting, ProbeClient},
    scene::{Running, Scene, client_at},
    scrape::Scrape,
    wait::{soon, until},
};
use tokio::task::JoinSet;

/// Two servers: one connection carries as many calls as the bulkhead lets out, and here others are to have a share.
struct Two {
    servers: Vec<Running>,
    probes: [Counting; 2],
    mesh: Mesh,
    client: ProbeClient,
}

impl Two {
    async fn new() -> Self {
        let scene = Scene::new();
        let probes = [Counting::new(), Counting::new()];
        let mut servers = Vec::new();
        for probe in &probes {
            // The limit is to be the client's.
            let all = Concurrency::Unlimited;
            let server = |server: ServerBuilder| server.serve(probe.server()).concurrency(all);
            servers.push(scene.serve(server).await);
        }
        let addresses: Vec<_> = servers.iter().map(Running::address).collect();
        let mesh = scene.mesh().await;
        let client: ProbeClient = client_at(&mesh, &addresses);
        Self { servers, probes, mesh, client }
    }

    fn begun(&self) -> u64 {
        self.probes.iter().map(|probe| probe.tally().begun).sum()
    }

    fn running(&self) -> u64 {
        self.probes.iter().map(|probe| probe.tally().running()).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_method_that_hangs_fills_the_bulkhead_and_the_others_go_on() {
    let two = Two::new().await;
    // Until both are connected: a call does not wait for a connection while there is another.
    while two.probes.iter().any(|probe| probe.tally().begun == 0) {
        let calls: Vec<_> = (0..8).map(|_| tokio::spawn(two.client.wait(5))).collect();
        for call in calls {
            call.await.must("a task").must("an answer");
        }
    }
    let patient = two.client.with(CallOptions::new().timeout(Duration::from_secs(200)));
    let most = u64::from(limits::BULKHEAD_MAX);
    let mut calls = JoinSet::new();
    for _ in 0..most {
        calls.spawn(patient.hold());
    }
    until("as many as may are at work", || two.running() == most).await;

    let mut more = JoinSet::new();
    for _ in 0..limits::BULKHEAD_WAITING_MAX + 10 {
        more.spawn(patient.hold());
    }
    // Ten do not even wait, the others for a tenth of ten seconds.
    for _ in 0..limits::BULKHEAD_WAITING_MAX + 10 {
        let refused = soon("a refusal", more.join_next()).await.must("a call");
        let status = refused.must("a task").must_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert_eq!((status.reason(), status.ran()), (Reason::BulkheadFull, Ran::No), "{status}");
        assert_says(&status, &["1024", "BULKHEAD_MAX", "256", "BULKHEAD_METHOD_SHARE"]);
    }
    let scrape = Scrape::of(&two.mesh);
    let late = f64::from(limits::BULKHEAD_WAITING_MAX + 10);
    for name in ["sinew_client_bulkhead_waits_total", "sinew_client_bulkhead_refusals_total"] {
        assert_eq!(scrape.get(name, &[("method", "hold")]), late, "{name}");
    }
    for _ in 0..100 {
        two.client.echo("others go on".into()).await.must("an answer");
    }

    calls.abort_all();
    until("all are gone", || two.running() == 0).await;
    for _ in 0..100 {
        two.client.wait(0).await.must("an answer");
    }
    for server in two.servers {
        server.drained().await;
    }
}

#[tokio::test]
async fn a_call_that_finds_no_place_gets_the_one_that_is_free_first() {
    let two = Two::new().await;
    let patient = two.client.with(CallOptions::new().timeout(Duration::from_secs(200)));
    let most = u64::from(limits::BULKHEAD_MAX);
    let mut calls: Vec<_> = (0..most).map(|_| tokio::spawn(patient.hold())).collect();
    until("as many as may are at work", || two.running() >= most - 1).await;
    let late = tokio::spawn(patient.hold());
    tokio::task::yield_now().await;
    calls.pop().must("a call").abort();
    until("the late one is at work", || two.begun() == most + 1).await;
    late.abort();
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Polls a call as often as it is woken, so many times at most, and drops it; whether it ended.
async fn cancelled_after<T>(polls: usize, call: impl Future<Output = T>) -> bool {
    let mut call = std::pin::pin!(call);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// One call after the other is dropped at its first await point, its second, and so on until one has no more; how many
/// were.
async fn cancelled_everywhere(client: &ProbeClient) -> usize {
    for polls in 1.. {
        if soon("a call", cancelled_after(polls, client.wait(2))).await {
            return polls - 1;
        }
    }
    0
}

#[tokio::test]
async fn wherever_a_call_is_cancelled_its_place_is_free_again_and_no_other() {
    let two = Two::new().await;
    let patient = two.client.with(CallOptions::new().timeout(Duration::from_secs(200)));
    // While there is no connection yet, and with one.
    assert!(cancelled_everywhere(&patient).await > 0);
    assert!(cancelled_everywhere(&patient).await > 0);
    until("all are gone", || two.running() == 0).await;

    // As many as may are out: had a place been lost, one of them would not be at work.
    let hold = || tokio::spawn(patient.wait(600_000));
    let most = u64::from(limits::BULKHEAD_MAX);
    let mut calls: Vec<_> = (1..most).map(|_| hold()).collect();
    until("all but one are at work", || two.running() == most - 1).await;
    assert!(cancelled_everywhere(&patient).await > 0, "with the last place");
    until("all but one are at work", || two.running() == most - 1).await;
    calls.push(hold());
    until("all are at work", || two.running() == most).await;

    // Nobody gets a place that is not there; whoever waits for one and goes away takes none along.
    assert!(!cancelled_after(1, patient.wait(2)).await, "it waits");
    let refused = soon("a refusal", patient.wait(2)).await.must_err();
    assert_eq!(refused.reason(), Reason::BulkheadFull, "{refused}");
    let mut first = Box::pin(patient.wait(600_000));
    let waits = std::future::poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "for a place");
    let second = hold();
    tokio::task::yield_now().await;
    let before = two.begun();
    calls.pop().must("a call").abort();
    tokio::task::yield_now().await;
    // It was told of the place, and goes away before it looks.
    drop(first);
    until("the second one is at work", || two.begun() == before + 1).await;
    second.abort();
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
