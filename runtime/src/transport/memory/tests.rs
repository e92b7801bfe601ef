//! What both ends see. Most of it runs outside any runtime: a poll either is ready or never will be
//! by itself.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use sinew_core::limits::{CLOSE_REASON_MAX, STREAM_WINDOW};
use tokio::task::JoinHandle;

use super::pair;
use crate::transport::link::{Link, LinkError, LinkRecv, LinkSend};

type Halves = (Box<dyn LinkSend>, Box<dyn LinkRecv>);

fn links() -> (Arc<dyn Link>, Arc<dyn Link>) {
    let id = |name: &str| format!("spiffe://test.example/{name}").parse().unwrap();
    pair(id("client"), id("server"))
}

/// What one poll says.
fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match once(future) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("would wait"),
    }
}

/// A stream that both sides know: the opener's halves, then the acceptor's.
fn stream(opener: &dyn Link, acceptor: &dyn Link) -> (Halves, Halves) {
    let mut near = now(opener.open_bi()).unwrap();
    assert_eq!(write(&mut near.0, b"hello"), Poll::Ready(Ok(5)));
    let mut far = now(acceptor.accept_bi()).unwrap();
    assert_eq!(read(&mut far.1), data(b"hello"));
    (near, far)
}

/// How many bytes one write took.
fn write(send: &mut Box<dyn LinkSend>, data: &[u8]) -> Poll<Result<usize, LinkError>> {
    let mut left = Bytes::copy_from_slice(data);
    let written = once(poll_fn(|cx| send.poll_write(cx, &mut left)));
    written.map_ok(|()| data.len() - left.len())
}

fn read(recv: &mut Box<dyn LinkRecv>) -> Poll<Result<Option<Bytes>, LinkError>> {
    once(poll_fn(|cx| recv.poll_chunk(cx)))
}

fn stopped(send: &mut Box<dyn LinkSend>) -> Poll<Result<Option<u64>, LinkError>> {
    once(poll_fn(|cx| send.poll_stopped(cx)))
}

fn data(bytes: &[u8]) -> Poll<Result<Option<Bytes>, LinkError>> {
    Poll::Ready(Ok(Some(Bytes::copy_from_slice(bytes))))
}

fn failed<T>(why: LinkError) -> Poll<Result<T, LinkError>> {
    Poll::Ready(Err(why))
}

fn peer_closed(code: u64, reason: &str) -> LinkError {
    LinkError::PeerClosed { code, reason: reason.into() }
}

#[test]
fn each_side_knows_the_other() {
    let (client, server) = links();
    assert_eq!(client.peer().identity.as_str(), "spiffe://test.example/server");
    assert_eq!(server.peer().identity.as_str(), "spiffe://test.example/client");
    assert!(client.peer().address.is_none() && client.min_rtt().is_none());
}

#[test]
fn bytes_come_in_order_both_ways_and_uncopied() {
    let (client, server) = links();
    let (mut near, mut far) = stream(&*client, &*server);
    let sent = Bytes::from(vec![7; 100]);
    let mut left = sent.clone();
    now(poll_fn(|cx| near.0.poll_write(cx, &mut left))).unwrap();
    assert_eq!(write(&mut near.0, b"more"), Poll::Ready(Ok(4)));
    near.0.finish();
    let first = now(poll_fn(|cx| far.1.poll_chunk(cx))).unwrap().unwrap();
    assert_eq!(first.as_ptr(), sent.as_ptr());
    assert_eq!(read(&mut far.1), data(b"more"));
    assert_eq!(read(&mut far.1), Poll::Ready(Ok(None)));

    assert_eq!(write(&mut far.0, b"back"), Poll::Ready(Ok(4)));
    assert_eq!(read(&mut near.1), data(b"back"));
    assert_eq!(read(&mut near.1), Poll::Pending);

    let mut push = now(server.open_uni()).unwrap();
    push.finish();
    assert_eq!(read(&mut now(client.accept_uni()).unwrap()), Poll::Ready(Ok(None)));
}

