//! One end of a connection that does what a script says: streams are opened, written to, broken off and left alone,
//! with frames that are right, nearly right, or any bytes at all.

use std::time::Duration;

use sinew::fuzzing::{End, Stream};
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    ids::{Fingerprint, MethodId},
    wire::{
        AnswerHead, AnswerOutcome, CallKind, ConnectionFrame, DataHead, OpenHead, RequestHead,
        Settings, StreamType, TimeLeft, WireStatus, put_call_frame, put_connection_frame,
    },
};

use super::{
    script::Script,
    service::{METHODS, SUBJECT},
};
use crate::raw::frames::any_frame;

/// Streams that an attacker holds at most; more add nothing.
const STREAMS: usize = 64;
/// Steps of one script.
const STEPS: usize = 200;

/// An end of a connection and its streams.
pub(super) struct Peer<'a> {
    script: Script<'a>,
    end: End,
    streams: Vec<Stream>,
}

impl<'a> Peer<'a> {
    pub(super) fn new(end: End, script: Script<'a>) -> Self {
        Self { script, end, streams: Vec::new() }
    }

    /// Plays the script to its end, then closes the connection.
    pub(super) async fn play(mut self) {
        for _ in 0..STEPS {
            if self.script.is_over() {
                break;
            }
            self.step().await;
        }
        self.end.close(0);
    }

