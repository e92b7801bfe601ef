//! Messages above what shares a lane: both ways, up to the limit, and refused beyond it.

use bytes::Bytes;
use sinew::{Code, Disposition, Ran, Reason, Status};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::{Counting, ProbeClient, pattern},
    scene::{Running, Scene},
    wait::soon,
};

/// What a message may take, and what bincode adds to the largest blob.
const LIMIT: usize = 4 << 20;
const OVERHEAD: usize = 5;

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
}

#[tokio::test]
async fn arguments_and_answers_of_every_size_up_to_the_limit_arrive_whole() {
    let (_scene, _probe, _server, client) = probe().await;
    let sizes =
        [0, 1, 16_370, 16_384, 16_390, 20 << 10, 65_530, 65_540, 200 << 10, LIMIT - OVERHEAD];
    for size in sizes {
        let weight = soon("an answer", client.weigh(pattern(size))).await.must("an answer");
        assert_eq!(weight, size as u64);
        let made = soon("an answer", client.make(size as u64)).await.must("an answer");
        assert!(made == pattern(size), "{size} bytes became {}", made.len());
    }
}

/// Adds up.
#[sinew::service]
trait Adder {
    async fn sum(&self, numbers: Vec<u64>) -> u64;
    async fn count(&self, words: Vec<(u8, String)>) -> u64;
}

struct Adding;

impl Adder for Adding {
    async fn sum(&self, numbers: Vec<u64>) -> u64 {
        numbers.iter().sum()
    }

    async fn count(&self, words: Vec<(u8, String)>) -> u64 {
        words.iter().map(|(times, word)| u64::from(*times) * word.len() as u64).sum()
    }
}

#[tokio::test]
async fn many_small_values_arrive_whole() {
    // On the wire they take a small part of what they take in memory: well below the limit.
    let adder = AdderClient::local(Adding);
    for count in [1000, 100_000, 600_000] {
        let sum = adder.sum(vec![2; count]).await.must("an answer");
        assert_eq!(sum, 2 * count as u64);
    }
    let words = vec![(2, "word".to_owned()); 50_000];
    assert_eq!(adder.count(words).await.must("an answer"), 400_000);
}

#[tokio::test]
async fn raw_bytes_pass_untouched_up_to_the_limit() {
    let (_scene, _probe, _server, client) = probe().await;
    for size in [0, 1, 16_384, 16_385, 65_536, 65_537, LIMIT] {
        let mirrored = soon("an answer", client.mirror(pattern(size))).await.must("an answer");
        assert!(mirrored == pattern(size), "{size} bytes became {}", mirrored.len());
    }
}

#[tokio::test]
async fn an_argument_above_the_limit_is_not_sent_and_names_the_limit() {
    let (_scene, probe, _server, client) = probe().await;
    let refused: [Status; 2] = [
        client.weigh(pattern(LIMIT)).await.must_err(),
        client.mirror(Bytes::from(vec![0; LIMIT + 1])).await.must_err(),
    ];
    for status in refused {
        assert_eq!((status.code(), status.reason()), (Code::ResourceExhausted, Reason::TooLarge));
        assert_eq!(status.disposition(), Disposition::NotSent);
        assert_says(&status, &["4194304", "stream"]);
    }
    assert_eq!(probe.tally().begun, 0);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused_and_names_the_limit() {
    let (_scene, probe, _server, client) = probe().await;
    let status = soon("the call ends", client.make(LIMIT as u64)).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::ResourceExhausted, Ran::Yes), "{status}");
    assert_says(&status, &["4194304", "stream"]);
    assert_eq!(probe.tally().begun, 1);
    client.echo("goes on".into()).await.must("an answer");
}

#[tokio::test]
async fn large_messages_hold_up_no_small_ones() {
    let (_scene, _probe, _server, client) = probe().await;
    let mut large = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        large.spawn(async move {
            for _ in 0..2 {
                client.mirror(pattern(1 << 20)).await.must("an answer");
            }
        });
    }
    // As many as fit in beside them.
    let mut small = 0;
    while !large.is_empty() {
        tokio::select! {
            done = large.join_next() => done.must("one").must("a task"),
            answer = client.echo("small".into()) => {
                answer.must("an answer");
                small += 1;
            }
        }
    }
    assert!(small > 5, "only {small} small calls were answered beside 16 MiB each way");
}
