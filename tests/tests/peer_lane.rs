//! A client by hand against our server, on lanes: what is wrong costs as little as docs/wire.md says, and nothing else
//! notices.

use std::time::{Duration, Instant};

use sinew::{Code, Disposition, Reason};
use sinew_core::{
    codes::CancelReason,
    ids::MethodId,
    wire::{
        AnswerOutcome, CallKind, ConnectionFrame, RequestHead, StreamType, TimeLeft, kinds,
        put_cancel, varint,
    },
};
use sinew_tests::{
    probe::PROBE,
    raw::{
        RawClient, Target,
        frames::{self, millis_left},
    },
    wait::{ms, until},
};

/// Half of a REQUEST that names 1 s: 8 bytes, its time among them.
fn half_a_request(call: u64) -> Vec<u8> {
    let whole = frames::request(call, millis_left(1000), &frames::head("echo"), b"\x03abc");
    assert!(whole.len() >= 16, "{}", whole.len());
    whole[..8].to_vec()
}

/// A hundred calls on other lanes and on streams of their own, all of them answered.
async fn a_hundred_calls(client: &RawClient) {
    let mut lane = client.lane([]).await;
    for call in 1000..1050 {
        lane.write(frames::echo(call, "on a lane")).await;
        let (answered, _, body) = lane.answer().await;
        assert_eq!((answered, &body[..]), (call, &frames::body_of("on a lane")[..]));
        let own = frames::echo(call + 50, "on its own");
        let mut own = client.open(StreamType::Call, own).await;
        own.finish();
        assert_eq!(own.answer().await.2, frames::body_of("on its own"));
    }
}

#[tokio::test]
async fn a_lane_that_stalls_in_mid_frame_is_reset_in_time_and_nothing_else_notices() {
    let target = Target::new().await;
    let client = target.client().await;
    let mut lane = client.lane([]).await;
    lane.write(frames::echo(1, "before")).await;
    assert_eq!(lane.answer().await.0, 1);
    lane.write(half_a_request(2)).await;
    let began = Instant::now();
    let stalled = async {
        let stopped = lane.stop_code().await;
        (stopped, lane.reset_code().await, began.elapsed())
    };
    let ((stopped, reset, took), ()) = tokio::join!(stalled, a_hundred_calls(&client));
    assert_eq!(stopped, kinds::STREAM_LANE_STALLED);
    assert_eq!(reset, kinds::STREAM_LANE_STALLED);
    // The frame names 1 s; without that it would be 10 s.
    assert!((ms(500)..ms(7000)).contains(&took), "{took:?}");
    client.assert_lives().await;
}