#[tokio::test]
async fn writer_waits_at_the_bound_until_the_reader_takes_something() {
    let (client, server) = links();
    let ((mut send, _back), mut far) = stream(&*client, &*server);
    assert_eq!(write(&mut send, &vec![1; STREAM_WINDOW - 10]), Poll::Ready(Ok(STREAM_WINDOW - 10)));
    assert_eq!(write(&mut send, &[2; 30]), Poll::Ready(Ok(10)));
    assert_eq!(write(&mut send, &[3]), Poll::Pending);
    let writer = tokio::spawn(async move {
        let mut left = Bytes::from_static(b"after");
        let written = poll_fn(|cx| send.poll_write(cx, &mut left)).await;
        send.finish();
        written
    });
    tokio::task::yield_now().await;
    assert!(!writer.is_finished());
    assert!(read(&mut far.1).is_ready());
    assert_eq!(writer.await.unwrap(), Ok(()));
    assert_eq!(read(&mut far.1), data(&[2; 10]));
    assert_eq!(read(&mut far.1), data(b"after"));
}

#[test]
fn reset_drops_what_is_buffered_and_tells_the_code_again_and_again() {
    let (client, server) = links();
    let (mut near, mut far) = stream(&*client, &*server);
    assert_eq!(write(&mut near.0, b"lost"), Poll::Ready(Ok(4)));
    near.0.finish();
    near.0.reset(42);
    near.0.reset(43);
    for _ in 0..2 {
        assert_eq!(read(&mut far.1), failed(LinkError::StreamReset(42)));
    }
    assert!(matches!(write(&mut near.0, b"x"), Poll::Ready(Err(LinkError::Transport(_)))));
    assert_eq!(write(&mut far.0, b"the other direction"), Poll::Ready(Ok(19)));
}

#[test]
fn stop_tells_the_writer_its_code() {
    let (client, server) = links();
    let (mut near, mut far) = stream(&*client, &*server);
    assert_eq!(write(&mut near.0, &vec![1; STREAM_WINDOW]), Poll::Ready(Ok(STREAM_WINDOW)));
    assert_eq!(write(&mut near.0, b"x"), Poll::Pending);
    assert_eq!(stopped(&mut near.0), Poll::Pending);
    far.1.stop(9);
    far.1.stop(10);
    assert_eq!(write(&mut near.0, b"x"), failed(LinkError::StreamReset(9)));
    assert_eq!(stopped(&mut near.0), Poll::Ready(Ok(Some(9))));
    near.0.finish();
    assert_eq!(stopped(&mut near.0), Poll::Ready(Ok(Some(9))));
    assert!(matches!(read(&mut far.1), Poll::Ready(Err(LinkError::Transport(_)))));
}

#[test]
fn nothing_is_stopped_once_all_was_taken_after_a_finish() {
    let (client, server) = links();
    let (mut near, mut far) = stream(&*client, &*server);
    assert_eq!(stopped(&mut near.0), Poll::Pending);
    assert_eq!(write(&mut near.0, b"last"), Poll::Ready(Ok(4)));
    near.0.finish();
    assert_eq!(stopped(&mut near.0), Poll::Pending);
    assert_eq!(read(&mut far.1), data(b"last"));
    assert_eq!(stopped(&mut near.0), Poll::Ready(Ok(None)));
    drop(far);
    near.0.reset(5);
    assert_eq!(stopped(&mut near.0), Poll::Ready(Ok(None)));
}

#[test]
fn dropped_half_resets_or_stops_with_code_0_unless_it_ended() {
    let (client, server) = links();
    let ((send, recv), mut far) = stream(&*client, &*server);
    drop(send);
    drop(recv);
    assert_eq!(read(&mut far.1), failed(LinkError::StreamReset(0)));
    assert_eq!(stopped(&mut far.0), Poll::Ready(Ok(Some(0))));

    let ((mut send, _recv), mut far) = stream(&*client, &*server);
    assert_eq!(write(&mut send, b"kept"), Poll::Ready(Ok(4)));
    send.finish();
    drop(send);
    assert_eq!(read(&mut far.1), data(b"kept"));
    assert_eq!(read(&mut far.1), Poll::Ready(Ok(None)));
}

