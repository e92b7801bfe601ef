//! The body of a request: read whole within its bounds, or item by item as its sender writes them.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::HeaderMap;
use http_body::Body;
use sinew::{
    Code, Reason, Status,
    foreign::{self, Items, http::Content},
};
use sinew_core::limits;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{arguments::has_magic, refusal::Refusal};
use crate::{
    answer::items::Decoder,
    framing::{self, Unread},
};

/// How much of bodies is held at once, of one listener or service.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    held: Arc<AtomicUsize>,
    most: usize,
}

/// What one request holds of it; dropped, there is room again.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Bodies,
    bytes: usize,
}

impl Bodies {
    pub(super) fn new(most: usize) -> Self {
        Self { held: Arc::default(), most }
    }

    /// The same bound for what comes, and what is held already counts.
    pub(super) fn after(self, before: &Self) -> Self {
        Self { held: Arc::clone(&before.held), most: self.most }
    }

    fn nothing(&self) -> Held {
        Held { bodies: self.clone(), bytes: 0 }
    }
}

impl Held {
    /// So much has come, and is counted before it is kept. What a request says of its length takes no room: it may never
    /// come.
    fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        let Bodies { held, most } = &self.bodies;
        self.bytes += bytes;
        let before = held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= *most {
            return Ok(());
        }
        Err(Refusal::of_request_status(foreign::rejected(
            Code::ResourceExhausted,
            Reason::Overloaded,
            format!(
                "the bodies of all requests at work would have more than {most} bytes (HTTP_BODIES_MAX), which \
                 `Ingress::bodies_max` sets: come again"
            ),
        )))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body to its end, by a deadline if there is one. It counts among the bodies until what comes with it is dropped.
pub(super) async fn whole<B>(
    body: B,
    deadline: Option<std::time::Instant>,
    bodies: &Bodies,
) -> Result<(Bytes, Held), Refusal>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let until = Instant::now() + limits::HTTP_BODY_TIMEOUT;
    let until = deadline.map_or(until, |deadline| until.min(Instant::from_std(deadline)));
    let mut held = bodies.nothing();
    let read = timeout_at(until, read(body, &mut held)).await.unwrap_or_else(|_| {
        Err(Refusal::too_slow(
            "the body did not arrive in time (HTTP_BODY_TIMEOUT, or the deadline)",
        ))
    });
    read.map(|body| (body, held))
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn read<B>(body: B, held: &mut Held) -> Result<Bytes, Refusal>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    framing::whole(body, |bytes| held.charge(bytes)).await.map_err(|why| match why {
        Unread::TooLarge => too_large(),
        Unread::Cut(why) => {
            Refusal::malformed(format!("the body broke off: {}", Into::<BoxError>::into(why)))
        }
        Unread::Refused(refusal) => refusal,
    })
}

fn too_large() -> Refusal {
    let most = limits::HTTP_BODY_MAX;
    Refusal::too_large(format!("the body has more than {most} bytes (HTTP_BODY_MAX)"))
}

/// The items of a body that is a stream.
pub(super) struct Input<B> {
    body: Pin<Box<B>>,
    decoder: Decoder,
    is_json: bool,
    timer: Pin<Box<Sleep>>,
    /// Somebody waits for more, since the timer was set.
    waits: bool,
    /// When the item that has begun must be whole.
    whole_by: Option<Instant>,
    /// The body has been read to its end, or is not read any more.
    over: bool,
}

impl<B> Input<B> {
    /// One item per line, in JSON.
    pub(super) fn lines(body: B) -> Self {
        Self::new(body, Content::Json)
    }

    /// Bytes as they come.
    pub(super) fn pieces(body: B) -> Self {
        Self::new(body, Content::Bytes)
    }

    fn new(body: B, content: Content) -> Self {
        // What it says of itself was looked at by whoever calls this.
        let is_json = content == Content::Json;
        let decoder = Decoder::new(&HeaderMap::new(), content);
        let timer = Box::pin(sleep_until(Instant::now() + limits::STREAM_FRAME_GAP));
        Self {
            body: Box::pin(body),
            decoder,
            is_json,
            timer,
            waits: false,
            whole_by: None,
            over: false,
        }
    }
}

