//! A service of a known capacity, in processes of its own, and callers that do not wait for it.
//!
//! # Why
//! Whether a server comes back from too much load is only seen with a real one: tasks, timers, packets and processors
//! are in it. So here a handler needs one of a few workers for some milliseconds, as a query needs a connection of a
//! pool, and calls come as they come, however many are out (an open loop: callers that wait for each other hide it).

mod drive;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sinew::{Concurrency, Mesh};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

pub use self::drive::{Caller, Callers, Ended, Record, Second};
use crate::Must as _;

/// Its name on the wire.
pub const WORK: &str = "test.Work";
/// Workers of one server.
pub const WORKERS: usize = 8;
/// What a call takes one of them: 267 calls a second and server.
pub const TAKES: Duration = Duration::from_millis(30);

/// What goes wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// A handler that has a worker waits for the end of the trouble first.
    Hang,
    /// The same, and goes on when its caller has gone: it is a task of its own.
    HangUncancelled,
}

/// Work that needs a worker.
#[sinew::service(name = "test.Work")]
pub trait Work {
    /// Needs a worker.
    #[rpc(idempotent)]
    async fn work(&self);
    /// From now on, for so many milliseconds.
    #[rpc(criticality = "critical_plus")]
    async fn trouble(&self, trouble: Trouble, millis: u64);
}

/// The workers of one server.
#[derive(Debug, Clone)]
pub struct Workers {
    free: Arc<Semaphore>,
    started: Instant,
    /// Until when there is trouble, in milliseconds since the start, and which.
    until_ms: Arc<AtomicU64>,
    uncancelled: Arc<std::sync::atomic::AtomicBool>,
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}

impl Workers {
    /// All of them free.
    pub fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(WORKERS)),
            started: Instant::now(),
            until_ms: Arc::default(),
            uncancelled: Arc::default(),
        }
    }

    async fn do_it(self) {
        let _worker = self.free.acquire().await.must("it is never closed");
        let until = self.started + Duration::from_millis(self.until_ms.load(Ordering::SeqCst));
        sleep_until(until).await;
        sleep(TAKES).await;
    }

    fn is_in_trouble(&self) -> bool {
        let until = Duration::from_millis(self.until_ms.load(Ordering::SeqCst));
        self.started.elapsed() < until
    }
}

impl Work for Workers {
    async fn work(&self) {
        let work = self.clone().do_it();
        if self.uncancelled.load(Ordering::SeqCst) && self.is_in_trouble() {
            // Nobody can stop it.
            drop(tokio::spawn(work).await);
        } else {
            work.await;
        }
    }

    async fn trouble(&self, trouble: Trouble, millis: u64) {
        let until = self.started.elapsed() + Duration::from_millis(millis);
        self.uncancelled.store(trouble == Trouble::HangUncancelled, Ordering::SeqCst);
        self.until_ms.store(until.as_millis() as u64, Ordering::SeqCst);
    }
}

/// Serves until the process ends. With `naive`, nothing protects the server.
///
/// # Errors
/// Where it cannot.
pub async fn serve(address: &str, naive: bool) -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    let mut server = Mesh::from_env().await?.server().serve(WorkServer::new(Workers::new()));
    if naive {
        server = server.concurrency(Concurrency::Unlimited);
    }
    let server = server.bind(address.to_owned()).await?;
    writeln!(std::io::stdout(), "{}{}", crate::child::LISTENING, server.local_addr())?;
    server.run_until(std::future::pending()).await;
    Ok(())
}
