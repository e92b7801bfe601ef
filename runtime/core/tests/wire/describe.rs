//! What a frame says, in the words of the vectors: only what differs from a plain frame is named.

use std::fmt::Write as _;

use sinew_core::{
    codes::{Criticality, Directive},
    ledger::LedgerCall,
    metadata::Metadata,
    wire::{
        AnswerHead, AnswerOutcome, CallFrame, CallKind, ConnectionFrame, DataHead, Frame,
        Malformed, OpenHead, RequestHead, Settings, StreamType, TimeLeft, decode_cancel,
    },
};

pub(crate) fn stream(kind: StreamType) -> &'static str {
    match kind {
        StreamType::Control => "control",
        StreamType::Lane => "lane",
        StreamType::Call => "call",
        StreamType::Answer => "answer",
    }
}

pub(crate) fn frame(frame: &Frame) -> String {
    match frame {
        Frame::Connection(frame) => connection(frame),
        Frame::Call(frame) => match call(frame) {
            Ok(text) => text,
            Err(_) => format!("{} ends call {}", frame.kind.name(), frame.call),
        },
        Frame::Bad { call: Some(call), kind: Some(kind), .. } => {
            format!("{} ends call {call}", kind.name())
        }
        Frame::Bad { kind: Some(kind), .. } => format!("bad {} names no call", kind.name()),
        Frame::Bad { .. } => "bad connection frame".into(),
        Frame::Skipped { kind, len } => format!("skipped kind={kind:#04x} bytes={len}"),
    }
}

fn connection(frame: &ConnectionFrame) -> String {
    match frame {
        ConnectionFrame::Stamp { sent_at_us } => format!("STAMP sent-at={sent_at_us}us"),
        ConnectionFrame::Settings(found) => settings(found),
        ConnectionFrame::GoAway { phase } => format!("GOAWAY phase={phase}"),
        ConnectionFrame::GoAwayAck { phase } => format!("GOAWAY_ACK phase={phase}"),
        ConnectionFrame::Ping { nonce } => format!("PING nonce={nonce}"),
        ConnectionFrame::Pong { nonce } => format!("PONG nonce={nonce}"),
        ConnectionFrame::Health { service, serving } => {
            let service = if service.is_empty() { "(all)" } else { service };
            format!("HEALTH service={service} serving={serving}")
        }
    }
}

fn settings(settings: &Settings) -> String {
    let fingerprints: Vec<_> = settings
        .fingerprints
        .iter()
        .map(|(method, fingerprint)| format!("{method}:{fingerprint}"))
        .collect();
    format!(
        "SETTINGS versions={:?} codecs={:?} max-message={} max-in-flight={} features={:#x} \
         services=[{}] fingerprints=[{}]",
        settings.versions,
        settings.codecs,
        settings.max_message,
        settings.max_in_flight,
        settings.features,
        settings.services.join(", "),
        fingerprints.join(", "),
    )
}

fn call(frame: &CallFrame) -> Result<String, Malformed> {
    let left = match frame.time {
        TimeLeft::Micros(us) => format!("{us}us"),
        TimeLeft::Unbounded => "none".into(),
        TimeLeft::Zero => "zero, ends the call".into(),
    };
    let mut text = format!("{} call={} left={left}", frame.kind.name(), frame.call);
    let rest = frame.rest.clone();
    let body = match frame.kind {
        CallKind::Request => {
            let (head, body) = RequestHead::decode(rest)?;
            request(&mut text, &head);
            Some(body)
        }
        CallKind::Answer => {
            let (head, body) = AnswerHead::decode(rest)?;
            answer(&mut text, &head);
            Some(body)
        }
        CallKind::Data => {
            let (head, bytes) = DataHead::decode(rest)?;
            text += if head.more { " more" } else { "" };
            Some(bytes)
        }
        CallKind::Open => {
            let head = OpenHead::decode(rest)?;
            let _ = write!(text, " codec={}", head.codec);
            metadata(&mut text, &head.metadata);
            None
        }
        CallKind::Cancel => {
            let reason = decode_cancel(&rest)?;
            let _ = write!(text, " reason={} ({reason})", reason.to_u8());
            None
        }
        CallKind::End => None,
    };
    match body {
        Some(body) if body.len() > 32 => {
            let _ = write!(text, " body={}*{}", hex(&body[..1]), body.len());
        }
        Some(body) if !body.is_empty() => {
            let _ = write!(text, " body={}", hex(&body));
        }
        _ => {}
    }
    Ok(text)
}

