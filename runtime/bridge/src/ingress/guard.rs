//! What a connection says in HTTP/1, looked at before anything acts on it: two readers must not find two different requests
//! in the same bytes.
//!
//! # Why
//! A request is smuggled where one server believes `Content-Length` and the next `Transfer-Encoding`, or takes a line for
//! ended that the other does not (RFC 9112, 6.3 and 11.2). Parsers are lenient and forget what they mended, so whoever
//! comes after them cannot know. So each head is held back until it is whole, and is passed on only if there is one way to
//! read it; in place of any other comes something that is no request at all, which is answered with 400 and the end of
//! the connection.
//!
//! # Invariants
//! 1. A head has lines that end in CRLF, at most one length, one encoding (`chunked`, in HTTP/1.1, and no length then) and one
//!    `Host`.
//! 2. After a body in chunks, and after an offer to upgrade, nothing more is read of the connection as a request:
//!    [`Closes`] says so to whoever answers.
//!
//! # Not here
//! HTTP/2, whose frames have one length: a connection that begins with its preface passes untouched.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use sinew_core::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What stands for a head that is refused: no method begins so, and there is no second way to read it.
const NO_REQUEST: &[u8] = b"\0\r\n\r\n";

/// Whether the connection ends with the answer that is made next.
#[derive(Debug, Clone, Default)]
pub(super) struct Closes(Arc<AtomicBool>);

impl Closes {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection whose requests are looked at.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    io: S,
    state: State,
    /// Read, and not looked at yet.
    unread: BytesMut,
    /// How much of it holds no end of a head, and where its last line begins.
    scanned: usize,
    line: usize,
    /// A line that is not empty has begun the head; empty ones before it.
    begun: bool,
    blank: u32,
    /// Looked at, and not handed on yet.
    ready: BytesMut,
    /// Until when there must be something to hand on. Later heads are timed by whoever parses them; before the first
    /// nobody knows yet which version of HTTP is spoken.
    first: Option<Pin<Box<Sleep>>>,
    /// Until when something of what waits must be taken.
    write_by: Option<Pin<Box<Sleep>>>,
    closes: Closes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has been handed on: it may be HTTP/2.
    First,
    /// Between two requests, or in a head.
    Head,
    /// So much of a body is to come.
    Body(u64),
    /// Nothing that follows is a request.
    Rest,
    /// Nothing that follows is read.
    Refused,
}

/// What follows a head.
#[derive(Debug, PartialEq, Eq)]
enum Follows {
    Body(u64),
    Chunks,
    /// Nothing, and the connection is not used again.
    Nothing,
}

impl<S> Guarded<S> {
    pub(super) fn new(io: S, closes: Closes) -> Self {
        let (unread, ready) = (BytesMut::new(), BytesMut::new());
        let first = Some(Box::pin(sleep(limits::HTTP_HEAD_TIMEOUT)));
        Self {
            io,
            state: State::First,
            unread,
            scanned: 0,
            line: 0,
            begun: false,
            blank: 0,
            ready,
            first,
            write_by: None,
            closes,
        }
    }

    /// Looks at what has been read; whether there is something to hand on.
    fn look(&mut self) -> bool {
        while self.ready.is_empty() && !self.unread.is_empty() {
            match self.state {
                State::First if self.unread.starts_with(PREFACE) => self.state = State::Rest,
                State::First if PREFACE.starts_with(&self.unread) => return false,
                State::First => self.state = State::Head,
                State::Head => match self.end_of_head() {
                    Some(end) => self.head(end),
                    // Whoever parses it says that it is too large.
                    None if self.unread.len() > limits::HTTP_HEAD_MAX + limits::HTTP_TARGET_MAX => {
                        self.state = State::Rest;
                    }
                    None => return false,
                },
                State::Body(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(self.unread.len());
                    self.ready = self.unread.split_to(taken);
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::Head } else { State::Body(left) };
                }
                State::Rest => self.ready = self.unread.split(),
                State::Refused => self.unread.clear(),
            }
        }
        !self.ready.is_empty()
    }

    /// Where the head that has begun ends: behind its first empty line. Empty lines before a request are passed over.
    fn end_of_head(&mut self) -> Option<usize> {
        while let Some(at) = self.unread[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let end = self.scanned + at;
            let line = &self.unread[self.line..end];
            let is_empty = line.is_empty() || line == b"\r";
            self.scanned = end + 1;
            match (is_empty, self.begun) {
                (true, true) => return Some(end + 1),
                (true, false) if self.blank >= BLANK_MAX => return Some(end + 1),
                (true, false) => self.blank += 1,
                (false, _) => self.begun = true,
            }
            self.line = end + 1;
        }
        self.scanned = self.unread.len();
        None
    }

    fn head(&mut self, end: usize) {
        let has_more = self.unread.len() > end;
        let follows = follows(&self.unread[..end], has_more);
        (self.scanned, self.line) = (0, 0);
        (self.begun, self.blank) = (false, 0);
        match follows {
            Ok(follows) => {
                self.ready = self.unread.split_to(end);
                self.state = match follows {
                    Follows::Body(0) => State::Head,
                    Follows::Body(length) => State::Body(length),
                    Follows::Chunks | Follows::Nothing => {
                        self.closes.set();
                        State::Rest
                    }
                };
            }
            Err(why) => {
                tracing::debug!(why, "a request was refused for how it is framed");
                self.closes.set();
                self.unread.clear();
                self.ready.extend_from_slice(NO_REQUEST);
                self.state = State::Refused;
            }
        }
    }
}

