//! How streams end: with their end said, and otherwise with an error, in the service's words or the mesh's, and in time.

use std::time::{Duration, Instant};

use sinew::{CallError, CallOptions, Code, Ran, Reason, Relay as _, Status, Streaming};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::Start,
    errand::{ErrandClient, errand},
    feed::{End, feed, read},
    probe::{ProbeClient, pattern},
    scene::Scene,
    wait::{ms, soon},
};

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
