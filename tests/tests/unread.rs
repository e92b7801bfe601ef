//! A client by hand that does not read its answers: handlers wait, small calls go on, and what is too much is refused.

use sinew::{Disposition, Reason};
use sinew_core::{
    limits,
    wire::{AnswerOutcome, StreamType},
};
use sinew_tests::{
    Must as _, assert_says,
    raw::{
        RawClient, RawStream, Target,
        frames::{self, millis_left},
    },
    wait::{ms, soon, until},
};

/// What the server may send of a stream that is not read.
const WINDOW: u32 = 8 * 1024;

async fn unread(target: &Target) -> RawClient {
    RawClient::connect_stingy(&target.authority, target.server.address(), WINDOW).await
}

async fn call(client: &RawClient, method: &str, numbers: &[u64]) -> RawStream {
    let body: Vec<u8> = numbers.iter().copied().flat_map(frames::number).collect();
    let request = frames::request(1, millis_left(60_000), &frames::head(method), &body);
    client.open(StreamType::Call, request).await
}

#[tokio::test]
async fn handlers_with_large_answers_wait_for_those_before_and_small_calls_do_not() {
    let target = Target::new().await;
    let client = unread(&target).await;
    let most = limits::ANSWERS_WAITING_MAX as u64 / (1 << 20);
    let calls = limits::PEER_BI_STREAMS_START as u64 - 2;
    let mut streams = Vec::new();
    for _ in 0..calls {
        streams.push(call(&client, "make", &[1 << 20]).await);
    }
    until("the first ones have answered", || target.tally().ended >= most).await;
    for echoes in 1..=3 {
        client.assert_lives().await;
        assert_eq!(target.tally().begun, most + echoes);
    }
    for stream in &mut streams {
        let (_, head, _) = stream.answer().await;
        assert_eq!(head.outcome, AnswerOutcome::Ok);
        while stream.frame().await.is_some() {}
    }
    assert_eq!(target.tally().begun, calls + 3);
}

#[tokio::test]
async fn handlers_on_a_lane_wait_too() {
    let target = Target::new().await;
    let client = unread(&target).await;
    // Its answers come on streams of the server's; nobody takes them.
    let ask = |call| {
        let head = frames::head("make");
        frames::request(call, millis_left(60_000), &head, &frames::number(1 << 20))
    };
    let asks: Vec<u8> = (0..60).flat_map(ask).collect();
    let _lane = client.lane(&asks).await;
    let most = limits::ANSWERS_WAITING_MAX as u64 / (1 << 20);
    until("the first ones have answered", || target.tally().ended >= most).await;
    client.assert_lives().await;
    assert_eq!(target.tally().begun, most + 1);
}

#[tokio::test]
async fn small_answers_that_are_not_read_are_counted_over_all_lanes() {
    let target = Target::new().await;
    let client = unread(&target).await;
    let ask = |call| {
        let head = frames::head("make");
        frames::request(call, millis_left(60_000), &head, &frames::number(16_000))
    };
    let asks: Vec<u8> = (0..40).flat_map(ask).collect();
    let mut lanes = Vec::new();
    for _ in 0..limits::PEER_BI_STREAMS_START - 2 {
        lanes.push(client.lane(&asks).await);
    }
    let most = limits::LANE_ANSWERS_MAX as u64 / 16_000;
    until("as many have answered as may wait", || target.tally().ended >= most).await;
    tokio::time::sleep(ms(200)).await;
    // Each lane may add what is not counted yet, and is looked at once in sixteen frames.
    let begun = target.tally().begun;
    assert!(begun <= most + 17 * lanes.len() as u64, "{begun} of {} ran", 40 * lanes.len());
    // A client of ours reads all its lanes at once.
    let reading = lanes.into_iter().map(|mut lane| {
        tokio::spawn(async move {
            for _ in 0..40 {
                soon("an answer", lane.answer()).await;
            }
        })
    });
    for reading in reading.collect::<Vec<_>>() {
        reading.await.must("every answer");
    }
    client.assert_lives().await;
}

#[tokio::test]
async fn an_answer_beyond_what_a_connection_may_hold_is_refused_by_name() {
    let target = Target::new().await;
    let client = unread(&target).await;
    // They end together, so nobody knew that their answers would be large.
    let (calls, len) = (20, limits::MESSAGE_MAX as u64 - 100);
    let mut streams = Vec::new();
    for _ in 0..calls {
        streams.push(call(&client, "make_when", &[len, calls]).await);
    }
    until("all have ended", || target.tally().ended >= calls).await;
    let (mut answered, mut refused) = (0, 0);
    for stream in &mut streams {
        match soon("an answer begins", stream.answer()).await.1.outcome {
            AnswerOutcome::Ok => answered += 1,
            AnswerOutcome::Status(status) => {
                refused += 1;
                assert_eq!(status.reason, Reason::TooManyInFlight);
                assert_eq!(status.disposition, Disposition::Processed);
                assert_says(status.message, &["LARGE_ANSWERS_MAX"]);
            }
            AnswerOutcome::App => panic!("the probe has no such error"),
        }
    }
    assert_eq!((answered, refused), (limits::LARGE_ANSWERS_MAX / limits::MESSAGE_MAX, 4));
    client.assert_lives().await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends_at_its_deadline() {
    let target = Target::new().await;
    let client = unread(&target).await;
    let number = frames::number(1 << 20);
    let request = frames::request(1, millis_left(300), &frames::head("make"), &number);
    let mut stream = client.open(StreamType::Call, request).await;
    until("it has answered", || target.tally().ended > 0).await;
    let deadline = 0x102;
    tokio::time::sleep(ms(600)).await;
    assert_eq!(soon("a reset", stream.reset_code()).await, deadline);
}

#[tokio::test]
async fn answers_that_are_stopped_count_as_calls_taken_back() {
    let target = Target::new().await;
    let client = unread(&target).await;
    let stopping = async {
        for _ in 0..4 * limits::RESETS_BURST {
            let Ok((mut send, mut recv)) = client.connection.open_bi().await else { return };
            let mut first = Vec::new();
            StreamType::Call.put(&mut first);
            let body = frames::number(60_000);
            first.extend(frames::request(1, millis_left(5000), &frames::head("make"), &body));
            if send.write_all(&first).await.is_err() || send.finish().is_err() {
                return;
            }
            // It has begun: its handler is gone, and all of its work done.
            if recv.read_chunk(1, true).await.is_err() || recv.stop(0_u32.into()).is_err() {
                return;
            }
        }
    };
    soon("the answers are stopped", stopping).await;
    let (_, words) = client.closed().await;
    assert_says(words, &["RESETS_PER_S"]);
    let _ = target.client().await.assert_lives().await;
}
