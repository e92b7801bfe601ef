//! A server by hand against our client, where answers are large or streams: lying lengths, cuts, what is late, and what
//! stalls.

use std::time::Instant;

use bytes::Bytes;
use sinew::{Code, Ran, Reason, Status, Streaming};
use sinew_core::{
    codes::CancelReason,
    wire::{AnswerHead, AnswerOutcome, CallKind, OpenHead, StreamType, TimeLeft, kinds},
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::pattern,
    raw::{
        Caller, RawPeer, RawStream,
        frames::{self, millis_left},
    },
    wait::{ms, soon},
};
use tokio::task::JoinHandle;

type Making = JoinHandle<Result<Bytes, Status>>;

/// A call whose answer will be large: its id on the lane.
async fn make(caller: &Caller, lane: &mut RawStream) -> (Making, u64) {
    let call = tokio::spawn(caller.client.make(100_000));
    (call, lane.request().await.0.call)
}

/// An answer of 100,000 bytes as its whole body, and a head that says so.
fn large() -> (Vec<u8>, AnswerHead) {
    let body = [frames::number(100_000), pattern(100_000).to_vec()].concat();
    let head = AnswerHead { total: Some(body.len() as u64), ..frames::ok() };
    (body, head)
}

async fn made(call: Making) -> Result<Bytes, Status> {
    soon("the call ends", call).await.must("a task")
}

#[tokio::test]
async fn a_large_answer_comes_in_pieces_on_a_stream_of_its_own() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let (call, id) = make(&caller, &mut lane).await;
    let (body, head) = large();
    let (first, rest) = body.split_at(30_000);
    let (second, third) = rest.split_at(40_000);
    let mut moved = peer.answer_stream(&frames::answer(id, &head, first)).await;
    moved.write(frames::data(id, true, second)).await;
    moved.write(frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"?")).await;
    moved.write([peer.now(), frames::data(id, false, third)].concat()).await;
    moved.finish();
    assert_eq!(made(call).await.must("an answer"), pattern(100_000));
}

#[tokio::test]
async fn a_large_answer_that_lies_or_is_cut_fails_its_call_alone() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let (body, head) = large();
    let (first, rest) = body.split_at(50_000);
    let too_large = AnswerHead { total: Some(5 << 20), ..frames::ok() };
    type Say<'a> = &'a dyn Fn(u64) -> Vec<u8>;
    let cases: [(&str, Say<'_>, Code, Reason); 6] = [
        (
            "cut",
            &|id| [frames::answer(id, &head, first), frames::data(id, true, &rest[..100])].concat(),
            Code::Unavailable,
            Reason::ConnectionLost,
        ),
        (
            "cut in the middle of a frame",
            &|id| frames::answer(id, &head, first)[..1000].to_vec(),
            Code::Unavailable,
            Reason::ConnectionLost,
        ),
        (
            "too much",
            &|id| [frames::answer(id, &head, first), frames::data(id, false, &body)].concat(),
            Code::Internal,
            Reason::Malformed,
        ),
        (
            "nothing more",
            &|id| [frames::answer(id, &head, first), frames::data(id, true, &[])].concat(),
            Code::Internal,
            Reason::Malformed,
        ),
        (
            "an answer in an answer",
            &|id| [frames::answer(id, &head, first), frames::answer(id, &head, first)].concat(),
            Code::Internal,
            Reason::Malformed,
        ),
        (
            "more than a message may have",
            &|id| frames::answer(id, &too_large, first),
            Code::ResourceExhausted,
            Reason::TooLarge,
        ),
    ];
    for (what, say, code, reason) in cases {
        let (call, id) = make(&caller, &mut lane).await;
        let mut moved = peer.answer_stream(&say(id)).await;
        moved.finish();
        let status = made(call).await.must_err();
        assert_eq!((status.code(), status.reason()), (code, reason), "{what}: {status}");
        assert_ne!(status.ran(), Ran::No, "{what}: {status}");
    }
    let echo = caller.echo("next");
    let (request, _) = lane.request().await;
    lane.echo(&request).await;
    assert_eq!(soon("an answer", echo).await.must("a task").must("an answer"), "next");
}

#[tokio::test]
async fn large_answers_to_nobody_and_streams_of_other_types_do_no_harm() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let (body, head) = large();
    // To a call that is over, to one that never was; a lane, a call, a control stream, and what nobody knows.
    for id in [0, 5_000_000] {
        let mut moved = peer.answer_stream(&frames::answer(id, &head, &body[..50_000])).await;
        moved.write_what_is_wanted(frames::data(id, false, &body[50_000..])).await;
        moved.finish();
    }
    for first in [&[1][..], &[2], &[0], &[0x7f, 0xff]] {
        let (mut send, _recv) = peer.connection.open_bi().await.must("a stream");
        send.write_all(first).await.must("written");
        let stopped = soon("a stop", send.stopped()).await.must("a connection");
        assert!(stopped.is_some(), "{first:x?} is not wanted");
    }
    let mut extra = peer.connection.open_uni().await.must("a stream");
    extra.write_all(&[0]).await.must("written");
    let stopped = soon("a stop", extra.stopped()).await.must("a connection").must("a code");
    assert_eq!(stopped.into_inner(), kinds::STREAM_REFUSED);

    let (call, id) = make(&caller, &mut lane).await;
    let mut moved = peer.answer_stream(&frames::answer(id, &head, &body[..50_000])).await;
    moved.write(frames::data(id, false, &body[50_000..])).await;
    moved.finish();
    assert_eq!(made(call).await.must("an answer").len(), 100_000);
}

