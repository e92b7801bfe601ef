//! What a replica does with a call, whatever brought it: says so, takes its time, answers with its index.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

use crate::{
    Failure,
    args::{Args, Role},
    now_us, stdin,
};

/// What a call takes.
const WORK: Duration = Duration::from_millis(2);
/// What it takes at a slow replica: twenty times that.
const SLOW: Duration = Duration::from_millis(40);

const OK: u8 = 0;
const IS_SLOW: u8 = 1;
const FAILS: u8 = 2;

/// The replica itself.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    index: u8,
    mood: Arc<AtomicU8>,
}

/// What the handler has instead of an answer when it was told to fail.
#[derive(Debug)]
pub(crate) struct Unwell;

impl Handler {
    /// The replica, and what ends when the referee does.
    pub(crate) fn new(args: &Args) -> (Self, oneshot::Receiver<()>) {
        let index = match args.role {
            Role::Replica { index } => index,
            Role::Caller => 0,
        };
        let mood = Arc::new(AtomicU8::new(OK));
        let handler = Self { index, mood: Arc::clone(&mood) };
        let end = stdin::lines(move |line| match line {
            "ok" => mood.store(OK, Relaxed),
            "slow" => mood.store(IS_SLOW, Relaxed),
            "fail" => mood.store(FAILS, Relaxed),
            other => eprintln!("mesh-peer: `{other}` makes no sense"),
        });
        (handler, end)
    }

    /// Executes a call.
    ///
    /// # Errors
    /// As it was told.
    pub(crate) async fn work(&self, payload: &Bytes) -> Result<Bytes, Unwell> {
        executed(call_of(payload));
        match self.mood.load(Relaxed) {
            FAILS => return Err(Unwell),
            IS_SLOW => sleep(SLOW).await,
            _ => sleep(WORK).await,
        }
        let mut answer = vec![0; payload.len()];
        if let Some(first) = answer.first_mut() {
            *first = self.index;
        }
        Ok(answer.into())
    }
}

/// One line, in one write: a replica may be killed in the middle of anything else.
fn executed(call: u64) {
    // Without a reader there is no contest.
    let _ = writeln!(std::io::stdout(), "{call} {}", now_us());
}

/// The number that the caller put in front.
fn call_of(payload: &Bytes) -> u64 {
    let number = payload.first_chunk::<8>();
    number.map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes))
}

/// Says that calls may come.
///
/// # Errors
/// The standard output is gone.
pub(crate) fn ready() -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "ready")?)
}

/// Ready when the process is to end in good order.
///
/// # Errors
/// Signals cannot be had.
pub(crate) fn told_to_stop() -> Result<impl Future<Output = ()> + Send, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}
