//! One stream of items, as fast as it goes, in either direction. What is counted is items at the client: those that it
//! was given, or those that were taken from it. What lies between the ends is bounded and does not grow in the window.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use super::{Tally, Window, measured, payload};
use crate::{Failure, args::Args};

/// Reads the stream that `open` gives, and prints how many items came.
///
/// # Errors
/// The stream failed or ended, or an item is not what was asked for.
pub(crate) async fn down<F, Fut, S>(args: &Args, open: F) -> Result<(), Failure>
where
    F: FnOnce(Bytes) -> Fut,
    Fut: Future<Output = Result<S, Failure>> + Send + 'static,
    S: Stream<Item = Result<Bytes, Failure>> + Send + Unpin + 'static,
{
    let payload = payload(args);
    measured(args, |window| {
        let (opening, mut tally) = (open(payload.clone()), Tally::empty()?);
        let load = async move {
            let mut items = opening.await?;
            let first = items.next().await.ok_or("there is no item")??;
            if first != payload {
                return Err("an item is not what was asked for".into());
            }
            loop {
                let item = items.next().await.ok_or("the stream ended")??;
                let now = Instant::now();
                if item.len() != payload.len() {
                    return Err("an item is not as long as what was asked for".into());
                }
                tally.calls += u64::from(window.has(now));
                if now >= window.stop {
                    return Ok(tally);
                }
            }
        };
        Ok(vec![tokio::spawn(load)])
    })
    .await
}

/// Gives `send` a stream, and prints how many items it took; `send` returns how many arrived.
///
/// # Errors
/// The call failed, or not all that was sent arrived.
pub(crate) async fn up<F, Fut>(args: &Args, send: F) -> Result<(), Failure>
where
    F: FnOnce(Items) -> Fut,
    Fut: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let payload = payload(args);
    measured(args, |window| {
        let counts = Arc::new(Counts::default());
        let sending = send(Items { payload, window, counts: Arc::clone(&counts) });
        let mut tally = Tally::empty()?;
        let load = async move {
            let arrived = sending.await?;
            let sent = counts.all.load(Relaxed);
            if arrived != sent {
                return Err(format!("{sent} items were sent, {arrived} arrived").into());
            }
            tally.calls = counts.in_window.load(Relaxed);
            Ok(tally)
        };
        Ok(vec![tokio::spawn(load)])
    })
    .await
}

#[derive(Default)]
struct Counts {
    all: AtomicU64,
    in_window: AtomicU64,
}

/// The same item until the window is over.
pub(crate) struct Items {
    payload: Bytes,
    window: Window,
    counts: Arc<Counts>,
}

impl Iterator for Items {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        if now >= self.window.stop {
            return None;
        }
        self.counts.all.fetch_add(1, Relaxed);
        self.counts.in_window.fetch_add(u64::from(self.window.has(now)), Relaxed);
        Some(self.payload.clone())
    }
}
