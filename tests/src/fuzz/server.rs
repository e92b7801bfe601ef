//! A client that does anything to a server: every other client is served, and once it is gone nothing of it is left.

use std::time::Duration;

use sinew::fuzzing::Server;

use super::{
    peer::Peer,
    script::Script,
    service::{Counted, SubjectServer},
};
use crate::{Must as _, raw::frames};

/// Longer than anything that a server waits for.
const LONG: Duration = Duration::from_secs(120);

pub(super) fn run(input: &[u8]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.must("a runtime").block_on(attack(input));
}

async fn attack(input: &[u8]) {
    let counted = Counted::default();
    let server = Server::new(SubjectServer::new(counted.clone()).into()).must("a server");
    let attacker = server.connect().must("a connection");
    let victim = server.connect().must("a connection");
    let mut lane = victim.open(true).must("a lane");
    lane.write(&[1]);

    Peer::new(attacker, Script(input)).play().await;

    lane.write(&frames::request(
        0,
        frames::millis_left(10_000),
        &sinew_core::wire::RequestHead::new(
            sinew_core::ids::MethodId::of(super::service::SUBJECT, "echo"),
            frames::BINCODE,
        ),
        &frames::body_of("a victim's"),
    ));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut answer = Vec::new();
    while let Some(chunk) = lane.read() {
        answer.extend_from_slice(&chunk);
    }
    assert!(answer.windows(10).any(|window| window == b"a victim's"), "no answer: {answer:02x?}");
    drop(lane);
    drop(victim);

    tokio::time::sleep(LONG).await;
    assert_eq!(server.connections(), 0, "connections are left");
    assert_eq!(server.in_flight(), 0, "calls are left");
    assert_eq!(counted.tally().running(), 0, "handlers are left");
}