fn request(text: &mut String, head: &RequestHead) {
    let _ = write!(text, " method={} codec={}", head.method, head.codec);
    for (set, word) in [
        (head.idempotent, "idempotent"),
        (head.shadow, "shadow"),
        (head.no_retry, "no-retry"),
        (head.hedge, "hedge"),
        (head.input_stream, "input-stream"),
        (head.want_ledger, "want-ledger"),
    ] {
        if set {
            *text += " ";
            *text += word;
        }
    }
    if let Some(fingerprint) = head.fingerprint {
        let _ = write!(text, " fingerprint={fingerprint}");
    }
    metadata(text, &head.metadata);
    if let Some(trace) = head.trace {
        let (id, span) = (hex(&trace.trace_id), hex(&trace.span_id));
        let _ = write!(text, " trace={id}-{span}-{:02x}", trace.flags);
    }
    if let Some(key) = head.shed_key {
        let _ = write!(text, " shed-key={key}");
    }
    if let Some(total) = head.total {
        let _ = write!(text, " total={total}");
    }
    if head.attempt > 0 {
        let _ = write!(text, " attempt={}", head.attempt);
    }
    if head.criticality != Criticality::Critical {
        let _ = write!(text, " criticality={}", head.criticality);
    }
}

fn answer(text: &mut String, head: &AnswerHead) {
    *text += match head.outcome {
        AnswerOutcome::Ok => " ok",
        AnswerOutcome::App => " app",
        AnswerOutcome::Status(_) => "",
    };
    let _ = write!(text, " codec={} queue={}us work={}us", head.codec, head.queue_us, head.work_us);
    if head.draining {
        *text += " draining";
    }
    if let Some(load) = head.load {
        let (latency, used) = (load.latency_us, load.utilisation_permille);
        let _ = write!(text, " load={}/{latency}us/{used}permille", load.in_flight);
    }
    if let Some(cut) = head.cut {
        let _ = write!(text, " cut={}/{}", cut.criticality, cut.shed_key);
    }
    metadata(text, &head.metadata);
    if !head.ledger.is_empty() {
        *text += " ledger=";
        calls(text, &head.ledger);
    }
    match head.directive {
        Directive::Default => {}
        Directive::DoNotRetry => *text += " do-not-retry",
        Directive::RetryAfter(pause) => {
            let _ = write!(text, " retry-after={}us", pause.as_micros());
        }
        Directive::RetryElsewhere(pause) => {
            let _ = write!(text, " retry-elsewhere={}us", pause.as_micros());
        }
    }
    if let Some(total) = head.total {
        let _ = write!(text, " total={total}");
    }
    if let AnswerOutcome::Status(status) = &head.outcome {
        let _ = write!(
            text,
            " status={} reason={} ({}) {} by={}",
            status.code,
            status.reason.to_u8(),
            status.reason,
            status.disposition,
            status.origin,
        );
        let _ = match status.message.chars().next() {
            Some(first) if status.message.len() > 64 => {
                write!(text, " {:?}*{}", first.to_string(), status.message.len())
            }
            _ => write!(text, " {:?}", status.message),
        };
    }
}

fn metadata(text: &mut String, metadata: &Metadata) {
    if !metadata.is_empty() {
        let entries: Vec<_> =
            metadata.iter().map(|(key, value)| format!("{key}={}", hex(value))).collect();
        let _ = write!(text, " metadata={{{}}}", entries.join(", "));
    }
}

fn calls(text: &mut String, list: &[LedgerCall]) {
    *text += "[";
    for (at, call) in list.iter().enumerate() {
        *text += if at > 0 { ", " } else { "" };
        let _ = write!(
            text,
            "{} total={}us waited={}us {}",
            call.method, call.total_us, call.waited_us, call.code
        );
        *text += if call.unfinished { " unfinished" } else { "" };
        if call.dropped > 0 {
            let _ = write!(text, " left-out={}", call.dropped);
        }
        for attempt in &call.attempts {
            let _ = write!(
                text,
                " (at {} after={}us took={}us {}",
                attempt.endpoint, attempt.started_us, attempt.took_us, attempt.code
            );
            match &attempt.answered {
                None => *text += " no-answer",
                Some(server) => {
                    let _ = write!(text, " queue={}us work={}us", server.queue_us, server.work_us);
                    if let Some(left) = server.left_us {
                        let _ = write!(text, " left={left}us");
                    }
                    *text += " calls=";
                    calls(text, &server.calls);
                }
            }
            *text += ")";
        }
    }
    *text += "]";
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
