//! A server that is killed and started again at its address: its clients hear of it in one round trip, from a reset
//! that only the same identity can make, and not from the silence of the idle time.

use std::{net::SocketAddr, time::Instant};

use sinew::CallOptions;
use sinew_core::limits;
use sinew_tests::{
    Must as _,
    authority::Authority,
    child::{Process, Start},
    probe::{PROBE, ProbeClient},
    raw::id,
    scene::{Scene, client_at, mesh_of},
    wait::{ms, soon},
};

async fn process(scene: &Scene, address: Option<SocketAddr>) -> Process {
    let start = Start::new(env!("CARGO_BIN_EXE_probe"), scene);
    match address {
        Some(address) => start.at(address).run().await,
        None => start.run().await,
    }
}

/// How long after the restarted server listens the first call succeeds.
async fn first_success(client: &ProbeClient) -> std::time::Duration {
    let hurried = client.with(CallOptions::new().timeout(ms(100)));
    let listens = Instant::now();
    loop {
        if hurried.echo("again".into()).await.is_ok() {
            return listens.elapsed();
        }
        assert!(listens.elapsed() < limits::IDLE_MAX, "it was noticed by silence only");
    }
}

#[tokio::test]
async fn a_restarted_server_is_noticed_at_once() {
    let scene = Scene::new();
    let mut took = Vec::new();
    for _ in 0..5 {
        let server = process(&scene, None).await;
        let address = server.address();
        let client: ProbeClient = scene.client_at(&[address]).await;
        soon("an answer", client.echo("before".into())).await.must("an answer");
        server.kill().await;
        let _again = process(&scene, Some(address)).await;
        took.push(first_success(&client).await);
    }
    took.sort();
    // The median: each lost race with a busy machine costs a backoff.
    assert!(took[2] < ms(300), "{took:?}");
}

#[tokio::test]
async fn a_server_with_another_key_is_not_believed() {
    let authority = Authority::new("test authority");
    let scene = Scene::new();
    let start = || {
        let start = Start::new(env!("CARGO_BIN_EXE_probe"), &scene);
        start.identity(&scene.runtime_dir(), &authority.issue(&id(PROBE)), authority.pem())
    };
    let server = start().run().await;
    let address = server.address();
    let mesh = mesh_of(authority.identity(&id("web")), |builder| builder).await;
    let client: ProbeClient = client_at(&mesh, &[address]);
    soon("an answer", client.echo("before".into())).await.must("an answer");
    server.kill().await;
    // The same name, a key of its own: what it says of a connection that it never had is not believed.
    let _again = start().at(address).run().await;
    let hurried = client.with(CallOptions::new().timeout(ms(100)));
    for _ in 0..10 {
        assert!(hurried.echo("again".into()).await.is_err());
    }
}
