//! A server by hand against our client, on lanes: whatever it says or does not say, each call ends with the truth, and
//! the next one goes well.

use std::time::{Duration, Instant};

use sinew::{CallOptions, Code, Disposition, Ran, Reason, Status};
use sinew_core::{
    codes::{CancelReason, Directive},
    wire::{
        AnswerHead, CallKind, ConnectionFrame, Frame, Settings, StreamType, decode_cancel, kinds,
        varint,
    },
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    raw::{
        Caller, RawPeer, RawStream,
        frames::{self, millis_left},
    },
    wait::{ms, soon},
};

fn timeout(limit: Duration) -> CallOptions {
    CallOptions::new().timeout(limit)
}

/// Our client makes a call on the lane that it has now, and gets its answer.
async fn assert_goes_on(caller: &Caller, lane: &mut RawStream) {
    let call = caller.echo("next");
    let (request, _) = lane.request().await;
    lane.echo(&request).await;
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "next");
}

/// Waits for the lane that takes the place of one that ended, a call on a stream of its own at most in between.
async fn next_lane(peer: &RawPeer) -> RawStream {
    peer.lane().await
}

async fn failed<T: std::fmt::Debug>(call: tokio::task::JoinHandle<Result<T, Status>>) -> Status {
    soon("the call ends", call).await.must("a task").must_err()
}

