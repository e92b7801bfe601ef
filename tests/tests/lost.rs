//! Which calls count as having lost the context of the call that they belong to. A file of its own: the count is the
//! process's.

use std::time::Duration;

use sinew::{CallOptions, Status, lost_contexts};
use sinew_tests::{
    Must as _,
    child::{Process, Start},
    errand::{ErrandClient, errand},
    probe::{Counting, ProbeClient},
    scene::Scene,
};
use tokio::sync::{Mutex, MutexGuard};

/// Where the tests are threads of one process, one counts at a time.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Runs `work` in a handler that has 2 s left; what it gives back (the time that its call had, in microseconds), and
/// how many calls were counted as lost meanwhile.
async fn in_a_handler<F, Fut>(work: F) -> (Duration, u64)
where
    F: Fn(ProbeClient) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<u64>, Status>> + Send + 'static,
{
    let _alone = alone().await;
    let scene = Scene::new();
    let probe = scene.serve(|server| server.serve(Counting::new().server())).await;
    let inner: ProbeClient = scene.client(&probe).await;
    let outer = errand(move || {
        let working = work(inner.clone());
        async move { working.await.map(|left| left.unwrap_or(u64::MAX)) }
    });
    let outer = scene.serve(|server| server.serve(outer)).await;
    let client: ErrandClient = scene.client(&outer).await;
    let before = lost_contexts();
    let client = client.with(CallOptions::new().timeout(Duration::from_secs(2)));
    let left = sinew::root(async move { client.run().await }).await.must("an answer");
    let lost = lost_contexts() - before;
    outer.drained().await;
    probe.drained().await;
    (Duration::from_micros(left), lost)
}

/// The default of a call that inherits nothing, with room for a slow machine.
const OWN: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(11);
/// What is inherited from the handler.
const INHERITED: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_secs(2);

#[tokio::test]
async fn a_call_in_a_tokio_spawn_is_counted_and_inherits_nothing() {
    let (left, lost) = in_a_handler(|inner| async move {
        tokio::spawn(async move { inner.left().await }).await.must("a task")
    })
    .await;
    assert!(OWN.contains(&left), "{left:?}");
    assert_eq!(lost, 1);
}

#[tokio::test]
async fn a_call_in_a_root_is_not_counted_and_inherits_nothing() {
    let (left, lost) = in_a_handler(|inner| sinew::root(async move { inner.left().await })).await;
    assert!(OWN.contains(&left), "{left:?}");
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn a_call_in_place_or_in_a_sinew_spawn_is_not_counted() {
    let (left, lost) = in_a_handler(|inner| async move { inner.left().await }).await;
    assert!(INHERITED.contains(&left), "{left:?}");
    assert_eq!(lost, 0);
    let (left, lost) = in_a_handler(|inner| async move {
        sinew::spawn(async move { inner.left().await }).await.must("a task").must("not cut")
    })
    .await;
    assert!(INHERITED.contains(&left), "{left:?}");
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn a_call_made_in_a_handler_and_awaited_in_a_tokio_spawn_keeps_its_context() {
    let (left, lost) = in_a_handler(|inner| {
        let call = std::sync::Mutex::new(None);
        async move {
            // Made here, where the context is; the future may then run anywhere.
            *call.lock().must("a lock") = Some(inner.left());
            let call = call.into_inner().must("a lock").must("a call");
            tokio::spawn(call).await.must("a task")
        }
    })
    .await;
    assert!(INHERITED.contains(&left), "{left:?}");
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn a_call_in_a_detached_task_is_not_counted() {
    let (left, lost) = in_a_handler(|inner| async move {
        let detached = sinew::detach(Duration::from_secs(5), async move { inner.left().await });
        detached.await.must("a task").must("not cut")
    })
    .await;
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&left), "{left:?}");
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn calls_of_a_process_that_serves_nobody_are_not_counted() {
    let _alone = alone().await;
    let scene = Scene::new();
    let server: Process = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    let before = lost_contexts();
    client.echo("x".into()).await.must("an answer");
    assert_eq!(lost_contexts(), before);
}
