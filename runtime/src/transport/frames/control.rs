//! The control stream: what two ends of a connection say of themselves, whether they are alive, and goodbye.
//!
//! # Why
//! QUIC's own keep-alive is fixed for all connections of a configuration; ours is wanted only where calls ran lately.
//! And a connection that ends must say so before it refuses: GOAWAY 1 asks for no more calls, its acknowledgement or a
//! second of patience makes the refusal that follows (GOAWAY 2) one that no call runs into.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use sinew_core::{
    limits,
    wire::{
        StreamType,
        frame::{ConnectionFrame, Frame, put_connection_frame, put_stamp},
        kinds,
        parser::Parser,
        settings::Settings,
    },
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    io::{FrameReader, ReadError, write_all},
    outbox::micros_between,
};
use crate::transport::{
    Unwell,
    link::{Link, LinkError, LinkSend},
};

/// What the peer says that concerns the connection as a whole.
#[derive(Debug)]
pub(super) enum Control {
    /// Its settings.
    Settings(Settings),
    /// It wants no more calls.
    GoAway,
    /// It knows that we want no more.
    GoAwayAck {
        /// Of which goodbye.
        phase: u8,
    },
    /// Whether one of its services can do its work; all of them where there is no name.
    Health { service: String, serving: bool },
    /// A sample of its clock: sent, and read, each in microseconds of its side's connection.
    Stamp { sent_at_us: u64, read_at_us: u64 },
}

/// Why the control stream, and with it the connection, cannot go on.
#[derive(Debug)]
pub(super) enum ControlError {
    /// The connection is gone.
    Link(LinkError),
    /// The peer broke the protocol.
    Protocol(String),
    /// The two builds share no version of the protocol.
    Incompatible(Vec<u64>),
    /// The peer sends more than anybody needs.
    Flood,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(error) => error.fmt(f),
            Self::Protocol(why) => f.write_str(why),
            Self::Incompatible(theirs) => write!(
                f,
                "this build speaks version {} of the protocol, the other side {theirs:?}; update one of them",
                kinds::VERSION
            ),
            Self::Flood => {
                write!(
                    f,
                    "more than {} control frames in a second (IDLE_FRAMES_PER_SECOND)",
                    limits::IDLE_FRAMES_PER_SECOND
                )
            }
        }
    }
}

impl ControlError {
    /// The code that the connection is closed with.
    pub(super) fn code(&self) -> u32 {
        match self {
            Self::Link(_) => kinds::CLOSE_DONE,
            Self::Protocol(_) => kinds::CLOSE_PROTOCOL,
            Self::Incompatible(_) => kinds::CLOSE_INCOMPATIBLE,
            Self::Flood => kinds::CLOSE_EXCESSIVE_LOAD,
        }
    }
}

impl From<LinkError> for ControlError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<ReadError> for ControlError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Link(LinkError::StreamReset(_)) => {
                Self::Protocol("the control stream was reset".into())
            }
            ReadError::Link(error) => Self::Link(error),
            ReadError::Flood => Self::Flood,
            other => Self::Protocol(format!("the control stream is broken: {other}")),
        }
    }
}

/// The second GOAWAY: from here on calls are refused.
pub(super) const LAST_GOAWAY: u8 = 2;

/// How far the goodbye is: 0 none, 1 and 2 the two GOAWAYs, 3 the flush.
pub(super) type Phase = watch::Receiver<u8>;

/// This side of a connection, as its control stream needs it.
pub(super) struct Side<'a> {
    pub(super) link: &'a dyn Link,
    /// When the connection began, for stamps.
    pub(super) epoch: Instant,
    /// What this side says of itself.
    pub(super) settings: Settings,
    /// How far this side's goodbye is, if it ever says one.
    pub(super) phase: Option<Phase>,
    /// Which of this side's services cannot do their work, if it has any.
    pub(super) health: Option<watch::Receiver<Unwell>>,
    /// When this is told, the peer is asked for a sign of life.
    pub(super) ask: Option<&'a Notify>,
}

/// Runs both directions until the connection ends.
///
/// `alive` is asked every 2 s whether this side wants the connection kept; a PING then keeps it.
pub(super) async fn run(
    side: Side<'_>,
    mut send: Box<dyn LinkSend>,
    mut on_frame: impl FnMut(Control),
    alive: impl Fn() -> bool,
) -> Result<(), ControlError> {
    let Side { link, epoch, settings, mut phase, health, ask } = side;
    let mut health = Health::new(health);
    let mut hello = Vec::new();
    StreamType::Control.put(&mut hello);
    write_all(&mut *send, Bytes::from(hello)).await?;
    say(&mut *send, epoch, &ConnectionFrame::Settings(settings)).await?;

    let recv = link.accept_uni().await?;
    let mut reader = FrameReader::new(recv, Parser::with_stream_type(limits::CONTROL_FRAME_MAX));
    let mut tick = tokio::time::interval(limits::KEEP_ALIVE);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut nonce = 0;
    let mut typed = false;
    let mut said = 0;
    loop {
        if !typed {
            typed = begun(&mut reader)?;
        }
        if typed && let Some(frame) = reader.ready()? {
            let read_at_us = micros_between(epoch, reader.read_at);
            if let Some(reply) = understand(frame, read_at_us, &mut on_frame)? {
                say(&mut *send, epoch, &reply).await?;
            }
            continue;
        }
        // What is ours first: a peer that never stops talking keeps us from nothing.
        tokio::select! {
            biased;
            _ = tick.tick() => if alive() {
                nonce += 1;
                say(&mut *send, epoch, &ConnectionFrame::Ping { nonce }).await?;
            },
            () = told(ask) => {
                nonce += 1;
                say(&mut *send, epoch, &ConnectionFrame::Ping { nonce }).await?;
            }
            Some(phase) = changed(&mut phase) => if phase > said {
                said = phase;
                say(&mut *send, epoch, &ConnectionFrame::GoAway { phase }).await?;
            },
            frames = health.changed() => for frame in &frames {
                say(&mut *send, epoch, frame).await?;
            },
            filled = reader.fill() => filled?,
            extra = link.accept_uni() => {
                extra?.stop(kinds::STREAM_REFUSED);
            }
        }
    }
}