#[tokio::test]
async fn an_answer_that_stalls_half_way_costs_its_lane_and_no_other_call() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let stalled = caller.echo("stalled");
    let (request, _) = lane.request().await;
    // Half of an answer that names 1 s.
    let mut rest = Vec::new();
    frames::ok().encode(&mut rest);
    rest.extend([0; 64]);
    let answer = frames::frame(CallKind::Answer, request.call, millis_left(1000), &rest);
    lane.write(&answer[..10]).await;
    let began = Instant::now();
    // A large call goes on a stream of its own, and is answered meanwhile.
    let large = tokio::spawn(caller.client.weigh(sinew_tests::probe::pattern(20_000)));
    let mut own = peer.stream(StreamType::Call).await;
    let (request, _) = own.request().await;
    own.write(frames::answer(request.call, &frames::ok(), &frames::number(20_000))).await;
    own.finish();
    assert_eq!(soon("an answer", large).await.must("a task").must("an answer"), 20_000);

    let status = failed(stalled).await;
    assert_eq!((status.code(), status.reason()), (Code::Unavailable, Reason::LaneStalled));
    assert_eq!(status.ran(), Ran::Maybe);
    assert!((ms(500)..ms(7000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(lane.stop_code().await, kinds::STREAM_LANE_STALLED);
    let mut lane = next_lane(&peer).await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn framing_that_cannot_be_followed_ends_the_lane_and_its_calls() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    for bytes in [&[0xc0, 0, 0, 0, 0x80, 0, 0, 0][..], &[0], &[0x40, 5], &[1, frames::UNKNOWN]] {
        let call = caller.echo("lost");
        lane.request().await;
        lane.write(bytes).await;
        let status = failed(call).await;
        assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
        assert_eq!(lane.stop_code().await, kinds::STREAM_FRAME_ERROR);
        lane = next_lane(&peer).await;
        assert_goes_on(&caller, &mut lane).await;
    }
}

#[tokio::test]
async fn frames_that_only_a_client_sends_end_the_lane() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    for kind in [CallKind::Request, CallKind::Cancel, CallKind::Data] {
        let call = caller.echo("lost");
        let (request, _) = lane.request().await;
        lane.write(frames::frame(kind, request.call, millis_left(1000), &[])).await;
        let status = failed(call).await;
        assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
        lane = next_lane(&peer).await;
    }
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn an_answer_to_a_call_that_was_never_made_ends_the_lane() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let call = caller.echo("lost");
    let (request, _) = lane.request().await;
    lane.write(frames::answer(request.call + 77, &frames::ok(), &frames::body_of("x"))).await;
    assert_eq!(failed(call).await.ran(), Ran::Maybe);
    let mut lane = next_lane(&peer).await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_late_answer_is_nobodys_and_the_call_was_cancelled() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let hurried = caller.client.with(timeout(ms(100)));
    let call = tokio::spawn(hurried.echo("late".into()));
    let (request, _) = lane.request().await;
    let status = failed(call).await;
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe), "{status}");
    let cancel = lane.call().await;
    assert_eq!((cancel.kind, cancel.call), (CallKind::Cancel, request.call));
    assert_eq!(decode_cancel(&cancel.rest).must("a reason"), CancelReason::Deadline);
    // Late, twice.
    lane.echo(&request).await;
    lane.echo(&request).await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_says_so_to_the_server() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let call = caller.echo("dropped");
    let (request, _) = lane.request().await;
    call.abort();
    let cancel = lane.call().await;
    assert_eq!((cancel.kind, cancel.call), (CallKind::Cancel, request.call));
    assert_eq!(decode_cancel(&cancel.rest).must("a reason"), CancelReason::Dropped);
    lane.echo(&request).await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn an_answer_that_is_wrong_inside_fails_its_call_alone() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let other = caller.echo("other");
    let (others, _) = lane.request().await;
    let ok = {
        let mut rest = Vec::new();
        frames::ok().encode(&mut rest);
        rest
    };
    let cases: [(&str, Vec<u8>, Ran); 6] = [
        ("an unknown flag", vec![0x80, 1, 0, 0, 1, 0, 0], Ran::Maybe),
        ("nothing", vec![], Ran::Maybe),
        ("an outcome of 3", vec![3, 1, 0, 0], Ran::Maybe),
        ("a status of code 0", vec![2, 0, 0, 0, 0, 0, 0, 0, 0], Ran::Maybe),
        ("a status of code 17", vec![2, 0, 0, 0, 17, 0, 0, 0, 0], Ran::Maybe),
        // The head is sound: the handler has run.
        ("a body that is no text", [&ok[..], &[9, 1]].concat(), Ran::Yes),
    ];
    for (what, rest, ran) in cases {
        let call = caller.echo("x");
        let (request, _) = lane.request().await;
        lane.write(frames::frame(CallKind::Answer, request.call, millis_left(1000), &rest)).await;
        let status = failed(call).await;
        assert_eq!((status.code(), status.reason()), (Code::Internal, Reason::Malformed), "{what}");
        assert_eq!(status.ran(), ran, "{what}");
    }
    lane.echo(&others).await;
    assert_eq!(soon("the other", other).await.must("a task").must("an answer"), "other");
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn words_that_this_build_does_not_know_are_kept_as_numbers() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let call = caller.echo("x");
    let (request, _) = lane.request().await;
    lane.write(frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"passed over")).await;
    let head = frames::status(Code::Aborted, Reason::Other(200), Disposition::Unknown);
    lane.reply(&request, &head).await;
    let status = failed(call).await;
    assert_eq!((status.code(), status.reason()), (Code::Aborted, Reason::Other(200)));
    assert_eq!(status.ran(), Ran::Maybe);
    assert_says(
        &status,
        &["said by hand", "test.Probe/echo", &caller.server.address().to_string()],
    );
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_call_its_deadline_and_no_more() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let began = Instant::now();
    let call = caller.client.with(timeout(ms(200))).echo("x".into());
    let status = soon("the call ends", call).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe), "{status}");
    assert!((ms(200)..ms(3000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    lane.request().await;
    let Some(Frame::Call(cancel)) = lane.frame().await else { panic!("a CANCEL") };
    assert_eq!(cancel.kind, CallKind::Cancel);
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_call_whose_connection_is_closed_under_it_may_have_run() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let call = caller.echo("x");
    lane.request().await;
    peer.connection.close(7_u32.into(), b"gone by hand");
    let status = failed(call).await;
    assert_eq!((status.code(), status.reason()), (Code::Unavailable, Reason::ConnectionLost));
    assert_eq!(status.ran(), Ran::Maybe);
    assert_says(&status, &["gone by hand"]);
    // The next call makes a connection of its own.
    let (_peer, mut lane) = caller.connected().await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_call_whose_lane_ends_without_an_answer_may_have_run() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    let call = caller.echo("x");
    lane.request().await;
    lane.finish();
    let status = failed(call).await;
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
    let mut lane = next_lane(&peer).await;
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_server_that_refuses_the_connection_has_not_been_sent_the_call() {
    let caller = Caller::new().await;
    let client = caller.client.with(CallOptions::new().wait_for_ready(Duration::ZERO));
    let (outcome, ()) = tokio::join!(client.echo("x".into()), caller.server.refuse());
    let status = outcome.must_err();
    assert_eq!((status.code(), status.disposition()), (Code::Unavailable, Disposition::NotSent));
    assert_says(&status, &["not processed", &caller.server.address().to_string()]);
}

#[tokio::test]
async fn a_refusal_is_tried_again_unless_the_server_says_not_to() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let refused = frames::status(Code::Unavailable, Reason::Draining, Disposition::Rejected);
    let call = caller.echo("again");
    for attempt in 0..2 {
        let (request, head) = lane.request().await;
        assert_eq!((head.attempt, head.no_retry), (attempt, attempt > 0));
        if attempt == 0 {
            lane.reply(&request, &refused).await;
        } else {
            lane.echo(&request).await;
        }
    }
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "again");

    let not_again = AnswerHead { directive: Directive::DoNotRetry, ..refused };
    let call = caller.echo("once");
    let (request, _) = lane.request().await;
    lane.reply(&request, &not_again).await;
    let status = failed(call).await;
    assert_eq!((status.directive(), status.attempts()), (Directive::DoNotRetry, 1));
    assert_eq!(status.ran(), Ran::No);
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn what_may_have_run_is_not_tried_again() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    for disposition in [Disposition::Unknown, Disposition::Processed] {
        let call = caller.echo("once");
        let (request, _) = lane.request().await;
        let status = frames::status(Code::Unavailable, Reason::Overloaded, disposition);
        lane.reply(&request, &status).await;
        let status = failed(call).await;
        assert_eq!((status.attempts(), status.disposition()), (1, disposition));
        assert_goes_on(&caller, &mut lane).await;
    }
}

#[tokio::test]
async fn a_server_that_takes_two_calls_at_once_is_given_no_third() {
    let caller = Caller::new().await;
    let (mut peer, mut lane) = caller.connected().await;
    let settings = Settings { max_in_flight: 2, ..Settings::default() };
    let ping = frames::connection(&ConnectionFrame::Ping { nonce: 5 });
    peer.say(&frames::connection(&ConnectionFrame::Settings(settings))).await;
    peer.say(&ping).await;
    peer.heard(&ConnectionFrame::Pong { nonce: 5 }).await;
    let first = caller.echo("1");
    let second = caller.echo("2");
    let (one, _) = lane.request().await;
    let (two, _) = lane.request().await;
    let status = soon("a refusal", caller.client.echo("3".into())).await.must_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::ResourceExhausted, Reason::TooManyInFlight)
    );
    assert_eq!(status.ran(), Ran::No);
    assert_says(&status, &["2 calls"]);
    lane.echo(&one).await;
    lane.echo(&two).await;
    for call in [first, second] {
        soon("an answer", call).await.must("a task").must("an answer");
    }
    assert_goes_on(&caller, &mut lane).await;
}

