//! Only one layer repeats: what is called while a repeated call is served is made once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sinew::{CallOptions, Code, Directive, Relay as _, Status};
use sinew_tests::{
    MustFail as _,
    scene::{Running, Scene},
};

/// What the user's call reaches.
#[sinew::service(name = "test.Front")]
trait Front {
    /// Asks the back; refuses the first so many calls itself.
    #[rpc(idempotent)]
    async fn ask(&self, refused: u64) -> Result<(), Status>;
}

/// What the front calls.
#[sinew::service(name = "test.Back")]
trait Back {
    /// Is never there.
    #[rpc(idempotent)]
    async fn ask(&self) -> Result<(), Status>;
}

#[derive(Clone)]
struct Asking {
    back: BackClient,
    asked: Arc<AtomicU64>,
}

impl Front for Asking {
    async fn ask(&self, refused: u64) -> Result<(), Status> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < refused {
            return Err(Status::new(Code::Unavailable, "not yet"));
        }
        self.back.ask().await.relay()
    }
}

#[derive(Clone, Default)]
struct Away(Arc<AtomicU64>);

impl Back for Away {
    async fn ask(&self) -> Result<(), Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Status::new(Code::Unavailable, "away"))
    }
}

/// Two servers in a row, and a client of the first.
struct Row {
    _scene: Scene,
    _servers: [Running; 2],
    front: Arc<AtomicU64>,
    back: Away,
    client: FrontClient,
}

impl Row {
    async fn new() -> Self {
        let (scene, back) = (Scene::new(), Away::default());
        let away = BackServer::new(back.clone());
        let second = scene.serve(|server| server.serve(away)).await;
        let asking = Asking { back: scene.client(&second).await, asked: Arc::default() };
        let front = Arc::clone(&asking.asked);
        let first = scene.serve(|server| server.serve(FrontServer::new(asking))).await;
        let client = scene.client(&first).await;
        Self { _scene: scene, _servers: [first, second], front, back, client }
    }

    /// Handlers that ran at the front and at the back.
    fn ran(&self) -> (u64, u64) {
        (self.front.load(Ordering::SeqCst), self.back.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn the_layer_that_sees_the_failure_repeats_and_nobody_above_it() {
    let row = Row::new().await;
    let status = row.client.ask(0).await.must_err();
    assert_eq!(row.ran(), (1, 3), "{status}");
    assert_eq!(status.directive(), Directive::DoNotRetry, "{status}");
}

#[tokio::test]
async fn what_a_repeated_call_calls_is_called_once() {
    let row = Row::new().await;
    let status = row.client.ask(1).await.must_err();
    assert_eq!(row.ran(), (2, 1), "{status}");
}

#[tokio::test]
async fn whoever_repeats_by_itself_says_so_to_everybody_below() {
    let row = Row::new().await;
    let status = row.client.with(CallOptions::new().no_retry_below()).ask(0).await.must_err();
    assert_eq!(row.ran(), (1, 1), "{status}");
}
