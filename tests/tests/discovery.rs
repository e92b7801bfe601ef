//! Servers and clients of one user on one machine find each other with nothing set.

use std::{collections::BTreeSet, time::Duration};

use sinew::{CallOptions, Code, Mesh, Ran, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::{Process, Start},
    probe::{Counting, ProbeClient},
    scene::Scene,
    wait::{ms, soon},
};

async fn process(scene: &Scene) -> Process {
    Start::new(env!("CARGO_BIN_EXE_probe"), scene).run().await
}

async fn client(scene: &Scene) -> (Mesh, ProbeClient) {
    let mesh = scene.mesh().await;
    let client = mesh.client();
    (mesh, client)
}

/// Calls until servers at all of these addresses have answered, and at no other.
async fn answered_by(client: &ProbeClient, servers: &[&Process]) {
    let expected: BTreeSet<String> =
        servers.iter().map(|server| server.address().to_string()).collect();
    soon("all of them answer", async {
        let mut found = BTreeSet::new();
        while found != expected {
            let calls: Vec<_> = (0..12).map(|_| tokio::spawn(client.deny("who".into()))).collect();
            for call in calls {
                let status = call.await.must("a task").must_err();
                found.insert(status.endpoint().must("an endpoint").to_owned());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn servers_are_found_by_the_name_of_their_service_as_they_come_and_go() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let one = process(&scene).await;
    let two = process(&scene).await;
    answered_by(&client, &[&one, &two]).await;
    let three = process(&scene).await;
    answered_by(&client, &[&one, &two, &three]).await;
    two.terminate().await;
    one.kill().await;
    for _ in 0..200 {
        client.echo_again("x".into()).await.must("an answer");
    }
    answered_by(&client, &[&three]).await;
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_is_not_there_yet_and_says_so_if_none_comes() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(400)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_eq!(status.reason(), Reason::NoEndpoints);
    assert_says(&status, &["test.Probe", "announced"]);

    let waiting = tokio::spawn(client.echo("late".into()));
    tokio::time::sleep(ms(300)).await;
    let _server = process(&scene).await;
    assert_eq!(waiting.await.must("a task").must("an answer"), "late");
}

#[tokio::test]
async fn the_last_server_that_was_known_is_kept_when_none_is_announced() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    client.echo("x".into()).await.must("an answer");
    // Somebody empties the directory: the server is still there, and still called.
    let services = scene.runtime_dir().join("sinew").join("services");
    std::fs::remove_dir_all(services).must("a directory");
    tokio::time::sleep(ms(1500)).await;
    client.echo("x".into()).await.must("an answer");
    server.drained().await;
}

#[tokio::test]
async fn who_wants_no_discovery_is_not_found_and_finds_nobody() {
    let scene = Scene::new();
    let probe = Counting::new();
    let alone = scene.mesh_with(sinew::MeshBuilder::without_local_discovery).await;
    let server = alone.server().serve(probe.server()).bind("127.0.0.1:0").await.must("a server");
    let hurried = CallOptions::new().timeout(Duration::from_millis(400));
    let (_mesh, client) = client(&scene).await;
    let status = client.with(hurried.clone()).echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    let client: ProbeClient = alone.client();
    let status = client.with(hurried).echo("x".into()).await.must_err();
    assert_says(&status, &["MeshBuilder::endpoints"]);
    drop(server);
}
