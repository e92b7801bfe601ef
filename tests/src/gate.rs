//! A forwarder of TCP that does what networks do: lets through, delays, holds, and refuses.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::Must as _;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// They pass.
    Open,
    /// They pass after so long, each way.
    Slow(Duration),
    /// They wait, and so do new connections.
    Held,
    /// Connections are closed, and so are new ones.
    Shut,
}

/// A forwarder to one address. It ends when this is dropped.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    task: AbortHandle,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    /// To a port of 127.0.0.1, open.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.must("a port");
        let address = listener.local_addr().must("its address");
        let (mood, heard) = watch::channel(Mood::Open);
        let task = tokio::spawn(accept(listener, port, heard)).abort_handle();
        Self { address, mood, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub fn is(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

async fn accept(listener: TcpListener, port: u16, mood: watch::Receiver<Mood>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *mood.borrow() != Mood::Shut {
            connections.spawn(forward(stream, port, mood.clone()));
        }
    }
}

async fn forward(near: TcpStream, port: u16, mut mood: watch::Receiver<Mood>) {
    let shut = mood.clone();
    if mood.wait_for(|mood| *mood != Mood::Held).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let mut is_shut = shut.clone();
    tokio::select! {
        () = pump(near_in, far_out, mood) => {}
        () = pump(far_in, near_out, shut) => {}
        _ = is_shut.wait_for(|mood| *mood == Mood::Shut) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mood: watch::Receiver<Mood>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(len @ 1..) = from.read(&mut buffer).await else { return };
        let now = mood.wait_for(|mood| *mood != Mood::Held).await.map(|mood| *mood);
        if let Ok(Mood::Slow(delay)) = now {
            sleep(delay).await;
        }
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}
