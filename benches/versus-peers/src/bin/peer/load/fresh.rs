//! Loads of new connections: how long the first call on one takes, and what a server keeps for one that is idle.

use std::{
    future::Future,
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Tally, measured, payload, print, say};
use crate::{Failure, args::Args, usage::Reading};

/// Between two connections, so that the end of one is not in the time of the next.
const PAUSE: Duration = Duration::from_millis(1);
/// Connections that are being made at once.
const AT_ONCE: usize = 16;
/// Until what a handshake leaves behind is gone.
const SETTLE: Duration = Duration::from_secs(1);
/// How long after its call sinew keeps an unused connection for certain (`KEEP_ALIVE_AFTER_CALL`): the others keep theirs
/// longer, and all are read within it.
const KEPT: Duration = Duration::from_secs(55);

/// A client that connects anew for every call.
pub(crate) trait Fresh: Send + Sync + 'static {
    /// What a program has long before it connects: keys, settings.
    type Ready: Send;
    /// The connection. Dropping it ends it.
    type Open: Send;

    /// Not a part of the measured time.
    fn prepare(&self) -> impl Future<Output = Result<Self::Ready, Failure>> + Send;

    /// A new connection and the first call on it.
    fn connect(
        &self,
        ready: Self::Ready,
        payload: Bytes,
    ) -> impl Future<Output = Result<(Bytes, Self::Open), Failure>> + Send;
}

/// Connects and calls once, again and again, and prints how long that took.
///
/// # Errors
/// A connection or a call failed, hung, or answered something else than it was asked.
pub(crate) async fn one_after_another<F: Fresh>(args: &Args, fresh: F) -> Result<(), Failure> {
    let payload = payload(args);
    measured(args, |window| {
        let mut tally = Tally::empty()?;
        let load = async move {
            loop {
                let (took, open) = first_call(&fresh, &payload).await?;
                let done = Instant::now();
                if window.has(done) {
                    tally.record(took);
                }
                if done >= window.stop {
                    return Ok(tally);
                }
                drop(open);
                sleep(PAUSE).await;
            }
        };
        Ok(vec![tokio::spawn(load)])
    })
    .await
}

/// Opens `args.connections`, with one call on each, and holds them until nobody is left to ask.
///
/// # Errors
/// As [`one_after_another`]; or it took longer than an idle connection is kept.
pub(crate) async fn held<F: Fresh>(args: &Args, fresh: F) -> Result<(), Failure> {
    let (payload, fresh) = (payload(args), Arc::new(fresh));
    // What the first one of all loads and allocates is no connection's.
    let first = first_call(&*fresh, &payload).await?;
    sleep(SETTLE).await;
    let reading = Reading::now()?;
    let begun = Instant::now();
    say("begin")?;
    let opening = stream::iter(0..args.connections).map(|_| {
        let (fresh, payload) = (Arc::clone(&fresh), payload.clone());
        async move { tokio::spawn(async move { first_call(&*fresh, &payload).await }).await? }
    });
    let open: Vec<_> = opening.buffer_unordered(AT_ONCE).try_collect().await?;
    sleep(SETTLE).await;
    let took = begun.elapsed();
    if took > KEPT {
        return Err(format!("opening them took {} s", took.as_secs()).into());
    }
    let spent = reading.spent()?;
    say("end")?;
    let mut tally = Tally::empty()?;
    open.iter().for_each(|(took, _)| tally.record(*took));
    print(&tally, took, &spent)?;
    // The server reads its memory meanwhile.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    drop((first, open));
    Ok(())
}

async fn first_call<F: Fresh>(fresh: &F, payload: &Bytes) -> Result<(Duration, F::Open), Failure> {
    let ready = fresh.prepare().await?;
    let begun = Instant::now();
    let (answer, open) = timeout(PATIENCE, fresh.connect(ready, payload.clone())).await??;
    let took = begun.elapsed();
    if answer != *payload {
        return Err("the echo is not what was said".into());
    }
    Ok((took, open))
}
