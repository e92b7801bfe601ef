//! Frames and what stands in them: refused, or understood and written the same way again.

use bytes::Bytes;
use sinew_core::{
    limits::{LANE_FRAME_MAX, METADATA_MAX},
    metadata::Metadata,
    wire::{
        AnswerHead, CallFrame, ConnectionFrame, DataHead, Frame, FrameError, OpenHead, Parser,
        RequestHead, StreamType, TimeLeft, decode_cancel, kinds, put_call_frame,
        put_connection_frame, varint,
    },
};

use super::script::Script;
use crate::Must as _;

/// The frames do not depend on where the stream is cut, no more is kept than what came, and what was understood is
/// understood again when we write it.
pub(super) fn frame(input: &[u8]) {
    let mut script = Script(input);
    let typed = script.byte() & 1 == 1;
    let step = usize::from(script.byte()).max(1);
    let stream = script.0;
    let parser = || match typed {
        true => Parser::with_stream_type(LANE_FRAME_MAX),
        false => Parser::new(LANE_FRAME_MAX),
    };
    let (frames, error) = parse(parser(), stream, stream.len().max(1));
    assert_eq!(parse(parser(), stream, step), (frames.clone(), error), "cut every {step} bytes");
    assert_eq!(parse(parser(), stream, 1), (frames.clone(), error), "cut at every byte");
    frames.iter().for_each(assert_written_again);
}

fn parse(mut parser: Parser, stream: &[u8], step: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut frames = Vec::new();
    let mut fed = 0;
    for chunk in stream.chunks(step) {
        parser.feed(Bytes::copy_from_slice(chunk));
        fed += chunk.len();
        loop {
            match parser.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next(), Err(error), "an error stays");
                    return (frames, Some(error));
                }
            }
        }
        assert!(parser.buffered() <= fed, "{} kept of {fed}", parser.buffered());
    }
    (frames, None)
}

fn assert_written_again(frame: &Frame) {
    let mut out = Vec::new();
    match frame {
        Frame::Connection(frame) => put_connection_frame(&mut out, frame),
        // There is no way to write "zero left": it is what a sender that never should have sent says.
        Frame::Call(CallFrame { time: TimeLeft::Zero, .. })
        | Frame::Bad { .. }
        | Frame::Skipped { .. } => return,
        Frame::Call(CallFrame { kind, call, time, rest }) => {
            put_call_frame(&mut out, *kind, *call, *time, rest);
        }
    }
    let (again, error) = parse(Parser::new(LANE_FRAME_MAX), &out, out.len().max(1));
    assert_eq!((&again[..], error), (std::slice::from_ref(frame), None));
}

/// Settings are refused, or mean the same when we write them.
pub(super) fn settings(input: &[u8]) {
    let mut stream = Vec::new();
    StreamType::Control.put(&mut stream);
    varint::put(&mut stream, 1 + input.len() as u64);
    stream.push(kinds::SETTINGS);
    stream.extend_from_slice(input);
    let parser = Parser::with_stream_type(LANE_FRAME_MAX);
    let (frames, _) = parse(parser, &stream, stream.len());
    let Some(Frame::Connection(ConnectionFrame::Settings(settings))) = frames.first() else {
        return;
    };
    assert!(!settings.versions.is_empty());
    frames.iter().for_each(assert_written_again);
}

/// Metadata is refused, or within its bounds and written the same way again.
pub(super) fn metadata(input: &[u8]) {
    let mut rest = input;
    let Ok(metadata) = Metadata::decode(&mut rest) else { return };
    let mut out = Vec::new();
    metadata.encode(&mut out);
    assert_eq!(out, input[..input.len() - rest.len()]);
    assert!(metadata.size() <= METADATA_MAX);
    let mut copy = Metadata::new();
    for (key, value) in metadata.iter() {
        copy.insert(key, value.clone()).must("what the wire allows, the API allows");
    }
    assert_eq!(copy, metadata);
}

/// Each kind of head is refused, or written the same way again.
pub(super) fn heads(input: &[u8]) {
    let Some((&which, input)) = input.split_first() else { return };
    let rest = Bytes::copy_from_slice(input);
    let mut out = Vec::new();
    match which % 5 {
        0 => {
            let Ok((head, body)) = RequestHead::decode(rest) else { return };
            head.encode(&mut out);
            out.extend_from_slice(&body);
        }
        1 => {
            let Ok((head, body)) = AnswerHead::decode(rest) else { return };
            head.encode(&mut out);
            out.extend_from_slice(&body);
        }
        2 => {
            let Ok(head) = OpenHead::decode(rest) else { return };
            head.encode(&mut out);
        }
        3 => {
            let Ok((head, bytes)) = DataHead::decode(rest) else { return };
            head.encode(&mut out);
            out.extend_from_slice(&bytes);
        }
        _ => {
            let Ok(reason) = decode_cancel(&rest) else { return };
            out.push(reason.to_u8());
        }
    }
    assert_eq!(out, input);
}
