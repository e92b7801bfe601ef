//! A connection that is cut while a request or its answer is on its way, at every byte of it: what must not run twice
//! is not sent twice, and its caller hears that it may have run.
//!
//! An answer is cut by a server by hand. A request is cut by somebody between our client and our server, so that what
//! runs is counted where it runs.

use quinn::{RecvStream, SendStream};
use sinew::{CallOptions, Code, Ran};
use sinew_core::{
    limits,
    wire::{Frame, Parser},
};
use sinew_tests::{
    Must as _, MustFail as _,
    raw::{Caller, RawClient, RawPeer, RawStream, Target, frames},
    wait::{ms, soon, until},
};
use tokio::task::JoinSet;

/// As long as the answers are: with head and frame some 200 bytes.
fn text(at: usize) -> String {
    format!("{at:0>180}")
}

/// The next request that the client makes, whatever connection it comes on: its text is what counts.
async fn cut_after(caller: &Caller, bytes: usize) -> String {
    let (peer, mut lane, call) = next(caller).await;
    let answer = frames::answer(call.call, &frames::ok(), &call.rest);
    lane.write(&answer[..bytes.min(answer.len() - 1)]).await;
    // What is written must be on its way before the connection is not there any more.
    tokio::time::sleep(ms(2)).await;
    peer.connection.close(0_u32.into(), b"cut");
    said(&call.rest)
}

async fn next(caller: &Caller) -> (RawPeer, RawStream, sinew_core::wire::CallFrame) {
    let peer = caller.server.accept().await;
    let mut lane = peer.lane().await;
    let (call, _) = lane.request().await;
    (peer, lane, call)
}

/// The text in the body of an echo: one byte of length before it.
fn said(body: &[u8]) -> String {
    String::from_utf8(body[1..].to_vec()).must("a text")
}

#[tokio::test]
async fn what_must_not_run_twice_is_sent_once_wherever_the_answer_is_cut() {
    let caller = Caller::new().await;
    for at in 0..200 {
        let call = caller.echo(&text(at));
        // Were the one before sent again, it would be here.
        assert_eq!(cut_after(&caller, at).await, text(at));
        let status = soon("the call ends", call).await.must("a task").must_err();
        assert_eq!(
            (status.code(), status.ran()),
            (Code::Unavailable, Ran::Maybe),
            "{at}: {status}"
        );
    }
}

#[tokio::test]
async fn what_may_run_twice_succeeds_wherever_the_answer_is_cut() {
    let caller = Caller::new().await;
    // As many as the budget of a client without traffic pays for.
    for at in (0..200).step_by(25) {
        let call = tokio::spawn(caller.client.echo_again(text(at)));
        assert_eq!(cut_after(&caller, at).await, text(at));
        let (peer, mut lane, again) = next(&caller).await;
        assert_eq!(said(&again.rest), text(at));
        lane.echo(&again).await;
        assert_eq!(soon("the call ends", call).await.must("a task").must("an answer"), text(at));
        peer.connection.close(0_u32.into(), b"next");
        // Until the client has noticed: the next call is to begin with a connection of its own.
        tokio::time::sleep(ms(50)).await;
    }
}

#[tokio::test]
async fn a_request_that_was_not_read_is_sent_at_most_once_more_and_never_twice_read() {
    let caller = Caller::new().await;
    for at in 0..20 {
        let mut call = caller.echo(&text(at));
        let peer = caller.server.accept().await;
        // Nothing of it is read.
        peer.connection.close(0_u32.into(), b"cut");
        let ended = tokio::select! {
            ended = &mut call => ended,
            // It surely was not sent, and is now.
            said = cut_after(&caller, 0) => {
                assert_eq!(said, text(at));
                soon("the call ends", call).await
            }
        };
        let status = ended.must("a task").must_err();
        assert_eq!(status.code(), Code::Unavailable, "{at}: {status}");
    }
}

/// Our client, our server, and somebody between the two.
struct Between {
    front: Caller,
    back: Target,
}

/// A request that came from our client, not one byte of which has gone on.
struct Came {
    peer: RawPeer,
    bytes: Vec<u8>,
    answers: SendStream,
    /// Dropped, it would tell the client that nobody reads it.
    _requests: RecvStream,
}

impl Between {
    async fn new() -> Self {
        Self { front: Caller::new().await, back: Target::new().await }
    }