/// What a head says of what follows it, if there is one way to read it.
fn follows(head: &[u8], has_more: bool) -> Result<Follows, &'static str> {
    let is_broken = |(at, byte): (usize, &u8)| match byte {
        b'\n' => at == 0 || head[at - 1] != b'\r',
        b'\r' => head.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    if head.iter().enumerate().any(is_broken) {
        return Err("a line of its head does not end in CRLF");
    }
    let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        // Whoever parses it says that there are too many, and nothing follows.
        Err(httparse::Error::TooManyHeaders) => return Ok(Follows::Nothing),
        Ok(httparse::Status::Partial) | Err(_) => return Err("its head cannot be parsed"),
    }
    let is_1_1 = request.version == Some(1);
    let of = |name: &str| {
        let mut values =
            request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let first = values.next().map(|header| header.value);
        (first, values.next().is_some())
    };
    let (host, hosts) = of("host");
    if hosts || (is_1_1 && host.is_none()) {
        return Err("it has no `Host`, or several");
    }
    let (length, lengths) = of("content-length");
    let (encoding, encodings) = of("transfer-encoding");
    let (upgrade, _) = of("upgrade");
    if request.method == Some("CONNECT") {
        return Err("it asks for a tunnel");
    }
    match (length, encoding) {
        (Some(_), Some(_)) => Err("it has a `Content-Length` and a `Transfer-Encoding`"),
        _ if lengths || encodings => Err("it says twice how long its body is"),
        (None, Some(encoding)) if is_1_1 && encoding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Follows::Chunks)
        }
        (None, Some(_)) => Err("its `Transfer-Encoding` is not `chunked`, or not of HTTP/1.1"),
        (Some(length), None) => match std::str::from_utf8(length)
            .ok()
            .filter(|length| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()))
        {
            Some(length) => {
                length.parse().map(Follows::Body).map_err(|_| "its `Content-Length` is too large")
            }
            None => Err("its `Content-Length` is no number"),
        },
        (None, None) if upgrade.is_some() && has_more => {
            Err("it offers an upgrade, and goes on before that is accepted")
        }
        (None, None) if upgrade.is_some() => Ok(Follows::Nothing),
        (None, None) => Ok(Follows::Body(0)),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.look() {
                this.first = None;
                let taken = this.ready.len().min(out.remaining());
                out.put_slice(&this.ready[..taken]);
                this.ready.advance(taken);
                return Poll::Ready(Ok(()));
            }
            match this.state {
                State::Refused => return Poll::Ready(Ok(())),
                // Nothing of it is looked at: it goes where it is wanted.
                State::Rest => return Pin::new(&mut this.io).poll_read(cx, out),
                State::First | State::Head | State::Body(_) => {}
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            if Pin::new(&mut this.io).poll_read(cx, &mut chunk)?.is_pending() {
                if let Some(first) = &mut this.first {
                    ready!(first.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                return Poll::Pending;
            }
            if chunk.filled().is_empty() {
                // What has come of a head is handed on: whoever parses it knows what is missing.
                this.state = State::Rest;
                if this.unread.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            this.unread.extend_from_slice(chunk.filled());
        }
    }
}

/// Empty lines that may stand before a request (RFC 9112, 2.2 asks for one).
const BLANK_MAX: u32 = 8;
/// How much is read at once: what most requests fit into.
const CHUNK: usize = 8 * 1024;

impl<S> Guarded<S> {
    /// What came of writing, or that nothing of what waits was taken for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write_by = None;
            return polled;
        }
        let by = self.write_by.get_or_insert_with(|| Box::pin(sleep(limits::HTTP_WRITE_TIMEOUT)));
        ready!(by.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, data);
        this.written(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, data);
        this.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_flush(cx);
        this.written(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_shutdown(cx);
        this.written(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// What comes out where this goes in, in pieces of `step` bytes, and whether the connection ends.
    async fn passed(bytes: &[u8], step: usize) -> (Vec<u8>, bool) {
        let closes = Closes::default();
        let mut io = tokio_test_io(bytes, step);
        let mut guarded = Guarded::new(&mut io, closes.clone());
        let mut out = Vec::new();
        guarded.read_to_end(&mut out).await.unwrap();
        (out, closes.get())
    }

    /// Hands out its bytes in pieces.
    struct Pieces {
        left: Vec<u8>,
        step: usize,
    }

    fn tokio_test_io(bytes: &[u8], step: usize) -> Pieces {
        Pieces { left: bytes.to_vec(), step }
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let taken = self.step.min(self.left.len()).min(out.remaining());
            let piece: Vec<u8> = self.left.drain(..taken).collect();
            out.put_slice(&piece);
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn sound_requests_pass_untouched_however_they_are_cut() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /";
        for (text, closes) in [
            (get.to_owned(), false),
            (format!("\r\n{get}"), false),
            (format!("{post}{get}{post}"), false),
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), false),
            (
                format!(
                    "{get}POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                ),
                true,
            ),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\n".to_owned(), false),
            ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n".to_owned(), true),
            // Not whole: whoever parses it sees that.
            ("GET / HTTP/1.1\r\nHo".to_owned(), false),
        ] {
            for step in [1, 7, 100_000] {
                let (out, closed) = passed(text.as_bytes(), step).await;
                assert_eq!((String::from_utf8(out).unwrap(), closed), (text.clone(), closes));
            }
        }
    }

    #[tokio::test]
    async fn what_can_be_read_in_two_ways_is_no_request() {
        let get = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
        for head in [
            "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "Host: a\r\nContent-Length: +5\r\n\r\nhello",
            "Host: a\r\nContent-Length: 5, 5\r\n\r\nhello",
            "Host: a\r\nContent-Length: -1\r\n\r\n",
            "Host: a\r\nContent-Length: 0x5\r\n\r\nhello",
            "Host: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
            "Host: a\r\nContent-Length:\r\n\r\nhello",
            "Host: a\nContent-Length: 5\r\n\r\nhello",
            "Host: a\n\n",
            "Host: a\r\nX: 1\n\r\n",
            "Host: a\r\nX: 1\rY: 2\r\n\r\n",
            "Host: a\r\nX: 1\r\n folded\r\n\r\n",
            "Host: a\r\nX\0: 1\r\n\r\n",
            "Host: a\r\nX: \0\r\n\r\n",
            "Host: a\r\nHost: b\r\n\r\n",
            "X: 1\r\n\r\n",
            "Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        ] {
            for step in [1, 100_000] {
                // Bytes behind an offer to upgrade are seen only where they come with it.
                if head.contains("Upgrade") && step == 1 {
                    continue;
                }
                let text = format!("POST / HTTP/1.1\r\n{head}{get}");
                let (out, closes) = passed(text.as_bytes(), step).await;
                assert_eq!((&*out, closes), (NO_REQUEST, true), "{text:?}");
            }
        }
        for text in [
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(passed(text.as_bytes(), 3).await, (NO_REQUEST.to_vec(), true), "{text:?}");
        }
    }

    #[tokio::test]
    async fn empty_lines_without_end_are_no_request() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let few = format!("{}{get}", "\r\n".repeat(8));
        assert_eq!(passed(few.as_bytes(), 5).await, (few.into_bytes(), false));
        let many = format!("{}{get}", "\r\n".repeat(12_000));
        assert_eq!(passed(many.as_bytes(), 8_192).await, (NO_REQUEST.to_vec(), true));
    }

    #[tokio::test]
    async fn a_head_without_end_is_not_kept() {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(1 << 20));
        let (out, _) = passed(text.as_bytes(), 4_096).await;
        assert_eq!(out.len(), text.len());
    }
}
