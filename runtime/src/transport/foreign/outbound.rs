//! One attempt as a transport sees it.

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sinew_core::{
    codes::{Code, Reason},
    metadata::Metadata,
    wire::trace::TraceContext,
};

use super::{Pulse, not_sent};
use crate::{
    call::{failure::Failure, method::Method, streaming::EncodeItems},
    codec::{self, Argument},
    error::Status,
    transport::Outgoing,
};

/// An attempt to be made.
pub struct Outbound<'a> {
    pub(super) method: &'static Method,
    pub(super) outgoing: Outgoing<'a>,
    pub(super) input: Option<Input>,
    pub(super) idle: Duration,
    pub(super) pulse: Pulse,
}

impl Outbound<'_> {
    /// The method, and what its attributes say.
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// When the call must have ended; `None` for one without a deadline. The mesh drops the attempt then: a transport
    /// need only tell the other side.
    pub fn deadline(&self) -> Option<std::time::Instant> {
        self.outgoing.deadline.map(tokio::time::Instant::into_std)
    }

    /// How long a stream may be silent between two items.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// What goes beside the arguments.
    pub fn metadata(&self) -> &Metadata {
        &self.outgoing.head.metadata
    }

    /// The trace that the call belongs to.
    pub fn trace(&self) -> Option<TraceContext> {
        self.outgoing.head.trace
    }

    /// Which attempt of its call this is, from 0.
    pub fn attempt(&self) -> u8 {
        self.outgoing.head.attempt
    }

    /// Whether it is a copy of a call, whose answer nobody uses, or made for one.
    pub fn is_shadow(&self) -> bool {
        self.outgoing.head.shadow
    }

    /// Whether the other side must not repeat what it calls for this: somebody above does already.
    pub fn no_retry(&self) -> bool {
        self.outgoing.head.no_retry
    }

    /// Whether anybody looks at what comes beside the answer.
    pub fn wants_metadata(&self) -> bool {
        self.outgoing.wants_metadata
    }

    /// The arguments, written now.
    ///
    /// # Errors
    /// A status that says which value cannot be written; nothing was sent.
    pub fn arguments(&mut self) -> Result<Arguments, Status> {
        // Most are small, and a buffer that grows is allocated again each time.
        let mut written = Vec::with_capacity(WRITTEN);
        let encoded = self.outgoing.arguments.encode(codec::JSON, &mut written);
        encoded.map_err(|error| {
            not_sent(Code::InvalidArgument, Reason::Malformed, error.to_string())
        })?;
        Ok(Arguments { names: self.method.argument_names(), written })
    }

    /// The input stream, if the method has one. Once.
    pub fn take_input(&mut self) -> Option<Input> {
        self.input.take()
    }

    /// Where signs of life of the endpoint are told.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl fmt::Debug for Outbound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("method", &self.method.path()).finish_non_exhaustive()
    }
}

/// What the arguments of most calls fit into.
const WRITTEN: usize = 256;

/// Arguments as they are written for another protocol, by their places.
#[derive(Debug)]
pub struct Arguments {
    names: &'static [&'static str],
    written: Vec<u8>,
}

impl Arguments {
    /// None yet, of these names.
    pub fn new(names: &'static [&'static str]) -> Self {
        Self { names, written: Vec::with_capacity(WRITTEN) }
    }

    /// Adds the next one.
    pub fn push(&mut self, argument: Argument<'_>) {
        codec::put(argument, &mut self.written);
    }

    pub(super) fn into_body(self) -> Bytes {
        self.written.into()
    }

    /// Their names, in order.
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// The one at this place.
    pub fn get(&self, place: usize) -> Option<Argument<'_>> {
        codec::parts(&self.written).nth(place)
    }

    /// The bytes of the one at this place, JSON or not, without a copy.
    pub fn into_content(self, place: usize) -> Bytes {
        let range = match self.get(place) {
            Some(Argument::Json(content) | Argument::Bytes(content)) => {
                let from = content.as_ptr().addr() - self.written.as_ptr().addr();
                from..from + content.len()
            }
            None => 0..0,
        };
        Bytes::from(self.written).slice(range)
    }
}

/// The input stream of a call, written item by item.
pub struct Input(pub(super) Box<dyn EncodeItems>);

impl Input {
    /// The next item: as JSON, or untouched where items are `Bytes` and that is asked for. `None` at the explicit end; a
    /// status when its writer failed, or went away before the end: the request must not look whole then.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        untouched: bool,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let codec = if untouched { codec::RAW } else { codec::JSON };
        let mut item = Vec::new();
        self.0.poll_encode(cx, codec, &mut item).map(|encoded| {
            Some(match encoded? {
                Ok(()) => Ok(item.into()),
                Err(Failure::Status(status)) => Err(status),
                Err(Failure::App(error)) => Err(Status::new(
                    Code::Cancelled,
                    format!("the input ended with an error of its own: {error:?}"),
                )),
            })
        })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}
