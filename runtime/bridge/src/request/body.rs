//! The body of a request: nothing, bytes whose length is known, or the items of a stream.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sinew::{Status, foreign::Input};

/// A body on its way out.
pub(crate) struct Outgoing(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Stream { input: Option<Input>, untouched: bool },
}

impl Outgoing {
    pub(super) fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes)))
    }

    /// The same again; `None` for a stream, which cannot be read twice.
    pub(crate) fn again(&self) -> Option<Self> {
        match &self.0 {
            Kind::Whole(bytes) => Some(Self(Kind::Whole(bytes.clone()))),
            Kind::Stream { .. } => None,
        }
    }

    /// The items of a stream: one line of JSON each, or as they are.
    pub(super) fn stream(input: Option<Input>, untouched: bool) -> Self {
        Self(Kind::Stream { input, untouched })
    }

    /// Its length, where that is known.
    pub(super) fn len(&self) -> Option<usize> {
        match &self.0 {
            Kind::Whole(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Kind::Stream { .. } => None,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outgoing").field(&self.len()).finish()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Kind::Stream { input, untouched } => {
                let Some(open) = input else { return Poll::Ready(None) };
                let item = ready!(open.poll_next(cx, *untouched));
                // A writer that failed leaves the request without its end: it must not look whole.
                if !matches!(item, Some(Ok(_))) {
                    *input = None;
                }
                Poll::Ready(item.map(|item| {
                    item.map(|item| {
                        if *untouched {
                            return Frame::data(item);
                        }
                        let mut line = Vec::from(item);
                        line.push(b'\n');
                        Frame::data(line.into())
                    })
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Stream { input, .. } => input.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map_or_else(SizeHint::default, |len| SizeHint::with_exact(len as u64))
    }
}
