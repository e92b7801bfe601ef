//! Streams over real connections: order, back-pressure, explicit ends, cuts, errors and times.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use sinew::{
    AnswerMetadata, CallError, CallOptions, Code, Context, Ran, Reason, Relay as _, Status,
    Streaming,
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::Start,
    errand::{ErrandClient, errand},
    probe::{Counting, Objection, ProbeClient, pattern},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

/// Streams in every way that can go wrong.
#[sinew::service]
trait Feed {
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

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
enum End {
    Finish,
    Object(String),
    Status(String),
    DropWriter,
    Panic,
    Hang,
    NotAtAll(String),
}

#[derive(Debug, Clone, Default)]
struct Feeding {
    produced: Arc<AtomicU64>,
    consumed: Arc<AtomicU64>,
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
                End::DropWriter => Ok(drop(writer)),
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

async fn feed() -> (Scene, Feeding, Running, FeedClient) {
    let scene = Scene::new();
    let feeding = Feeding::default();
    let served = feeding.clone();
    let server = scene.serve(|server| server.serve(FeedServer::new(served))).await;
    let client = scene.client(&server).await;
    (scene, feeding, server, client)
}

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
}

/// Reads to the end or the first error.
async fn read<T, E>(
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

/// Waits until a count stands still, and gives it back.
async fn settled(what: &str, count: &AtomicU64) -> u64 {
    let mut last = (count.load(Ordering::SeqCst), Instant::now());
    until(what, || {
        let now = count.load(Ordering::SeqCst);
        if now != last.0 {
            last = (now, Instant::now());
        }
        now > 0 && last.1.elapsed() > ms(300)
    })
    .await;
    last.0
}

#[tokio::test]
async fn items_arrive_in_order_and_whole_in_each_direction() {
    let (_scene, _probe, _server, client) = probe().await;
    let numbers = client.numbers(0, 5000).await.must("a stream").collect().await;
    assert_eq!(numbers.must("all of it"), (0..5000).collect::<Vec<u64>>());
    let sum = client.sum(Streaming::iter(0..5000)).await;
    assert_eq!(sum.must("a sum"), (0..5000).sum::<u64>());
    let doubled = client.double(Streaming::iter(0..5000)).await.must("a stream");
    let expected: Vec<u64> = (0..5000).map(|number| number * 2).collect();
    assert_eq!(doubled.collect().await.must("all of it"), expected);
    assert_eq!(client.numbers(7, 7).await.must("a stream").collect().await.must("nothing"), []);
    assert_eq!(client.sum(Streaming::iter([])).await.must("a sum"), 0);
}

#[tokio::test]
async fn the_directions_of_a_call_do_not_wait_for_each_other() {
    let (_scene, _probe, _server, client) = probe().await;
    let (writer, numbers) = Streaming::channel();
    let mut doubled = client.double(numbers).await.must("a stream before the first item");
    for number in 0..20 {
        writer.send(number).await.must("a reader");
        let item = soon("its double", doubled.next()).await.must("an item").must("a number");
        assert_eq!(item, number * 2);
    }
    writer.finish().await.must("a reader");
    assert!(soon("the end", doubled.next()).await.is_none());
}

#[tokio::test]
async fn items_without_a_byte_are_items() {
    let (_scene, _feeding, _server, client) = feed().await;
    assert_eq!(client.nothings(100).await.must("a stream").collect().await.must("all").len(), 100);
}

#[tokio::test]
async fn a_reader_that_is_slow_makes_the_writer_wait() {
    let (_scene, feeding, _server, client) = feed().await;
    let mut blobs = client.blobs(2000, 8000).await.must("a stream");
    for _ in 0..10 {
        soon("an item", blobs.next()).await.must("an item").must("a blob");
    }
    // 16 MB are to come; what lies between the two is bounded by the stream's window of 256 KiB.
    let produced = settled("the writer waits", &feeding.produced).await;
    assert!(produced < 400, "{produced} of 2000 were made, 10 were read");
    assert_eq!(blobs.collect().await.must("the rest").len(), 1990);
}

#[tokio::test]
async fn a_handler_that_is_slow_makes_the_caller_wait() {
    let (_scene, feeding, _server, client) = feed().await;
    let produced = Arc::clone(&feeding.produced);
    let blob = pattern(8000);
    let blobs = Streaming::iter((0..2000).map(move |_| {
        produced.fetch_add(1, Ordering::SeqCst);
        blob.clone()
    }));
    let call = tokio::spawn(client.swallow(blobs, 100));
    until("it reads", || feeding.consumed.load(Ordering::SeqCst) >= 3).await;
    let produced = feeding.produced.load(Ordering::SeqCst);
    let consumed = feeding.consumed.load(Ordering::SeqCst);
    assert!(produced - consumed < 400, "{produced} were made, {consumed} were read");
    call.abort();
}

#[tokio::test]
async fn only_an_end_that_is_said_is_an_end() {
    let (_scene, _feeding, _server, client) = feed().await;
    let (items, error) = read(client.until(3, End::Finish).await.must("a stream")).await;
    assert_eq!((items, error.is_none()), (vec![0, 1, 2], true));
    let (items, error) = read(client.until(3, End::DropWriter).await.must("a stream")).await;
    assert_eq!(items, [0, 1, 2]);
    let CallError::Status(status) = error.must("a cut") else { panic!("a status") };
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
}

#[tokio::test]
async fn a_panic_in_a_stream_is_that_calls_error_behind_the_items_before_it() {
    let (_scene, _feeding, _server, client) = feed().await;
    let other = client.until(1, End::Hang).await.must("a stream");
    let (items, error) = read(client.until(3, End::Panic).await.must("a stream")).await;
    assert_eq!(items, [0, 1, 2]);
    let CallError::Status(status) = error.must("an error") else { panic!("a status") };
    assert_eq!((status.code(), status.reason()), (Code::Internal, Reason::HandlerPanicked));
    assert_eq!(status.ran(), Ran::Maybe, "{status}");
    let mut other = other;
    assert_eq!(soon("an item", other.next()).await.must("an item").must("a number"), 0);
}

#[tokio::test]
async fn a_writer_that_is_dropped_by_the_caller_cuts_the_handlers_input() {
    let (_scene, _feeding, _server, client) = feed().await;
    let (writer, numbers) = Streaming::channel();
    let call = tokio::spawn(client.ends(numbers));
    writer.send(1).await.must("a reader");
    writer.finish().await.must("a reader");
    let (count, error) = soon("an answer", call).await.must("a task").must("an answer");
    assert_eq!((count, error), (1, None));

    let (writer, numbers) = Streaming::channel();
    let call = tokio::spawn(client.ends(numbers));
    writer.send(1).await.must("a reader");
    drop(writer);
    let (count, error) = soon("an answer", call).await.must("a task").must("an answer");
    assert_eq!(count, 1);
    assert_says(error.must("a cut"), &["Unavailable", "maybe processed"]);

    let (writer, numbers) = Streaming::channel();
    let call = tokio::spawn(client.ends(numbers));
    writer.fail(Status::new(Code::Aborted, "no more of it")).await.must("a reader");
    let (_, error) = soon("an answer", call).await.must("a task").must("an answer");
    error.must("an error, whatever the caller said");
}

#[tokio::test]
async fn a_stream_whose_server_is_killed_has_no_end_but_an_error() {
    let scene = Scene::new();
    let server = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    let (writer, numbers) = Streaming::channel();
    let impatient = client.with(CallOptions::new().stream_idle(ms(1000)));
    let mut doubled = impatient.double(numbers).await.must("a stream");
    writer.send(4).await.must("a reader");
    assert_eq!(soon("an item", doubled.next()).await.must("an item").must("a number"), 8);
    server.kill().await;
    let status = soon("an error", doubled.next()).await.must("an error, not an end").must_err();
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}");
    assert_eq!(status.ran(), Ran::Maybe, "{status}");
}

#[tokio::test]
async fn a_stream_may_fail_in_the_services_own_way_before_and_after_its_first_item() {
    let (_scene, _feeding, _server, client) = feed().await;
    let objection = client.until(3, End::NotAtAll("not today".into())).await.must_err();
    assert_eq!(objection.app().must("its own error").why, "not today");

    let stream = client.until(3, End::Object("enough".into())).await.must("a stream");
    let (items, error) = read(stream).await;
    assert_eq!(items, [0, 1, 2]);
    assert_eq!(error.must("an error").app().must("its own error").why, "enough");

    let stream = client.until(2, End::Status("lost it".into())).await.must("a stream");
    let (items, error) = read(stream).await;
    assert_eq!(items, [0, 1]);
    let error = error.must("an error");
    let status = error.status().must("a status");
    assert_eq!((status.code(), status.ran()), (Code::DataLoss, Ran::Yes));
    assert_says(status, &["lost it"]);
}

#[tokio::test]
async fn a_handler_that_has_read_enough_stops_the_caller() {
    let (_scene, _feeding, _server, client) = feed().await;
    let (writer, numbers) = Streaming::channel();
    let call = tokio::spawn(client.first(numbers));
    writer.send(9).await.must("a reader");
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), Some(9));
    soon("the writer hears of it", async { while writer.send(1).await.is_ok() {} }).await;
}

