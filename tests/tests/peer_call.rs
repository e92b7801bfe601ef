//! A client by hand against our server, on streams of single calls: lying lengths, cuts, resets, and streams of types
//! that are not a client's to open.

use sinew::{Code, Disposition, Reason};
use sinew_core::{
    codes::CancelReason,
    limits,
    wire::{
        AnswerOutcome, CallKind, ConnectionFrame, OpenHead, RequestHead, StreamType, TimeLeft,
        WireStatus, kinds,
    },
};
use sinew_tests::{
    Must as _,
    probe::pattern,
    raw::{
        RawClient, RawStream, Target,
        frames::{self, millis_left},
    },
    wait::until,
};

/// A REQUEST for the probe's `weigh` whose body takes `total` bytes, of which `here` come with it.
fn weigh(total: u64, here: &[u8]) -> Vec<u8> {
    let head = RequestHead { total: Some(total), ..frames::head("weigh") };
    frames::request(9, millis_left(10_000), &head, here)
}

/// A blob as bincode writes it.
fn blob(len: usize) -> Vec<u8> {
    [frames::number(len as u64), pattern(len).to_vec()].concat()
}

async fn call(client: &RawClient, bytes: impl AsRef<[u8]>) -> RawStream {
    client.open(StreamType::Call, bytes).await
}

fn assert_refused(what: &str, status: &WireStatus, code: Code, reason: Reason) {
    assert_eq!((status.code, status.reason), (code, reason), "{what}: {status:?}");
    assert_eq!(status.disposition, Disposition::Rejected, "{what}: {status:?}");
}

