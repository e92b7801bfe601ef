//! Bytes for raw peers: frames, heads and bodies, made by the encoders of core or written out.

use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    ids::MethodId,
    wire::{
        AnswerHead, AnswerOutcome, CallKind, ConnectionFrame, DataHead, RequestHead, Settings,
        TimeLeft, WireStatus, put_call_frame, put_connection_frame, put_stamp,
    },
};

use crate::probe::PROBE;

/// The codec of typed methods.
pub const BINCODE: u8 = 1;
/// A kind that nobody knows.
pub const UNKNOWN: u8 = 0x3e;
/// The same with the bit that allows to pass it over.
pub const UNKNOWN_SKIPPABLE: u8 = 0x7e;

/// So many milliseconds left.
pub const fn millis_left(millis: u64) -> TimeLeft {
    TimeLeft::Micros(millis * 1000)
}

/// A head for a method of the probe.
pub fn head(method: &str) -> RequestHead {
    RequestHead::new(MethodId::of(PROBE, method), BINCODE)
}

/// A whole REQUEST frame.
pub fn request(call: u64, time: TimeLeft, head: &RequestHead, body: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    head.encode(&mut rest);
    rest.extend_from_slice(body);
    frame(CallKind::Request, call, time, &rest)
}

/// A REQUEST for the probe's `echo`, with 10 s left.
pub fn echo(call: u64, text: &str) -> Vec<u8> {
    request(call, millis_left(10_000), &head("echo"), &body_of(text))
}

/// A call frame.
pub fn frame(kind: CallKind, call: u64, time: TimeLeft, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_call_frame(&mut out, kind, call, time, rest);
    out
}

/// A frame of any kind with any content, its length as it is.
pub fn any_frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sinew_core::wire::varint::put(&mut out, 1 + content.len() as u64);
    out.push(kind);
    out.extend_from_slice(content);
    out
}

/// A DATA frame.
pub fn data(call: u64, more: bool, bytes: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    DataHead { more }.encode(&mut rest);
    rest.extend_from_slice(bytes);
    frame(CallKind::Data, call, millis_left(10_000), &rest)
}

/// A STAMP.
pub fn stamp(sent_at_us: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_stamp(&mut out, sent_at_us);
    out
}

/// A connection frame.
pub fn connection(frame: &ConnectionFrame) -> Vec<u8> {
    let mut out = Vec::new();
    put_connection_frame(&mut out, frame);
    out
}

/// SETTINGS with the defaults.
pub fn settings() -> Vec<u8> {
    connection(&ConnectionFrame::Settings(Settings::default()))
}

/// An ANSWER frame.
pub fn answer(call: u64, head: &AnswerHead, body: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    head.encode(&mut rest);
    rest.extend_from_slice(body);
    frame(CallKind::Answer, call, millis_left(10_000), &rest)
}

/// The head of an ANSWER with a value.
pub fn ok() -> AnswerHead {
    AnswerHead::new(AnswerOutcome::Ok, BINCODE)
}

/// The head of an ANSWER with a status.
pub fn status(code: Code, reason: Reason, disposition: Disposition) -> AnswerHead {
    let status = WireStatus {
        code,
        reason,
        disposition,
        origin: Origin::PeerRuntime,
        message: "said by hand".to_owned(),
    };
    AnswerHead::new(AnswerOutcome::Status(status), 0)
}

/// One string as bincode writes it. At most 250 bytes.
pub fn body_of(text: &str) -> Vec<u8> {
    assert!(text.len() < 251, "a length of one byte");
    let mut body = vec![text.len() as u8];
    body.extend_from_slice(text.as_bytes());
    body
}

/// One number as bincode writes it.
pub fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_le_bytes();
    match value {
        0..251 => vec![bytes[0]],
        251..0x1_0000 => [&[251], &bytes[..2]].concat(),
        0x1_0000..0x1_0000_0000 => [&[252], &bytes[..4]].concat(),
        _ => [&[253], &bytes[..]].concat(),
    }
}
