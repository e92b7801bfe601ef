//! Writes again what was read.

use sinew_core::wire::{
    AnswerHead, CallFrame, CallKind, DataHead, Frame, OpenHead, RequestHead, TimeLeft,
    decode_cancel, put_call_frame, put_cancel, put_connection_frame,
};

/// Appends a frame as this version writes it; `None` where it is bad, unknown or cannot be written.
pub(crate) fn frame(mut out: Vec<u8>, frame: &Frame) -> Option<Vec<u8>> {
    match frame {
        Frame::Connection(frame) => put_connection_frame(&mut out, frame),
        Frame::Call(frame) => return call(out, frame),
        Frame::Bad { .. } | Frame::Skipped { .. } => return None,
    }
    Some(out)
}

fn call(mut out: Vec<u8>, frame: &CallFrame) -> Option<Vec<u8>> {
    if frame.time == TimeLeft::Zero {
        return None;
    }
    let mut rest = Vec::new();
    match frame.kind {
        CallKind::Request => {
            let (head, body) = RequestHead::decode(frame.rest.clone()).ok()?;
            head.encode(&mut rest);
            rest.extend_from_slice(&body);
        }
        CallKind::Answer => {
            let (head, body) = AnswerHead::decode(frame.rest.clone()).ok()?;
            head.encode(&mut rest);
            rest.extend_from_slice(&body);
        }
        CallKind::Data => {
            let (head, bytes) = DataHead::decode(frame.rest.clone()).ok()?;
            head.encode(&mut rest);
            rest.extend_from_slice(&bytes);
        }
        CallKind::Open => OpenHead::decode(frame.rest.clone()).ok()?.encode(&mut rest),
        CallKind::Cancel => {
            let reason = decode_cancel(&frame.rest).ok()?;
            put_cancel(&mut out, frame.call, frame.time, reason);
            return Some(out);
        }
        CallKind::End => {}
    }
    put_call_frame(&mut out, frame.kind, frame.call, frame.time, &rest);
    Some(out)
}
