//! Streams over real connections: order, back-pressure, sizes, and how many there may be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sinew::{AnswerMetadata, CallOptions, Streaming};
use sinew_tests::{
    Must as _,
    feed::{End, feed},
    probe::{Counting, ProbeClient, pattern},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
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
    let none = client.numbers(7, 7).await.must("a stream").collect().await.must("nothing");
    assert!(none.is_empty(), "{none:?}");
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
async fn what_a_handler_says_before_its_first_item_reaches_the_caller_first() {
    let (_scene, _feeding, _server, client) = feed().await;
    let said = AnswerMetadata::new();
    let told = client.with(CallOptions::new().answer_metadata(&said));
    let stream = told.until(1, End::Hang).await.must("a stream");
    assert_eq!(said.get().get_str("feed"), Some("says hello"));
    drop(stream);
}
