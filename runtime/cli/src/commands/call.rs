//! `sinew call`: a method by its name, with JSON.

use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::json;

use super::asked::{Asked, Came, Found, Missed};
use crate::{
    args::Call,
    output::{self, Failure, Progress},
};

pub(crate) async fn run(args: Call, json: bool) -> Result<(), Failure> {
    let found = Found::new(&args.request).await?;
    let asked = found.asked(&args.request, |options| options)?;
    match args.repeat {
        Some(_) if asked.streams() => Err(Failure::usage("a method that streams is not repeated")),
        Some(times) => repeat(&asked, times, json).await,
        None => once(&asked, &args.request.method).await,
    }
}

async fn once(asked: &Asked<'_>, method: &str) -> Result<(), Failure> {
    // Items are a line each.
    match asked.make(|item| output::line(&item.to_string())).await {
        Ok(Came::Value(value)) => output::json(&value),
        Ok(Came::Bytes(bytes)) => output::bytes(&bytes),
        Ok(Came::Items) => Ok(()),
        Err(missed) => {
            if matches!(missed, Missed::Status(_)) && output::watched() {
                output::note(&format!(
                    "`sinew explain {method}` says where such a call goes, and why"
                ));
            }
            Err(missed.into())
        }
    }
}

/// So many calls in turn, and how long they took; Ctrl-C ends them, and what there is until then is told.
async fn repeat(asked: &Asked<'_>, times: u64, json: bool) -> Result<(), Failure> {
    let arguments = asked.arguments()?;
    let mut took = Histogram::<u64>::new(3).map_err(|why| Failure::cannot(why.to_string()))?;
    let (mut failed, began) = (0_u64, Instant::now());
    let (mut last, mut progress) = (None, Progress::new());
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    while took.len() < times {
        let started = Instant::now();
        let answer = tokio::select! {
            biased;
            _ = &mut interrupted => break,
            answer = asked.once(arguments.clone()) => answer,
        };
        took.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        if let Err(missed) = answer {
            failed += 1;
            last = Some(missed);
        }
        progress.show(|| {
            let (done, seconds) = (took.len(), began.elapsed().as_secs_f64());
            format!("{done} of {times} calls in {seconds:.1} s, {failed} failed")
        });
    }
    drop(progress);
    let (seconds, done) = (began.elapsed().as_secs_f64(), took.len());
    let at = |quantile| took.value_at_quantile(quantile);
    if json {
        output::line(
            &json!({
                "calls": done, "failed": failed, "seconds": seconds,
                "p50_us": at(0.5), "p99_us": at(0.99), "max_us": took.max(),
            })
            .to_string(),
        )?;
    } else {
        output::line(&format!("{done} calls in {seconds:.2} s, {failed} failed"))?;
        let (p50, p99, max) = (at(0.5), at(0.99), took.max());
        output::line(&format!("p50 {p50} us   p99 {p99} us   max {max} us"))?;
    }
    match last {
        Some(missed) => Err(missed.into()),
        None if done < times => {
            Err(Failure::no(format!("interrupted after {done} of {times} calls")))
        }
        None => Ok(()),
    }
}
