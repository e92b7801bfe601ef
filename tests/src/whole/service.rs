//! What is called: three services, of which each may call the next, that do what the order says and write it down.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sinew::{CallOptions, Code, Context, Relay as _, Status, Streaming};
use tokio::time::{Instant, sleep};

use super::journal::{Begun, Journal, Outcome, RunGuard, Whose};

/// What a hop does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Step {
    /// By which method it is called.
    pub writes: bool,
    /// What its caller allows, in milliseconds.
    pub limit_ms: u32,
    /// How long it works before it goes on, in milliseconds.
    pub takes_ms: u32,
    /// It says in the end that it cannot.
    pub fails: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Which call of the journal this is.
    pub call: u64,
    /// Of this hop and those after it.
    pub steps: Vec<Step>,
}

/// The first hop.
#[sinew::service(name = "sim.Front")]
pub trait Front {
    /// Does what the order says; the number of the run.
    #[rpc(idempotent)]
    async fn read(&self, order: Order) -> Result<u64, Status>;
    /// The same, and not safe to repeat.
    async fn write(&self, order: Order) -> Result<u64, Status>;
    /// The number of the run, as often as the first step takes milliseconds, by tens.
    async fn watch(&self, order: Order) -> Streaming<u64>;
}

/// The second hop.
#[sinew::service(name = "sim.Middle")]
pub trait Middle {
    /// As [`Front::read`].
    #[rpc(idempotent)]
    async fn read(&self, order: Order) -> Result<u64, Status>;
    /// As [`Front::write`].
    async fn write(&self, order: Order) -> Result<u64, Status>;
}

/// The last hop.
#[sinew::service(name = "sim.Back")]
pub trait Back {
    /// As [`Front::read`].
    #[rpc(idempotent)]
    async fn read(&self, order: Order) -> Result<u64, Status>;
    /// As [`Front::write`].
    async fn write(&self, order: Order) -> Result<u64, Status>;
}

/// A client of the next hop.
#[derive(Debug, Clone)]
pub enum Next {
    /// To the first one.
    Front(FrontClient),
    /// To the second one.
    Middle(MiddleClient),
    /// To the last one.
    Back(BackClient),
}

impl Next {
    /// The service's name on the wire.
    pub fn service(&self) -> &'static str {
        match self {
            Self::Front(_) => "sim.Front",
            Self::Middle(_) => "sim.Middle",
            Self::Back(_) => "sim.Back",
        }
    }

    /// Makes a call, and writes down how it went.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn call(&self, own: &Own, steps: Vec<Step>) -> Result<u64, Status> {
        let Some(step) = steps.first().copied() else { return Ok(0) };
        let limit = Duration::from_millis(step.limit_ms.into());
        let context = Context::current();
        let inherited = context.as_ref().and_then(Context::deadline);
        let deadline = Instant::now().into_std() + limit;
        let method = if step.writes { "write" } else { "read" };
        let guard = own.journal.begin(Begun {
            by: own.whose,
            service: self.service(),
            method,
            idempotent: !step.writes,
            deadline: inherited.map_or(deadline, |inherited| deadline.min(inherited)),
            under: own.run,
        });
        let order = Order { call: guard.number(), steps };
        let options = CallOptions::new().timeout(limit);
        let answer = match (self, step.writes) {
            (Self::Front(next), false) => next.with(options).read(order).await,
            (Self::Front(next), true) => next.with(options).write(order).await,
            (Self::Middle(next), false) => next.with(options).read(order).await,
            (Self::Middle(next), true) => next.with(options).write(order).await,
            (Self::Back(next), false) => next.with(options).read(order).await,
            (Self::Back(next), true) => next.with(options).write(order).await,
        };
        guard.end(match &answer {
            Ok(run) => Outcome::Answered(*run),
            Err(status) => Outcome::Failed(Box::new(status.clone())),
        });
        answer
    }
}

/// Reads a stream to its end, and writes down how it went.
///
/// # Errors
/// Those of the call and of the stream.
pub async fn watch(front: &FrontClient, own: &Own, step: Step) -> Result<u64, Status> {
    let limit = Duration::from_millis(step.limit_ms.into());
    let guard = own.journal.begin(Begun {
        by: own.whose,
        service: "sim.Front",
        method: "watch",
        idempotent: false,
        deadline: Instant::now().into_std() + limit,
        under: None,
    });
    let order = Order { call: guard.number(), steps: vec![step] };
    let front = front.with(CallOptions::new().timeout(limit));
    let answer = async {
        let mut last = 0;
        let mut items = front.watch(order).await?;
        while let Some(item) = items.next().await {
            last = item?;
        }
        Ok(last)
    };
    let answer = answer.await;
    guard.end(match &answer {
        Ok(run) => Outcome::Answered(*run),
        Err(status) => Outcome::Failed(Box::new(Status::clone(status))),
    });
    answer
}

/// Who calls: a process, and the run that it is in.
#[derive(Debug, Clone)]
pub struct Own {
    /// Where it is written down.
    pub journal: Journal,
    /// The process.
    pub whose: Whose,
    /// The run.
    pub run: Option<u64>,
}

/// How a process is.
#[derive(Debug, Default)]
pub struct Shape {
    /// Everything takes so many times as long, less one.
    pub slower: AtomicU32,
    /// It says that it cannot, at once.
    pub ill: AtomicBool,
}

/// A handler of any of the services.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Whose it is.
    pub own: Own,
    /// How that process is.
    pub shape: Arc<Shape>,
    /// What it calls.
    pub next: Option<Next>,
}

impl Serving {
    fn begin(&self, order: &Order) -> RunGuard {
        let deadline = Context::current().and_then(|context| context.deadline());
        self.own.journal.run(order.call, self.own.whose, deadline)
    }

    async fn serve(&self, order: Order) -> Result<u64, Status> {
        let run = self.begin(&order);
        let number = run.number();
        let answer = self.work(order, number).await;
        run.returns(answer.is_ok());
        answer
    }

    async fn work(&self, order: Order, run: u64) -> Result<u64, Status> {
        let Some((step, rest)) = order.steps.split_first() else { return Ok(run) };
        let takes = Duration::from_millis(step.takes_ms.into());
        if self.shape.ill.load(Relaxed) {
            return Err(Status::new(Code::Unavailable, "ill"));
        }
        sleep(takes * (1 + self.shape.slower.load(Relaxed))).await;
        if let Some(next) = self.next.as_ref().filter(|_| !rest.is_empty()) {
            let own = Own { run: Some(run), ..self.own.clone() };
            next.call(&own, rest.to_vec()).await.relay()?;
        }
        if step.fails {
            return Err(Status::new(Code::Unavailable, "as the order says"));
        }
        Ok(run)
    }

    fn items(&self, order: &Order) -> Streaming<u64> {
        let run = self.begin(order);
        let number = run.number();
        let count = order.steps.first().map_or(1, |step| 1 + step.takes_ms / 10);
        let (writer, stream) = Streaming::channel();
        sinew::spawn(async move {
            for _ in 0..count {
                sleep(Duration::from_millis(10)).await;
                if writer.send(number).await.is_err() {
                    return;
                }
            }
            run.returns(true);
            let _ = writer.finish().await;
        });
        stream
    }
}

impl Front for Serving {
    async fn read(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }

    async fn write(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }

    async fn watch(&self, order: Order) -> Streaming<u64> {
        self.items(&order)
    }
}

impl Middle for Serving {
    async fn read(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }

    async fn write(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }
}

impl Back for Serving {
    async fn read(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }

    async fn write(&self, order: Order) -> Result<u64, Status> {
        self.serve(order).await
    }
}
