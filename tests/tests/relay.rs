//! Calls over a bad network: QUIC and what is above it, through a relay between sockets of this host.

use std::{ops::Range, process::Stdio, time::Duration};

use sinew::{CallOptions, Streaming};
use sinew_core::limits;
use sinew_tests::{
    Must as _, assert_says,
    probe::{Counting, ProbeClient, pattern},
    relay::{Burst, Conditions, Counts, Direction, Relay},
    scene::{Running, Scene},
    wait::{LONG, ms, soon, until},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

const SEED: u64 = 20;

/// A server, and one client that reaches it through a relay.
struct Bad {
    relay: Relay,
    client: ProbeClient,
    probe: Counting,
    _server: Running,
    scene: Scene,
}

impl Bad {
    async fn new(conditions: Conditions) -> Self {
        let (scene, probe) = (Scene::new(), Counting::new());
        let server = scene.serve(|server| server.serve(probe.server())).await;
        let relay = Relay::start(server.address(), conditions, SEED).await.must("a relay");
        let client: ProbeClient = scene.client_at(&[relay.address()]).await;
        let client = client.with(CallOptions::new().timeout(LONG).wait_for_ready(LONG));
        Self { relay, client, probe, _server: server, scene }
    }

    /// Calls that run at the same time, and what comes back of each.
    async fn echoes(&self, range: Range<usize>) {
        let calls = range.map(|at| {
            let text = format!("{at} ").repeat(1 + at % 50 * 20);
            (text.clone(), tokio::spawn(self.client.echo(text)))
        });
        for (text, call) in calls.collect::<Vec<_>>() {
            let answer = soon("an answer", call).await.must("a task").must("an answer");
            assert_eq!(answer, text);
        }
    }

    /// The counts, once nothing is on its way.
    async fn at_rest(&self) -> [Counts; 2] {
        until("the relay is at rest", || self.relay.counts().in_flight() == 0).await;
        let counts = self.relay.counts();
        [counts.to_server, counts.to_client]
    }
}

#[tokio::test]
async fn calls_succeed_over_a_long_line_that_loses_packets() {
    let bad = Bad::new(Conditions::perfect().delay(ms(20)).loss(0.05)).await;
    for round in 0..10 {
        bad.echoes(round * 20..round * 20 + 20).await;
    }
    assert_eq!(bad.probe.tally().ended, 200, "each call ran once");
    let counts = bad.relay.counts();
    assert!(counts.to_server.lost + counts.to_client.lost > 0, "{counts}");
}

#[tokio::test]
async fn each_value_comes_back_right_through_duplicates_reordering_and_damage() {
    let conditions =
        Conditions::perfect().delay(ms(2)).jitter(ms(2)).reorder(0.1).duplicate(0.1).corrupt(0.05);
    let bad = Bad::new(conditions).await;
    for round in 0..10 {
        bad.echoes(round * 20..round * 20 + 20).await;
    }
    let large = pattern(300_000);
    let back = soon("an answer", bad.client.mirror(large.clone())).await.must("an answer");
    assert!(back == large, "another value came back");
    let mut doubled = bad.client.double(Streaming::iter(0..500)).await.must("a stream");
    for number in 0..500 {
        let item = soon("a number", doubled.next()).await.must("a number").must("a number");
        assert_eq!(item, 2 * number);
    }
    assert_eq!(bad.probe.tally().begun, 202, "each call ran once");
    for counts in [bad.relay.counts().to_server, bad.relay.counts().to_client] {
        assert!(counts.duplicated > 0 && counts.reordered > 0 && counts.corrupted > 0, "{counts}");
    }
}

#[tokio::test]
async fn calls_succeed_through_bursts_of_loss_on_a_slow_line() {
    let burst = Burst { enter: 0.02, leave: 0.3, loss: 0.7 };
    let conditions = Conditions::perfect().delay(ms(5)).burst(burst).rate(1_000_000);
    let bad = Bad::new(conditions.queue(500_000)).await;
    for round in 0..5 {
        bad.echoes(round * 20..round * 20 + 20).await;
    }
    assert_eq!(bad.probe.tally().ended, 100, "each call ran once");
}

#[tokio::test]
async fn a_client_whose_port_is_rewritten_is_served_again() {
    let bad = Bad::new(Conditions::perfect().delay(ms(2))).await;
    bad.echoes(0..20).await;
    let before = bad.relay.upstreams();
    let held = tokio::spawn(bad.client.wait_again(100));
    tokio::time::sleep(ms(20)).await;
    bad.relay.rebind().must("a new port");
    assert_ne!(bad.relay.upstreams(), before);
    // The server lets no connection move: it is over for both, and nothing but silence tells the client, which makes
    // another long before the idle time of the first.
    let began = std::time::Instant::now();
    held.await.must("a task").must("an answer");
    bad.client.echo_again("again".into()).await.must("an answer");
    assert!(began.elapsed() < limits::IDLE_MAX * 3 / 4, "{:?}", began.elapsed());
    bad.echoes(20..40).await;
}

#[tokio::test]
async fn half_a_second_of_silence_fails_no_call_that_has_time() {
    let bad = Bad::new(Conditions::perfect().delay(ms(2))).await;
    bad.echoes(0..1).await;
    let patient = bad.client.with(CallOptions::new().timeout(Duration::from_secs(5)));
    let mut calls = Vec::new();
    for at in 0..150_u64 {
        match at {
            30 => bad.relay.blackhole(Direction::Both, true),
            80 => bad.relay.blackhole(Direction::Both, false),
            _ => {}
        }
        calls.push((at, tokio::spawn(patient.wait(at % 7))));
        tokio::time::sleep(ms(10)).await;
    }
    for (at, call) in calls {
        let answer = soon("an answer", call).await.must("a task");
        assert_eq!(answer.must("a call with time"), at % 7);
    }
    assert_eq!(bad.probe.tally().ended, 151, "each call ran once");
    let [to_server, _] = bad.at_rest().await;
    assert!(to_server.blackholed > 0, "{to_server}");
}

#[tokio::test]
async fn every_packet_has_one_fate_and_what_passes_is_what_was_delivered() {
    let conditions = Conditions::perfect().delay(ms(1)).loss(0.05).duplicate(0.1);
    let bad = Bad::new(conditions).await;
    bad.echoes(0..100).await;
    for counts in bad.at_rest().await {
        let Counts { received, duplicated, delivered, lost, .. } = counts;
        assert!(received > 0, "{counts}");
        assert_eq!(received + duplicated, delivered + lost, "{counts}");
    }
}

#[tokio::test]
async fn two_clients_of_one_relay_are_two_to_the_server() {
    let bad = Bad::new(Conditions::perfect()).await;
    bad.echoes(0..5).await;
    let other: ProbeClient = bad.scene.client_at(&[bad.relay.address()]).await;
    assert_eq!(soon("an answer", other.echo("x".into())).await.must("an answer"), "x");
    assert_eq!(bad.relay.upstreams().len(), 2);
}

#[tokio::test]
async fn the_program_names_a_wrong_option_and_passes_calls_on() {
    let program = || Command::new(env!("CARGO_BIN_EXE_relay"));
    let output = soon("it ends", program().args(["--to", "127.0.0.1:1", "--los", "2%"]).output());
    let output = output.await.must("a program");
    assert_eq!(output.status.code(), Some(2));
    assert_says(String::from_utf8_lossy(&output.stderr), &["--los", "usage"]);

    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let mut relay = program();
    relay.args(["--to", &server.address().to_string(), "--to-client-delay", "5ms"]);
    relay.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut relay = relay.spawn().must("a program");
    let mut lines = BufReader::new(relay.stdout.take().must("its output")).lines();
    let line = soon("an address", lines.next_line()).await.must("its output").must("a line");
    let client: ProbeClient = scene.client_at(&[line.parse().must("an address")]).await;
    assert_eq!(soon("an answer", client.echo("x".into())).await.must("an answer"), "x");
}