#[tokio::test]
async fn an_unwanted_large_answer_is_stopped() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let (call, id) = make(&caller, &mut lane).await;
    let (body, head) = large();
    let mut moved = peer.answer_stream(&frames::answer(id, &head, &body[..50_000])).await;
    // It is being read: the client has had time to see whose it is.
    tokio::time::sleep(ms(50)).await;
    call.abort();
    let code = moved.stop_code().await;
    assert_eq!(code, kinds::cancel_code(CancelReason::Dropped));
}

/// A stream of numbers that the client has asked for, and what came of it.
async fn numbers(
    caller: &Caller,
    peer: &RawPeer,
) -> (JoinHandle<Result<Streaming<u64>, Status>>, RawStream, u64) {
    let call = caller.numbers();
    let mut own = peer.stream(StreamType::Call).await;
    let (request, _) = own.request().await;
    (call, own, request.call)
}

fn open(id: u64) -> Vec<u8> {
    let mut rest = Vec::new();
    OpenHead { codec: frames::BINCODE, ..OpenHead::default() }.encode(&mut rest);
    frames::frame(CallKind::Open, id, TimeLeft::Unbounded, &rest)
}

fn items(id: u64, numbers: std::ops::Range<u8>) -> Vec<u8> {
    numbers.flat_map(|number| frames::data(id, false, &[number])).collect()
}

async fn opened(call: JoinHandle<Result<Streaming<u64>, Status>>) -> Streaming<u64> {
    soon("the stream opens", call).await.must("a task").must("a stream")
}

/// Reads to the end or the first error: the items, and the error.
async fn read(mut stream: Streaming<u64>) -> (Vec<u64>, Option<Status>) {
    let mut items = Vec::new();
    loop {
        match soon("an item", stream.next()).await {
            Some(Ok(item)) => items.push(item),
            Some(Err(status)) => {
                assert!(stream.next().await.is_none(), "the error is the last");
                return (items, Some(status));
            }
            None => return (items, None),
        }
    }
}

#[tokio::test]
async fn the_end_of_a_stream_is_what_its_trailer_says() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    let (call, mut own, id) = numbers(&caller, &peer).await;
    own.write([open(id), items(id, 0..3), frames::answer(id, &frames::ok(), &[])].concat()).await;
    own.finish();
    let (items_, error) = read(opened(call).await).await;
    assert_eq!(items_, [0, 1, 2]);
    assert!(error.is_none(), "{error:?}");

    let (call, mut own, id) = numbers(&caller, &peer).await;
    let status = frames::status(Code::DataLoss, Reason::None, sinew::Disposition::Processed);
    own.write([open(id), items(id, 0..2), frames::answer(id, &status, &[])].concat()).await;
    own.finish();
    let (items_, error) = read(opened(call).await).await;
    assert_eq!(items_, [0, 1]);
    assert_eq!(error.must("a status").code(), Code::DataLoss);
}

#[tokio::test]
async fn a_stream_that_is_cut_has_no_end_but_an_error() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    for (what, cut) in [
        ("FIN without an ANSWER", (|own| own.finish()) as fn(&mut RawStream)),
        ("a reset", |own| own.reset(0x104)),
    ] {
        let (call, mut own, id) = numbers(&caller, &peer).await;
        own.write([open(id), items(id, 0..2)].concat()).await;
        let mut stream = opened(call).await;
        for number in 0..2 {
            assert_eq!(
                soon("an item", stream.next()).await.must("an item").must("a number"),
                number
            );
        }
        cut(&mut own);
        let (items, error) = read(stream).await;
        let error = error.must(what);
        assert!(items.is_empty(), "{what}");
        assert_eq!((error.code(), error.ran()), (Code::Unavailable, Ran::Maybe), "{what}: {error}");
    }
    // The connection goes away under it.
    let (call, mut own, id) = numbers(&caller, &peer).await;
    own.write([open(id), items(id, 0..2)].concat()).await;
    let stream = opened(call).await;
    peer.connection.close(3_u32.into(), b"bye");
    let error = read(stream).await.1.must("an error");
    assert_eq!((error.code(), error.ran()), (Code::Unavailable, Ran::Maybe), "{error}");
}