    /// The next request, on a connection of its own.
    async fn request(&self) -> Came {
        let peer = self.front.server.accept().await;
        let lane = soon("a lane", peer.connection.accept_bi()).await;
        let (answers, mut requests) = lane.must("a stream");
        let mut parser = Parser::with_stream_type(limits::STREAM_FRAME_MAX);
        let mut bytes = Vec::new();
        loop {
            match parser.next().must("sound framing") {
                Some(Frame::Call(_)) => break,
                Some(_) => {}
                None => {
                    // One by one, so that they end with the request.
                    let chunk = soon("more of it", requests.read_chunk(1, true)).await;
                    let chunk = chunk.must("a stream").must("more of it").bytes;
                    bytes.extend_from_slice(&chunk);
                    parser.feed(chunk);
                }
            }
        }
        Came { peer, bytes, answers, _requests: requests }
    }

    /// Lets all of it but the last `missing` bytes through, and waits until they are there.
    async fn let_through(&self, came: &Came, missing: usize) -> (RawClient, RawStream) {
        let client = self.back.client().await;
        let length = came.bytes.len() - missing;
        let lane = client.open_raw(&came.bytes[..length]).await;
        // A whole call that was sent after them is answered.
        client.assert_lives().await;
        (client, lane)
    }

    fn begun(&self) -> u64 {
        self.back.tally().begun
    }
}

fn has(came: &Came, text: &str) -> bool {
    came.bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_must_not_run_twice_runs_once_at_most_wherever_the_request_is_cut() {
    let between = Between::new().await;
    let mut expected = 0;
    for missing in 0..=200 {
        let call = between.front.echo(&text(missing));
        let came = between.request().await;
        // Were the one before sent again, it would be here.
        assert!(has(&came, &text(missing)), "{missing}");
        let (client, _lane) = between.let_through(&came, missing).await;
        // The call that shows that the bytes are there, and the request where it was whole.
        expected += 1 + u64::from(missing == 0);
        until("they run", || between.begun() >= expected).await;
        assert_eq!(between.begun(), expected, "{missing} bytes were missing");
        client.connection.close(0_u32.into(), b"cut");
        came.peer.connection.close(0_u32.into(), b"cut");
        let status = soon("the call ends", call).await.must("a task").must_err();
        let found = (status.code(), status.ran());
        assert_eq!(found, (Code::Unavailable, Ran::Maybe), "{missing}: {status}");
    }
    assert_eq!(between.begun(), expected);
}

#[tokio::test]
async fn what_may_run_twice_succeeds_wherever_the_request_is_cut() {
    let between = Between::new().await;
    let mut expected = 0;
    // As many as the budget of a client without traffic pays for.
    for missing in (0..=200).step_by(25) {
        let call = tokio::spawn(between.front.client.echo_again(text(missing)));
        let came = between.request().await;
        let (client, _lane) = between.let_through(&came, missing).await;
        expected += 1 + u64::from(missing == 0);
        until("they run", || between.begun() >= expected).await;
        client.connection.close(0_u32.into(), b"cut");
        came.peer.connection.close(0_u32.into(), b"cut");
        let mut again = between.request().await;
        assert!(has(&again, &text(missing)), "{missing}");
        let (_client, mut lane) = between.let_through(&again, 0).await;
        let (id, head, body) = lane.answer().await;
        assert!(!call.is_finished(), "no answer was seen");
        again.answers.write_all(&frames::answer(id, &head, &body)).await.must("written");
        assert_eq!(
            soon("the call ends", call).await.must("a task").must("an answer"),
            text(missing)
        );
        expected += 2;
        assert_eq!(between.begun(), expected, "{missing} bytes were missing");
        again.peer.connection.close(0_u32.into(), b"next");
        // Until the client has noticed: the next call is to begin with a connection of its own.
        tokio::time::sleep(ms(50)).await;
    }
}

#[tokio::test]
async fn a_request_whose_rest_never_comes_does_not_run() {
    let mut cases = JoinSet::new();
    for missing in [1, 50, 100, 150, 200] {
        cases.spawn(async move {
            let between = Between::new().await;
            let hurried = between.front.client.with(CallOptions::new().timeout(ms(2000)));
            let call = tokio::spawn(hurried.echo(text(missing)));
            let came = between.request().await;
            let (_client, _lane) = between.let_through(&came, missing).await;
            let status = soon("the call ends", call).await.must("a task").must_err();
            let found = (status.code(), status.ran());
            assert_eq!(found, (Code::DeadlineExceeded, Ran::Maybe), "{missing}: {status}");
            // The call that shows that the bytes are there, alone.
            assert_eq!(between.begun(), 1, "{missing} bytes were missing");
        });
    }
    cases.join_all().await;
}