#[tokio::test]
async fn a_frame_that_trickles_gets_no_more_time_than_it_names() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    let began = Instant::now();
    for byte in half_a_request(1) {
        lane.write([byte]).await;
        tokio::time::sleep(ms(10)).await;
    }
    assert_eq!(lane.stop_code().await, kinds::STREAM_LANE_STALLED);
    assert!((ms(500)..ms(7000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    client.assert_lives().await;
}

/// Frames that are wrong inside, and what their call is told.
fn mistakes() -> Vec<(&'static str, Vec<u8>, Code, Reason)> {
    let mut cases = Vec::new();
    let mut case = |what, frame, code, reason| cases.push((what, frame, code, reason));
    let (argument, malformed) = (Code::InvalidArgument, Reason::Malformed);
    let time = millis_left(10_000);
    let body = frames::body_of("x");
    let echo = frames::head("echo");
    // Everything before the call's time, and everything behind it.
    let before = [0x10, 7];
    let mut behind = Vec::new();
    echo.encode(&mut behind);
    behind.extend(&body);
    let method = MethodId::of(PROBE, "echo").0.to_be_bytes();
    let raw = |rest: &[u8]| frames::frame(CallKind::Request, 7, time, rest);
    let flagged = |flags: u64, fields: &[u8]| {
        let mut rest = method.to_vec();
        varint::put(&mut rest, flags);
        rest.push(frames::BINCODE);
        rest.extend_from_slice(fields);
        raw(&rest)
    };
    let with_time =
        |bytes: &[u8]| frames::any_frame(before[0], &[&before[1..], bytes, &behind].concat());

    case("a time of zero", with_time(&[0]), argument, Reason::InvalidDeadline);
    case("a time that is too long", with_time(&[0x40, 5]), argument, malformed);
    case("no time", frames::any_frame(before[0], &before[1..]), argument, malformed);
    case("half a method", raw(&method[..4]), argument, malformed);
    case("an unknown flag", flagged(1 << 20, &body), argument, malformed);
    case("an attempt of zero", flagged(1 << 10, &[0]), argument, malformed);
    case("the default criticality", flagged(1 << 11, &[1]), argument, malformed);
    case("a criticality that is none", flagged(1 << 11, &[9]), argument, malformed);
    case("metadata without entries", flagged(1 << 5, &[0]), argument, malformed);
    case("more metadata than there is", flagged(1 << 5, &[64, 1]), argument, malformed);
    case("a reserved key", flagged(1 << 5, b"\x01\x07sinew-a\x00"), argument, malformed);
    case("half a trace", flagged(1 << 6, &[1; 20]), argument, malformed);
    case("an input stream on a lane", flagged(1 << 8, &body), argument, malformed);
    case("a body that goes on, on a lane", flagged(1 << 9, &[60, 1]), argument, malformed);
    case("a body that is too long", raw(&[&behind[..], b"x"].concat()), argument, malformed);
    case("a body that is cut", raw(&behind[..behind.len() - 1]), argument, malformed);
    let mut lying = behind[..behind.len() - body.len()].to_vec();
    lying.extend([&[253], &(1_u64 << 60).to_le_bytes()[..], b"x"].concat());
    case("a body whose length lies", raw(&lying), argument, malformed);
    let nobodys = RequestHead::new(MethodId::of(PROBE, "nothing"), frames::BINCODE);
    let nobodys = frames::request(7, time, &nobodys, &body);
    case("an unknown method", nobodys, Code::Unimplemented, Reason::UnknownMethod);
    let spoken = RequestHead::new(MethodId::of(PROBE, "echo"), 9);
    let spoken = frames::request(7, time, &spoken, &body);
    case("an unknown codec", spoken, Code::Unimplemented, Reason::UnknownCodec);
    for (what, kind) in [
        ("an ANSWER", CallKind::Answer),
        ("DATA", CallKind::Data),
        ("END", CallKind::End),
        ("an OPEN", CallKind::Open),
    ] {
        case(what, frames::frame(kind, 7, time, &[]), argument, malformed);
    }
    cases
}

#[tokio::test]
async fn a_call_that_is_wrong_inside_is_refused_alone() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    let mistakes = mistakes();
    for (good, (what, frame, code, reason)) in mistakes.iter().enumerate() {
        lane.write(frame).await;
        let status = lane.status(7).await;
        assert_eq!((status.code, status.reason), (*code, *reason), "{what}: {status:?}");
        assert_eq!(status.disposition, Disposition::Rejected, "{what}: {status:?}");
        // The same lane goes on, and so does the same id.
        lane.write(frames::echo(7, "good")).await;
        assert_eq!(lane.answer().await.1.outcome, AnswerOutcome::Ok, "after {what}");
        assert_eq!(target.tally().begun, good as u64 + 1, "{what} reached a handler");
    }
    client.assert_lives().await;
}

#[tokio::test]
async fn framing_that_cannot_be_followed_ends_the_lane_and_not_the_connection() {
    let target = Target::new().await;
    let client = target.client().await;
    let cases: [(&str, &[u8]); 6] = [
        ("a length of 2^31", &[0xc0, 0, 0, 0, 0x80, 0, 0, 0, 0x10]),
        ("a length above the lane's limit", &[0x80, 0, 0x80, 0x01, 0x10]),
        ("a length of zero", &[0]),
        ("a length in too many bytes", &[0x40, 0x05, 0x10, 0, 1, 1, 1]),
        ("an unknown kind", &[1, frames::UNKNOWN]),
        ("a STAMP without a deadline", &[2, kinds::STAMP | 0x80, 5]),
    ];
    for (what, bytes) in cases {
        let began = Instant::now();
        let mut lane = client.lane(frames::echo(1, "before")).await;
        assert_eq!(lane.answer().await.0, 1, "{what}");
        lane.write(bytes).await;
        assert_eq!(lane.stop_code().await, kinds::STREAM_FRAME_ERROR, "{what}");
        assert_eq!(lane.reset_code().await, kinds::STREAM_FRAME_ERROR, "{what}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
        client.assert_lives().await;
    }
}

#[tokio::test]
async fn calls_in_flight_are_cancelled_when_their_lane_ends_in_mid_frame() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    lane.write(frames::request(1, millis_left(60_000), &frames::head("hold"), &[])).await;
    until("the handler begins", || target.tally().running() == 1).await;
    lane.write(half_a_request(2)).await;
    lane.finish();
    until("the handler is gone", || target.tally().dropped == 1).await;
    client.assert_lives().await;
}

#[tokio::test]
async fn frames_that_may_be_passed_over_and_connection_frames_do_no_harm_on_a_lane() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    let bytes = [
        frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"whatever it says"),
        frames::any_frame(frames::UNKNOWN_SKIPPABLE | 0x80, b""),
        frames::connection(&ConnectionFrame::Ping { nonce: 7 }),
        frames::connection(&ConnectionFrame::GoAway { phase: 1 }),
        // A STAMP with something behind it.
        frames::any_frame(kinds::STAMP, &[5, 5]),
        frames::echo(1, "after them"),
    ];
    lane.write(bytes.concat()).await;
    assert_eq!(lane.answer().await.2, frames::body_of("after them"));
    client.assert_lives().await;
}

