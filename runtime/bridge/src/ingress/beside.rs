//! What a request says beside its arguments: how long it may take, which trace it belongs to, metadata.
//!
//! # Invariants
//! 1. A caller who is not trusted decides nothing that harms others: neither a deadline so short that a healthy server looks
//!    slow, nor who calls.
//! 2. No header that frames a body, belongs to a connection, proves who somebody is or names who asked before becomes
//!    metadata.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, header};
use sinew::{Metadata, TraceContext};
use sinew_core::limits;

use super::refusal::Refusal;

const TIMEOUT: &str = "x-request-timeout-ms";
const ENVOY_TIMEOUT: &str = "x-envoy-expected-rq-timeout-ms";
const GRPC_TIMEOUT: &str = "grpc-timeout";
/// Who a proxy in front says that it speaks for.
pub(super) const IDENTITY: &str = "x-sinew-identity";

/// What of `x-*` is never metadata: who asked whom by which way, and what means something here.
const WITHHELD: &[&str] =
    &["x-sinew-", "x-forwarded-", "x-envoy-", "x-real-ip", "x-request-timeout-ms"];

/// Headers without `x-` that services ask for.
const PASSED: &[header::HeaderName] =
    &[header::ACCEPT_LANGUAGE, header::USER_AGENT, header::IF_MATCH, header::IF_NONE_MATCH];

/// When the call must have ended: what its caller says, where he is trusted, and never later than `usual` allows.
pub(super) fn deadline(
    headers: &HeaderMap,
    usual: Option<Duration>,
    trusts: bool,
) -> Result<Option<Instant>, Refusal> {
    let said = if trusts { said(headers)? } else { None };
    let left = match (said, usual) {
        (Some(said), _) => Some(said.min(limits::DEADLINE_MAX)),
        (None, usual) => usual,
    };
    Ok(left.map(|left| Instant::now() + left))
}

fn said(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let in_ms = |name: &str| {
        text(name).map(|text| {
            let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).map(Duration::from_millis).ok_or(name.to_owned())
        })
    };
    let grpc = text(GRPC_TIMEOUT).map(|text| grpc(text).ok_or(GRPC_TIMEOUT.to_owned()));
    let all = [in_ms(TIMEOUT), in_ms(ENVOY_TIMEOUT), grpc];
    let mut least = None;
    for one in all.into_iter().flatten() {
        let one =
            one.map_err(|name| Refusal::malformed(format!("the header `{name}` is no time")))?;
        if one.is_zero() {
            return Err(Refusal::malformed("the request says that no time is left"));
        }
        least = Some(least.map_or(one, |least: Duration| least.min(one)));
    }
    Ok(least)
}

/// `grpc-timeout`: up to eight digits and a unit (gRPC over HTTP/2, Requests).
fn grpc(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number =
        (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The trace (W3C Trace Context, 2.2.2): what cannot be read is none, as it says.
pub(super) fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = hex::<1>(version)?[0];
    // Later versions may go on; this one may not.
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return None;
    }
    let trace =
        TraceContext { trace_id: hex(trace)?, span_id: hex(span)?, flags: hex::<1>(flags)?[0] };
    (trace.trace_id != [0; 16] && trace.span_id != [0; 8]).then_some(trace)
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// Headers as metadata. What an argument takes is none, nor what does not fit.
pub(super) fn metadata(
    headers: &HeaderMap,
    taken: &[(String, usize)],
) -> Result<Metadata, Refusal> {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let key = name.as_str();
        let passes = if key.starts_with("x-") {
            !WITHHELD.iter().any(|withheld| key.starts_with(withheld))
        } else {
            PASSED.contains(name) || key == "idempotency-key"
        };
        if !passes || taken.iter().any(|(header, _)| header == key) || metadata.get(key).is_some() {
            continue;
        }
        let value = Bytes::copy_from_slice(value.as_bytes());
        metadata.insert(key, value).map_err(|why| {
            Refusal::malformed(format!("the header `{key}` cannot be metadata: {why}"))
        })?;
    }
    if let Some(baggage) = headers.get("baggage").and_then(|baggage| baggage.to_str().ok()) {
        for (key, value) in baggage.split(',').filter_map(|entry| entry.split_once('=')) {
            // Properties behind `;` are for those who pass it on as it is.
            let value = value.split(';').next().unwrap_or_default().trim();
            let value: Vec<u8> = percent_encoding::percent_decode_str(value).collect();
            let key = format!("baggage.{}", key.trim().to_ascii_lowercase());
            if metadata.get(&key).is_none() {
                // What cannot be carried is left out, as W3C Baggage has it.
                let _ = metadata.insert(&key, Bytes::from(value));
            }
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn left(all: &[(&'static str, &str)], trusts: bool) -> Option<Duration> {
        let usual = Some(Duration::from_secs(10));
        let until = deadline(&headers(all), usual, trusts).unwrap()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    #[test]
    fn a_deadline_is_the_smallest_that_is_said_by_somebody_trusted() {
        let within = |left: Option<Duration>, low: u64, high: u64| {
            let left = left.unwrap();
            assert!(
                left > Duration::from_millis(low) && left <= Duration::from_millis(high),
                "{left:?}"
            );
        };
        within(left(&[], true), 9_000, 10_000);
        within(left(&[("grpc-timeout", "700m")], true), 600, 700);
        within(left(&[("grpc-timeout", "1S"), ("x-request-timeout-ms", "400")], true), 300, 400);
        within(left(&[("x-envoy-expected-rq-timeout-ms", "20000")], true), 19_000, 20_000);
        within(left(&[("grpc-timeout", "99999999H")], true), 299_000, 300_000);
        // Nobody believes a stranger.
        within(
            left(&[("grpc-timeout", "1m"), ("x-request-timeout-ms", "x")], false),
            9_000,
            10_000,
        );
    }

    #[test]
    fn a_deadline_that_is_none_is_an_error() {
        for (name, value) in [
            ("grpc-timeout", "1"),
            ("grpc-timeout", "m"),
            ("grpc-timeout", "123456789m"),
            ("grpc-timeout", "-1m"),
            ("grpc-timeout", "1x"),
            ("grpc-timeout", "0m"),
            ("x-request-timeout-ms", ""),
            ("x-request-timeout-ms", "0"),
            ("x-request-timeout-ms", "1.5"),
            ("x-request-timeout-ms", "+1"),
        ] {
            assert!(deadline(&headers(&[(name, value)]), None, true).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn a_trace_is_read_as_it_is_written() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = trace(&headers(&[("traceparent", text)])).unwrap();
        assert_eq!((read.trace_id[0], read.span_id[7], read.flags), (0x0a, 0x31, 1));
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert!(trace(&headers(&[("traceparent", wrong)])).is_none(), "{wrong}");
        }
    }

    #[test]
    fn headers_that_say_who_somebody_is_are_no_metadata() {
        let all = headers(&[
            ("x-tenant", "a"),
            ("x-page", "7"),
            ("idempotency-key", "k"),
            ("baggage", "user=ada%20l;p=1, Zone = b"),
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("x-sinew-identity", "spiffe://a/b"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-request-timeout-ms", "1"),
            ("host", "a"),
            ("te", "trailers"),
        ]);
        let metadata = metadata(&all, &[("x-page".to_owned(), 0)]).unwrap();
        let mut keys: Vec<_> = metadata.iter().map(|(key, _)| key.to_owned()).collect();
        keys.sort();
        assert_eq!(keys, ["baggage.user", "baggage.zone", "idempotency-key", "x-tenant"]);
        assert_eq!(metadata.get_str("baggage.user"), Some("ada l"));
    }
}