#[test]
fn stream_shows_with_its_first_byte_or_end_and_in_the_order_of_opening() {
    let (client, server) = links();
    let mut first = now(client.open_bi()).unwrap();
    let mut second = now(client.open_bi()).unwrap();
    let mut third = now(client.open_bi()).unwrap();
    assert!(once(server.accept_bi()).is_pending());
    assert_eq!(write(&mut second.0, b"2"), Poll::Ready(Ok(1)));
    let mut accepted = now(server.accept_bi()).unwrap();
    assert_eq!(read(&mut accepted.1), Poll::Pending);
    assert_eq!(write(&mut first.0, b"1"), Poll::Ready(Ok(1)));
    assert_eq!(read(&mut accepted.1), data(b"1"));
    assert_eq!(read(&mut now(server.accept_bi()).unwrap().1), data(b"2"));
    assert!(once(server.accept_bi()).is_pending());
    third.1.stop(3);
    assert_eq!(stopped(&mut now(server.accept_bi()).unwrap().0), Poll::Ready(Ok(Some(3))));
}

#[tokio::test]
async fn opening_waits_for_credit_which_comes_back_when_both_directions_are_over() {
    let (client, server) = links();
    let mut open: Vec<_> = (0..16).map(|_| stream(&*client, &*server)).collect();
    assert!(once(client.open_bi()).is_pending());
    // The other side has credit of its own, and so has the other kind.
    drop(stream(&*server, &*client));
    let waiting = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.open_bi().await.map(drop) }
    });
    tokio::task::yield_now().await;

    let (mut near, mut far) = open.pop().unwrap();
    near.0.finish();
    assert_eq!(read(&mut far.1), Poll::Ready(Ok(None)));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "one direction is not over");
    far.0.reset(1);
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[test]
fn unread_streams_keep_their_credit_until_the_peer_looks_at_them() {
    let (client, server) = links();
    for _ in 0..3 {
        let mut send = now(client.open_uni()).unwrap();
        assert_eq!(write(&mut send, b"x"), Poll::Ready(Ok(1)));
        send.finish();
    }
    assert!(once(client.open_uni()).is_pending());
    drop(now(server.accept_uni()).unwrap());
    drop(now(client.open_uni()).unwrap());
    assert!(once(client.open_uni()).is_pending());
}

#[tokio::test]
async fn raised_limit_counts_at_once_and_a_lowered_one_as_streams_end() {
    let (client, server) = links();
    let mut open: Vec<_> = (0..16).map(|_| stream(&*client, &*server)).collect();
    let waiting = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.open_bi().await }
    });
    tokio::task::yield_now().await;
    server.set_max_peer_bi(17);
    let raised = waiting.await.unwrap().unwrap();
    assert!(once(client.open_bi()).is_pending());

    server.set_max_peer_bi(2);
    open.truncate(3);
    assert!(once(client.open_bi()).is_pending(), "4 are open, 2 are allowed");
    open.truncate(1);
    assert!(once(client.open_bi()).is_pending(), "2 are open, 2 are allowed");
    open.clear();
    assert!(once(client.open_bi()).is_ready());
    drop(raised);
}

/// One task for each thing that can wait at one end, and the error that it ends with.
fn waiters(link: &Arc<dyn Link>, one: Halves, two: Halves) -> Vec<JoinHandle<Option<LinkError>>> {
    let ((mut full, unread), (mut watched, mut idle)) = (one, two);
    while write(&mut full, &[0; 4096]).is_ready() {}
    let links: [_; 5] = std::array::from_fn(|_| Arc::clone(link));
    let [a, b, c, d, e] = links;
    vec![
        tokio::spawn(async move { Some(a.closed().await) }),
        tokio::spawn(async move { b.accept_bi().await.err() }),
        tokio::spawn(async move { c.accept_uni().await.err() }),
        tokio::spawn(async move { d.open_bi().await.err() }),
        tokio::spawn(async move { e.open_uni().await.err() }),
        tokio::spawn(async move { poll_fn(|cx| idle.poll_chunk(cx)).await.err() }),
        tokio::spawn(async move {
            let (mut left, _unread) = (Bytes::from_static(b"x"), unread);
            poll_fn(|cx| full.poll_write(cx, &mut left)).await.err()
        }),
        tokio::spawn(async move { poll_fn(|cx| watched.poll_stopped(cx)).await.err() }),
    ]
}

