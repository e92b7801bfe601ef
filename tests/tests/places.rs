//! Which servers get which calls, by what they say of themselves: their zone, and their labels.

use sinew::{Policy, ServerBuilder};
use sinew_tests::{
    Must as _,
    probe::{Counting, PROBE, ProbeClient},
    scene::{Running, Scene},
    wait::soon,
};

/// A server that counts, and says something of itself.
async fn server(
    scene: &Scene,
    says: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (Counting, Running) {
    let counting = Counting::new();
    let running = scene.serve(|builder| says(builder).serve(counting.server())).await;
    (counting, running)
}

async fn calls(client: &ProbeClient, count: usize) {
    for _ in 0..count {
        client.echo_again("x".into()).await.must("an answer");
    }
}

fn begun(counting: &Counting) -> u64 {
    counting.tally().begun
}

#[tokio::test]
async fn calls_stay_in_their_zone_and_leave_it_when_nobody_is_left_there() {
    let scene = Scene::new();
    let (near, first) = server(&scene, |builder| builder.zone("a")).await;
    let (far, _second) = server(&scene, |builder| builder.zone("b")).await;
    let client: ProbeClient = scene.mesh_with(|builder| builder.zone("a")).await.client();
    calls(&client, 200).await;
    // The first calls may come before the near one is found.
    let before = begun(&far);
    calls(&client, 200).await;
    assert_eq!(begun(&far), before, "{} are near", begun(&near));
    first.drained().await;
    calls(&client, 200).await;
    assert!(begun(&far) >= before + 200);
}

#[tokio::test]
async fn a_label_has_its_share_of_the_calls_however_many_servers_have_it() {
    let scene = Scene::new();
    let version =
        |version: &'static str| move |builder: ServerBuilder| builder.label("version", version);
    let (old, _first) = server(&scene, version("1")).await;
    let (also_old, _second) = server(&scene, version("1")).await;
    let (new, _third) = server(&scene, version("2")).await;
    let (unknown, _fourth) = server(&scene, |builder| builder).await;
    let policy = Policy::new().label_weight("version=1", 80.0).label_weight("version=2", 20.0);
    let client: ProbeClient =
        scene.mesh_with(|builder| builder.policy(PROBE, policy)).await.client();
    soon("each of them has had calls", async {
        while [&old, &also_old, &new].iter().any(|counting| begun(counting) == 0) {
            calls(&client, 10).await;
        }
    })
    .await;
    let (before, before_unknown) = (begun(&new), begun(&unknown));
    calls(&client, 1000).await;
    let share = begun(&new) - before;
    assert!((120..290).contains(&share), "{share} of 1000");
    assert_eq!(begun(&unknown), before_unknown);
}

#[tokio::test]
async fn a_policy_that_cannot_be_kept_is_refused_with_its_service_and_field() {
    use sinew_tests::MustFail as _;

    let policy = Policy::new().attempts(0).label_weight("version", 1.0);
    let error = sinew::Mesh::builder().policy("shop.Inventory", policy).build().await.must_err();
    let words = error.to_string();
    for word in ["`shop.Inventory`", "`attempts` is 0", "`label_weight` names `version`"] {
        assert!(words.contains(word), "{words}");
    }
}
