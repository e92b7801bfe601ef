//! The transport floor: one long-lived QUIC stream that carries every call, and nothing above it.
//!
//! # Why
//! It says how fast an RPC framework over quinn could be that costs nothing itself. There is no codec, deadline,
//! metadata, retry or identity of the client; what sinew adds for those is its row minus this one.
//!
//! Frames are a length (u32), a call's number (u32) and the payload. One task at each end writes, and takes
//! all that has queued up into one write; one reads, and hands out. The server starts a task for every request,
//! since a handler that waits must not stop the others.

mod frames;
mod transport;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quinn::RecvStream;
use slab::Slab;
use tokio::sync::oneshot;

use crate::{Failure, args::Args, load, serving, tls::Identity};
use frames::{Frame, Frames};

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
                let (queue, queued) = frames::queue();
                tokio::spawn(frames::write(send, queued));
                tokio::spawn(read(recv, move |frame| {
                    let queue = queue.clone();
                    tokio::spawn(async move {
                        // The writer is gone only with the connection, and with it whoever would read this.
                        let _ = queue.send(echo(frame).await);
                    });
                }));
            }
        });
    }
    Ok(())
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
    let mut endpoint = transport::endpoint(args, None)?;
    endpoint.set_default_client_config(transport::client_config(args)?);
    let connection = endpoint.connect(args.addr()?, crate::tls::NAME)?.await?;
    let (send, recv) = connection.open_bi().await?;

    let waiting = Waiting::default();
    let (queue, queued) = frames::queue();
    tokio::spawn(frames::write(send, queued));
    let answered = Arc::clone(&waiting);
    tokio::spawn(read(recv, move |frame| {
        let caller = lock(&answered).try_remove(frame.call as usize);
        if let Some(caller) = caller {
            // A caller that has gone away wants no answer.
            let _ = caller.send(frame.payload);
        }
    }));

    load::run(args, move |payload| {
        let (tell, told) = oneshot::channel();
        let call = lock(&waiting).insert(tell) as u32;
        let queued = queue.send(Frame { call, payload });
        async move {
            queued.map_err(|_| "the lane is closed")?;
            Ok(told.await?)
        }
    })
    .await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes frames off the stream and hands them to `take` until the stream or the connection ends.
async fn read(mut recv: RecvStream, take: impl Fn(Frame)) {
    let mut chunks = [const { Bytes::new() }; 32];
    let mut frames = Frames::default();
    while let Ok(Some(count)) = recv.read_chunks(&mut chunks).await {
        for chunk in &mut chunks[..count] {
            frames.feed(std::mem::take(chunk));
            while let Some(frame) = frames.next() {
                take(frame);
            }
        }
    }
}
