//! The load: so many callers, each with one call at a time, for so long; [`fresh`] has new connections instead, and
//! [`flow`] one stream.
//!
//! # Why
//! A closed loop asks every contestant the same question, how fast can it go with N calls in flight, and cannot
//! build a queue that the slow ones then drown in. It hides what a stall does to arrivals that it kept away; for
//! that, faults under an open loop are another benchmark's matter.
//!
//! # Invariants
//! 1. A call counts if it completed inside the window, whenever it began.
//! 2. Nothing is allocated per call here: histograms are made beforehand, one per caller, merged afterwards.
//! 3. The load goes on a little past the window's end, so that the server's readings fall into steady state too.

pub(crate) mod flow;
pub(crate) mod fresh;

use std::{
    future::Future,
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::{
    task::JoinHandle,
    time::{sleep_until, timeout},
};

use crate::{
    Failure,
    args::Args,
    usage::{Reading, Spent},
};

/// Excluded: connection, window growth, MTU discovery, caches.
const WARM_UP: Duration = Duration::from_millis(200);
/// The same where a round trip takes 10 ms, and a window takes seconds to grow.
const WARM_UP_AFAR: Duration = Duration::from_secs(2);
/// Load after the window's end.
const COOL_DOWN: Duration = Duration::from_millis(30);
/// How long one call may hang before the contestant is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// When the measured window is, and when to stop.
#[derive(Clone, Copy)]
struct Window {
    begin: Instant,
    end: Instant,
    stop: Instant,
}

impl Window {
    fn has(&self, moment: Instant) -> bool {
        moment >= self.begin && moment < self.end
    }
}

/// What one of those that make the load has counted.
struct Tally {
    /// Inside the window.
    calls: u64,
    /// What each of them took; of streams nothing.
    took: Histogram<u32>,
}

impl Tally {
    /// 1 us to 10 s in nanoseconds, to two digits: 9 KiB each, so that 1,024 of them stay out of the contestants' way.
    fn empty() -> Result<Self, Failure> {
        Ok(Self { calls: 0, took: Histogram::new_with_bounds(1_000, 10_000_000_000, 2)? })
    }

    fn record(&mut self, took: Duration) {
        self.calls += 1;
        self.took.saturating_record(took.as_nanos() as u64);
    }

    fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.calls += other.calls;
        Ok(self.took.add(&other.took)?)
    }
}

/// Calls in `args.in_flight` loops, which are dealt out to the connections behind `echoes`, and prints what came of it.
///
/// # Errors
/// A call failed, hung, or answered something else than it was asked.
pub(crate) async fn run<F, Fut>(args: &Args, echoes: Vec<F>) -> Result<(), Failure>
where
    F: Fn(Bytes) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Bytes, Failure>> + Send + 'static,
{
    let payload = payload(args);
    for echo in &echoes {
        let first = timeout(PATIENCE, echo(payload.clone())).await??;
        if first != payload {
            return Err("the echo is not what was said".into());
        }
    }
    measured(args, |window| {
        let loops = echoes.into_iter().cycle().take(args.in_flight);
        let begun = loops.map(|echo| {
            let tally = Tally::empty()?;
            Ok(tokio::spawn(caller(echo, payload.clone(), window, tally)))
        });
        begun.collect()
    })
    .await
}

/// What is said.
fn payload(args: &Args) -> Bytes {
    Bytes::from((0..args.payload).map(|i| i as u8).collect::<Vec<_>>())
}

/// Begins the load, says when the window is, and prints what the load came to.
async fn measured<S>(args: &Args, begin_load: S) -> Result<(), Failure>
where
    S: FnOnce(Window) -> Result<Vec<JoinHandle<Result<Tally, Failure>>>, Failure>,
{
    let warm_up = if args.is_afar() { WARM_UP_AFAR } else { WARM_UP };
    let begin = Instant::now() + warm_up;
    let end = begin + args.window;
    let load = begin_load(Window { begin, end, stop: end + COOL_DOWN })?;

    sleep_until(begin.into()).await;
    let reading = Reading::now()?;
    say("begin")?;
    sleep_until(end.into()).await;
    let spent = reading.spent()?;
    say("end")?;

    let mut all = Tally::empty()?;
    for one in load {
        all.add(&timeout(PATIENCE, one).await.map_err(|_| "a call hangs")???)?;
    }
    print(&all, args.window, &spent)
}

fn print(all: &Tally, window: Duration, spent: &Spent) -> Result<(), Failure> {
    if all.calls == 0 {
        return Err("not one call completed".into());
    }
    say(&format!(
        concat!(
            r#"{{"calls":{},"window_seconds":{:.6},"p50_us":{:.1},"p99_us":{:.1},"#,
            r#""seconds":{:.6},"cpu_seconds":{:.6},"allocations":{}}}"#
        ),
        all.calls,
        window.as_secs_f64(),
        all.took.value_at_quantile(0.5) as f64 / 1e3,
        all.took.value_at_quantile(0.99) as f64 / 1e3,
        spent.seconds,
        spent.cpu_seconds,
        spent.allocations,
    ))
}

async fn caller<F, Fut>(
    echo: F,
    payload: Bytes,
    window: Window,
    mut tally: Tally,
) -> Result<Tally, Failure>
where
    F: Fn(Bytes) -> Fut,
    Fut: Future<Output = Result<Bytes, Failure>>,
{
    let mut started = Instant::now();
    loop {
        let answer = echo(payload.clone()).await?;
        let done = Instant::now();
        if answer.len() != payload.len() {
            return Err("the echo is not as long as what was said".into());
        }
        if window.has(done) {
            tally.record(done - started);
        }
        if done >= window.stop {
            return Ok(tally);
        }
        started = done;
    }
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