#[tokio::test]
async fn a_body_in_pieces_is_one_body() {
    let target = Target::new().await;
    let client = target.client().await;
    let body = blob(200_000);
    let (first, rest) = body.split_at(1000);
    let mut stream = call(&client, weigh(body.len() as u64, first)).await;
    let pieces: Vec<&[u8]> = rest.chunks(40_000).collect();
    for (at, piece) in pieces.iter().enumerate() {
        // What may stand in between: STAMPs, and what may be passed over.
        stream.write(client.now()).await;
        stream.write(frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"x")).await;
        stream.write(frames::data(9, at + 1 < pieces.len(), piece)).await;
    }
    stream.finish();
    let (call, head, body) = stream.answer().await;
    assert_eq!((call, head.outcome), (9, AnswerOutcome::Ok));
    assert_eq!(body, frames::number(200_000));
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_says_is_refused_and_reaches_no_handler() {
    let target = Target::new().await;
    let client = target.client().await;
    let body = blob(5000);
    let (first, rest) = body.split_at(1000);
    let len = body.len() as u64;
    let cases = [
        ("an empty piece", [weigh(len, first), frames::data(9, false, &[])].concat()),
        (
            "a piece too much",
            [weigh(len, first), frames::data(9, false, &[rest, b"x"].concat())].concat(),
        ),
        ("a piece of another call", [weigh(len, first), frames::data(8, false, rest)].concat()),
        (
            "an END in place of a piece",
            [weigh(len, first), frames::frame(CallKind::End, 9, millis_left(1000), &[])].concat(),
        ),
        ("a REQUEST in place of a piece", [weigh(len, first), weigh(len, first)].concat()),
        (
            "a piece with an unknown flag",
            [weigh(len, first), frames::frame(CallKind::Data, 9, millis_left(1000), b"\x02abc")]
                .concat(),
        ),
        ("a total that is there already", weigh(1000, first)),
    ];
    let count = cases.len() as u64;
    let mut wrong = Vec::new();
    for (what, bytes) in cases {
        let mut stream = call(&client, bytes).await;
        let status = stream.status(9).await;
        let said = (status.code, status.reason, status.disposition);
        if said != (Code::InvalidArgument, Reason::Malformed, Disposition::Rejected) {
            wrong.push((what, status));
        }
        client.assert_lives().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(target.tally().begun, count, "only those that show that it lives");
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_before_it_is_read() {
    let target = Target::new().await;
    let client = target.client().await;
    for total in [limits::MESSAGE_MAX as u64 + 1, 1 << 40, (1 << 62) - 1] {
        let mut stream = call(&client, weigh(total, b"abc")).await;
        let status = stream.status(9).await;
        assert_refused("too large", &status, Code::ResourceExhausted, Reason::TooLarge);
        assert!(status.message.contains("4194304"), "{}", status.message);
    }
    client.assert_lives().await;
}

#[tokio::test]
async fn a_body_that_is_cut_reaches_no_handler() {
    let target = Target::new().await;
    let client = target.client().await;
    let mut finished = call(&client, weigh(5000, &[0; 100])).await;
    finished.finish();
    let mut reset = call(&client, weigh(5000, &[0; 100])).await;
    reset.reset(0);
    let mut in_mid_frame = call(&client, &weigh(5000, &[0; 100])[..50]).await;
    in_mid_frame.finish();
    client.assert_lives().await;
    assert_eq!(target.tally().begun, 1, "only the one that shows that it lives");
}

#[tokio::test]
async fn a_call_that_is_wrong_inside_gets_its_answer_on_its_stream() {
    let target = Target::new().await;
    let client = target.client().await;
    let echo = frames::head("echo");
    let body = frames::body_of("x");
    let mut zero = Vec::new();
    echo.encode(&mut zero);
    let zero = frames::any_frame(0x10, &[&[9, 0], &zero[..], &body].concat());
    let half = frames::frame(CallKind::Request, 9, millis_left(1000), &[1, 2, 3]);
    let unknown = RequestHead { codec: 77, ..echo };
    let unknown = frames::request(9, millis_left(1000), &unknown, &body);
    for (what, bytes, code, reason) in [
        ("zero", zero, Code::InvalidArgument, Reason::InvalidDeadline),
        ("half", half, Code::InvalidArgument, Reason::Malformed),
        ("codec", unknown, Code::Unimplemented, Reason::UnknownCodec),
    ] {
        let mut stream = call(&client, bytes).await;
        assert_refused(what, &stream.status(9).await, code, reason);
        assert_eq!(stream.frame().await, None, "{what}: its whole answer");
        client.assert_lives().await;
    }
    assert_eq!(target.tally().begun, 3, "only those that show that it lives");
}

#[tokio::test]
async fn a_stream_that_does_not_begin_with_a_request_ends_alone() {
    let target = Target::new().await;
    let client = target.client().await;
    let answer = frames::answer(9, &frames::ok(), b"");
    let cancel = frames::frame(CallKind::Cancel, 9, TimeLeft::Unbounded, &[1]);
    for bytes in [frames::data(9, false, b"x"), answer, cancel] {
        drop(call(&client, bytes).await);
        client.assert_lives().await;
    }
}

#[tokio::test]
async fn framing_that_cannot_be_followed_ends_the_stream_with_its_code() {
    let target = Target::new().await;
    let client = target.client().await;
    for bytes in [&[0][..], &[0xc0, 0, 0, 0, 0x80, 0, 0, 0], &[1, frames::UNKNOWN], &[0x40, 1]] {
        let mut stream = call(&client, bytes).await;
        assert_eq!(stream.stop_code().await, kinds::STREAM_FRAME_ERROR, "{bytes:x?}");
        assert_eq!(stream.reset_code().await, kinds::STREAM_FRAME_ERROR, "{bytes:x?}");
        client.assert_lives().await;
    }
}

#[tokio::test]
async fn a_call_that_stalls_in_mid_frame_is_reset_in_the_time_that_it_names() {
    let target = Target::new().await;
    let client = target.client().await;
    let request = frames::request(9, millis_left(1000), &frames::head("echo"), b"\x03abc");
    let mut stream = call(&client, &request[..8]).await;
    let began = std::time::Instant::now();
    let code = stream.stop_code().await;
    let known = [kinds::STREAM_LANE_STALLED, kinds::STREAM_FRAME_ERROR];
    assert!(known.contains(&code), "{code:#x}");
    assert!(began.elapsed().as_secs() < 7, "{:?}", began.elapsed());
    client.assert_lives().await;
}

#[tokio::test]
async fn a_call_is_cancelled_when_its_stream_is_stopped_or_reset() {
    let target = Target::new().await;
    let client = target.client().await;
    let hold = frames::request(1, millis_left(60_000), &frames::head("hold"), &[]);
    let code = u32::try_from(kinds::cancel_code(CancelReason::Dropped)).must("a small code");
    let mut stopped = call(&client, &hold).await;
    let mut reset = call(&client, &hold).await;
    until("both begin", || target.tally().running() == 2).await;
    stopped.stop(code);
    until("the stopped one is gone", || target.tally().dropped == 1).await;
    // As our own client cancels: both directions at once.
    reset.reset(code);
    reset.stop(code);
    until("the other is gone", || target.tally().dropped == 2).await;
    client.assert_lives().await;
}

/// A `sum` of what follows as DATA.
fn sum() -> Vec<u8> {
    let head = RequestHead { input_stream: true, ..frames::head("sum") };
    frames::request(4, millis_left(2000), &head, &[])
}

#[tokio::test]
async fn input_that_ends_without_its_end_is_a_cut_and_not_an_end() {
    let target = Target::new().await;
    let client = target.client().await;
    let numbers = [frames::data(4, false, &[1]), frames::data(4, false, &[2])].concat();
    let end = frames::frame(CallKind::End, 4, millis_left(1000), &[]);

    let mut whole = call(&client, [sum(), numbers.clone(), end].concat()).await;
    whole.finish();
    assert_eq!(whole.answer().await.2, frames::number(3));

    let mut cut = call(&client, [sum(), numbers.clone()].concat()).await;
    cut.finish();
    assert_eq!(cut.status(4).await.code, Code::Unavailable);

    let mut in_mid_frame =
        call(&client, [sum(), numbers[..numbers.len() - 1].to_vec()].concat()).await;
    in_mid_frame.finish();
    assert_eq!(in_mid_frame.status(4).await.code, Code::Unavailable);

    let mut reset = call(&client, [sum(), numbers].concat()).await;
    until("all begin", || target.tally().begun == 4).await;
    reset.reset(0);
    assert_eq!(reset.status(4).await.code, Code::Unavailable);
}

#[tokio::test]
async fn input_that_is_malformed_is_the_calls_error() {
    let target = Target::new().await;
    let client = target.client().await;
    let cases = [
        ("another call's id", frames::data(5, false, &[1])),
        ("an unknown flag", frames::frame(CallKind::Data, 4, millis_left(1000), &[2, 1])),
        ("more of nothing", frames::frame(CallKind::Data, 4, millis_left(1000), &[1])),
        ("a REQUEST", sum()),
        ("an item that is none", frames::data(4, false, &[251, 1])),
        ("an END with something behind it", frames::any_frame(0x14, &[4, 1, 1])),
    ];
    let mut wrong = Vec::new();
    for (what, bytes) in cases {
        let mut stream = call(&client, [sum(), bytes].concat()).await;
        let status = stream.status(4).await;
        if !matches!(status.code, Code::InvalidArgument | Code::Internal) {
            wrong.push((what, status));
        }
        client.assert_lives().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_stream_of_answers_is_opened_carried_and_ended() {
    let target = Target::new().await;
    let client = target.client().await;
    let request = frames::request(6, millis_left(10_000), &frames::head("numbers"), &[5, 8]);
    let mut stream = call(&client, request).await;
    stream.finish();
    let open = stream.call().await;
    assert_eq!((open.kind, open.call), (CallKind::Open, 6));
    assert_eq!(OpenHead::decode(open.rest).must("an OPEN").codec, frames::BINCODE);
    for number in 5..8 {
        let data = stream.call().await;
        assert_eq!((data.kind, &data.rest[..]), (CallKind::Data, &[0, number][..]));
    }
    let (_, head, body) = stream.answer().await;
    assert_eq!((head.outcome, body.len()), (AnswerOutcome::Ok, 0));
    assert_eq!(stream.frame().await, None);
}

#[tokio::test]
async fn streams_that_are_not_a_clients_to_open_are_refused_alone() {
    let target = Target::new().await;
    let mut client = target.client().await;
    for first in [&[0][..], &[3], &[9], &[0x7f, 0xff]] {
        let mut stream = client.open_raw(first).await;
        let known = [kinds::STREAM_UNKNOWN_TYPE, kinds::STREAM_FRAME_ERROR];
        let stopped = stream.stop_code().await;
        assert!(known.contains(&stopped), "{first:x?} is stopped with {stopped:#x}");
        let reset = stream.reset_code().await;
        assert!(known.contains(&reset), "{first:x?} is reset with {reset:#x}");
        client.assert_lives().await;
    }
    // The one control stream exists: another, or one of any other type, is not read.
    for first in [&[0][..], &[1], &[9]] {
        let mut extra = client.connection.open_uni().await.must("a stream");
        extra.write_all(first).await.must("written");
        let stopped = extra.stopped().await.must("a connection").must("a code");
        assert_eq!(stopped.into_inner(), kinds::STREAM_REFUSED, "{first:x?}");
    }
    client.say(&frames::connection(&ConnectionFrame::Ping { nonce: 1 })).await;
    client.assert_lives().await;
}
