//! A sequence of values, in either direction of a call.
//!
//! # Why
//! A stream that just stops looks the same whether its writer was done or was killed. Here the end is explicit: a
//! reader sees `None` only after the writer said so, and a [`Status`] when the stream was cut.
//!
//! # Invariants
//! 1. Back-pressure is end to end: a writer that is ahead of its reader waits.
//! 2. Dropping a stream stops its writer, on the other side too.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    limits,
};
use tokio::sync::mpsc;

use super::{
    failure::{Failure, MethodError},
    types::Meeting,
};
use crate::{codec, error::Status};

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Failure>> + Send>>;

/// The encoded items that the transport delivers.
pub(crate) type RawItems = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A stream of `T`, as an argument or as the value of a method.
///
/// It implements [`Stream`] and has [`next`](Self::next). What is read is `Result<T, CallError<E>>` with the `E` of the
/// method, or `Result<T, Status>` where the method has none (and for a stream that a handler receives).
///
/// It is made from any stream ([`new`](Self::new), [`from_results`](Self::from_results)) or from a bounded channel
/// ([`channel`](Self::channel)). The stream that a handler returns is polled in the handler's context, under its
/// deadline.
#[must_use = "a stream does nothing until it is read, and stops its writer when dropped"]
pub struct Streaming<T, E = Status> {
    items: Items<T>,
    error: PhantomData<fn() -> E>,
}

impl<T: Send + 'static, E> Streaming<T, E> {
    /// All items of `stream`; its end is the end.
    pub fn new(stream: impl Stream<Item = T> + Send + 'static) -> Self {
        Self::from_items(Box::pin(MapItems { stream: Box::pin(stream), map: Ok }))
    }

    /// The items of `stream` up to the first error, with which the stream ends.
    ///
    /// The error is the method's own type, [`Status`] or [`CallError`](crate::CallError).
    pub fn from_results<F: MethodError>(
        stream: impl Stream<Item = Result<T, F>> + Send + 'static,
    ) -> Self {
        Self::from_items(Box::pin(MapItems {
            stream: Box::pin(stream),
            map: |item: Result<T, F>| item.map_err(MethodError::into_failure),
        }))
    }

    /// The items of an iterator that does not block.
    pub fn iter<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + Unpin + 'static,
    {
        Self::from_items(Box::pin(IterItems(items.into_iter())))
    }

    /// A writer and the stream that it feeds; at most 16 items wait in between.
    pub fn channel() -> (StreamWriter<T>, Self) {
        let (sender, receiver) = mpsc::channel(limits::STREAM_CHANNEL_ITEMS);
        (
            StreamWriter { sender },
            Self::from_items(Box::pin(ChannelItems { receiver, ended: false })),
        )
    }

    fn from_items(items: Items<T>) -> Self {
        Self { items, error: PhantomData }
    }
}

impl<T, E: MethodError> Streaming<T, E> {
    /// The next item; `None` after the last one.
    ///
    /// # Errors
    /// The method's own error, or a status when the stream was cut, fell silent for too long or ran out of time. It is
    /// the last item.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T, E::Caller>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All items to the end.
    ///
    /// # Errors
    /// The first error; the items before it are lost.
    ///
    /// # Cancel safety
    /// Items read so far are lost when the future is dropped, and the writer is stopped.
    pub async fn collect(mut self) -> Result<Vec<T>, E::Caller> {
        let mut all = Vec::new();
        while let Some(item) = self.next().await {
            all.push(item?);
        }
        Ok(all)
    }
}

impl<T: DeserializeOwned + Send + 'static, E> Streaming<T, E> {
    /// What arrives from the other side.
    pub(crate) fn remote(codec: u8, items: RawItems, meeting: Meeting) -> Self {
        Self::from_items(Box::pin(DecodedItems { codec, items, meeting, of: PhantomData }))
    }
}

impl<T, E: MethodError> Stream for Streaming<T, E> {
    type Item = Result<T, E::Caller>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.get_mut().items.as_mut().poll_next(cx));
        Poll::Ready(item.map(|item| item.map_err(E::caller)))
    }
}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streaming<{}>", std::any::type_name::<T>())
    }
}

/// Feeds a [`Streaming`]. Dropping it before [`finish`](Self::finish) cuts the stream: its reader gets an error.
pub struct StreamWriter<T> {
    sender: mpsc::Sender<Message<T>>,
}

