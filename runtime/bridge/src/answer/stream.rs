//! An answer that is a stream: server-sent events, lines of JSON, or pieces as they come.
//!
//! # Invariants
//! 1. A body that breaks off is an error, never an end. Where HTTP says the end by closing the connection (an answer of
//!    HTTP/1.0 without a length) nobody can tell, and it is one.
//! 2. One item is never larger in memory than [`limits::HTTP_BODY_MAX`].

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, header, response};
use hyper::body::{Body as _, Incoming};
use sinew::{
    Code, Reason, Status,
    foreign::{self, http::Content},
};
use sinew_core::limits;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Expected,
    content::{cut, malformed},
    is_json, text,
};
use crate::connection::{Lease, idle_for};

/// The items of an answer.
pub(super) struct Items {
    body: Incoming,
    shape: Shape,
    /// Read and not yet an item.
    rest: BytesMut,
    /// How much of it holds no end of a line.
    scanned: usize,
    ready: VecDeque<Bytes>,
    /// How the connection may be used when the last item was read.
    lease: Option<(Lease, Option<Duration>)>,
    expected: Expected,
    timer: Pin<Box<Sleep>>,
    over: bool,
}

/// How items stand in a body.
#[derive(Debug)]
enum Shape {
    /// `text/event-stream`: the data of the event that is being read.
    Events { data: Option<String>, is_text: bool },
    /// One per line; text is made JSON.
    Lines { is_text: bool },
    /// Pieces as they come.
    Chunks,
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
            shape: shape(&head.headers, expected.binding.content),
            rest: BytesMut::new(),
            scanned: 0,
            ready: VecDeque::new(),
            lease: Some((lease, idle)),
            expected,
            timer,
            over: false,
        })
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
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
                        self.take(data)?;
                    }
                }
                Some(Err(why)) => return Poll::Ready(Some(Err(cut(&why)))),
                None => {
                    self.finish()?;
                    if let Some((lease, idle)) = self.lease.take() {
                        lease.done(idle);
                    }
                }
            }
        }
    }

    /// What came makes items.
    fn take(&mut self, data: Bytes) -> Result<(), Status> {
        if matches!(self.shape, Shape::Chunks) {
            if !data.is_empty() {
                self.ready.push_back(data);
            }
            return Ok(());
        }
        self.rest.extend_from_slice(&data);
        while let Some(line) = self.line() {
            self.take_line(&line)?;
        }
        let held = match &self.shape {
            Shape::Events { data: Some(data), .. } => data.len(),
            Shape::Events { .. } | Shape::Lines { .. } | Shape::Chunks => 0,
        };
        if self.rest.len() + held > limits::HTTP_BODY_MAX {
            let most = limits::HTTP_BODY_MAX;
            let words = format!("an item of the stream has more than {most} bytes (HTTP_BODY_MAX)");
            return Err(foreign::unknown(Code::ResourceExhausted, Reason::TooLarge, words));
        }
        Ok(())
    }

    /// The next whole line, without its end: `\n`, `\r\n`, or in events `\r` alone.
    fn line(&mut self) -> Option<Bytes> {
        let is_events = matches!(self.shape, Shape::Events { .. });
        let ends = |byte: &u8| *byte == b'\n' || (is_events && *byte == b'\r');
        let Some(end) = self.rest[self.scanned..].iter().position(ends) else {
            self.scanned = self.rest.len();
            return None;
        };
        let end = self.scanned + end;
        let is_return = self.rest[end] == b'\r';
        // Whether `\n` follows is not known yet.
        if is_return && end + 1 == self.rest.len() {
            self.scanned = end;
            return None;
        }
        self.scanned = 0;
        let mut line = self.rest.split_to(end).freeze();
        let ending = if is_return && self.rest.get(1) == Some(&b'\n') { 2 } else { 1 };
        self.rest.advance(ending);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Some(line)
    }

    fn take_line(&mut self, line: &Bytes) -> Result<(), Status> {
        match &mut self.shape {
            Shape::Chunks => {}
            Shape::Lines { is_text: true } => self.ready.push_back(text(utf8(line)?)?),
            Shape::Lines { is_text: false } => {
                if !line.trim_ascii().is_empty() {
                    self.ready.push_back(line.clone());
                }
            }
            Shape::Events { data, is_text } => {
                if line.is_empty() {
                    if let Some(data) = data.take() {
                        let item = if *is_text { text(&data)? } else { data.into() };
                        self.ready.push_back(item);
                    }
                    return Ok(());
                }
                let line = utf8(line)?;
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                if field.trim_start_matches('\u{feff}') == "data" {
                    let value = value.strip_prefix(' ').unwrap_or(value);
                    match data {
                        Some(data) => {
                            data.push('\n');
                            data.push_str(value);
                        }
                        None => *data = Some(value.to_owned()),
                    }
                }
            }
        }
        Ok(())
    }

    /// The body is at its end: a last line needs no end of its own; an event does, by its specification.
    fn finish(&mut self) -> Result<(), Status> {
        let rest = self.rest.split().freeze();
        match self.shape {
            Shape::Lines { .. } if !rest.is_empty() => self.take_line(&rest),
            Shape::Events { .. } => {
                // A `\r` that nothing followed ended its line.
                if let Some(line) = rest.strip_suffix(b"\r") {
                    self.take_line(&rest.slice_ref(line))?;
                }
                Ok(())
            }
            Shape::Lines { .. } | Shape::Chunks => Ok(()),
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

fn shape(headers: &HeaderMap, content: Content) -> Shape {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_text = content == Content::Text;
    match (kind, content) {
        (Some(kind), _) if kind.to_ascii_lowercase().starts_with("text/event-stream") => {
            Shape::Events { data: None, is_text }
        }
        (_, Content::Bytes) => Shape::Chunks,
        _ => Shape::Lines { is_text: is_text && !is_json(headers) && !is_lines_of_json(kind) },
    }
}

fn is_lines_of_json(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| {
        kind.contains("ndjson") || kind.contains("jsonl") || kind.contains("json-seq")
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, Status> {
    std::str::from_utf8(bytes)
        .map_err(|why| malformed(format!("the text of the stream is not UTF-8: {why}")))
}