#[tokio::test]
async fn a_lane_goes_on_or_is_reset_when_a_call_has_no_id() {
    let target = Target::new().await;
    let client = target.client().await;
    // Nobody can be told: what follows is answered, or the lane ends; the connection lives.
    for content in [&[][..], &[0x40, 0x07]] {
        let lane = client.lane(frames::any_frame(0x10, content)).await;
        drop(lane);
        client.assert_lives().await;
    }
    assert_eq!(target.tally().begun, 2, "only the two that show that it lives");
}

#[tokio::test]
async fn two_calls_of_one_id_both_end() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    let hold = frames::request(3, millis_left(60_000), &frames::head("hold"), &[]);
    lane.write(&hold).await;
    until("the handler begins", || target.tally().running() == 1).await;
    lane.write(&hold).await;
    let status = lane.status(3).await;
    assert_eq!((status.code, status.reason), (Code::InvalidArgument, Reason::Malformed));
    until("the first is cancelled", || target.tally().dropped == 1).await;
    assert_eq!(target.tally().begun, 1, "the second never began");
    lane.write(frames::echo(3, "again")).await;
    assert_eq!(lane.answer().await.2, frames::body_of("again"), "and no answer to the first");
    client.assert_lives().await;
}

#[tokio::test]
async fn a_cancel_drops_its_handler_and_no_other() {
    let target = Target::new().await;
    let (client, mut lane) = target.lane().await;
    for call in 1..=3 {
        lane.write(frames::request(call, millis_left(60_000), &frames::head("hold"), &[])).await;
    }
    until("the handlers begin", || target.tally().running() == 3).await;
    let mut cancel = Vec::new();
    put_cancel(&mut cancel, 2, TimeLeft::Unbounded, CancelReason::Dropped);
    lane.write(&cancel).await;
    until("one is gone", || target.tally().dropped == 1).await;
    // Of an id that is over, of one that never was, one that says nothing, and one too much.
    put_cancel(&mut cancel, 99, TimeLeft::Micros(1), CancelReason::Other(77));
    cancel.extend(frames::frame(CallKind::Cancel, 1, TimeLeft::Unbounded, &[]));
    cancel.extend(frames::frame(CallKind::Cancel, 1, TimeLeft::Unbounded, &[1, 1]));
    lane.write([cancel, frames::echo(4, "after")].concat()).await;
    assert_eq!(lane.answer().await.0, 4, "the first answer of all");
    let tally = target.tally();
    assert_eq!((tally.begun, tally.dropped), (4, 1));
    client.assert_lives().await;
}

#[tokio::test]
async fn calls_of_another_connection_cannot_be_cancelled() {
    let target = Target::new().await;
    let (_victim, mut victims) = target.lane().await;
    let (attacker, mut lane) = target.lane().await;
    victims
        .write(frames::request(5, millis_left(60_000), &frames::head("wait"), &[251, 200, 0]))
        .await;
    until("the handler begins", || target.tally().running() == 1).await;
    let mut cancels = Vec::new();
    for call in 0..500 {
        put_cancel(&mut cancels, call, TimeLeft::Unbounded, CancelReason::Dropped);
    }
    lane.write(&cancels).await;
    attacker.assert_lives().await;
    assert_eq!(victims.answer().await.0, 5);
    assert_eq!(target.tally().dropped, 0);
}

#[tokio::test]
async fn a_client_that_is_done_with_a_lane_still_gets_its_answers() {
    let target = Target::new().await;
    let (_client, mut lane) = target.lane().await;
    lane.write(frames::request(1, millis_left(60_000), &frames::head("wait"), &[100])).await;
    lane.write(frames::echo(2, "quick")).await;
    lane.finish();
    assert_eq!(lane.answer().await.0, 2);
    assert_eq!(lane.answer().await.0, 1);
    assert_eq!(lane.frame().await, None);
}