    async fn step(&mut self) {
        match self.script.byte() % 20 {
            0 => self.open(true, Some(StreamType::Lane)),
            1 => self.open(true, Some(StreamType::Call)),
            2 => self.open(true, Some(StreamType::Answer)),
            3 => self.open(false, Some(StreamType::Control)),
            4 => self.open_any(),
            5 => self.accept(),
            6 => self.write_request(),
            7 => self.write_answer(),
            8 => self.write_data(),
            9 => self.write_call(CallKind::End),
            10 => self.write_call(CallKind::Cancel),
            11 => self.write_open(),
            12 => self.write_about_connection(),
            13 => self.write_any_frame(),
            14 => self.write_any(),
            15 => self.end_stream(),
            16 => self.with_stream(|stream, _| while stream.read().is_some() {}),
            17 => {
                let millis = 1 << (self.script.byte() % 16);
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            18 => tokio::task::yield_now().await,
            _ => self.drop_stream(),
        }
    }

    fn keep(&mut self, stream: Option<Stream>) {
        if self.streams.len() < STREAMS {
            self.streams.extend(stream);
        }
    }

    fn open(&mut self, both_ways: bool, kind: Option<StreamType>) {
        let mut stream = self.end.open(both_ways);
        if let (Some(stream), Some(kind)) = (&mut stream, kind) {
            let mut first = Vec::new();
            kind.put(&mut first);
            stream.write(&first);
        }
        self.keep(stream);
    }

    fn open_any(&mut self) {
        let both_ways = self.script.byte() & 1 == 0;
        self.open(both_ways, None);
    }

    fn accept(&mut self) {
        let stream = self.end.accept();
        self.keep(stream);
    }

    fn with_stream(&mut self, act: impl FnOnce(&mut Stream, &mut Script<'a>)) {
        let at = usize::from(self.script.byte());
        let count = self.streams.len();
        if count > 0 {
            act(&mut self.streams[at % count], &mut self.script);
        }
    }

    fn drop_stream(&mut self) {
        let at = usize::from(self.script.byte());
        if !self.streams.is_empty() {
            self.streams.swap_remove(at % self.streams.len());
        }
    }

    fn end_stream(&mut self) {
        self.with_stream(|stream, script| match script.byte() % 3 {
            0 => stream.finish(),
            1 => stream.reset(script.number()),
            _ => stream.stop(script.number()),
        });
    }

    fn write_any(&mut self) {
        self.with_stream(|stream, script| stream.write(script.bytes()));
    }

    fn write_any_frame(&mut self) {
        self.with_stream(|stream, script| {
            let kind = script.byte();
            stream.write(&any_frame(kind, script.bytes()));
        });
    }

    fn write_call(&mut self, kind: CallKind) {
        self.with_stream(|stream, script| {
            let (call, time) = (script.small(), time(script));
            let rest: &[u8] = if kind == CallKind::Cancel { &[1] } else { &[] };
            stream.write(&call_frame(kind, call, time, rest));
        });
    }

    fn write_request(&mut self) {
        self.with_stream(|stream, script| {
            let (call, time) = (script.small(), time(script));
            let method = METHODS[usize::from(script.byte()) % METHODS.len()];
            let mut head = RequestHead::new(MethodId::of(SUBJECT, method), script.byte() % 4);
            let how = script.byte();
            if how & 1 == 1 {
                head.fingerprint = Some(Fingerprint(script.number()));
            }
            let total = script.small();
            let mut rest = Vec::new();
            let body = script.bytes();
            head.total = (how & 2 == 2).then_some(body.len() as u64 + 1 + total);
            head.encode(&mut rest);
            rest.extend_from_slice(body);
            stream.write(&call_frame(CallKind::Request, call, time, &rest));
        });
    }

    fn write_answer(&mut self) {
        self.with_stream(|stream, script| {
            let (call, time) = (script.small(), time(script));
            let codec = script.byte() % 4;
            let outcome = match script.byte() % 3 {
                0 => AnswerOutcome::Ok,
                1 => AnswerOutcome::App,
                _ => AnswerOutcome::Status(WireStatus {
                    code: Code::from_u8(script.byte() % 20).unwrap_or(Code::Unknown),
                    reason: Reason::from_u8(script.byte()),
                    disposition: disposition(script),
                    origin: Origin::PeerHandler,
                    message: String::from_utf8_lossy(script.bytes()).into_owned(),
                }),
            };
            let mut head = AnswerHead::new(outcome, codec);
            let total = script.byte();
            let body = script.bytes();
            head.total =
                (total & 0x80 != 0).then_some(body.len() as u64 + 1 + u64::from(total & 0x3f));
            let mut rest = Vec::new();
            head.encode(&mut rest);
            rest.extend_from_slice(body);
            stream.write(&call_frame(CallKind::Answer, call, time, &rest));
        });
    }

    fn write_data(&mut self) {
        self.with_stream(|stream, script| {
            let (call, time) = (script.small(), time(script));
            let mut rest = Vec::new();
            DataHead { more: script.byte() & 1 == 1 }.encode(&mut rest);
            rest.extend_from_slice(script.bytes());
            stream.write(&call_frame(CallKind::Data, call, time, &rest));
        });
    }

    fn write_open(&mut self) {
        self.with_stream(|stream, script| {
            let (call, time) = (script.small(), time(script));
            let mut rest = Vec::new();
            OpenHead { codec: script.byte() % 4, metadata: Default::default() }.encode(&mut rest);
            stream.write(&call_frame(CallKind::Open, call, time, &rest));
        });
    }

    fn write_about_connection(&mut self) {
        self.with_stream(|stream, script| {
            let frame = match script.byte() % 7 {
                0 => ConnectionFrame::Stamp { sent_at_us: script.number() },
                1 => ConnectionFrame::GoAway { phase: script.byte() },
                2 => ConnectionFrame::GoAwayAck { phase: script.byte() },
                3 => ConnectionFrame::Ping { nonce: script.number() },
                4 => ConnectionFrame::Pong { nonce: script.number() },
                5 => {
                    let serving = script.byte() & 1 == 1;
                    ConnectionFrame::Health { service: SUBJECT.to_owned(), serving }
                }
                _ => ConnectionFrame::Settings(settings(script)),
            };
            let mut out = Vec::new();
            put_connection_frame(&mut out, &frame);
            stream.write(&out);
        });
    }
}

fn settings(script: &mut Script<'_>) -> Settings {
    let mut settings = Settings::default();
    for _ in 0..script.byte() % 4 {
        let method = METHODS[usize::from(script.byte()) % METHODS.len()];
        settings.fingerprints.push((MethodId::of(SUBJECT, method), Fingerprint(script.number())));
    }
    settings.max_message = script.number();
    settings.max_in_flight = script.number();
    settings
}

fn time(script: &mut Script<'_>) -> TimeLeft {
    match script.byte() {
        0 => TimeLeft::Unbounded,
        255 => TimeLeft::Zero,
        millis => TimeLeft::Micros(1000 << (millis % 32)),
    }
}

fn call_frame(kind: CallKind, call: u64, time: TimeLeft, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_call_frame(&mut out, kind, call, time, rest);
    out
}

fn disposition(script: &mut Script<'_>) -> Disposition {
    Disposition::from_u8(script.byte() % 4).unwrap_or(Disposition::Unknown)
}
