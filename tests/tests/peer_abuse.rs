//! A client by hand that costs our server more than it should: bounded, and its connection closed, while others go on.

use std::time::Instant;

use sinew::{Code, Concurrency, Disposition, Reason};
use sinew_core::{
    codes::CancelReason,
    limits,
    wire::{AnswerOutcome, RequestHead, StreamType, TimeLeft, kinds, put_cancel, varint},
};
use sinew_tests::{
    Must as _, assert_says,
    authority::Authority,
    child::{Process, Start},
    probe::PROBE,
    raw::{
        RawClient, RawStream, Target,
        frames::{self, millis_left},
        id,
    },
    scene::Scene,
    wait::{ms, soon, until},
};

/// A REQUEST that is malformed: it has an unknown flag.
fn malformed(call: u64) -> Vec<u8> {
    let mut rest = [0; 8].to_vec();
    varint::put(&mut rest, 1 << 20);
    frames::frame(sinew_core::wire::CallKind::Request, call, millis_left(1000), &rest)
}

#[tokio::test]
async fn a_connection_of_malformed_calls_is_closed_and_others_go_on() {
    let target = Target::new().await;
    let other = target.client().await;
    let (client, mut lane) = target.lane().await;
    let most = u64::from(limits::FORCED_ERRORS_MAX);
    for call in 0..most {
        lane.write(malformed(call)).await;
        assert_eq!(lane.status(call).await.reason, Reason::Malformed);
    }
    client.assert_lives().await;
    lane.write(malformed(most)).await;
    let (code, words) = client.closed().await;
    assert_eq!(code, u64::from(kinds::CLOSE_EXCESSIVE_LOAD), "{words}");
    assert_says(words, &["malformed"]);
    other.assert_lives().await;
}

#[tokio::test]
async fn a_connection_of_broken_streams_is_closed() {
    let target = Target::new().await;
    let other = target.client().await;
    let client = target.client().await;
    let breaking = async {
        while let Ok((mut send, _recv)) = client.connection.open_bi().await {
            // A type that is none.
            if send.write_all(&[9]).await.is_err() {
                return;
            }
        }
    };
    let ((), (code, words)) = tokio::join!(breaking, client.closed());
    assert_eq!(code, u64::from(kinds::CLOSE_EXCESSIVE_LOAD), "{words}");
    other.assert_lives().await;
}

/// Writes these bytes to a lane again and again, until the connection is closed: its code.
async fn flood(target: &Target, bytes: &[u8]) -> (u64, String) {
    let (client, mut lane) = target.lane().await;
    let writing = async {
        let many = bytes.repeat(2000);
        while lane.send.write_all(&many).await.is_ok() {}
    };
    soon("the flood ends", async { tokio::join!(writing, client.closed()).1 }).await
}

#[tokio::test]
async fn a_flood_of_frames_without_effect_on_a_lane_closes_the_connection() {
    let target = Target::new().await;
    let other = target.client().await;
    let mut cancel = Vec::new();
    put_cancel(&mut cancel, 77, TimeLeft::Unbounded, CancelReason::Dropped);
    let floods = [
        ("frames that may be passed over", frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"")),
        ("pings where they do not belong", frames::any_frame(kinds::PING, &[1])),
        ("cancels of nothing", cancel),
        ("stamps of nothing", frames::stamp(5)),
    ];
    for (what, frame) in floods {
        let (code, words) = flood(&target, &frame).await;
        assert_eq!(code, u64::from(kinds::CLOSE_EXCESSIVE_LOAD), "{what}: {words}");
        other.assert_lives().await;
    }
}

#[tokio::test]
async fn a_connection_that_resets_its_calls_as_fast_as_it_makes_them_is_closed() {
    let target = Target::new().await;
    let other = target.client().await;
    let client = target.client().await;
    let hold = frames::request(1, millis_left(60_000), &frames::head("hold"), &[]);
    let mut first = Vec::new();
    StreamType::Call.put(&mut first);
    first.extend(&hold);
    let resetting = async {
        // Many more than the 100 at once and 50 per second that are allowed.
        for _ in 0..3000 {
            let Ok((mut send, mut recv)) = client.connection.open_bi().await else { return };
            if send.write_all(&first).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
            let _ = send.reset(0x101_u32.into());
            let _ = recv.stop(0x101_u32.into());
        }
    };
    let ((), (code, words)) = tokio::join!(resetting, client.closed());
    assert_eq!(code, u64::from(kinds::CLOSE_EXCESSIVE_LOAD), "{words}");
    until("no handler is left", || target.tally().running() == 0).await;
    other.assert_lives().await;
}

