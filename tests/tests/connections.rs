//! An endpoint's connections: a second one before the first is full, a new one when it is old.

use std::time::Duration;

use sinew::{CallOptions, Concurrency};
use sinew_core::limits;
use sinew_tests::{
    Must as _,
    probe::{Counting, ProbeClient},
    scene::{Scene, client_at},
    wait::{LONG, until},
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_method_that_hangs_at_the_only_server_leaves_the_others_a_connection() {
    let scene = Scene::new();
    let probe = Counting::new();
    // The limit is to be the connection's.
    let all = Concurrency::Unlimited;
    let server = scene.serve(|server| server.serve(probe.server()).concurrency(all)).await;
    let client: ProbeClient = scene.client(&server).await;
    let patient = client.with(CallOptions::new().timeout(Duration::from_secs(200)));
    let most = u64::from(limits::BULKHEAD_MAX);
    assert_eq!(most, u64::from(limits::IN_FLIGHT_MAX), "as many as one connection carries");
    let mut calls = JoinSet::new();
    // The last ones when a second connection had the time to come about.
    for _ in 0..most * 9 / 10 {
        calls.spawn(patient.hold());
    }
    until("most are at work", || probe.tally().running() == most * 9 / 10).await;
    client.echo("a second one is wanted".into()).await.must("an answer");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in most * 9 / 10..most {
        calls.spawn(patient.hold());
    }
    until("as many as may are at work", || probe.tally().running() == most).await;
    for _ in 0..200 {
        client.echo("others go on".into()).await.must("an answer");
    }
    calls.abort_all();
    until("all are gone", || probe.tally().running() == 0).await;
    server.drained().await;
}

#[tokio::test]
async fn calls_move_to_a_new_connection_in_time_and_none_fails() {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let age = Duration::from_secs(1);
    let mesh = scene.mesh_with(|mesh| mesh.connection_age(age)).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    // One that is at work while its connection gets a successor, and what cannot be repeated beside it.
    let long = tokio::spawn(client.wait(3000));
    let made = || {
        let text = mesh.metrics().to_string();
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("sinew_client_connections_made_total{"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    let began = tokio::time::Instant::now();
    while made() < 3 {
        assert!(began.elapsed() < LONG, "{} connections in {:?}", made(), began.elapsed());
        client.echo("x".into()).await.must("an answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(long.await.must("a task").must("an answer"), 3000);
}
