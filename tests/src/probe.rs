//! The service that most tests call: it does what it is told, and counts.

use std::{
    fmt,
    fs::File,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew::{Code, Context, Status, Streaming};

use crate::Must as _;

/// Its name on the wire.
pub const PROBE: &str = "test.Probe";

/// Does what it is told.
#[sinew::service(name = "test.Probe")]
pub trait Probe {
    /// Gives `text` back.
    async fn echo(&self, text: String) -> String;
    /// As `echo`, and safe to repeat.
    #[rpc(idempotent)]
    async fn echo_again(&self, text: String) -> String;
    /// The process that serves this user's calls.
    #[rpc(idempotent, key = "user")]
    async fn home(&self, user: String) -> u32;
    /// Sleeps.
    async fn wait(&self, millis: u64) -> u64;
    /// As `wait`, and safe to repeat.
    #[rpc(idempotent)]
    async fn wait_again(&self, millis: u64) -> u64;
    /// Never ends by itself.
    async fn hold(&self);
    /// Microseconds that the handler has left; `None` without a deadline.
    async fn left(&self) -> Option<u64>;
    /// As `left`, with a timeout of the trait's own.
    #[rpc(timeout = "3s")]
    async fn left_of_three_seconds(&self) -> Option<u64>;
    /// So many bytes.
    async fn make(&self, len: u64) -> Bytes;
    /// So many bytes, once this many handlers have begun.
    async fn make_when(&self, len: u64, begun: u64) -> Bytes;
    /// How many bytes there are.
    async fn weigh(&self, blob: Bytes) -> u64;
    /// Bytes untouched.
    #[rpc(raw)]
    async fn mirror(&self, blob: Bytes) -> Bytes;
    /// Fails in the service's own way.
    async fn object(&self, why: String) -> Result<(), Objection>;
    /// Fails with a status.
    async fn deny(&self, why: String) -> Result<(), Status>;
    /// Panics.
    async fn panic(&self, why: String);
    /// How many handlers began and how they ended, this call not counted.
    async fn tally(&self) -> Tally;
    /// The numbers of a range.
    async fn numbers(&self, from: u64, to: u64) -> Streaming<u64>;
    /// Their sum.
    async fn sum(&self, numbers: Streaming<u64>) -> Result<u64, Status>;
    /// Each number, twice as large.
    async fn double(&self, numbers: Streaming<u64>) -> Streaming<u64>;
}

/// The probe's own error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// What it has against the call.
    pub why: String,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Objection {}

/// How many handlers there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Handlers that began.
    pub begun: u64,
    /// Handlers that returned.
    pub ended: u64,
    /// Handlers that were dropped before they returned.
    pub dropped: u64,
}

impl Tally {
    /// Handlers at work.
    pub fn running(&self) -> u64 {
        self.begun - self.ended - self.dropped
    }
}

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
    dropped: AtomicU64,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Journal {
    file: File,
    delay: Duration,
}

/// The implementation. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counting(Arc<Counts>);

/// Counts one handler, whichever way it ends.
#[derive(Debug)]
#[must_use = "the handler is counted as dropped when this is dropped"]
pub struct Turn {
    counts: Arc<Counts>,
    is_over: bool,
}

impl Counting {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that also writes the text of each echo to `file`, a line each, and answers after a `delay`: what was executed
    /// is known even where the process is killed. The file is open for appending.
    pub fn with_journal(file: File, delay: Duration) -> Self {
        let journal = Some(Journal { file, delay });
        Self(Arc::new(Counts { journal, ..Counts::default() }))
    }

    async fn note(&self, text: &str) {
        if let Some(Journal { file, delay }) = &self.0.journal {
            let mut file: &File = file;
            // In one write, so that lines of two threads do not mix.
            file.write_all(format!("{text}\n").as_bytes()).must("a line in the journal");
            tokio::time::sleep(*delay).await;
        }
    }

