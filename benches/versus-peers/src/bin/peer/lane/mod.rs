//! The transport floor: one long-lived stream that carries every call, and nothing above it; over QUIC, or in
//! [`tcp`] over TLS and TCP.
//!
//! # Why
//! It says how fast an RPC framework over this transport could be that costs nothing itself. There is no codec,
//! deadline, metadata, retry or identity of the client; what sinew adds for those is its row minus this one.
//!
//! Frames are a length (u32), a call's number (u32) and the payload. One task at each end writes, and takes
//! all that has queued up into one write; one reads, and hands out. The server starts a task for every request,
//! since a handler that waits must not stop the others.

mod frames;
pub(crate) mod tcp;
mod transport;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use slab::Slab;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{
    Failure,
    args::{Args, Work},
    load::{self, fresh},
    serving,
    tls::Identity,
};
use frames::{Frame, In, Out};

type Waiting = Arc<Mutex<Slab<oneshot::Sender<Bytes>>>>;

/// Serves until the process ends.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let identity = Identity::fresh()?;
    let config = transport::server_config(args, &identity)?;
    let endpoint = transport::endpoint(args, Some(config))?;
    serving::announce(endpoint.local_addr()?, Some(&identity.for_the_client()))?;
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        tokio::spawn(async move {
            while let Ok((send, recv)) = connection.accept_bi().await {
                answer(send, recv);
            }
        });
    }
    Ok(())
}

/// Answers what comes in, until it ends.
fn answer(out: impl Out, input: impl In) {
    let (queue, queued) = frames::queue();
    tokio::spawn(frames::write(out, queued));
    tokio::spawn(frames::read(input, move |frame| {
        let queue = queue.clone();
        tokio::spawn(async move {
            // The writer is gone only with the connection, and with it whoever would read this.
            let _ = queue.send(echo(frame).await);
        });
    }));
}

/// The handler.
async fn echo(request: Frame) -> Frame {
    request
}

/// Calls, and prints the outcome.
///
/// # Errors
/// No connection, or a call failed.
pub(crate) async fn call(args: &Args) -> Result<(), Failure> {
    let caller = Caller { endpoint: transport::endpoint(args, None)?, args: args.clone() };
    match args.work {
        Work::Echo => {
            let mut echoes = Vec::with_capacity(args.connections);
            for _ in 0..args.connections {
                let lane = Arc::new(caller.lane(transport::client_config(args)?).await?);
                echoes.push(move |payload| lane.call(payload));
            }
            load::run(args, echoes).await
        }
        Work::Cold => fresh::one_after_another(args, caller).await,
        Work::Idle => fresh::held(args, caller).await,
        Work::Down | Work::Up => Err(args.is_not_done()),
    }
}

/// How to get to the server.
struct Caller {
    endpoint: Endpoint,
    args: Args,
}

impl Caller {
    async fn lane(&self, config: ClientConfig) -> Result<Lane, Failure> {
        let connecting = self.endpoint.connect_with(config, self.args.addr()?, crate::tls::NAME)?;
        let connection = connecting.await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(Lane::over(send, recv, Some(connection)))
    }
}

impl fresh::Fresh for Caller {
    type Ready = ClientConfig;
    type Open = Lane;

    /// Settings of its own for each connection, so that no session is resumed.
    async fn prepare(&self) -> Result<ClientConfig, Failure> {
        transport::client_config(&self.args)
    }

    async fn connect(
        &self,
        config: ClientConfig,
        payload: Bytes,
    ) -> Result<(Bytes, Lane), Failure> {
        let lane = self.lane(config).await?;
        Ok((lane.call(payload).await?, lane))
    }
}

/// The client's end of a lane.
struct Lane {
    waiting: Waiting,
    queue: UnboundedSender<Frame>,
    /// Of QUIC: ends with the last of those who hold it.
    _connection: Option<Connection>,
}

impl Lane {
    fn over(out: impl Out, input: impl In, connection: Option<Connection>) -> Self {
        let waiting = Waiting::default();
        let (queue, queued) = frames::queue();
        tokio::spawn(frames::write(out, queued));
        let answered = Arc::clone(&waiting);
        tokio::spawn(frames::read(input, move |frame| {
            let caller = lock(&answered).try_remove(frame.call as usize);
            if let Some(caller) = caller {
                // A caller that has gone away wants no answer.
                let _ = caller.send(frame.payload);
            }
        }));
        Self { waiting, queue, _connection: connection }
    }

    fn call(
        &self,
        payload: Bytes,
    ) -> impl Future<Output = Result<Bytes, Failure>> + Send + 'static + use<> {
        let (tell, told) = oneshot::channel();
        let call = lock(&self.waiting).insert(tell) as u32;
        let queued = self.queue.send(Frame { call, payload });
        async move {
            queued.map_err(|_| "the lane is closed")?;
            Ok(told.await?)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Out for SendStream {
    async fn write(&mut self, pieces: &mut [Bytes]) -> bool {
        self.write_all_chunks(pieces).await.is_ok()
    }

    async fn finish(&mut self) {
        // It may be over already.
        let _ = Self::finish(self);
    }
}

impl In for RecvStream {
    async fn read(&mut self, chunks: &mut [Bytes]) -> Option<usize> {
        self.read_chunks(chunks).await.ok().flatten()
    }
}