#[tokio::test]
async fn close_ends_everything_that_waits_on_either_side() {
    let (client, server) = links();
    let mut ours: Vec<_> = (0..16).map(|_| stream(&*client, &*server)).collect();
    let _theirs: Vec<_> = (0..16).map(|_| stream(&*server, &*client)).collect();
    let [_a, _b, _c] = std::array::from_fn(|_| now(client.open_uni()).unwrap());
    let [_d, _e, _f] = std::array::from_fn(|_| now(server.open_uni()).unwrap());
    let ((near, far), (near2, far2)) = (ours.pop().unwrap(), ours.pop().unwrap());
    let at_client = waiters(&client, near, near2);
    let at_server = waiters(&server, far, far2);
    tokio::task::yield_now().await;
    assert!(at_client.iter().chain(&at_server).all(|task| !task.is_finished()));

    client.close(7, "enough\n");
    server.close(8, "too late");
    for task in at_client {
        assert_eq!(task.await.unwrap(), Some(LinkError::LocallyClosed));
    }
    for task in at_server {
        assert_eq!(task.await.unwrap(), Some(peer_closed(7, "enough\u{fffd}")));
    }
    assert_eq!(now(server.open_bi()).err(), Some(peer_closed(7, "enough\u{fffd}")));
}

#[test]
fn bytes_unread_at_the_close_are_lost_and_never_look_like_an_end() {
    let (client, server) = links();
    let (mut unread, mut far_unread) = stream(&*client, &*server);
    assert_eq!(write(&mut unread.0, b"unread"), Poll::Ready(Ok(6)));
    unread.0.finish();
    let (mut open, mut far_open) = stream(&*client, &*server);
    let (mut read_up, mut far_read_up) = stream(&*client, &*server);
    read_up.0.finish();
    client.close(0, &"x".repeat(1000));
    open.0.finish();
    drop(open);

    let why = peer_closed(0, &"x".repeat(CLOSE_REASON_MAX));
    assert_eq!(read(&mut far_unread.1), failed(why.clone()));
    assert_eq!(read(&mut far_open.1), failed(why));
    assert_eq!(read(&mut far_read_up.1), Poll::Ready(Ok(None)));
    drop(far_unread);
    assert_eq!(stopped(&mut unread.0), failed(LinkError::LocallyClosed));
    assert_eq!(stopped(&mut read_up.0), Poll::Ready(Ok(None)));
}

#[test]
fn side_closes_with_the_last_handle_whatever_halves_live() {
    let (client, server) = links();
    let ((mut send, _recv), _far) = stream(&*client, &*server);
    let other = Arc::clone(&client);
    drop(client);
    assert!(once(server.closed()).is_pending());
    drop(other);
    assert_eq!(write(&mut send, b"too late"), Poll::Ready(Err(LinkError::LocallyClosed)));
    assert_eq!(now(server.closed()), peer_closed(0, ""));
}

#[test]
fn cancelled_open_or_accept_takes_nothing() {
    let (client, server) = links();
    assert!(once(server.accept_bi()).is_pending());
    let kept: Vec<_> = (0..16).map(|_| stream(&*client, &*server)).collect();
    for _ in 0..3 {
        assert!(once(client.open_bi()).is_pending());
    }
    drop(kept);
    let again: Vec<_> = (0..16).map(|_| stream(&*client, &*server)).collect();
    assert_eq!(again.len(), 16);
}

/// A waker, and later its destructor, that use the connection they wait for.
struct Meddler(Arc<dyn Link>, Arc<AtomicUsize>);

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.0.set_max_peer_bi(20);
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.0.set_max_peer_bi(21);
        self.1.fetch_add(100, Ordering::Relaxed);
    }
}

#[test]
fn wakers_may_use_the_connection_while_they_are_woken_or_dropped() {
    let (client, server) = links();
    let count = Arc::new(AtomicUsize::new(0));
    let meddler = || Waker::from(Arc::new(Meddler(Arc::clone(&client), Arc::clone(&count))));
    let (mut near, mut far) = stream(&*client, &*server);
    assert!(far.1.poll_chunk(&mut Context::from_waker(&meddler())).is_pending());
    assert!(far.1.poll_chunk(&mut Context::from_waker(&meddler())).is_pending());
    assert_eq!(count.load(Ordering::Relaxed), 100, "the second took the first one's place");
    assert_eq!(write(&mut near.0, b"x"), Poll::Ready(Ok(1)));
    assert_eq!(count.load(Ordering::Relaxed), 201);
    assert!(near.1.poll_chunk(&mut Context::from_waker(&meddler())).is_pending());
    drop(near);
    assert_eq!(count.load(Ordering::Relaxed), 301);
    assert!(far.0.poll_stopped(&mut Context::from_waker(&meddler())).is_ready());
    client.close(1, "");
}