#[tokio::test]
async fn a_client_that_was_asked_for_no_more_calls_makes_its_next_on_another_connection() {
    let caller = Caller::new().await;
    let (mut peer, mut lane) = caller.connected().await;
    let running = caller.echo("running");
    let (request, _) = lane.request().await;
    peer.say(&frames::connection(&ConnectionFrame::GoAway { phase: 1 })).await;
    peer.heard(&ConnectionFrame::GoAwayAck { phase: 1 }).await;
    let (_second, mut other) = caller.connected().await;
    assert_goes_on(&caller, &mut other).await;
    // What was in flight is still answered on the old one.
    lane.echo(&request).await;
    assert_eq!(soon("an answer", running).await.must("a task").must("an answer"), "running");
}

#[tokio::test]
async fn an_answer_that_says_draining_sends_the_next_call_elsewhere() {
    let caller = Caller::new().await;
    let (_first, mut lane) = caller.connected().await;
    let call = caller.echo("x");
    let (request, _) = lane.request().await;
    let draining = AnswerHead { draining: true, ..frames::ok() };
    lane.write(frames::answer(request.call, &draining, &frames::body_of("x"))).await;
    soon("an answer", call).await.must("a task").must("an answer");
    let (_second, mut other) = caller.connected().await;
    assert_goes_on(&caller, &mut other).await;
}

#[tokio::test]
async fn lanes_that_the_server_ends_are_not_opened_again_without_end() {
    let caller = Caller::new().await;
    let (peer, mut lane) = caller.connected().await;
    lane.finish();
    let mut opened = 0;
    let began = Instant::now();
    while began.elapsed() < ms(500) {
        let next = tokio::time::timeout(ms(100), peer.connection.accept_bi()).await;
        if let Ok(Ok((mut send, _recv))) = next {
            opened += 1;
            send.finish().must("a stream");
        }
    }
    assert!(opened < 50, "{opened} lanes in half a second");
}

#[tokio::test]
async fn a_server_without_a_common_version_is_left_with_words() {
    let caller = Caller::new().await;
    let call = caller.echo("x");
    let peer = caller.server.accept_silently().await;
    let mut entries = vec![1];
    varint::put(&mut entries, 1);
    entries.push(7);
    let _control = peer.control(&frames::any_frame(kinds::SETTINGS, &entries)).await;
    let (code, words) = peer.closed().await;
    assert_eq!(code, u64::from(kinds::CLOSE_INCOMPATIBLE));
    assert_says(words, &["1", "[7]", "version"]);
    call.abort();
}
