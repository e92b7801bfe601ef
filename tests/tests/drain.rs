//! Goodbye: what runs is finished, what comes is sent elsewhere, nobody sees a failure, and it ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sinew::{CallOptions, Code, Ran, Reason, Streaming};
use sinew_core::wire::{AnswerHead, AnswerOutcome, ConnectionFrame, kinds};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::Start,
    probe::{Counting, ProbeClient},
    raw::{
        RawClient, Target,
        frames::{self, millis_left},
    },
    scene::{Running, Scene},
    wait::{LONG, ms, soon, until},
};

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
}

fn patient() -> CallOptions {
    CallOptions::new().timeout(Duration::from_secs(100))
}

#[tokio::test]
async fn calls_in_flight_are_finished() {
    let (_scene, probe, server, client) = probe().await;
    // Longer than the second that a drain waits for anything but calls.
    let calls: Vec<_> = (0..30).map(|_| tokio::spawn(client.wait(1500))).collect();
    let large = tokio::spawn(client.make(300_000));
    until("they are at work", || probe.tally().begun == 31).await;
    let took = server.drained().await;
    for call in calls {
        assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), 1500);
    }
    assert_eq!(large.await.must("a task").must("an answer").len(), 300_000);
    assert_eq!(probe.tally().dropped, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn an_idle_server_with_connected_clients_is_gone_at_once() {
    let (scene, _probe, server, client) = probe().await;
    client.echo("x".into()).await.must("an answer");
    let other: ProbeClient = scene.client(&server).await;
    other.echo("x".into()).await.must("an answer");
    // Were it to wait for a limit of its own, that would be a second at least.
    let took = server.drained().await;
    assert!(took < ms(800), "{took:?}");
}

#[tokio::test]
async fn a_stream_in_flight_is_carried_to_its_end() {
    let (_scene, probe, server, client) = probe().await;
    let (writer, numbers) = Streaming::channel();
    let mut doubled = client.double(numbers).await.must("a stream");
    writer.send(0).await.must("a reader");
    soon("an item", doubled.next()).await.must("an item").must("a number");
    let drained = tokio::spawn(server.drained());
    for number in 1..30 {
        tokio::time::sleep(ms(10)).await;
        writer.send(number).await.must("a reader");
        let item = soon("an item", doubled.next()).await.must("an item").must("a number");
        assert_eq!(item, number * 2);
    }
    assert!(!drained.is_finished(), "it waits for the stream");
    writer.finish().await.must("a reader");
    assert!(soon("the end", doubled.next()).await.is_none());
    soon("it is gone", drained).await.must("a task");
    assert_eq!(probe.tally().ended, 1);
}

#[tokio::test]
async fn what_is_called_too_late_was_not_processed() {
    let (_scene, probe, mut server, client) = probe().await;
    let last = tokio::spawn(client.with(patient()).wait(1500));
    until("it is at work", || probe.tally().running() == 1).await;
    server.begin_drain();
    let client = client.with(CallOptions::new().wait_for_ready(Duration::ZERO));
    let began = Instant::now();
    let mut answered = 1;
    let status = loop {
        assert!(began.elapsed() < LONG, "it goes on serving");
        match client.echo("x".into()).await {
            Ok(_) => answered += 1,
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_eq!(last.await.must("a task").must("an answer"), 1500);
    assert_eq!(probe.tally().begun, answered, "no handler began for a call that was refused");
    server.drained().await;
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_after_the_grace() {
    let scene = Scene::new();
    let probe = Counting::new();
    let grace = ms(1500);
    let server = scene.serve(|server| server.serve(probe.server()).drain_grace(grace)).await;
    let client: ProbeClient = scene.client(&server).await;
    let call = tokio::spawn(client.with(patient()).hold());
    until("it is at work", || probe.tally().running() == 1).await;
    let took = server.drained().await;
    assert!((grace - ms(100)..5 * grace).contains(&took), "{took:?}");
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
    until("the handler is gone", || probe.tally().dropped == 1).await;
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_finishes_and_ends_well() {
    let scene = Scene::new();
    let mut server = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    let call = tokio::spawn(client.wait(700));
    while client.tally().await.must("an answer").running() == 0 {}
    server.terminate().await;
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), 700);
    let answered = Instant::now();
    assert!(server.ended().await, "its exit status");
    assert!(answered.elapsed() < Duration::from_secs(5), "{:?}", answered.elapsed());
}

#[tokio::test]
async fn a_process_whose_call_does_not_end_ends_well_after_its_grace() {
    let scene = Scene::new();
    let start = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).grace(ms(1200));
    let mut server = start.run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    let call = tokio::spawn(client.with(patient()).hold());
    while client.tally().await.must("an answer").running() == 0 {}
    server.terminate().await;
    let told = Instant::now();
    assert!(server.ended().await, "its exit status");
    assert!((ms(1000)..ms(8000)).contains(&told.elapsed()), "{:?}", told.elapsed());
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!(status.ran(), Ran::Maybe, "{status}");
}

/// A server at the address that another has just left.
async fn serve_again(scene: &Scene, probe: &Counting, address: SocketAddr) -> Running {
    let began = Instant::now();
    loop {
        let mesh = scene.mesh().await;
        match mesh.server().serve(probe.server()).bind(address).await {
            Ok(server) => return Running::new(server),
            Err(error) => assert!(began.elapsed() < LONG, "{error}"),
        }
        tokio::time::sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn no_call_fails_and_none_runs_twice_while_servers_are_replaced_one_by_one() {
    replace_one_by_one().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_and_none_runs_twice_while_servers_are_replaced_under_many_threads() {
    replace_one_by_one().await;
}

/// Two servers, each drained and started again twice, under steady calls.
async fn replace_one_by_one() {
    let scene = Scene::new();
    let probes = [Counting::new(), Counting::new()];
    let mut servers = Vec::new();
    for probe in &probes {
        servers.push(scene.serve(|server| server.serve(probe.server())).await);
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(Running::address).collect();
    let client: ProbeClient = scene.client_at(&addresses).await;
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // Four callers, each about a hundred calls per second.
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, stop, made) = (client.clone(), Arc::clone(&stop), Arc::clone(&made));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    client.wait(5).await.must("no call fails");
                    made.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ms(2)).await;
                }
            })
        })
        .collect();
    for round in 0..4 {
        let at = round % 2;
        tokio::time::sleep(ms(200)).await;
        let old = servers.remove(at);
        old.drained().await;
        let before = probes[at].tally().begun;
        servers.insert(at, serve_again(&scene, &probes[at], addresses[at]).await);
        until("the new one is found", || probes[at].tally().begun > before).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        soon("the caller stops", caller).await.must("no call failed");
    }
    let made = made.load(Ordering::Relaxed);
    let begun: u64 = probes.iter().map(|probe| probe.tally().begun).sum();
    assert!(made > 100, "{made} calls");
    assert_eq!(begun, made, "each call ran once");
}

