//! A service that streams, in every way in which a stream can go and end.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use sinew::{Code, Context, Status, Streaming};

use crate::{
    probe::{Objection, pattern},
    scene::{Running, Scene},
    wait::{ms, soon},
};

/// Streams in every way that can go wrong.
#[sinew::service]
pub trait Feed {
    /// Items of `size` bytes, counted as they are made.
    async fn blobs(&self, count: u64, size: u64) -> Streaming<Bytes>;
    /// Items of these sizes.
    async fn sizes(&self, sizes: Vec<u64>) -> Streaming<Bytes>;
    /// So many numbers, and then what `end` says.
    async fn until(&self, count: u64, end: End) -> Result<Streaming<u64>, Objection>;
    /// Counts what it reads, with a pause before each.
    async fn swallow(&self, blobs: Streaming<Bytes>, pause_ms: u64) -> Result<u64, Status>;
    /// How its input ended: the number of items, and the error if there was one.
    async fn ends(&self, numbers: Streaming<u64>) -> (u64, Option<String>);
    /// Reads one item and returns.
    async fn first(&self, numbers: Streaming<u64>) -> Option<u64>;
    /// Nothing in particular, so often.
    async fn nothings(&self, count: u64) -> Streaming<()>;
}

/// What becomes of a stream after its last item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum End {
    /// It is said.
    Finish,
    /// The service's own error.
    Object(String),
    /// A status.
    Status(String),
    /// Its writer goes away without a word.
    DropWriter,
    /// The stream panics where its next item would be.
    Panic,
    /// Nothing, ever.
    Hang,
    /// There is no stream in the first place.
    NotAtAll(String),
}

/// The implementation. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Feeding {
    /// Items that were made.
    pub produced: Arc<AtomicU64>,
    /// Items that were read.
    pub consumed: Arc<AtomicU64>,
}

impl Feed for Feeding {
    async fn blobs(&self, count: u64, size: u64) -> Streaming<Bytes> {
        let produced = Arc::clone(&self.produced);
        let blob = pattern(usize::try_from(size).unwrap_or(0));
        Streaming::iter((0..count).map(move |_| {
            produced.fetch_add(1, Ordering::SeqCst);
            blob.clone()
        }))
    }

    async fn sizes(&self, sizes: Vec<u64>) -> Streaming<Bytes> {
        Streaming::iter(sizes.into_iter().map(|size| pattern(size as usize)))
    }

    async fn until(&self, count: u64, end: End) -> Result<Streaming<u64>, Objection> {
        if let End::NotAtAll(why) = end {
            return Err(Objection { why });
        }
        if let Some(context) = Context::current() {
            let _ = context.set_answer_metadata("feed", "says hello");
        }
        let (writer, stream) = Streaming::channel();
        if matches!(end, End::Panic) {
            let mut left = count;
            return Ok(Streaming::iter(std::iter::from_fn(move || {
                assert!(left > 0, "a panic in the middle of a stream");
                left -= 1;
                Some(count - left - 1)
            })));
        }
        sinew::spawn(async move {
            for number in 0..count {
                if writer.send(number).await.is_err() {
                    return;
                }
            }
            let _ = match end {
                End::Object(why) => writer.fail(Objection { why }).await,
                End::Status(why) => writer.fail(Status::new(Code::DataLoss, why)).await,
                End::DropWriter => {
                    drop(writer);
                    Ok(())
                }
                End::Hang => std::future::pending().await,
                End::Finish | End::Panic | End::NotAtAll(_) => writer.finish().await,
            };
        });
        Ok(stream)
    }

    async fn swallow(&self, mut blobs: Streaming<Bytes>, pause_ms: u64) -> Result<u64, Status> {
        let mut count = 0;
        while let Some(blob) = blobs.next().await {
            blob?;
            count += 1;
            self.consumed.store(count, Ordering::SeqCst);
            tokio::time::sleep(ms(pause_ms)).await;
        }
        Ok(count)
    }

    async fn ends(&self, mut numbers: Streaming<u64>) -> (u64, Option<String>) {
        let mut count = 0;
        loop {
            match numbers.next().await {
                Some(Ok(_)) => count += 1,
                Some(Err(status)) => return (count, Some(status.to_string())),
                None => return (count, None),
            }
        }
    }

    async fn first(&self, mut numbers: Streaming<u64>) -> Option<u64> {
        numbers.next().await?.ok()
    }

    async fn nothings(&self, count: u64) -> Streaming<()> {
        Streaming::iter((0..count).map(|_| ()))
    }
}

/// A server of it, and a client.
pub async fn feed() -> (Scene, Feeding, Running, FeedClient) {
    let scene = Scene::new();
    let feeding = Feeding::default();
    let served = feeding.clone();
    let server = scene.serve(|server| server.serve(FeedServer::new(served))).await;
    let client = scene.client(&server).await;
    (scene, feeding, server, client)
}

/// Reads to the end or the first error.
pub async fn read<T, E>(
    mut stream: impl Stream<Item = Result<T, E>> + Unpin,
) -> (Vec<T>, Option<E>) {
    let mut items = Vec::new();
    loop {
        let next = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_next(cx));
        match soon("an item", next).await {
            Some(Ok(item)) => items.push(item),
            Some(Err(error)) => return (items, Some(error)),
            None => return (items, None),
        }
    }
}
