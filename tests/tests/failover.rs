//! Servers that are killed, frozen, or fail at once, under load, on defaults: whoever calls what may be repeated does not
//! notice.

use std::time::{Duration, Instant};

use sinew::{CallOptions, Code, Ran};
use sinew_tests::{
    Must as _, MustFail as _,
    child::{Process, Start},
    load::Load,
    probe::ProbeClient,
    scene::Scene,
    wait::{ms, soon},
};
use tokio::task::JoinSet;

/// Three servers, each a process, and a client of all.
struct Three {
    scene: Scene,
    servers: Vec<Process>,
    client: ProbeClient,
}

impl Three {
    async fn new() -> Self {
        let scene = Scene::new();
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(process(&scene).await);
        }
        let addresses: Vec<_> = servers.iter().map(Process::address).collect();
        let client: ProbeClient = scene.client_at(&addresses).await;
        // Until each has answered, and the client is connected to all.
        for server in &servers {
            let direct: ProbeClient = scene.client_at(&[server.address()]).await;
            while direct.tally().await.must("a tally").begun < 5 {
                calls(&client, 30).await;
            }
        }
        Self { scene, servers, client }
    }

    /// What a server has begun, asked past the client.
    async fn begun(&self, server: usize) -> u64 {
        let direct: ProbeClient = self.scene.client_at(&[self.servers[server].address()]).await;
        direct.tally().await.must("a tally").begun
    }
}

async fn process(scene: &Scene) -> Process {
    Start::new(env!("CARGO_BIN_EXE_probe"), scene).run().await
}

async fn calls(client: &ProbeClient, count: usize) {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        calls.spawn(client.echo_again("x".into()));
    }
    for answer in calls.join_all().await {
        answer.must("an answer");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_costs_no_call_that_may_be_repeated() {
    let mut three = Three::new().await;
    let load = Load::on(&three.client);
    load.goes_on(500).await;
    three.servers.remove(1).kill().await;
    load.goes_on(3000).await;
    load.no_failures().await;
}

#[tokio::test]
async fn a_server_that_is_frozen_costs_no_call_that_may_be_repeated_and_comes_back() {
    let three = Three::new().await;
    let load = Load::on(&three.client);
    load.goes_on(500).await;
    three.servers[1].freeze().await;
    load.goes_on(3000).await;
    three.servers[1].thaw().await;
    let before = three.begun(1).await;
    soon("it gets calls again", async {
        while three.begun(1).await < before + 50 {
            load.goes_on(100).await;
        }
    })
    .await;
    load.no_failures().await;
}

#[tokio::test]
async fn what_may_have_run_on_a_killed_server_fails_and_says_so_soon() {
    let mut three = Three::new().await;
    let mut held = JoinSet::new();
    let patient = three.client.with(CallOptions::new().timeout(Duration::from_secs(60)));
    for _ in 0..30 {
        held.spawn(patient.hold());
    }
    tokio::time::sleep(ms(200)).await;
    let load = Load::on(&three.client);
    three.servers.remove(0).kill().await;
    let killed = Instant::now();
    // Some of the thirty were there, and end long before their deadline and the idle time of the connection.
    let status = held.join_next().await.must("a call").must("a task").must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    load.no_failures().await;
}

#[tokio::test]
async fn a_lone_server_that_is_frozen_for_a_while_is_waited_for() {
    let scene = Scene::new();
    let server = process(&scene).await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    client.echo("before".into()).await.must("an answer");
    server.freeze().await;
    let (repeatable, other) = (client.echo_again("x".into()), client.echo("x".into()));
    let calls = tokio::spawn(async move { tokio::join!(repeatable, other) });
    tokio::time::sleep(ms(2000)).await;
    server.thaw().await;
    let (repeatable, other) = calls.await.must("a task");
    repeatable.must("an answer");
    other.must("an answer");
}

#[tokio::test]
async fn a_handler_that_takes_long_is_not_taken_for_a_dead_server() {
    let three = Three::new().await;
    let before = three.client.clone();
    let total = |tallies: Vec<u64>| tallies.iter().sum::<u64>();
    let mut begun = Vec::new();
    for server in 0..3 {
        begun.push(three.begun(server).await);
    }
    let start = total(begun);
    let mut slow = JoinSet::new();
    for _ in 0..5 {
        slow.spawn(before.wait_again(2500));
        slow.spawn(before.wait(2500));
    }
    for answer in slow.join_all().await {
        answer.must("an answer");
    }
    let mut begun = Vec::new();
    for server in 0..3 {
        begun.push(three.begun(server).await);
    }
    assert_eq!(total(begun) - start, 10, "none began twice");
}
