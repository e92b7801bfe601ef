//! The lanes of a connection, from the client's side: one task writes, one reads, both end together.

use std::{
    sync::Arc,
    task::{Poll, Waker},
};

use sinew_core::{
    limits,
    wire::{
        StreamType,
        frame::{CallKind, Frame},
        kinds,
        parser::Parser,
    },
};
use tokio::time::Instant;

use super::{
    super::{
        BoxFuture,
        link::{LinkError, LinkRecv, LinkSend},
    },
    client::{Lane, Shared},
    fault::{bad_answer, lane_lost, lost},
    io::{FrameReader, ReadError, wake_all, write_all},
    outbox::Outbox,
    slots::Delivered,
};
use crate::error::millis;

/// Opens a lane and starts its two tasks. Boxed: the reader of a lane that dies opens the next one.
pub(super) fn open_lane(shared: Arc<Shared>) -> BoxFuture<'static, Result<(), LinkError>> {
    Box::pin(open_lane_inner(shared))
}

async fn open_lane_inner(shared: Arc<Shared>) -> Result<(), LinkError> {
    let (send, recv) = shared.link.open_bi().await?;
    let id = {
        let mut state = shared.lock();
        if let Some(why) = &state.closed {
            return Err(why.clone());
        }
        let id = state.next_lane;
        state.next_lane += 1;
        let mut outbox = Outbox::new(shared.epoch);
        outbox.begin_stream(StreamType::Lane);
        state.lanes.push(Lane { id, outbox });
        id
    };
    tokio::spawn(write_lane(Arc::clone(&shared), id, send));
    tokio::spawn(read_lane(shared, id, recv));
    Ok(())
}

async fn write_lane(shared: Arc<Shared>, id: u32, mut send: Box<dyn LinkSend>) {
    loop {
        let batch = std::future::poll_fn(|cx| {
            let mut state = shared.lock();
            match state.lanes.iter_mut().find(|lane| lane.id == id) {
                Some(lane) => lane.outbox.poll_take(cx),
                None => Poll::Ready(None),
            }
        })
        .await;
        let Some((batch, room)) = batch else { break };
        wake_all(room);
        shared.note_call(Instant::now());
        if let Err(error) = write_all(&mut *send, batch).await {
            shared.lane_died(id, |sent| lost(&error, sent));
            return;
        }
    }
    // The lane was given up by its reader.
    send.reset(kinds::STREAM_LANE_STALLED);
}

async fn read_lane(shared: Arc<Shared>, id: u32, recv: Box<dyn LinkRecv>) {
    let mut reader = FrameReader::new(recv, Parser::new(limits::LANE_FRAME_MAX));
    let mut wakers = Vec::new();
    let error = loop {
        let filled = reader.fill().await;
        let taken = filled.and_then(|()| take_answers(&shared, &mut reader, &mut wakers));
        wake_all(wakers.drain(..));
        if let Err(error) = taken {
            break error;
        }
    };
    let stalled = matches!(error, ReadError::Stalled);
    let code = if stalled { kinds::STREAM_LANE_STALLED } else { kinds::STREAM_FRAME_ERROR };
    reader.recv.stop(code);
    shared.lane_died(id, |sent| lane_lost(&error, sent));
    // Without a lane, calls go on streams of their own: slower, and nothing else.
    if let Some(wait) = shared.next_lane() {
        tracing::debug!(%error, wait = %millis(wait), "a lane ended, another is opened");
        tokio::time::sleep(wait).await;
        let _ = open_lane(shared).await;
    }
}

/// Every answer that has arrived whole.
fn take_answers(
    shared: &Shared,
    reader: &mut FrameReader,
    wakers: &mut Vec<Waker>,
) -> Result<(), ReadError> {
    while let Some(frame) = reader.ready()? {
        match frame {
            Frame::Call(call) if call.kind == CallKind::Answer => {
                shared.deliver(call, reader.read_at, wakers)?;
            }
            Frame::Bad { call: Some(call), why, .. } => {
                let failed = shared.lock().slots.deliver(call, Err(bad_answer(&why.to_string())));
                if let Delivered::Wake(waker) = failed {
                    wakers.push(waker);
                }
            }
            Frame::Connection(_) | Frame::Skipped { .. } => {}
            Frame::Call(_) | Frame::Bad { .. } => {
                return Err(ReadError::Link(LinkError::Transport(
                    "the server sent a frame that only a client sends".into(),
                )));
            }
        }
    }
    Ok(())
}
