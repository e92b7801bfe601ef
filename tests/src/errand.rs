//! A service whose one handler is a closure: for tests that are about what a handler may do.

use std::{fmt, future::Future, pin::Pin};

use sinew::Status;

/// Runs an errand.
#[sinew::service(name = "test.Errand")]
pub trait Errand {
    /// Whatever the closure does.
    async fn run(&self) -> Result<u64, Status>;
}

type Answering = Pin<Box<dyn Future<Output = Result<u64, Status>> + Send>>;

struct Closure(Box<dyn Fn() -> Answering + Send + Sync>);

impl Errand for Closure {
    async fn run(&self) -> Result<u64, Status> {
        (self.0)().await
    }
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

/// The server of a closure.
pub fn errand<F, Fut>(run: F) -> ErrandServer
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u64, Status>> + Send + 'static,
{
    ErrandServer::new(Closure(Box::new(move || Box::pin(run()))))
}
