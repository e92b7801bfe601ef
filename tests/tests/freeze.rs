//! A server that was stopped and goes on: no handler starts for a call that nobody waits for any more.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sinew::{CallOptions, Code, Ran};
use sinew_core::wire::StreamType;
use sinew_tests::{
    Must as _, MustFail as _,
    authority::Authority,
    child::{Process, Start},
    probe::{PROBE, ProbeClient},
    raw::{
        RawClient,
        frames::{self, millis_left},
        id,
    },
    scene::{Scene, client_at, mesh_of},
    wait::ms,
};

const FROZEN: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_millis(500);

async fn process(scene: &Scene) -> Process {
    Start::new(env!("CARGO_BIN_EXE_probe"), scene).run().await
}

#[tokio::test]
async fn no_handler_starts_for_calls_that_expired_while_the_server_was_frozen() {
    let scene = Scene::new();
    let server = process(&scene).await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    for _ in 0..10 {
        client.echo("before".into()).await.must("an answer");
    }
    let before = client.tally().await.must("an answer").begun;

    server.freeze().await;
    let frozen = Instant::now();
    let hurried = client.with(CallOptions::new().timeout(TIMEOUT));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        for _ in 0..10 {
            let call = hurried.echo("while frozen".into());
            calls.spawn(async move { (call.await, Instant::now()) });
        }
        tokio::time::sleep(ms(20)).await;
    }
    let ended = calls.join_all().await;
    assert_eq!(ended.len(), 50);
    for (outcome, at) in ended {
        let status = outcome.must_err();
        assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe), "{status}");
        assert!(at - frozen < 5 * TIMEOUT, "{:?} after the freeze", at - frozen);
    }
    tokio::time::sleep(FROZEN.saturating_sub(frozen.elapsed())).await;
    server.thaw().await;

    client.echo("after".into()).await.must("an answer");
    let begun = client.tally().await.must("an answer").begun;
    assert_eq!(begun, before + 1, "only the call after the freeze");
}

#[tokio::test]
async fn age_alone_keeps_expired_calls_from_handlers_when_their_caller_does_not_cancel() {
    let scene = Scene::new();
    let authority = Authority::new("test authority");
    let directory = scene.runtime_dir();
    let issued = authority.issue(&id(PROBE));
    let server = Start::new(env!("CARGO_BIN_EXE_probe"), &scene)
        .identity(Path::new(&directory), &issued, authority.pem())
        .run()
        .await;
    let raw = RawClient::connect(&authority, server.address()).await;
    let mut lane = raw.lane(frames::echo(0, "before")).await;
    lane.answer().await;

    server.freeze().await;
    let frozen = Instant::now();
    let short = millis_left(u64::try_from(TIMEOUT.as_millis()).must("a short time"));
    let echo = frames::head("echo");
    let body = frames::body_of("while frozen");
    for wave in 0..5 {
        let requests = (1..=10).map(|n| frames::request(wave * 10 + n, short, &echo, &body));
        lane.write([raw.now(), requests.flatten().collect()].concat()).await;
        tokio::time::sleep(ms(20)).await;
    }
    let on_its_own = frames::request(51, short, &echo, &body);
    let mut own = raw.open(StreamType::Call, on_its_own).await;
    own.finish();
    // Whoever still has time is served, with the time that is left.
    let patient = frames::request(52, millis_left(20_000), &frames::head("left"), &[]);
    lane.write([raw.now(), patient].concat()).await;
    tokio::time::sleep(FROZEN.saturating_sub(frozen.elapsed())).await;
    server.thaw().await;

    let mut refused = 0;
    let mut served = Vec::new();
    for _ in 0..51 {
        let (call, head, body) = lane.answer().await;
        match head.outcome {
            sinew_core::wire::AnswerOutcome::Ok => served.push((call, body)),
            _ => refused += 1,
        }
    }
    assert_eq!(refused, 50, "{served:?}");
    let [(52, left)] = &served[..] else { panic!("{served:?}") };
    let left = u32::from_le_bytes(left[2..6].try_into().must("four bytes"));
    let left = Duration::from_micros(left.into());
    assert!(left < Duration::from_secs(20) - FROZEN / 2, "{left:?} of 20 s, {FROZEN:?} frozen");
    assert_eq!(own.status(51).await.code, Code::DeadlineExceeded);

    let mesh = mesh_of(authority.identity(&id("web")), |builder| builder).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let begun = client.tally().await.must("an answer").begun;
    assert_eq!(begun, 2, "the one before, and the one that had time left");
}