/// A raw client that has heard the server's first frames.
async fn listening(target: &Target) -> (RawClient, Goodbye) {
    let client = target.client().await;
    client.assert_lives().await;
    let goodbye = Goodbye::of(&client).await;
    (client, goodbye)
}

/// What a server says on its control stream when it goes.
struct Goodbye {
    recv: quinn::RecvStream,
    parser: sinew_core::wire::Parser,
}

impl Goodbye {
    async fn of(client: &RawClient) -> Self {
        let recv = soon("a control stream", client.connection.accept_uni()).await.must("a stream");
        Self { recv, parser: sinew_core::wire::Parser::with_stream_type(1 << 16) }
    }

    /// The phase of the next GOAWAY.
    async fn phase(&mut self) -> u8 {
        use sinew_core::wire::Frame;
        loop {
            match self.parser.next().must("sound framing") {
                Some(Frame::Connection(ConnectionFrame::GoAway { phase })) => return phase,
                Some(_) => {}
                None => {
                    let chunk = soon("a GOAWAY", self.recv.read_chunk(4096, true)).await;
                    self.parser.feed(chunk.must("a connection").must("a stream").bytes);
                }
            }
        }
    }
}

fn acknowledge(phase: u8) -> Vec<u8> {
    frames::connection(&ConnectionFrame::GoAwayAck { phase })
}