#[tokio::test]
async fn what_does_not_belong_between_items_is_an_error_of_that_stream() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let mut trailer = Vec::new();
    frames::ok().encode(&mut trailer);
    trailer.push(1);
    type Say<'a> = &'a dyn Fn(u64) -> Vec<u8>;
    let cases: [(&str, Say<'_>); 6] = [
        ("an OPEN", &open),
        ("a REQUEST", &|id| frames::request(id, millis_left(100), &frames::head("echo"), b"")),
        ("an item of another call", &|id| items(id + 1, 9..10)),
        ("an item that is none", &|id| frames::data(id, false, &[251, 1])),
        ("an unknown flag", &|id| frames::frame(CallKind::Data, id, millis_left(100), &[8, 1])),
        ("a trailer with a body", &|id| {
            frames::frame(CallKind::Answer, id, millis_left(100), &trailer)
        }),
    ];
    let mut wrong = Vec::new();
    for (what, say) in cases {
        let (call, mut own, id) = numbers(&caller, &peer).await;
        own.write([open(id), items(id, 0..1), say(id)].concat()).await;
        own.write_what_is_wanted(frames::answer(id, &frames::ok(), &[])).await;
        own.finish();
        let (items, error) = read(opened(call).await).await;
        if items != [0] || error.as_ref().map(Status::code) != Some(Code::Internal) {
            wrong.push((what, items, error));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let echo = caller.echo("next");
    let (request, _) = lane.request().await;
    lane.echo(&request).await;
    assert_eq!(soon("an answer", echo).await.must("a task").must("an answer"), "next");
}

#[tokio::test]
async fn an_item_that_stalls_half_way_ends_its_stream_in_the_time_that_it_names() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    let (call, mut own, id) = numbers(&caller, &peer).await;
    own.write([open(id), items(id, 0..1)].concat()).await;
    let mut stream = opened(call).await;
    assert_eq!(soon("an item", stream.next()).await.must("an item").must("a number"), 0);
    let began = Instant::now();
    let item = frames::frame(CallKind::Data, id, millis_left(1000), &[0, 1, 2, 3]);
    own.write(&item[..item.len() - 2]).await;
    let error = soon("an error", stream.next()).await.must("an error").must_err();
    assert_eq!((error.code(), error.ran()), (Code::Unavailable, Ran::Maybe), "{error}");
    assert!((ms(500)..ms(7000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    own.stop_code().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_after_the_silence_that_it_may_have() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    let patient = caller.client.with(sinew::CallOptions::new().stream_idle(ms(300)));
    let call = tokio::spawn(patient.numbers(0, 10));
    let mut own = peer.stream(StreamType::Call).await;
    let id = own.request().await.0.call;
    own.write([open(id), items(id, 0..1)].concat()).await;
    let began = Instant::now();
    let (items, error) = read(opened(call).await).await;
    assert_eq!(items, [0]);
    let error = error.must("an error");
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    assert_says(&error, &["300 ms", "stream_idle"]);
    assert!((ms(200)..ms(5000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(own.stop_code().await, kinds::cancel_code(CancelReason::StreamDropped));
}

#[tokio::test]
async fn a_dropped_stream_stops_the_server_and_a_dropped_call_both_ways() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    let (call, mut own, id) = numbers(&caller, &peer).await;
    own.write([open(id), items(id, 0..1)].concat()).await;
    drop(opened(call).await);
    assert_eq!(own.stop_code().await, kinds::cancel_code(CancelReason::StreamDropped));

    let large = tokio::spawn(caller.client.weigh(pattern(20_000)));
    let mut own = peer.stream(StreamType::Call).await;
    own.request().await;
    large.abort();
    assert_eq!(own.stop_code().await, kinds::cancel_code(CancelReason::Dropped));
}

#[tokio::test]
async fn a_large_call_that_is_refused_before_it_is_read_hears_why() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    // More than the stream's window: the client is still writing when the answer comes.
    let call = tokio::spawn(caller.client.weigh(pattern(3 << 20)));
    let mut own = peer.stream(StreamType::Call).await;
    let (request, head) = own.request().await;
    assert_eq!(head.total, Some(4 + 1 + (3 << 20)));
    let refused =
        frames::status(Code::PermissionDenied, Reason::None, sinew::Disposition::Rejected);
    own.reply(&request, &refused).await;
    own.finish();
    own.stop(u32::try_from(kinds::STREAM_REFUSED).must("a small code"));
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!((status.code(), status.ran()), (Code::PermissionDenied, Ran::No), "{status}");
}

#[tokio::test]
async fn an_answer_of_one_value_to_a_call_for_a_stream_is_an_error() {
    let caller = Caller::new().await;
    let (peer, _lane) = caller.connected().await;
    let (call, mut own, id) = numbers(&caller, &peer).await;
    own.write(frames::answer(id, &frames::ok(), &[1])).await;
    own.finish();
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    // A status in its place is the call's.
    let (call, mut own, id) = numbers(&caller, &peer).await;
    let denied = frames::status(Code::NotFound, Reason::None, sinew::Disposition::Processed);
    assert!(matches!(denied.outcome, AnswerOutcome::Status(_)));
    own.write(frames::answer(id, &denied, &[])).await;
    own.finish();
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!((status.code(), status.ran()), (Code::NotFound, Ran::Yes), "{status}");
}
