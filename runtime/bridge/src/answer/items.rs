//! The items in a body that is a stream: server-sent events (WHATWG HTML, 9.2), lines of JSON or of text, or pieces as
//! they come.
//!
//! # Invariants
//! 1. One item is never larger in memory than [`limits::HTTP_BODY_MAX`].
//! 2. Items do not depend on how the body was cut on its way, but where they are pieces of it.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, header};
use sinew::{
    Code, Reason, Status,
    foreign::{self, http::Content},
};
use sinew_core::limits;

use super::{content::malformed, is_json, text};

/// Makes items of what is read of a body.
#[derive(Debug)]
pub(crate) struct Decoder {
    shape: Shape,
    /// Read and not yet an item.
    rest: BytesMut,
    /// How much of it holds no end of a line.
    scanned: usize,
    ready: VecDeque<Bytes>,
}

/// How items stand in a body.
#[derive(Debug)]
enum Shape {
    /// `text/event-stream`: the data of the event that is being read.
    Events { data: Option<String>, is_text: bool, begun: bool },
    /// One per line; text is made JSON.
    Lines { is_text: bool },
    /// Pieces as they come.
    Chunks,
}

impl Decoder {
    /// Of a body with these headers, whose items are to be this.
    pub(crate) fn new(headers: &HeaderMap, content: Content) -> Self {
        let shape = shape(headers, content);
        Self { shape, rest: BytesMut::new(), scanned: 0, ready: VecDeque::new() }
    }

    /// The next item that is whole.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// What came makes items.
    pub(crate) fn take(&mut self, data: Bytes) -> Result<(), Status> {
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
            Shape::Events { data, is_text, begun } => {
                let is_first = !std::mem::replace(begun, true);
                if line.is_empty() {
                    if let Some(data) = data.take() {
                        let item = if *is_text { text(&data)? } else { data.into() };
                        self.ready.push_back(item);
                    }
                    return Ok(());
                }
                let line = utf8(line)?;
                // A body may begin with a mark of its byte order.
                let line = line.strip_prefix('\u{feff}').filter(|_| is_first).unwrap_or(line);
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                if field == "data" {
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
    pub(crate) fn finish(&mut self) -> Result<(), Status> {
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
}

fn shape(headers: &HeaderMap, content: Content) -> Shape {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_text = content == Content::Text;
    match (kind, content) {
        (Some(kind), _) if kind.to_ascii_lowercase().starts_with("text/event-stream") => {
            Shape::Events { data: None, is_text, begun: false }
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