#[tokio::test]
async fn a_goodbye_is_asked_for_acknowledged_and_then_meant() {
    let mut target = Target::new().await;
    let (mut client, mut goodbye) = listening(&target).await;
    let hold = frames::request(1, millis_left(60_000), &frames::head("wait"), &[251, 0xe8, 3]);
    let mut lane = client.lane(hold).await;
    until("it is at work", || target.tally().running() == 1).await;
    target.server.begin_drain();
    assert_eq!(goodbye.phase().await, 1);
    // Please no more: it is still served, and says that it is leaving.
    lane.write(frames::echo(2, "late")).await;
    let (call, head, _) = lane.answer().await;
    assert_eq!((call, head.outcome, head.draining), (2, AnswerOutcome::Ok, true));
    client.say(&acknowledge(1)).await;
    assert_eq!(goodbye.phase().await, 2);
    lane.write(frames::echo(3, "too late")).await;
    let (call, AnswerHead { outcome, draining, .. }, _) = lane.answer().await;
    let AnswerOutcome::Status(status) = outcome else { panic!("a refusal") };
    assert_eq!((call, draining), (3, true));
    assert_eq!((status.code, status.reason), (Code::Unavailable, Reason::Draining));
    assert_eq!(status.disposition.ran(), Ran::No);
    client.say(&acknowledge(2)).await;
    // What was in flight is answered, and then the connection ends with nothing cut off.
    assert_eq!(lane.answer().await.0, 1);
    assert_eq!(lane.frame().await, None);
    let (code, words) = client.closed().await;
    let done = [u64::from(kinds::CLOSE_DONE), u64::from(kinds::CLOSE_SHUTDOWN)];
    assert!(done.contains(&code), "{code} {words}");
    assert_eq!(target.tally().begun, 3, "the one that shows that it lives among them");
}

#[tokio::test]
async fn a_client_that_does_not_acknowledge_is_not_waited_for_long() {
    let mut target = Target::new().await;
    let (client, mut goodbye) = listening(&target).await;
    // Something is at work for longer than the patience, so that the second step is seen.
    let wait = frames::request(1, millis_left(60_000), &frames::head("wait"), &[251, 0xd0, 7]);
    let mut lane = client.lane(wait).await;
    until("it is at work", || target.tally().running() == 1).await;
    let began = Instant::now();
    target.server.begin_drain();
    assert_eq!(goodbye.phase().await, 1);
    assert_eq!(goodbye.phase().await, 2);
    // A second of patience.
    assert!((ms(500)..ms(6000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(lane.answer().await.0, 1);
    client.closed().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_comes_while_the_server_asks_for_no_more_calls_is_refused_or_asked_too() {
    let mut target = Target::new().await;
    let (client, mut goodbye) = listening(&target).await;
    let hold = frames::request(1, millis_left(60_000), &frames::head("wait"), &[251, 0xd0, 7]);
    let _lane = client.lane(hold).await;
    until("it is at work", || target.tally().running() == 1).await;
    target.server.begin_drain();
    assert_eq!(goodbye.phase().await, 1);
    let address = target.server.address();
    if let Ok(late) = RawClient::try_connect(&target.authority, address).await {
        let _control = late.control(&frames::settings()).await;
        let mut heard = Goodbye::of(&late).await;
        assert!((1..=2).contains(&heard.phase().await));
    }
}

#[tokio::test]
async fn a_client_whose_server_goes_waits_for_one_that_comes() {
    let (scene, probe, server, client) = probe().await;
    client.echo("x".into()).await.must("an answer");
    let address = server.address();
    server.drained().await;
    let call = tokio::spawn(client.with(patient().wait_for_ready(LONG)).echo("y".into()));
    tokio::time::sleep(ms(100)).await;
    let _again = serve_again(&scene, &probe, address).await;
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "y");
}

#[tokio::test]
async fn a_call_that_cannot_wait_says_that_the_server_is_gone() {
    let (_scene, _probe, server, client) = probe().await;
    client.echo("x".into()).await.must("an answer");
    let address = server.address().to_string();
    server.drained().await;
    let client = client.with(CallOptions::new().wait_for_ready(Duration::ZERO));
    let status = soon("the call ends", client.echo("y".into())).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_says(&status, &[&address]);
}