/// The first item, which has to come in time.
pub(super) async fn first(
    input: &mut Items,
    deadline: Option<std::time::Instant>,
) -> Result<Bytes, Refusal> {
    let until = Instant::now() + limits::HTTP_BODY_TIMEOUT;
    let until = deadline.map_or(until, |deadline| until.min(Instant::from_std(deadline)));
    match timeout_at(until, poll_fn(|cx| input.as_mut().poll_next(cx))).await {
        Ok(Some(Ok(first))) => Ok(first),
        Ok(Some(Err(status))) => Err(Refusal::of_request_status(status)),
        Ok(None) => Ok(Bytes::from_static(b"{}")),
        Err(_) => Err(Refusal::too_slow(
            "the first line did not arrive in time (HTTP_BODY_TIMEOUT, or the deadline)",
        )),
    }
}

impl<B> Input<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(item) = self.decoder.next() {
                (self.waits, self.whole_by) = (false, None);
                if self.is_json && has_magic(&item) {
                    return Poll::Ready(Some(Err(foreign::unknown(
                        Code::InvalidArgument,
                        Reason::Malformed,
                        "an item has a key that only means something to a library",
                    ))));
                }
                return Poll::Ready(Some(Ok(item)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let frame = match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    // Who reads slowly is not waited for: the time counts from when he wants more.
                    if !std::mem::replace(&mut self.waits, true) {
                        let gap = Instant::now() + limits::STREAM_FRAME_GAP;
                        let limit = self.whole_by.map_or(gap, |whole_by| whole_by.min(gap));
                        self.timer.as_mut().reset(limit);
                    }
                    ready!(self.timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(foreign::unknown(
                        Code::DeadlineExceeded,
                        Reason::Expired,
                        format!(
                            "nothing came of the input for {} s (STREAM_FRAME_GAP), or an item was not whole after {} s \
                             (HTTP_BODY_TIMEOUT)",
                            limits::STREAM_FRAME_GAP.as_secs(),
                            limits::HTTP_BODY_TIMEOUT.as_secs()
                        ),
                    ))));
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    self.waits = false;
                    let by = Instant::now() + limits::HTTP_BODY_TIMEOUT;
                    self.whole_by.get_or_insert(by);
                    if let Ok(mut data) = frame.into_data() {
                        let data = data.copy_to_bytes(data.remaining());
                        if let Err(status) = self.decoder.take(data) {
                            return Poll::Ready(Some(Err(status)));
                        }
                    }
                }
                Some(Err(why)) => {
                    let words = format!("the input broke off: {}", Into::<BoxError>::into(why));
                    let status = foreign::unknown(Code::Cancelled, Reason::ConnectionLost, words);
                    return Poll::Ready(Some(Err(status)));
                }
                None => {
                    self.over = true;
                    if let Err(status) = self.decoder.finish() {
                        return Poll::Ready(Some(Err(status)));
                    }
                }
            }
        }
    }
}

impl<B> Stream for Input<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll_item(cx));
        if matches!(item, Some(Err(_))) {
            // What follows an error is not looked at, nor what has come of it already.
            self.over = true;
            self.decoder = Decoder::new(&HeaderMap::new(), Content::Bytes);
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn an_item_with_a_key_of_a_library_is_refused_and_ends_the_input() {
        let lines = "{\"a\":1}\n[{\"$serde_json::private::RawValue\":\"[1]\"}]\n{}\n";
        let mut input: Items = Box::pin(Input::lines(Full::new(Bytes::from(lines))));
        let mut next = async || poll_fn(|cx| input.as_mut().poll_next(cx)).await;
        assert_eq!(next().await.unwrap().unwrap(), "{\"a\":1}");
        assert_eq!(next().await.unwrap().unwrap_err().code(), Code::InvalidArgument);
        assert!(next().await.is_none());
    }

    #[test]
    fn what_is_let_go_makes_room_whoever_counts_it() {
        let first = Bodies::new(10);
        let (mut one, mut other) = (first.nothing(), first.nothing());
        one.charge(6).unwrap();
        other.charge(6).unwrap_err();
        drop(other);
        let second = Bodies::new(10).after(&first);
        let mut third = second.nothing();
        third.charge(4).unwrap();
        drop((one, third));
        second.nothing().charge(10).unwrap();
        assert_eq!(first.held.load(Ordering::Relaxed), 0);
    }
}
