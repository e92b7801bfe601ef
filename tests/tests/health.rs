//! A server says that it cannot do its work: calls go elsewhere at once, and come back when it can.

use sinew::{Code, Ran};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::{Counting, PROBE, ProbeClient},
    scene::{Running, Scene},
    wait::LONG,
};
use tokio::time::Instant;

struct Two {
    _scene: Scene,
    probes: [Counting; 2],
    servers: Vec<Running>,
    client: ProbeClient,
}

impl Two {
    async fn new() -> Self {
        let scene = Scene::new();
        let probes = [Counting::new(), Counting::new()];
        let mut servers = Vec::new();
        for probe in &probes {
            servers.push(scene.serve(|server| server.serve(probe.server())).await);
        }
        let addresses: Vec<_> = servers.iter().map(Running::address).collect();
        let client = scene.client_at(&addresses).await;
        let two = Self { _scene: scene, probes, servers, client };
        // Both are connected and used.
        for at in [0, 1] {
            two.calls_until(|begun| begun[at] > 0).await;
        }
        two
    }

    fn begun(&self) -> [u64; 2] {
        [self.probes[0].tally().begun, self.probes[1].tally().begun]
    }

    /// Calls until what began satisfies `done`; no call may fail.
    async fn calls_until(&self, done: impl Fn([u64; 2]) -> bool) {
        let began = Instant::now();
        while !done(self.begun()) {
            assert!(began.elapsed() < LONG, "{:?}", self.begun());
            self.client.echo_again("x".into()).await.must("an answer");
        }
    }

    /// What each gets of 100 calls.
    async fn shares(&self) -> [u64; 2] {
        let before = self.begun();
        for _ in 0..100 {
            self.client.echo_again("x".into()).await.must("an answer");
        }
        let after = self.begun();
        [after[0] - before[0], after[1] - before[1]]
    }

    /// Calls until a hundred of them go to the second one alone.
    async fn first_is_left(&self) {
        let began = Instant::now();
        while self.shares().await != [0, 100] {
            assert!(began.elapsed() < LONG, "it still gets calls");
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_serve_is_left_and_comes_back() {
    let two = Two::new().await;
    two.servers[0].health().set_serving(PROBE, false).must("its service");
    two.first_is_left().await;
    // Not even the look that everybody gets once in a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(two.shares().await, [0, 100]);

    two.servers[0].health().set_serving(PROBE, true).must("its service");
    let before = two.begun()[0];
    two.calls_until(|begun| begun[0] > before).await;
}

#[tokio::test]
async fn a_client_that_connects_later_hears_it_too() {
    let scene = Scene::new();
    let probes = [Counting::new(), Counting::new()];
    let servers = [
        scene.serve(|server| server.serve(probes[0].server())).await,
        scene.serve(|server| server.serve(probes[1].server())).await,
    ];
    servers[0].health().set_all_serving(false);
    let client = scene.client_at(&[servers[0].address(), servers[1].address()]).await;
    let two = Two { _scene: scene, probes, servers: servers.into(), client };
    two.calls_until(|begun| begun[1] > 0).await;
    two.first_is_left().await;
}

#[tokio::test]
async fn where_nobody_can_serve_calls_go_there_all_the_same() {
    let two = Two::new().await;
    two.servers.iter().for_each(|server| server.health().set_all_serving(false));
    for _ in 0..200 {
        two.client.echo_again("x".into()).await.must("an answer");
    }
}

#[tokio::test]
async fn an_error_says_which_endpoint_cannot_serve() {
    let two = Two::new().await;
    two.servers.iter().for_each(|server| server.health().set_all_serving(false));
    let began = Instant::now();
    loop {
        let status = two.client.panic("now".into()).await.must_err();
        assert_eq!((status.code(), status.ran()), (Code::Internal, Ran::Maybe), "{status}");
        let explanation = status.explain().map(ToString::to_string).unwrap_or_default();
        if explanation.contains("says that it cannot serve") {
            assert_says(&explanation, &[&two.servers[0].address().to_string()]);
            return;
        }
        assert!(began.elapsed() < LONG, "{explanation}");
    }
}
