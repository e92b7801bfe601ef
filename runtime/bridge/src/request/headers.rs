//! What goes beside the arguments: deadline, trace, metadata.
//!
//! # Invariants
//! 1. Metadata becomes headers, and never one that frames a body, belongs to a connection, or is the bridge's own: such a
//!    call is refused, for a server would read something else than was sent.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sinew::{Status, foreign::Outbound};
use sinew_core::limits;

use super::{binding, refused};
use crate::framing::is_framing;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("sinew/", env!("CARGO_PKG_VERSION")));
const WANTS_JSON: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.5");
const WANTS_EVENTS: HeaderValue = HeaderValue::from_static(
    "text/event-stream, application/x-ndjson, application/json;q=0.9, */*;q=0.5",
);
const WANTS_ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const TRACE: HeaderName = HeaderName::from_static("traceparent");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const ATTEMPT: HeaderName = HeaderName::from_static("x-sinew-attempt");
const SHADOW: HeaderName = HeaderName::from_static("x-sinew-shadow");

/// What of metadata is baggage (W3C), which travels in one header.
const BAGGAGE_KEY: &str = "baggage.";

/// What no call may say either: what stands here, or asks something of a server that is not the call.
const OURS: &[&str] = &[
    "accept-encoding",
    "baggage",
    "expect",
    "grpc-timeout",
    "host",
    "http2-settings",
    "proxy-authorization",
    "traceparent",
    "tracestate",
    "x-request-timeout-ms",
    "x-sinew-attempt",
    "x-sinew-shadow",
];

/// Adds what goes beside the arguments.
pub(super) fn beside(
    headers: &mut HeaderMap,
    outbound: &Outbound<'_>,
    binding: &binding::Binding,
) -> Result<(), Status> {
    metadata(headers, outbound)?;
    headers.entry(header::USER_AGENT).or_insert(AGENT);
    headers.entry(header::ACCEPT).or_insert(match binding.content {
        _ if outbound.method().shape().streams() => WANTS_EVENTS,
        binding::Content::Json => WANTS_JSON,
        binding::Content::Text
        | binding::Content::Bytes
        | binding::Content::Nothing
        | binding::Content::Header(_) => WANTS_ANYTHING,
    });
    if let Some(deadline) = outbound.deadline() {
        // What the other side is told is less than there is, for its answer has to come back.
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.saturating_sub(limits::HTTP_RESERVE).as_millis();
        // Eight digits are what gRPC allows; 27 hours.
        let left = u64::try_from(left).unwrap_or(u64::MAX).clamp(1, 99_999_999);
        headers.insert(TIMEOUT, HeaderValue::from(left));
        headers.insert(GRPC_TIMEOUT, text(format!("{left}m"))?);
    }
    if let Some(trace) = outbound.trace() {
        let mut written = String::from("00-");
        hex(&mut written, &trace.trace_id);
        written.push('-');
        hex(&mut written, &trace.span_id);
        written.push('-');
        hex(&mut written, &[trace.flags]);
        headers.insert(TRACE, text(written)?);
    }
    if outbound.attempt() > 0 {
        headers.insert(ATTEMPT, HeaderValue::from(u16::from(outbound.attempt())));
    }
    if outbound.is_shadow() {
        headers.insert(SHADOW, HeaderValue::from(1_u16));
    }
    Ok(())
}

fn metadata(headers: &mut HeaderMap, outbound: &Outbound<'_>) -> Result<(), Status> {
    let mut baggage = String::new();
    for (key, bytes) in outbound.metadata().iter() {
        if let Some(key) = key.strip_prefix(BAGGAGE_KEY) {
            if !baggage.is_empty() {
                baggage.push(',');
            }
            baggage.push_str(key);
            baggage.push('=');
            baggage.extend(percent_encoding::percent_encode(
                bytes,
                percent_encoding::NON_ALPHANUMERIC,
            ));
            continue;
        }
        if is_framing(key) || OURS.contains(&key) {
            return Err(refused(format!(
                "the metadata `{key}` would be a header that says how the request is read; it is the bridge's own"
            )));
        }
        if headers.contains_key(key) {
            return Err(refused(format!(
                "the metadata `{key}` would be a header that an argument is already"
            )));
        }
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| refused(format!("the metadata `{key}` cannot be the name of a header")))?;
        let value = value(bytes).map_err(|why| refused(format!("the metadata `{key}` {why}")))?;
        headers.insert(name, value);
    }
    if !baggage.is_empty() {
        headers.insert(BAGGAGE, text(baggage)?);
    }
    Ok(())
}

/// A value that an argument or metadata gives to a header.
pub(super) fn value(bytes: &[u8]) -> Result<HeaderValue, String> {
    // Between visible characters there may be spaces and tabs (RFC 9110, 5.5); what else there is could end the line.
    let sound = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    if !bytes.iter().all(sound) || edge(bytes.first()) || edge(bytes.last()) {
        return Err("has characters that a header cannot carry, or spaces around it".to_owned());
    }
    HeaderValue::from_bytes(bytes).map_err(|why| format!("cannot be a header: {why}"))
}

fn text(text: String) -> Result<HeaderValue, Status> {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .map_err(|why| refused(format!("what goes beside the call is no header: {why}")))
}

fn hex(out: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_could_end_its_line_is_refused() {
        for bytes in [&b"a\r\nx: y"[..], b"a\n", b"\0", b"a\x7f", b" a", b"a\t"] {
            assert!(value(bytes).is_err(), "{bytes:?}");
        }
        for bytes in [&b""[..], b"a b", b"a\tb", "é".as_bytes()] {
            assert_eq!(value(bytes).unwrap().as_bytes(), bytes);
        }
    }
}
