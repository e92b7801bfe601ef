//! What became of an earlier attempt is not forgotten when a later one is never sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sinew::{CallOptions, Code, Directive, Ran, Status};
use sinew_tests::{Must as _, MustFail as _, scene::Scene, wait::until};

/// Says that it cannot, and counts how often.
#[sinew::service(name = "test.NotNow")]
pub trait NotNow {
    /// Runs, and asks to be called again later.
    #[rpc(idempotent)]
    async fn go(&self) -> Result<u64, Status>;
}

#[derive(Debug, Clone, Default)]
struct Counting(Arc<AtomicU32>);

impl NotNow for Counting {
    async fn go(&self) -> Result<u64, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let later = Directive::RetryAfter(Duration::from_millis(500));
        Err(Status::new(Code::Unavailable, "not now").with_directive(later))
    }
}

/// Found by the simulation: the handler ran, its server was gone at the second attempt, and the failure said that nothing
/// had run.
#[tokio::test]
async fn regress_a_call_that_ran_says_so_although_its_last_attempt_was_never_sent() {
    let (scene, counting) = (Scene::new(), Counting::default());
    let service = NotNowServer::new(counting.clone());
    let server = scene.serve(|builder| builder.serve(service)).await;
    let client = scene.client::<NotNowClient>(&server).await;
    let client = client.with(CallOptions::new().timeout(Duration::from_secs(3)));
    let call = tokio::spawn(async move { client.go().await });
    until("the handler has run", || counting.0.load(Ordering::SeqCst) == 1).await;
    // The answer is on its way, and the next attempt half a second off.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(server);
    let status = call.await.must("the call").must_err();
    assert_eq!(status.ran(), Ran::Yes, "{status}");
    assert_eq!(counting.0.load(Ordering::SeqCst), 1);
}