/// What this side says of its services' health, and what it has said of it on this connection.
struct Health {
    now: Option<watch::Receiver<Unwell>>,
    said: BTreeSet<String>,
    /// When the rest of what is too much to be said at once is said.
    rest_at: Option<Instant>,
}

/// Frames about health in a second: the peer takes more than [`limits::IDLE_FRAMES_PER_SECOND`] for a flood.
const HEALTH_AT_ONCE: usize = 200;

impl Health {
    fn new(mut now: Option<watch::Receiver<Unwell>>) -> Self {
        // What is the case already is said first.
        now.iter_mut().for_each(watch::Receiver::mark_changed);
        Self { now, said: BTreeSet::new(), rest_at: None }
    }

    /// What is to be said, once that is something. Cancel safe.
    async fn changed(&mut self) -> Vec<ConnectionFrame> {
        let Some(now) = &mut self.now else { return std::future::pending().await };
        match self.rest_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None if now.changed().await.is_err() => {
                self.now = None;
                return Vec::new();
            }
            None => {}
        }
        let now = Arc::clone(&now.borrow_and_update());
        // Better news first: that all are well takes back what was said of each.
        let better = self.said.difference(&now).map(|service| (service.clone(), true));
        let worse = now.difference(&self.said).map(|service| (service.clone(), false));
        let changes: Vec<_> = better.chain(worse).take(HEALTH_AT_ONCE).collect();
        self.rest_at =
            (changes.len() == HEALTH_AT_ONCE).then(|| Instant::now() + Duration::from_secs(1));
        let said = changes.into_iter().map(|(service, serving)| {
            if serving {
                self.said.remove(&service)
            } else {
                self.said.insert(service.clone())
            };
            ConnectionFrame::Health { service, serving }
        });
        said.collect()
    }
}

async fn told(ask: Option<&Notify>) {
    match ask {
        Some(ask) => ask.notified().await,
        None => std::future::pending().await,
    }
}

/// The next phase, if this side ever says goodbye.
async fn changed(phase: &mut Option<Phase>) -> Option<u8> {
    match phase {
        Some(watch) => match watch.changed().await {
            // What comes after the second is between this side and its own writers; but where it came so soon that
            // the second was never seen, that is still to be said.
            Ok(()) => Some((*watch.borrow_and_update()).min(LAST_GOAWAY)),
            Err(_) => {
                *phase = None;
                None
            }
        },
        None => std::future::pending().await,
    }
}

/// Whether the stream's type has arrived; it must be a control stream.
fn begun(reader: &mut FrameReader) -> Result<bool, ControlError> {
    match reader.parser.stream_type() {
        Ok(Some(StreamType::Control)) => Ok(true),
        Ok(Some(other)) => Err(ControlError::Protocol(format!(
            "a {other:?} stream came where the control stream belongs"
        ))),
        Ok(None) => Ok(false),
        Err(error) => Err(ReadError::Frame(error).into()),
    }
}

/// What a frame means, and what is to be said to it.
fn understand(
    frame: Frame,
    read_at_us: u64,
    on_frame: &mut impl FnMut(Control),
) -> Result<Option<ConnectionFrame>, ControlError> {
    let frame = match frame {
        Frame::Connection(frame) => frame,
        Frame::Skipped { .. } => return Ok(None),
        Frame::Call(call) => {
            return Err(ControlError::Protocol(format!(
                "a {:?} frame came on the control stream",
                call.kind
            )));
        }
        Frame::Bad { why, .. } => {
            return Err(ControlError::Protocol(format!("a control frame is malformed: {why}")));
        }
    };
    Ok(match frame {
        ConnectionFrame::Stamp { sent_at_us } => {
            on_frame(Control::Stamp { sent_at_us, read_at_us });
            None
        }
        ConnectionFrame::Settings(settings) => {
            if !settings.versions.contains(&kinds::VERSION) {
                return Err(ControlError::Incompatible(settings.versions));
            }
            on_frame(Control::Settings(settings));
            None
        }
        ConnectionFrame::GoAway { phase } => {
            on_frame(Control::GoAway);
            Some(ConnectionFrame::GoAwayAck { phase })
        }
        ConnectionFrame::GoAwayAck { phase } => {
            on_frame(Control::GoAwayAck { phase });
            None
        }
        ConnectionFrame::Ping { nonce } => Some(ConnectionFrame::Pong { nonce }),
        ConnectionFrame::Health { service, serving } => {
            on_frame(Control::Health { service, serving });
            None
        }
        ConnectionFrame::Pong { .. } => None,
    })
}

async fn say(
    send: &mut dyn LinkSend,
    epoch: Instant,
    frame: &ConnectionFrame,
) -> Result<(), LinkError> {
    let mut out = Vec::with_capacity(64);
    put_stamp(&mut out, micros_between(epoch, Instant::now()));
    put_connection_frame(&mut out, frame);
    write_all(send, Bytes::from(out)).await
}
