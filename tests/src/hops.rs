//! Three services, each in a server of its own, of which each calls the next.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sinew::{CallOptions, Code, Context, Relay as _, ServerBuilder, Status};

use crate::{
    Must as _,
    probe::{Counting, Tally, Turn},
    scene::{Running, Scene},
    wait::ms,
};

/// How long a hop pauses that never gets anywhere, in milliseconds.
pub const FOR_EVER: u64 = 3_600_000;

/// The first hop.
#[sinew::service]
pub trait Front {
    /// Goes as far as the order says; how many hops there were.
    async fn go(&self, order: Order) -> Result<u32, Status>;
}

/// The second hop.
#[sinew::service]
pub trait Middle {
    /// As [`Front::go`].
    async fn go(&self, order: Order) -> Result<u32, Status>;
}

/// The last hop.
#[sinew::service]
pub trait Back {
    /// As [`Front::go`].
    async fn go(&self, order: Order) -> Result<u32, Status>;
}

/// What the hops do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Order {
    /// How each hop makes its call.
    pub how: How,
    /// Milliseconds that each hop takes before it goes on.
    pub pauses: [u64; 3],
    /// A timeout of its own for the call to the last hop, in milliseconds.
    pub last_limit: Option<u64>,
}

impl Order {
    /// Calls in place, with these pauses.
    pub fn pausing(pauses: [u64; 3]) -> Self {
        Self { how: How::Await, pauses, last_limit: None }
    }
}

/// How a handler makes a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// In place.
    Await,
    /// In a task of `sinew::spawn`.
    Spawn,
}

/// What a hop saw when its handler began.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// When it looked.
    pub at: Instant,
    /// What it had left then.
    pub left: Option<Duration>,
}

/// One hop's side: what it saw, and how its handlers ended.
#[derive(Debug, Clone, Default)]
pub struct Hop {
    counting: Counting,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Hop {
    fn arrive(&self) -> Turn {
        let left = Context::current().and_then(|context| context.remaining());
        let seen = Seen { left, at: Instant::now() };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        self.counting.begin()
    }

    /// How its handlers ended.
    pub fn tally(&self) -> Tally {
        self.counting.tally()
    }

    /// What it saw since it was asked last, which must be exactly one call.
    #[track_caller]
    pub fn seen(&self) -> Seen {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        match seen[..] {
            [one] => one,
            _ => panic!("one call was expected, not {seen:?}"),
        }
    }

    fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[derive(Debug)]
struct Serving<C> {
    hop: Hop,
    next: C,
}

/// Makes the call as the order says.
async fn onward<F>(how: How, call: F) -> Result<u32, Status>
where
    F: Future<Output = Result<u32, Status>> + Send + 'static,
{
    match how {
        How::Await => call.await,
        How::Spawn => match sinew::spawn(call).await {
            Ok(Some(answer)) => answer,
            other => Err(Status::new(Code::Aborted, format!("the task was cut: {other:?}"))),
        },
    }
}

impl Front for Serving<MiddleClient> {
    async fn go(&self, order: Order) -> Result<u32, Status> {
        let turn = self.hop.arrive();
        tokio::time::sleep(ms(order.pauses[0])).await;
        let next = self.next.clone();
        let hops = onward(order.how, async move { next.go(order).await }).await.relay()?;
        turn.end();
        Ok(hops + 1)
    }
}

impl Middle for Serving<BackClient> {
    async fn go(&self, order: Order) -> Result<u32, Status> {
        let turn = self.hop.arrive();
        tokio::time::sleep(ms(order.pauses[1])).await;
        let next = match order.last_limit {
            Some(limit) => self.next.with(CallOptions::new().timeout(ms(limit))),
            None => self.next.clone(),
        };
        let hops = onward(order.how, async move { next.go(order).await }).await.relay()?;
        turn.end();
        Ok(hops + 1)
    }
}

impl Back for Serving<()> {
    async fn go(&self, order: Order) -> Result<u32, Status> {
        let turn = self.hop.arrive();
        tokio::time::sleep(ms(order.pauses[2])).await;
        turn.end();
        Ok(1)
    }
}

/// Serves the three of them in one process, without a network between them.
pub fn serve_in_process(server: ServerBuilder) -> ServerBuilder {
    let hop = Hop::default();
    let back = || Serving { hop: hop.clone(), next: () };
    let middle = || Serving { hop: hop.clone(), next: BackClient::local(back()) };
    let front = Serving { hop: hop.clone(), next: MiddleClient::local(middle()) };
    server
        .serve(FrontServer::new(front))
        .serve(MiddleServer::new(middle()))
        .serve(BackServer::new(back()))
}

/// The three of them at work.
#[derive(Debug)]
pub struct Chain {
    /// What calls the first.
    pub client: FrontClient,
    /// The hops in order.
    pub hops: [Hop; 3],
    /// Their servers in order.
    pub servers: [Running; 3],
    _scene: Scene,
}

impl Chain {
    /// Three servers, connected with each other: a few calls have gone through.
    pub async fn new() -> Self {
        let scene = Scene::new();
        let hops = [Hop::default(), Hop::default(), Hop::default()];
        let [first, second, third] = hops.clone();
        let back = Serving { hop: third, next: () };
        let back = scene.serve(|server| server.serve(BackServer::new(back))).await;
        let middle = Serving { hop: second, next: scene.client::<BackClient>(&back).await };
        let middle = scene.serve(|server| server.serve(MiddleServer::new(middle))).await;
        let front = Serving { hop: first, next: scene.client::<MiddleClient>(&middle).await };
        let front = scene.serve(|server| server.serve(FrontServer::new(front))).await;
        let client = scene.client::<FrontClient>(&front).await;
        let order = Order::pausing([0; 3]);
        for _ in 0..20 {
            assert_eq!(client.go(order).await.must("a call through all hops"), 3);
        }
        hops.iter().for_each(Hop::forget);
        Self { client, hops, servers: [front, middle, back], _scene: scene }
    }
}
