//! Finding a server: one that is not there yet, is there again, or is one of several; and no more than one connection.

use std::{net::SocketAddr, time::Duration};

use sinew::{CallOptions, Code, Ran};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::{Process, Start},
    probe::{Counting, ProbeClient},
    raw::Caller,
    scene::{Running, Scene},
    wait::{LONG, ms, soon},
};

/// An address at which nobody listens, and nobody will unless a test does.
async fn nobody(scene: &Scene) -> SocketAddr {
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let address = server.address();
    server.drained().await;
    address
}

async fn process(scene: &Scene, address: Option<SocketAddr>) -> Process {
    let start = Start::new(env!("CARGO_BIN_EXE_probe"), scene);
    match address {
        Some(address) => start.at(address).run().await,
        None => start.run().await,
    }
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_comes_later() {
    let scene = Scene::new();
    let address = nobody(&scene).await;
    let client: ProbeClient = scene.client_at(&[address]).await;
    let patient = client.with(CallOptions::new().timeout(LONG).wait_for_ready(LONG));
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(patient.echo("early".into()))).collect();
    tokio::time::sleep(ms(300)).await;
    let _server =
        scene.serve_at(&address.to_string(), |server| server.serve(Counting::new().server())).await;
    for call in calls {
        assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "early");
    }
}

#[tokio::test]
async fn a_call_to_nobody_ends_with_its_patience_or_its_deadline() {
    let scene = Scene::new();
    let address = nobody(&scene).await;
    let client: ProbeClient = scene.client_at(&[address]).await;
    let began = std::time::Instant::now();
    let hurried = client.with(CallOptions::new().timeout(ms(300)));
    let status = soon("the call ends", hurried.echo("x".into())).await.must_err();
    assert_eq!(status.ran(), Ran::No, "{status}");
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable), "{status}");
    assert_says(&status, &["not processed"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let began = std::time::Instant::now();
    let impatient = client.with(CallOptions::new().wait_for_ready(ms(100)));
    let status = soon("the call ends", impatient.echo("x".into())).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_says(&status, &[&address.to_string(), "not processed"]);
    let explanation = status.explain().must("an explanation");
    assert_eq!((explanation.known(), explanation.in_use()), (1, 0), "{explanation}");
    assert_says(explanation, &["1 endpoints, 0 in use; 10.", "out of reach"]);
    // An attempt that is being made takes a second at most.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn endpoints_are_tried_in_turn_until_one_answers() {
    let scene = Scene::new();
    let live = scene.serve(|server| server.serve(Counting::new().server())).await;
    let endpoints = [nobody(&scene).await, nobody(&scene).await, live.address()];
    let client: ProbeClient = scene.client_at(&endpoints).await;
    for _ in 0..6 {
        let answer = soon("an answer", client.echo("x".into())).await;
        assert_eq!(answer.must("one endpoint is alive"), "x");
    }
}

#[tokio::test]
async fn calls_are_spread_over_the_endpoints_that_answer() {
    let scene = Scene::new();
    let probes = [Counting::new(), Counting::new(), Counting::new()];
    let mut servers: Vec<Running> = Vec::new();
    for probe in &probes {
        servers.push(scene.serve(|server| server.serve(probe.server())).await);
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(Running::address).collect();
    let client: ProbeClient = scene.client_at(&addresses).await;
    // Who calls one at a time may always find the same one quickest: what is at work there spreads the rest.
    for _ in 0..20 {
        let calls: Vec<_> = (0..12).map(|_| tokio::spawn(client.wait(2))).collect();
        for call in calls {
            call.await.must("a task").must("an answer");
        }
    }
    let begun = probes.map(|probe| probe.tally().begun);
    assert_eq!(begun.iter().sum::<u64>(), 240);
    assert!(begun.iter().all(|count| *count >= 24), "{begun:?}");
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_is_found_by_who_comes_new() {
    let scene = Scene::new();
    let first = process(&scene, None).await;
    let address = first.address();
    let client: ProbeClient = scene.client_at(&[address]).await;
    client.echo("x".into()).await.must("an answer");
    first.kill().await;
    let _second = process(&scene, Some(address)).await;
    let newcomer: ProbeClient = scene.client_at(&[address]).await;
    assert_eq!(soon("an answer", newcomer.echo("y".into())).await.must("an answer"), "y");
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_is_found_by_who_knew_the_old_one() {
    let scene = Scene::new();
    let first = process(&scene, None).await;
    let address = first.address();
    let client: ProbeClient = scene.client_at(&[address]).await;
    client.echo("x".into()).await.must("an answer");
    first.kill().await;
    let _second = process(&scene, Some(address)).await;
    let hurried = client.with(CallOptions::new().timeout(ms(500)));
    let began = std::time::Instant::now();
    // Nothing tells the client before the idle limit of 10 s has passed.
    let status = loop {
        match hurried.echo("y".into()).await {
            Ok(_) => return,
            Err(status) if began.elapsed() > LONG => break status,
            Err(status) => assert_ne!(status.ran(), Ran::Yes, "{status}"),
        }
    };
    panic!("not after {:?}: {status}", began.elapsed());
}

#[tokio::test]
async fn calls_that_come_together_share_one_connection() {
    let caller = Caller::new().await;
    let calls: Vec<_> = (0..50).map(|_| caller.echo("together")).collect();
    let peer = caller.server.accept().await;
    let mut lane = peer.lane().await;
    for _ in 0..50 {
        let (request, _) = lane.request().await;
        lane.echo(&request).await;
    }
    for call in calls {
        assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "together");
    }
    let second = tokio::time::timeout(ms(200), caller.server.accept_silently()).await;
    assert!(second.is_err(), "a second connection");
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_its_connection() {
    let Caller { authority: _authority, server, client } = Caller::new().await;
    let call = tokio::spawn(client.echo("x".into()));
    let peer = server.accept().await;
    let mut lane = peer.lane().await;
    let (request, _) = lane.request().await;
    lane.echo(&request).await;
    call.await.must("a task").must("an answer");
    drop(client);
    assert_eq!(peer.closed().await.0, 0, "not needed any more");
}

#[tokio::test]
async fn a_name_is_resolved_and_one_that_cannot_be_is_named() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let mesh = scene.mesh().await;
    let port = server.address().port();
    let named: ProbeClient = mesh.client_at(format!("static:localhost:{port}")).must("a client");
    let outcome = soon("an answer", named.echo("x".into())).await;
    // Where `localhost` is the other family first, nobody listens there.
    if let Err(status) = outcome {
        assert_says(&status, &["localhost"]);
    }
    let lost: ProbeClient = mesh.client_at("static:no-such-host.invalid:7000").must("a client");
    let lost = lost.with(CallOptions::new().wait_for_ready(Duration::ZERO));
    let status = soon("the call ends", lost.echo("x".into())).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_says(&status, &["no-such-host.invalid:7000"]);
}
