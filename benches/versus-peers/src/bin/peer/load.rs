//! The load: so many callers, each with one call at a time, for so long.
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

use std::{
    future::Future,
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::time::{sleep_until, timeout};

use crate::{Failure, args::Args, usage::Reading};

/// Excluded: connection, window growth, MTU discovery, caches.
const WARM_UP: Duration = Duration::from_millis(200);
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

/// Calls `echo` in `args.in_flight` loops and prints what came of it.
///
/// # Errors
/// A call failed, hung, or answered something else than it was asked.
pub(crate) async fn run<F, Fut>(args: &Args, echo: F) -> Result<(), Failure>
where
    F: Fn(Bytes) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Bytes, Failure>> + Send + 'static,
{
    let payload = Bytes::from((0..args.payload).map(|i| i as u8).collect::<Vec<_>>());
    let first = timeout(PATIENCE, echo(payload.clone())).await??;
    if first != payload {
        return Err("the echo is not what was said".into());
    }

    let begin = Instant::now() + WARM_UP;
    let end = begin + args.window;
    let window = Window { begin, end, stop: end + COOL_DOWN };
    let mut callers = Vec::with_capacity(args.in_flight);
    for _ in 0..args.in_flight {
        let histogram = empty_histogram()?;
        callers.push(tokio::spawn(caller(echo.clone(), payload.clone(), window, histogram)));
    }

    sleep_until(begin.into()).await;
    let reading = Reading::now()?;
    say("begin")?;
    sleep_until(end.into()).await;
    let spent = reading.spent()?;
    say("end")?;

    let mut all = empty_histogram()?;
    for caller in callers {
        let one = timeout(PATIENCE, caller).await.map_err(|_| "a call hangs")???;
        all.add(one)?;
    }
    let calls = all.len();
    if calls == 0 {
        return Err("not one call completed".into());
    }
    say(&format!(
        concat!(
            r#"{{"calls":{},"window_seconds":{:.6},"p50_us":{:.1},"p99_us":{:.1},"#,
            r#""seconds":{:.6},"cpu_seconds":{:.6},"allocations":{}}}"#
        ),
        calls,
        args.window.as_secs_f64(),
        all.value_at_quantile(0.5) as f64 / 1e3,
        all.value_at_quantile(0.99) as f64 / 1e3,
        spent.seconds,
        spent.cpu_seconds,
        spent.allocations,
    ))
}

async fn caller<F, Fut>(
    echo: F,
    payload: Bytes,
    window: Window,
    mut histogram: Histogram<u32>,
) -> Result<Histogram<u32>, Failure>
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
        if done >= window.begin && done < window.end {
            histogram.saturating_record((done - started).as_nanos() as u64);
        }
        if done >= window.stop {
            return Ok(histogram);
        }
        started = done;
    }
}

/// 1 us to 10 s in nanoseconds, to two digits: 9 KiB each, so that 256 of them stay out of the contestants' way.
fn empty_histogram() -> Result<Histogram<u32>, Failure> {
    Ok(Histogram::new_with_bounds(1_000, 10_000_000_000, 2)?)
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
