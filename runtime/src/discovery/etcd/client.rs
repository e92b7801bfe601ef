//! Questions to etcd over HTTP: to one member after the other until one answers, with a token where one is needed.
//!
//! # Invariants
//! 1. A question takes at most [`ETCD_TIMEOUT`](limits::ETCD_TIMEOUT), whatever etcd and the network do.
//! 2. An answer, and a message of a stream, has at most [`ETCD_ANSWER_MAX`](limits::ETCD_ANSWER_MAX) bytes.
//! 3. A question may be asked twice: whatever is asked here has the same effect then.
//! 4. Dropping a question or a stream closes its connection.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use sinew_core::{limits, rng::Rng as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::{
    json::{self, Lease, Range, Refusal},
    settings::{Member, Settings},
};
use crate::chance::Chance;

/// Somebody who asks etcd. Clones share what they know of it.
#[derive(Debug, Clone)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The member that is asked first.
    at: usize,
    /// A connection that waits for the next question.
    idle: Option<Connection>,
    token: Option<String>,
    /// Our own address on the way there.
    own: Option<IpAddr>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// This member cannot be asked now; another may.
    Away(String),
    /// etcd says no.
    Refused(Refusal),
}

/// A lease that is not there any more has this code of gRPC (not found).
const NOT_FOUND: u64 = 5;
/// What has this one needs something else first (failed precondition).
const PRECONDITION: u64 = 9;
/// Codes of what another member, or the same a little later, may answer: deadline exceeded, unavailable.
const LATER: [u64; 2] = [4, 14];

impl Failure {
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Away(why) => why,
            Self::Refused(Refusal { words, .. }) => format!("it says `{words}`"),
        }
    }

    /// What was asked for is not there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(Refusal { code: NOT_FOUND, .. }))
    }
}

/// A connection. It ends when this is dropped.
#[derive(Debug)]
struct Connection {
    member: usize,
    sender: http1::SendRequest<Full<Bytes>>,
    driven: Driven,
}