enum Message<T> {
    Item(T),
    Failed(Failure),
    End,
}

/// Nobody reads the stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads this stream any more")]
pub struct ReaderGone;

impl<T> StreamWriter<T> {
    /// Adds an item; waits while 16 are in between.
    ///
    /// # Errors
    /// [`ReaderGone`] when the reader dropped the stream, or its call ended.
    ///
    /// # Cancel safety
    /// When the future is dropped the item was not added.
    pub async fn send(&self, item: T) -> Result<(), ReaderGone> {
        self.sender.send(Message::Item(item)).await.map_err(|_| ReaderGone)
    }

    /// Ends the stream with an error: the method's own type, or a [`Status`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// When the future is dropped the stream is cut.
    pub async fn fail(self, error: impl MethodError) -> Result<(), ReaderGone> {
        self.sender.send(Message::Failed(error.into_failure())).await.map_err(|_| ReaderGone)
    }

    /// Says that this was all.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// When the future is dropped the stream is cut.
    pub async fn finish(self) -> Result<(), ReaderGone> {
        self.sender.send(Message::End).await.map_err(|_| ReaderGone)
    }
}

impl<T> fmt::Debug for StreamWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamWriter<{}>", std::any::type_name::<T>())
    }
}

struct MapItems<S, F> {
    stream: Pin<Box<S>>,
    map: F,
}

impl<S, T, F> Stream for MapItems<S, F>
where
    S: Stream,
    F: Fn(S::Item) -> Result<T, Failure> + Unpin,
{
    type Item = Result<T, Failure>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.stream.as_mut().poll_next(cx).map(|item| item.map(&this.map))
    }
}

struct IterItems<I>(I);

impl<I: Iterator + Unpin> Stream for IterItems<I> {
    type Item = Result<I::Item, Failure>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().0.next().map(Ok))
    }
}

struct ChannelItems<T> {
    receiver: mpsc::Receiver<Message<T>>,
    ended: bool,
}

impl<T> Stream for ChannelItems<T> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let message = ready!(self.receiver.poll_recv(cx));
        self.ended = !matches!(message, Some(Message::Item(_)));
        Poll::Ready(match message {
            Some(Message::Item(item)) => Some(Ok(item)),
            Some(Message::Failed(failure)) => Some(Err(failure)),
            Some(Message::End) => None,
            None => Some(Err(Failure::Status(cut(
                "the writer of the stream went away before it said that it was done",
            )))),
        })
    }
}

struct DecodedItems<T> {
    codec: u8,
    items: RawItems,
    meeting: Meeting,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + 'static> Stream for DecodedItems<T> {
    type Item = Result<T, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.items.as_mut().poll_next(cx));
        let (codec, meeting) = (self.codec, &self.meeting);
        Poll::Ready(item.map(|item| match item {
            Ok(item) => {
                codec::decode(codec, &item).map_err(|error| {
                    Failure::Status(meeting.undecodable::<T>("item", codec, &error))
                })
            }
            Err(Failure::App(error)) => Err(Failure::App(error.met(meeting.clone()))),
            Err(status) => Err(status),
        }))
    }
}

/// A stream that ended without saying so: how much was processed is not known.
pub(crate) fn cut(why: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    Status::runtime(
        Code::Unavailable,
        Reason::ConnectionLost,
        Disposition::Unknown,
        Origin::Transport,
        why,
    )
}

/// The writer's side as the transport drives it: items encoded one by one, the type forgotten.
pub(crate) trait EncodeItems: Send {
    /// Appends the next item to `out`; `None` at the explicit end.
    fn poll_encode(
        &mut self,
        cx: &mut Context<'_>,
        codec: u8,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), Failure>>>;
}

impl<T: Serialize + 'static, E> EncodeItems for Streaming<T, E> {
    fn poll_encode(
        &mut self,
        cx: &mut Context<'_>,
        codec: u8,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), Failure>>> {
        let item = ready!(self.items.as_mut().poll_next(cx));
        Poll::Ready(item.map(|item| {
            codec::encode(codec, &item?, out)
                .map_err(|error| Failure::Status(Status::new(Code::Internal, error.to_string())))
        }))
    }
}