#[tokio::test]
async fn items_of_every_size_up_to_the_limit_arrive_whole() {
    let (_scene, _feeding, _server, client) = feed().await;
    // As bincode writes it, the largest has a length of five bytes before it.
    let sizes = [0, 1, 16_384, 65_530, 65_536, 65_537, 200_000, 1 << 20, (4 << 20) - 5];
    let blobs = client.sizes(sizes.to_vec()).await.must("a stream").collect().await.must("all");
    for (blob, size) in blobs.iter().zip(sizes) {
        assert!(*blob == pattern(size as usize), "{size} bytes became {}", blob.len());
    }
    assert_eq!(blobs.len(), sizes.len());
}

#[tokio::test]
async fn an_item_above_the_limit_ends_the_stream_and_names_the_limit() {
    let (_scene, _feeding, _server, client) = feed().await;
    let stream = client.sizes(vec![10, 4 << 20, 10]).await.must("a stream");
    let (items, error) = read(stream).await;
    assert_eq!(items.len(), 1);
    let error = error.must("an error");
    assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, Reason::TooLarge));
    assert_says(&error, &["4194304"]);

    let input = Streaming::iter([pattern(10), pattern(4 << 20)]);
    let error = soon("an end", client.swallow(input, 0)).await.must_err();
    assert_ne!(error.ran(), Ran::No, "{error}");
}

