//! Every attack that runs, short, against a server in a process of its own: its bound, what it made the server hold,
//! and that others are served after it.

use std::{io::Write as _, time::Duration};

use sinew_tests::{
    Must as _,
    authority::Authority,
    child::Start,
    hostile::{Ground, attacks, network},
    probe::PROBE,
    raw::{RawClient, id},
    scene::{ANYWHERE, Scene},
    wait::soon,
};

/// An attack in this process. One that needs many addresses is in a network that has them.
async fn attack(name: &str) {
    let scene = Scene::new();
    let authority = Authority::new("test authority");
    let issued = authority.issue(&id(PROBE));
    let address = if network::is_inside() { network::SERVER } else { ANYWHERE };
    let start = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).at(address.parse().must("one"));
    let server = start.identity(&scene.runtime_dir(), &issued, authority.pem()).run().await;
    let attack = attacks().find(|attack| attack.id == name).must("an attack");
    let length = Duration::from_millis(700);
    let ground = Ground { authority, server: server.address(), length };
    RawClient::connect(&ground.authority, ground.server).await.assert_lives().await;
    let before = server.peak_kib();
    let verdict = soon(name, (attack.run)(&ground)).await;
    assert!(verdict.is_ok(), "{name}, {}: {verdict:?}", attack.bound);
    RawClient::connect(&ground.authority, ground.server).await.assert_lives().await;
    if let (Some(before), Some(after)) = (before, server.peak_kib()) {
        let mib = (after - before) / 1024;
        assert!(mib < attack.mib * 3 / 2, "{name} made the server hold {mib} MiB more");
    }
}

/// The test of this name once more, where there are many addresses; `false` where it is that one.
fn ran_elsewhere(test: &str) -> bool {
    if network::is_inside() {
        return false;
    }
    let program = std::env::current_exe().must("this program");
    match network::run(&program, &["--exact", test, "--nocapture"]) {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let why = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("1 passed"), "{said}\n{why}");
        }
        // Not captured: who runs the tests has to know.
        Err(why) => writeln!(std::io::stdout(), "cannot run here: {why}").must("printed"),
    }
    true
}

#[tokio::test]
async fn handshakes_that_nobody_ends() {
    if !ran_elsewhere("handshakes_that_nobody_ends") {
        attack("A5").await;
    }
}

macro_rules! attacks {
    ($($test:ident: $id:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            attack($id).await;
        })*

        #[test]
        fn every_attack_is_here() {
            let here = ["A5", $($id),*];
            for attack in attacks() {
                assert!(here.contains(&attack.id), "{} has no test", attack.id);
            }
        }
    };
}

attacks! {
    calls_taken_back_as_fast_as_they_are_made: "A1";
    a_server_that_is_made_to_reset: "A2";
    frames_that_move_nothing: "A3";
    connections_that_do_nothing: "A6";
    requests_that_trickle: "A7";
    answers_that_nobody_reads: "A8";
    streams_of_gaps: "A4";
    ids_that_retire_each_other: "A11";
    acknowledgements_of_what_was_not_sent: "A12";
    windows_that_are_filled: "A9";
    a_path_that_keeps_changing: "A10";
    garbage: "A13";
    a_first_packet_and_silence: "A14";
    packets_of_connections_that_are_not: "A15";
    lengths_that_lie: "B1";
    nesting_without_end: "B2";
    counts_that_lie: "B3";
    metadata_without_measure: "B5";
    ids_that_collide: "B7";
    bad_calls_among_good_ones: "B8";
    odd_values: "B9";
}
