//! An answer that is a stream: its items as they are read, in time.
//!
//! # Invariants
//! 1. A body that breaks off is an error, never an end. Where HTTP says the end by closing the connection (an answer of
//!    HTTP/1.0 without a length) nobody can tell, and it is one.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{header, response};
use hyper::body::{Body as _, Incoming};
use sinew::{Code, Reason, Status, foreign};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Expected,
    content::{cut, malformed},
    items::Decoder,
};
use crate::connection::{Lease, idle_for};

/// The items of an answer.
pub(super) struct Items {
    body: Incoming,
    decoder: Decoder,
    /// How the connection may be used when the last item was read.
    lease: Option<(Lease, Option<Duration>)>,
    expected: Expected,
    timer: Pin<Box<Sleep>>,
    over: bool,
}

impl Items {
    pub(super) fn new(
        (head, body): (&response::Parts, Incoming),
        lease: Lease,
        expected: Expected,
    ) -> Result<Self, Status> {
        if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(malformed("the stream came in a coding, which was not asked for"));
        }
        let idle = idle_for(&head.headers).filter(|_| !expected.has_input);
        let timer = Box::pin(sleep_until(next_limit(&expected)));
        Ok(Self {
            body,
            decoder: Decoder::new(&head.headers, expected.binding.content),
            lease: Some((lease, idle)),
            expected,
            timer,
            over: false,
        })
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(item) = self.decoder.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if self.lease.is_none() {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(self.out_of_time())));
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    self.expected.pulse.heard();
                    self.timer.as_mut().reset(next_limit(&self.expected));
                    if let Ok(data) = frame.into_data() {
                        self.decoder.take(data)?;
                    }
                }
                Some(Err(why)) => return Poll::Ready(Some(Err(cut(&why)))),
                None => {
                    self.decoder.finish()?;
                    if let Some((lease, idle)) = self.lease.take() {
                        lease.done(idle);
                    }
                }
            }
        }
    }

    fn out_of_time(&self) -> Status {
        let deadline = self.expected.deadline.filter(|deadline| *deadline <= Instant::now());
        match deadline {
            Some(_) => foreign::unknown(
                Code::DeadlineExceeded,
                Reason::Expired,
                "the deadline passed while the stream was read",
            ),
            None => foreign::unknown(
                Code::Unavailable,
                Reason::ConnectionLost,
                format!(
                    "nothing came of the stream for {} ms (CallOptions::stream_idle)",
                    self.expected.idle.as_millis()
                ),
            ),
        }
    }
}

impl Stream for Items {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_item(cx));
        if !matches!(item, Some(Ok(_))) {
            self.over = true;
            // What has not been read to its end is closed.
            self.lease = None;
        }
        Poll::Ready(item)
    }
}

fn next_limit(expected: &Expected) -> Instant {
    let idle = Instant::now() + expected.idle;
    expected.deadline.map_or(idle, |deadline| deadline.min(idle))
}
