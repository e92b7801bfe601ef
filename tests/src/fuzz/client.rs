//! A server that does anything to a client: every call ends, by its deadline at the latest.

use std::time::Duration;

use bytes::Bytes;
use sinew::{CallOptions, ServiceClient as _, Streaming, fuzzing};
use tokio::task::JoinSet;

use super::{
    peer::Peer,
    script::Script,
    service::{SUBJECT, SubjectClient},
};
use crate::Must as _;

/// What every call may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// When the last of them must have ended.
const LONG: Duration = Duration::from_secs(60);

pub(super) fn run(input: &[u8]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.must("a runtime").block_on(attack(input));
}

async fn attack(input: &[u8]) {
    let (channel, ends) = fuzzing::client(SUBJECT);
    let options = CallOptions::new().timeout(TIMEOUT).stream_idle(TIMEOUT);
    let client = SubjectClient::from_channel(channel).with(options);
    let mut calls = begin(&client);
    tokio::time::sleep(Duration::from_millis(1)).await;

    for end in ends.take() {
        Peer::new(end, Script(input)).play().await;
    }
    // Who called again meanwhile meets a server that closes at once.
    let ended = tokio::time::timeout(LONG, async { while calls.join_next().await.is_some() {} });
    assert!(ended.await.is_ok(), "{} calls did not end", calls.len());
}

/// One call of each shape; the results are the attacker's to choose.
fn begin(client: &SubjectClient) -> JoinSet<()> {
    let mut calls = JoinSet::new();
    let client = client.clone();
    let echo = client.echo("one".into());
    calls.spawn(async move { drop(echo.await) });
    let mirror = client.mirror(Bytes::from_static(b"two"));
    calls.spawn(async move { drop(mirror.await) });
    let object = client.object("three".into());
    calls.spawn(async move { drop(object.await) });
    let sum = client.sum(Streaming::iter(0..300));
    calls.spawn(async move { drop(sum.await) });
    let count = client.count(9);
    calls.spawn(async move {
        if let Ok(mut numbers) = count.await {
            while numbers.next().await.is_some() {}
        }
    });
    let double = client.double(Streaming::iter(0..300));
    calls.spawn(async move {
        if let Ok(mut numbers) = double.await {
            while numbers.next().await.is_some() {}
        }
    });
    calls
}