#[tokio::test]
async fn more_streams_than_a_connection_allows_at_first_are_open_at_once() {
    let (_scene, _feeding, _server, client) = feed().await;
    let mut open = Vec::new();
    for _ in 0..120 {
        let stream = client.until(1, End::Hang).await.must("a stream");
        open.push(stream);
    }
    for stream in &mut open {
        assert_eq!(soon("an item", stream.next()).await.must("an item").must("a number"), 0);
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_timeout_and_its_writer_with_it() {
    let (_scene, _feeding, _server, client) = feed().await;
    let short = client.with(CallOptions::new().timeout(ms(300)));
    let began = Instant::now();
    let stream = short.until(2, End::Hang).await.must("a stream");
    let (items, error) = read(stream).await;
    assert_eq!(items, [0, 1]);
    let error = error.must("an error");
    assert_eq!(error.status().must("a status").code(), Code::DeadlineExceeded, "{error}");
    assert!((ms(200)..ms(5000)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stream_that_a_handler_reads_ends_with_the_handlers_deadline() {
    let (scene, _feeding, _server, inner) = feed().await;
    let outer = errand(move || {
        let inner = inner.clone();
        async move {
            // No time of its own, and silence would be allowed for 30 s.
            let mut stream = inner.until(2, End::Hang).await.relay()?;
            let mut count = 0;
            while let Some(item) = stream.next().await {
                item.relay()?;
                count += 1;
            }
            Ok(count)
        }
    });
    let outer = scene.serve(|server| server.serve(outer)).await;
    let client: ErrandClient = scene.client(&outer).await;
    let began = Instant::now();
    let short = client.with(CallOptions::new().timeout(ms(400)));
    let error = soon("the call ends", short.run()).await.must_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_a_handler_says_before_its_first_item_reaches_the_caller_first() {
    let (_scene, _feeding, _server, client) = feed().await;
    let said = AnswerMetadata::new();
    let told = client.with(CallOptions::new().answer_metadata(&said));
    let stream = told.until(1, End::Hang).await.must("a stream");
    assert_eq!(said.get().get_str("feed"), Some("says hello"));
    drop(stream);
}
