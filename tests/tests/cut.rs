//! A connection that is cut while an answer is on its way, at every byte of it: what must not run twice is not sent
//! twice, and its caller hears that it may have run.

use sinew::{Code, Ran};
use sinew_tests::{
    Must as _, MustFail as _,
    raw::{Caller, RawPeer, frames},
    wait::{ms, soon},
};

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

async fn next(
    caller: &Caller,
) -> (RawPeer, sinew_tests::raw::RawStream, sinew_core::wire::CallFrame) {
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
