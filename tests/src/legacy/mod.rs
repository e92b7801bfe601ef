//! A server of HTTP/1.1 written by hand: it notes every byte of what it is asked, and answers with any bytes at all.
//!
//! # Why
//! A library would refuse to send what a hostile server sends, and tidy up what a client sends before a test sees it.

pub mod programs;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::Must as _;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET /users/7 HTTP/1.1`
    pub line: String,
    /// Names and values in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub body: Vec<u8>,
    /// The number of its connection.
    pub connection: usize,
    /// Which request of its connection it is, from 0.
    pub at: usize,
}

impl Asked {
    /// The value of a header that came once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| &**value);
        assert!(values.next().is_none(), "`{name}` came twice");
        value
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).must("a body of text")
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes; the connection stays open.
    Open(Vec<u8>),
    /// These bytes, and the connection is closed.
    Close(Vec<u8>),
    /// These bytes, again and again, with so long in between, for as long as somebody reads.
    Forever(Vec<u8>, Vec<u8>, Duration),
    /// These, after so long.
    After(Duration, Vec<u8>),
    /// Nothing, ever.
    Silence,
}

impl Reply {
    /// A whole answer with a body of JSON.
    pub fn json(status: &str, body: &str) -> Self {
        Self::with(status, "content-type: application/json\r\n", body.as_bytes())
    }

    /// A whole answer with further headers, each with its end of line.
    pub fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self::Open([head.as_bytes(), body].concat())
    }

    /// A body in these chunks, to its end.
    pub fn chunks(headers: &str, chunks: &[&str]) -> Self {
        let mut all = format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n");
        for chunk in chunks {
            all.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        }
        Self::Open((all + "0\r\n\r\n").into_bytes())
    }
}

/// A running server. Dropped, it is gone, and its connections with it.
#[derive(Debug)]
pub struct Legacy {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for Legacy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Legacy {
    /// A server that answers each request so. `OPTIONS *` it answers by itself, and does not note.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.must("a port");
        let port = listener.local_addr().must("an address").port();
        let (asked, connections) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::default());
        let open = Arc::<AtomicUsize>::default();
        let opened = Arc::clone(&open);
        let (notes, count, answer) =
            (Arc::clone(&asked), Arc::clone(&connections), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = AtomicUsize::fetch_add(&count, 1, Ordering::SeqCst);
                let (notes, answer) = (Arc::clone(&notes), Arc::clone(&answer));
                let open = Arc::clone(&opened);
                serving.spawn(async move {
                    open.fetch_add(1, Ordering::SeqCst);
                    serve(stream, number, &notes, &*answer).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, asked, connections, open, accepting }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only thing that it was asked.
    pub fn asked_once(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.into_iter().next().must("one")
    }

    /// How many connections to it are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    notes: &Mutex<Vec<Asked>>,
    answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
) -> Option<()> {
    let mut buffer = Vec::new();
    let mut at = 0;
    loop {
        let asked = read(&mut stream, &mut buffer, connection, at).await?;
        if asked.line.starts_with("OPTIONS * ") {
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.ok()?;
            return None;
        }
        at += 1;
        let reply = answer(&asked);
        notes.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        match reply {
            Reply::Open(bytes) => stream.write_all(&bytes).await.ok()?,
            Reply::Close(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.shutdown().await.ok()?;
                return None;
            }
            Reply::Forever(first, again, pause) => {
                stream.write_all(&first).await.ok()?;
                loop {
                    stream.write_all(&again).await.ok()?;
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::After(wait, bytes) => {
                tokio::time::sleep(wait).await;
                stream.write_all(&bytes).await.ok()?;
            }
            Reply::Silence => std::future::pending().await,
        }
    }
}

/// The next request; `None` when the connection ended before it did.
async fn read(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    connection: usize,
    at: usize,
) -> Option<Asked> {
    let end = loop {
        match buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(stream, buffer).await?,
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).must("a head of text");
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").must("a header");
        (name.to_owned(), value.to_owned())
    };
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).map(split).collect();
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let mut body = Vec::new();
    if let Some(length) = of("content-length") {
        let length: usize = length.parse().must("a length");
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        body.extend(buffer.drain(..length));
    } else if of("transfer-encoding").is_some() {
        while let Some(chunk) = chunk(stream, buffer).await? {
            body.extend(chunk);
        }
    }
    Some(Asked { line, headers, body, connection, at })
}

/// The next chunk of a body, `Some(None)` at its end.
async fn chunk(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Option<Vec<u8>>> {
    let end = loop {
        match buffer.windows(2).position(|two| two == b"\r\n") {
            Some(end) => break end,
            None => more(stream, buffer).await?,
        }
    };
    let size = std::str::from_utf8(&buffer[..end]).must("a size");
    let size = usize::from_str_radix(size, 16).must("a size");
    let whole = end + 2 + size + 2;
    while buffer.len() < whole {
        more(stream, buffer).await?;
    }
    let chunk: Vec<u8> = buffer.drain(..whole).skip(end + 2).take(size).collect();
    Some((size > 0).then_some(chunk))
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}