/// The task that moves a connection's bytes; in the end it says what was wrong.
#[derive(Debug)]
struct Driven(JoinHandle<Option<String>>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Driven {
    /// Why a question failed on its connection: what ended that says more than that it has ended.
    async fn why(&mut self, failed: &hyper::Error) -> String {
        /// It need only be polled once more.
        const ENDING: Duration = Duration::from_millis(10);
        match timeout(ENDING, &mut self.0).await {
            Ok(Ok(Some(why))) => why,
            _ => describe(failed),
        }
    }
}

/// An error and what caused it, which hyper leaves out of its own words.
fn describe(why: &hyper::Error) -> String {
    let mut words = why.to_string();
    let mut source = std::error::Error::source(why);
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

impl Client {
    pub(super) fn new(settings: Settings) -> Self {
        let at = (Chance.next_u64() % settings.members.len() as u64) as usize;
        let state = State { at, idle: None, token: None, own: None };
        Self(Arc::new(Inner { settings, state: Mutex::new(state) }))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our own address as etcd's network sees it, once it was reached.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        self.lock().own
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &'static str,
        question: String,
    ) -> Result<T, Failure> {
        let answer = self.in_time(self.answer(path, question)).await?;
        json::read(&answer).map_err(Failure::Away)
    }

    /// Asks for a range of keys. An answer of no revision is none: a store has one from its first day.
    pub(super) async fn range(&self, question: String) -> Result<Range, Failure> {
        let range: Range = self.ask("/v3/kv/range", question).await?;
        if range.header.revision == 0 {
            return Err(Failure::Away(
                "an answer that is not etcd's: it has no revision".to_owned(),
            ));
        }
        Ok(range)
    }

    /// A lease of so many seconds.
    pub(super) async fn grant(&self, seconds: u64) -> Result<u64, Failure> {
        let granted: Lease = self.ask("/v3/lease/grant", json::grant(seconds)).await?;
        Ok(granted.id)
    }

    /// Keeps a lease for as long again; whether it is still there.
    pub(super) async fn keep_alive(&self, lease: u64) -> Result<bool, Failure> {
        let answer = self.in_time(self.answer("/v3/lease/keepalive", json::lease(lease))).await?;
        let kept: Lease = json::read_streamed(&answer).map_err(Failure::Away)?;
        Ok(kept.ttl > 0)
    }

    /// Begins to watch.
    pub(super) async fn watch(&self, question: String) -> Result<Messages, Failure> {
        let (body, driven) = self.in_time(self.send("/v3/watch", question, None)).await?;
        Ok(Messages { body, buffer: Vec::new(), scanned: 0, _driven: driven.driven })
    }

    /// Leaves the member that was asked last: another may answer.
    pub(super) fn move_on(&self) {
        let mut state = self.lock();
        state.at = (state.at + 1) % self.0.settings.members.len();
        state.idle = None;
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = limits::ETCD_TIMEOUT;
        timeout(limit, asked).await.unwrap_or_else(|_| {
            self.move_on();
            let millis = limit.as_millis();
            Err(Failure::Away(format!("no answer within {millis} ms (ETCD_TIMEOUT)")))
        })
    }

    /// The whole answer. The connection is kept for the next question.
    async fn answer(&self, path: &'static str, question: String) -> Result<Bytes, Failure> {
        let idle = self.lock().idle.take();
        let (body, connection) = self.send(path, question, idle).await?;
        let answer = whole(body).await.map_err(Failure::Away)?;
        self.lock().idle = Some(connection);
        Ok(answer)
    }

    /// Sends a question, and logs in for it where that has to be.
    async fn send(
        &self,
        path: &'static str,
        question: String,
        idle: Option<Connection>,
    ) -> Result<(Incoming, Connection), Failure> {
        let question = Bytes::from(question);
        let mut idle = idle;
        if self.0.settings.credentials.is_some() && self.lock().token.is_none() {
            idle = self.login(idle).await?;
        }
        match self.send_once(path, question.clone(), idle).await {
            Err(Failure::Refused(why)) if is_about_login(&why) && self.has_credentials() => {
                let idle = self.login(None).await?;
                self.send_once(path, question, idle).await
            }
            sent => sent,
        }
    }

    fn has_credentials(&self) -> bool {
        self.0.settings.credentials.is_some()
    }

    /// Asks for a token. An etcd that knows of no users needs none.
    async fn login(&self, idle: Option<Connection>) -> Result<Option<Connection>, Failure> {
        let Some((user, password)) = &self.0.settings.credentials else { return Ok(idle) };
        self.lock().token = None;
        let question = Bytes::from(json::login(user, password));
        match self.send_once("/v3/auth/authenticate", question, idle).await {
            Ok((body, connection)) => {
                let answer = whole(body).await.map_err(Failure::Away)?;
                let token = json::read_token(&answer).map_err(Failure::Away)?;
                self.lock().token = Some(token);
                Ok(Some(connection))
            }
            Err(Failure::Refused(Refusal { code: PRECONDITION, .. })) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Sends a question to the first member that takes it; what it refuses is read here.
    async fn send_once(
        &self,
        path: &'static str,
        question: Bytes,
        idle: Option<Connection>,
    ) -> Result<(Incoming, Connection), Failure> {
        if let Some(mut connection) = idle.filter(|idle| !idle.sender.is_closed())
            && let Ok(response) = self.exchange(&mut connection, path, question.clone()).await
        {
            return judged(response, connection).await;
        }
        let members = &self.0.settings.members;
        let first = self.lock().at;
        let mut problems: Vec<(usize, String)> = Vec::new();
        for turn in 0..members.len() {
            let at = (first + turn) % members.len();
            let asked = async {
                let mut connection = self.connect(at).await?;
                let response = self.exchange(&mut connection, path, question.clone()).await;
                judged(response.map_err(Failure::Away)?, connection).await
            };
            match asked.await {
                Err(Failure::Away(why)) => {
                    problems.push((at, format!("`{}`: {why}", members[at].name)))
                }
                answered => {
                    self.lock().at = at;
                    return answered;
                }
            }
        }
        // In the order in which they were named, so that the same problem has the same words.
        problems.sort();
        let words: Vec<String> = problems.into_iter().map(|(_, why)| why).collect();
        Err(Failure::Away(words.join("; ")))
    }

    async fn connect(&self, at: usize) -> Result<Connection, Failure> {
        let Settings { members, tls, .. } = &self.0.settings;
        let Member { host, port, .. } = &members[at];
        let connecting = async {
            let tcp = TcpStream::connect((&**host, *port)).await.map_err(|why| why.to_string())?;
            let own = tcp.local_addr().map(|address| address.ip()).ok();
            // Questions are written whole: nothing is gained by waiting for more.
            let _ = tcp.set_nodelay(true);
            let connection = match tls {
                None => shake_hands(at, tcp).await?,
                Some(tls) => shake_hands(at, tls.connect(host, tcp).await?).await?,
            };
            Ok((connection, own))
        };
        let limit = limits::CONNECT_ATTEMPT;
        let (connection, own) = timeout(limit, connecting)
            .await
            .unwrap_or_else(|_| {
                Err(format!("no connection within {} ms (CONNECT_ATTEMPT)", limit.as_millis()))
            })
            .map_err(Failure::Away)?;
        self.lock().own = own;
        Ok(connection)
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        path: &'static str,
        question: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let host = &self.0.settings.members[connection.member].name;
        let mut request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.lock().token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(question)).map_err(|why| why.to_string())?;
        let sent = match connection.sender.ready().await {
            Ok(()) => connection.sender.send_request(request).await,
            Err(why) => Err(why),
        };
        match sent {
            Ok(response) => Ok(response),
            Err(why) => Err(connection.driven.why(&why).await),
        }
    }
}

async fn shake_hands<T>(member: usize, io: T) -> Result<Connection, String>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(limits::HTTP_HEAD_MAX)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|why| describe(&why))?;
    let driven = tokio::spawn(async move { connection.await.err().map(|why| describe(&why)) });
    Ok(Connection { member, sender, driven: Driven(driven) })
}

/// What is wrong with an answer that is not a good one.
async fn judged(
    response: Response<Incoming>,
    connection: Connection,
) -> Result<(Incoming, Connection), Failure> {
    let (status, body) = (response.status(), response.into_body());
    if status == StatusCode::OK {
        return Ok((body, connection));
    }
    let refusal = json::read_refusal(&whole(body).await.map_err(Failure::Away)?);
    if LATER.contains(&refusal.code) {
        return Err(Failure::Away(format!("it says `{}`", refusal.words)));
    }
    Err(Failure::Refused(refusal))
}

/// Whether a token is missing, has ended, or is older than what users may do.
fn is_about_login(Refusal { code, words }: &Refusal) -> bool {
    /// Of gRPC.
    const UNAUTHENTICATED: u64 = 16;
    *code == UNAUTHENTICATED
        || words.contains("user name is empty")
        || words.contains("revision of auth store is old")
}

async fn whole(body: Incoming) -> Result<Bytes, String> {
    let read = Limited::new(body, limits::ETCD_ANSWER_MAX).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|why| format!("its answer: {why}"))
}

/// The messages of a watch.
#[derive(Debug)]
pub(super) struct Messages {
    body: Incoming,
    /// What came and is not whole yet.
    buffer: Vec<u8>,
    /// There is no end of a line before this.
    scanned: usize,
    _driven: Driven,
}

impl Messages {
    /// The next one; otherwise why there is none.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        loop {
            if let Some(end) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.scanned + end + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.scanned = 0;
                if !line.trim_ascii().is_empty() {
                    return json::read_streamed(&line);
                }
                continue;
            }
            self.scanned = self.buffer.len();
            let frame = match self.body.frame().await {
                None => return Err("it ended the watch".to_owned()),
                Some(frame) => {
                    frame.map_err(|why| format!("the watch broke off: {}", describe(&why)))?
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            let most = limits::ETCD_ANSWER_MAX;
            if self.buffer.len() + data.len() > most {
                return Err(format!("a message of more than {most} bytes (ETCD_ANSWER_MAX)"));
            }
            self.buffer.extend_from_slice(&data);
        }
    }
}

#[cfg(test)]
mod tests;
