//! The load: so many calls per second, whatever becomes of them.
//!
//! # Why
//! A caller that waits for an answer before it makes the next call hides what a fault costs: while one call hangs for a
//! second, 499 others are not made, and are missing among the failures. So calls begin by the clock, and each is timed
//! from when it should have begun (Gil Tene's "coordinated omission").
//!
//! # Invariants
//! 1. At most a deadline's worth of calls is out: rate times one second.
//! 2. What the load itself costs is the same for all contenders.

use std::{
    io::{BufWriter, Write as _},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::{
    Failure,
    caller::{Answer, Caller, Refusal},
    now_us, stdin,
};

/// Bytes each way.
const PAYLOAD: usize = 32;
/// How long a line may wait for others to be written with it.
const FLUSH: Duration = Duration::from_millis(20);
/// Calls that are over and not yet told of: for seconds in which the referee does not read.
const BACKLOG: usize = 16_384;
/// So many failures are told in words.
const TOLD: u32 = 3;

/// A call that is over.
struct Over {
    call: u64,
    begun_us: u64,
    took: Duration,
    outcome: Result<Answer, Refusal>,
}

/// Calls until nobody listens any more.
///
/// # Errors
/// The standard output is gone.
pub(crate) async fn run(caller: Caller, rate: u32) -> Result<(), Failure> {
    let end = stdin::lines(|_| {});
    let (over, lines) = sync_channel(BACKLOG);
    thread::spawn(move || tell(&lines));
    let runtime = Handle::current();
    thread::spawn(move || call_by_the_clock(&caller, rate, &over, &runtime));
    // An error is the same news: nobody is there.
    let _ = end.await;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own: tokio's timers have a grain of a millisecond, half of what lies between two calls"
)]
fn call_by_the_clock(caller: &Caller, rate: u32, over: &SyncSender<Over>, runtime: &Handle) {
    let (begin, begin_us) = (Instant::now(), now_us());
    for call in 0.. {
        let at = Duration::from_nanos(1_000_000_000 / u64::from(rate) * call);
        thread::sleep((begin + at).saturating_duration_since(Instant::now()));
        let (caller, over) = (caller.clone(), over.clone());
        runtime.spawn(async move {
            let outcome = caller.call(payload(call)).await;
            let took = (begin + at).elapsed();
            let begun_us = begin_us + at.as_micros() as u64;
            // The teller goes only when the process does.
            let _ = over.send(Over { call, begun_us, took, outcome });
        });
    }
}

fn payload(call: u64) -> Bytes {
    let mut payload = [0; PAYLOAD];
    payload[..8].copy_from_slice(&call.to_le_bytes());
    Bytes::copy_from_slice(&payload)
}

/// Writes a line per call, many at a time.
fn tell(lines: &Receiver<Over>) {
    let mut out = BufWriter::new(std::io::stdout());
    let mut told = 0;
    let _ = writeln!(out, "ready");
    let mut flushed: Option<Instant> = None;
    loop {
        match lines.recv_timeout(FLUSH) {
            Ok(over) => {
                if let Err(refusal) = &over.outcome
                    && told < TOLD
                {
                    eprintln!("call {}: {}", over.call, refusal.why);
                    told += 1;
                }
                let _ = writeln!(out, "{}", line(&over));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if flushed.is_none_or(|at| at.elapsed() >= FLUSH) {
            let _ = out.flush();
            flushed = Some(Instant::now());
        }
    }
}

fn line(over: &Over) -> String {
    let (replica, attempts, code) = match &over.outcome {
        Ok(answer) => {
            let replica = answer.body.first().copied().unwrap_or(u8::MAX);
            (replica.to_string(), answer.attempts, "Ok")
        }
        Err(refusal) => ("-".to_owned(), refusal.attempts, refusal.code.as_str()),
    };
    format!(
        "{} {} {} {replica} {} {code}",
        over.call,
        over.begun_us,
        over.took.as_micros(),
        attempts.unwrap_or(0),
    )
}