    /// A handler begins.
    pub fn begin(&self) -> Turn {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        Turn { counts: Arc::clone(&self.0), is_over: false }
    }

    /// The counts now.
    pub fn tally(&self) -> Tally {
        // The ends are read first: no handler is ever seen that ended and did not begin.
        let ended = self.0.ended.load(Ordering::SeqCst);
        let dropped = self.0.dropped.load(Ordering::SeqCst);
        Tally { begun: self.0.begun.load(Ordering::SeqCst), ended, dropped }
    }

    /// A server of it, to be given to `ServerBuilder::serve`.
    pub fn server(&self) -> ProbeServer {
        ProbeServer::new(self.clone())
    }
}

impl Turn {
    /// The handler returns.
    pub fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let counter = if self.is_over { &self.counts.ended } else { &self.counts.dropped };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

impl Probe for Counting {
    async fn echo(&self, text: String) -> String {
        let turn = self.begin();
        self.note(&text).await;
        turn.end();
        text
    }

    async fn echo_again(&self, text: String) -> String {
        let turn = self.begin();
        self.note(&text).await;
        turn.end();
        text
    }

    async fn home(&self, _user: String) -> u32 {
        self.begin().end();
        std::process::id()
    }

    async fn wait(&self, millis: u64) -> u64 {
        let turn = self.begin();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        turn.end();
        millis
    }

    async fn wait_again(&self, millis: u64) -> u64 {
        let turn = self.begin();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        turn.end();
        millis
    }

    async fn hold(&self) {
        let _turn = self.begin();
        std::future::pending().await
    }

    async fn left(&self) -> Option<u64> {
        self.begin().end();
        let left = Context::current()?.remaining()?;
        u64::try_from(left.as_micros()).ok()
    }

    async fn left_of_three_seconds(&self) -> Option<u64> {
        self.left().await
    }

    async fn make(&self, len: u64) -> Bytes {
        self.begin().end();
        pattern(usize::try_from(len).unwrap_or(usize::MAX))
    }

    async fn make_when(&self, len: u64, begun: u64) -> Bytes {
        let turn = self.begin();
        while Self::tally(self).begun < begun {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        turn.end();
        pattern(usize::try_from(len).unwrap_or(usize::MAX))
    }

    async fn weigh(&self, blob: Bytes) -> u64 {
        self.begin().end();
        blob.len() as u64
    }

    async fn mirror(&self, blob: Bytes) -> Bytes {
        self.begin().end();
        blob
    }

    async fn object(&self, why: String) -> Result<(), Objection> {
        self.begin().end();
        Err(Objection { why })
    }

    async fn deny(&self, why: String) -> Result<(), Status> {
        self.begin().end();
        Err(Status::new(Code::FailedPrecondition, why))
    }

    async fn panic(&self, why: String) {
        let _turn = self.begin();
        panic!("{why}");
    }

    async fn tally(&self) -> Tally {
        self.tally()
    }

    async fn numbers(&self, from: u64, to: u64) -> Streaming<u64> {
        self.begin().end();
        Streaming::iter(from..to)
    }

    async fn sum(&self, mut numbers: Streaming<u64>) -> Result<u64, Status> {
        let turn = self.begin();
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
        }
        turn.end();
        Ok(sum)
    }

    async fn double(&self, mut numbers: Streaming<u64>) -> Streaming<u64> {
        let turn = self.begin();
        let (writer, doubled) = Streaming::channel();
        sinew::spawn(async move {
            while let Some(Ok(number)) = numbers.next().await {
                if writer.send(number * 2).await.is_err() {
                    return;
                }
            }
            if writer.finish().await.is_ok() {
                turn.end();
            }
        });
        doubled
    }
}

/// Bytes in which a piece that is missing or in a wrong place is seen.
pub fn pattern(len: usize) -> Bytes {
    let block: Vec<u8> = (0..251).collect();
    let mut bytes = block.repeat(len / block.len() + 1);
    bytes.truncate(len);
    bytes.into()
}