/// Found by fuzzing: calls without a deadline, on a lane whose answers the peer had stopped, outlived the connection.
#[tokio::test]
async fn nothing_works_on_for_a_peer_that_stopped_its_answers_and_left() {
    let target = Target::new().await;
    let client = target.client().await;
    let (mut send, mut recv) = client.connection.open_bi().await.must("a stream");
    let mut first = Vec::new();
    StreamType::Lane.put(&mut first);
    first.extend(frames::echo(1, "read"));
    send.write_all(&first).await.must("written");
    soon("an answer", recv.read_chunk(1, true)).await.must("a stream");
    recv.stop(0_u32.into()).must("open");
    // The first is answered into the void, and tells the server; the second would be held for ever.
    send.write_all(&frames::echo(2, "not read")).await.must("written");
    tokio::time::sleep(ms(50)).await;
    let held = frames::request(3, TimeLeft::Unbounded, &frames::head("hold"), &[]);
    let _ = send.write_all(&held).await;
    let _ = send.finish();
    tokio::time::sleep(ms(50)).await;
    client.connection.close(0_u32.into(), b"");
    until("no handler is left", || target.tally().running() == 0).await;
}

#[tokio::test]
async fn one_identity_has_half_of_the_connections_and_another_is_served() {
    let target = Target::with(|server| server.max_connections(4)).await;
    let first = target.client().await;
    let second = target.client().await;
    first.assert_lives().await;
    second.assert_lives().await;

    let (code, words) = target.client().await.closed().await;
    assert_eq!(code, u64::from(kinds::CLOSE_TOO_MANY_CONNECTIONS), "{words}");
    assert_says(&words, &["2 connections", "spiffe://test.example/raw", "`max_connections`"]);

    let other = RawClient::try_connect_as("other", &target.authority, target.server.address());
    other.await.must("a place for another identity").assert_lives().await;
    // A place that is given back can be taken again.
    drop(second);
    soon("a place is free", async {
        loop {
            let again = target.client().await;
            if tokio::time::timeout(ms(300), again.connection.closed()).await.is_err() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_has_1024_calls_in_flight_and_the_next_is_refused() {
    let target = Target::with(|server| server.concurrency(Concurrency::Unlimited)).await;
    let (_client, mut lane) = target.lane().await;
    let most = u64::from(limits::IN_FLIGHT_MAX);
    let head = frames::head("hold");
    let hold = |call| frames::request(call, millis_left(60_000), &head, &[]);
    lane.write((0..most).flat_map(hold).collect::<Vec<u8>>()).await;
    until("all are in flight", || target.tally().running() == most).await;
    lane.write(hold(most)).await;
    let status = lane.status(most).await;
    assert_eq!((status.code, status.reason), (Code::ResourceExhausted, Reason::TooManyInFlight));
    assert_eq!(status.disposition, Disposition::Rejected);
    assert_says(&status.message, &["1024"]);
    // Another connection has its own.
    target.client().await.assert_lives().await;
    // A place is free once its handler is gone.
    let mut cancel = Vec::new();
    put_cancel(&mut cancel, 5, TimeLeft::Unbounded, CancelReason::Dropped);
    lane.write(&cancel).await;
    until("one is gone", || target.tally().dropped == 1).await;
    lane.write(frames::echo(most + 1, "fits")).await;
    assert_eq!(lane.answer().await.0, most + 1);
}

/// The probe as a process, which can be weighed, and an authority that it trusts.
async fn process(scene: &Scene) -> (Authority, Process) {
    let authority = Authority::new("test authority");
    let issued = authority.issue(&id(PROBE));
    let start = Start::new(env!("CARGO_BIN_EXE_probe"), scene);
    let process = start.identity(&scene.runtime_dir(), &issued, authority.pem()).run().await;
    (authority, process)
}

/// As much as a peer may make a server hold for one connection, windows and all, many times over.
const ALLOWED_KIB: u64 = 48 * 1024;

/// Runs `attack` and checks what it, and the streams that it leaves open, made the server hold at most.
async fn assert_light<F>(attack: impl FnOnce(RawClient) -> F)
where
    F: Future<Output = (RawClient, Vec<RawStream>)>,
{
    let scene = Scene::new();
    let (authority, process) = process(&scene).await;
    let client = RawClient::connect(&authority, process.address()).await;
    client.assert_lives().await;
    let (Some(before), Some(claimed_before)) = (process.peak_kib(), process.claimed_kib()) else {
        // Reported by the test command as a test that did not run.
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), "cannot run here: no VmHWM in /proc");
        return;
    };
    let (client, _open) = attack(client).await;
    client.assert_lives().await;
    let grown = process.peak_kib().must("a process") - before;
    assert!(grown < ALLOWED_KIB, "{grown} KiB more");
    // What is allocated and never touched does not count as held, but it is what a lie asks for.
    let claimed = process.claimed_kib().must("a process") - claimed_before;
    assert!(claimed < 8 * ALLOWED_KIB, "{claimed} KiB more claimed");
}

#[tokio::test]
async fn lying_totals_cost_what_has_arrived() {
    assert_light(|client| async move {
        let head = RequestHead { total: Some(4 << 20), ..frames::head("weigh") };
        let request = frames::request(1, millis_left(30_000), &head, b"abc");
        let mut open: Vec<RawStream> = Vec::new();
        // 200 x 4 MiB.
        for _ in 0..200 {
            open.push(client.open(StreamType::Call, &request).await);
        }
        (client, open)
    })
    .await;
}

#[tokio::test]
async fn lying_frame_lengths_and_counts_cost_what_has_arrived() {
    assert_light(|client| async move {
        let mut open: Vec<RawStream> = Vec::new();
        for _ in 0..100 {
            // The largest frames of a lane and of a call, and two bytes of each.
            open.push(client.lane(&[0x80, 0, 0x80, 0, 0x10, 0]).await);
            open.push(client.open(StreamType::Call, &[0x80, 1, 0x40, 0, 0x10, 0]).await);
        }
        client.assert_lives().await;
        let mut lane = client.lane([]).await;
        for call in 0..90 {
            // A blob of 2^60 bytes, of which one is there.
            let mut body = vec![253];
            body.extend((1_u64 << 60).to_le_bytes());
            body.push(1);
            let request = frames::request(call, millis_left(10_000), &frames::head("weigh"), &body);
            lane.write(request).await;
            assert_eq!(lane.status(call).await.code, Code::InvalidArgument);
        }
        (client, open)
    })
    .await;
}

#[tokio::test]
async fn answers_that_a_peer_does_not_read_do_not_add_up_over_its_lanes() {
    assert_light(|client| async move {
        let head = frames::head("make");
        let ask = |call| frames::request(call, millis_left(60_000), &head, &frames::number(16_000));
        let mut open = Vec::new();
        // Each lane asks for 32 MB; a connection has at most 1,024 calls in flight, and 16 MB of answers with them.
        for lane in 0..12 {
            let asks: Vec<u8> = (0..2000).flat_map(|call| ask(lane * 10_000 + call)).collect();
            open.push(client.lane(asks).await);
        }
        // Whether another lane is read from meanwhile is a race: once too much waits, none is.
        tokio::time::sleep(ms(500)).await;
        for mut lane in open {
            lane.stop(0x101);
            lane.reset(0x101);
        }
        // What nobody wants any more is let go, and a moment later nothing is shed any more for having been too much: a
        // server that still sheds some says so in each answer.
        let mut well = 0;
        while well < 20 {
            let mut lane = client.lane(ask(1 << 40)).await;
            let head = lane.answer().await.1;
            if head.outcome == AnswerOutcome::Ok && head.cut.is_none() {
                well += 1;
            } else {
                well = 0;
                tokio::time::sleep(ms(20)).await;
            }
        }
        (client, Vec::new())
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_not_read_from() {
    let target = Target::with(|server| server.concurrency(Concurrency::Unlimited)).await;
    let (_client, mut lane) = target.lane().await;
    // Each asks for 16 KB: 40 MB, were they all prepared.
    let head = frames::head("make");
    let ask = |call| frames::request(call, millis_left(60_000), &head, &frames::number(16_000));
    let asks: Vec<u8> = (0..2500).flat_map(ask).collect();
    lane.write(&asks).await;
    let mut last = (0, Instant::now());
    until("it stands still", || {
        let begun = target.tally().begun;
        if begun != last.0 {
            last = (begun, Instant::now());
        }
        begun > 0 && last.1.elapsed() > ms(500)
    })
    .await;
    // What waits keeps its place, and the transport holds a few hundred.
    assert!(last.0 < 1600, "{} of 2,500 were prepared and none was read", last.0);
    // On this connection every place may be taken; another has its own.
    target.client().await.assert_lives().await;
    // Once it reads, each is answered: served, or refused where too many were at work.
    let mut served = 1;
    for _ in 0..2500 {
        match lane.answer().await.1.outcome {
            AnswerOutcome::Ok => served += 1,
            AnswerOutcome::Status(status) => assert_eq!(status.reason, Reason::TooManyInFlight),
            AnswerOutcome::App => panic!("an error of the probe's own"),
        }
    }
    assert_eq!(target.tally().begun, served);
}
