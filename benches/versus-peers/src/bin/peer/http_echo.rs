//! An echo over HTTP/1.1 with bodies in JSON: hyper used directly, and the same calls through sinew's typed client and
//! its bridge. Both have the same server, hyper's own.
//!
//! What hyper has here is what a careful hand would write: connections that are kept, one request at a time on each, a
//! body of known length, serde on both ends, a time-out, and the very headers that the bridge sends; no propagation of
//! the deadline, no retry, no balancing, no metrics.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{Failure, args::Args, load, serving};

/// What a call may take: sinew's default.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Argument and result.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    text: String,
}

impl Message {
    /// As long as the payload, of characters that JSON writes as they are.
    fn like(payload: &Bytes) -> Self {
        Self { text: "x".repeat(payload.len()) }
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The socket cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let listener = TcpListener::bind(args.bind()).await?;
    serving::announce(listener.local_addr()?, None)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(echo));
        tokio::spawn(async move {
            // A client that goes away ends its connection, and nothing else.
            let _ = serving.await;
        });
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Calls through hyper, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call_hyper(args: &Args) -> Result<(), Failure> {
    let client = Arc::new(Client {
        addr: args.addr()?,
        host: HeaderValue::from_str(&args.addr()?.to_string())?,
        idle: Mutex::default(),
    });
    let echo = move |payload| {
        let client = Arc::clone(&client);
        async move {
            let message = Message::like(&payload);
            let answer = timeout(TIMEOUT, client.echo(&message)).await??;
            answered(&answer, payload)
        }
    };
    load::run(args, vec![echo]).await
}

struct Client {
    addr: std::net::SocketAddr,
    host: HeaderValue,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    async fn echo(&self, message: &Message) -> Result<Message, Failure> {
        let mut connection = self.connection().await?;
        let mut request =
            Request::post("/echo").body(Full::new(serde_json::to_vec(message)?.into()))?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.insert(USER_AGENT, HeaderValue::from_static("versus/0.1.0"));
        let left = TIMEOUT.as_millis() as u64;
        headers.insert("x-request-timeout-ms", HeaderValue::from(left));
        headers.insert("grpc-timeout", HeaderValue::from_str(&format!("{left}m"))?);
        let response = connection.send_request(request).await?;
        if !response.status().is_success() {
            return Err(response.status().to_string().into());
        }
        let body = response.into_body().collect().await?.to_bytes();
        self.idle().push(connection);
        Ok(serde_json::from_slice(&body)?)
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let idle = self.idle().pop();
        if let Some(mut connection) = idle
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answered(answer: &Message, payload: Bytes) -> Result<Bytes, Failure> {
    if answer.text.len() == payload.len() { Ok(payload) } else { Err("another length".into()) }
}

#[cfg(feature = "sinew")]
mod bridge {
    use super::*;

    #[sinew::service]
    trait Echo {
        #[rpc(idempotent)]
        #[http(post = "/echo", body = "message")]
        async fn echo(&self, message: Message) -> Result<Message, sinew::Status>;
    }

    /// Calls through the typed client and the bridge, and prints the outcome.
    ///
    /// # Errors
    /// No connection, or a call failed.
    pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
        let mesh = sinew::Mesh::builder().transport(sinew_bridge::http()).build().await?;
        let client: EchoClient = mesh.client_at(format!("http://{}", args.addr()?))?;
        let echo = move |payload| {
            let call = client.echo(Message::like(&payload));
            async move { answered(&call.await?, payload) }
        };
        load::run(args, vec![echo]).await
    }
}

#[cfg(feature = "sinew")]
pub(crate) use bridge::call as call_bridge;
