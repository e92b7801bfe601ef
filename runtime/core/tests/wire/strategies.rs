//! Arbitrary values of everything that crosses the wire, within its bounds.

use std::time::Duration;

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*, sample::select};
use sinew_core::{
    codes::{Code, Criticality, Directive, Disposition, Origin, Reason},
    ids::{Fingerprint, MethodId},
    ledger::{LedgerAttempt, LedgerCall, LedgerServer},
    metadata::Metadata,
    wire::{
        AdmissionCut, AnswerHead, AnswerOutcome, CallKind, ConnectionFrame, LoadReport,
        RequestHead, Settings, TimeLeft, TraceContext, WireStatus, varint,
    },
};

/// Numbers of every length on the wire.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..64_u64, 0..1_u64 << 14, 0..1_u64 << 30, 0..=varint::MAX]
}

pub(crate) fn time_left() -> impl Strategy<Value = TimeLeft> {
    prop_oneof![number().prop_map(|us| TimeLeft::Micros(us.max(1))), Just(TimeLeft::Unbounded)]
}

pub(crate) fn call_kind() -> impl Strategy<Value = CallKind> {
    select(vec![
        CallKind::Request,
        CallKind::Answer,
        CallKind::Cancel,
        CallKind::Data,
        CallKind::Open,
    ])
}

pub(crate) fn metadata() -> impl Strategy<Value = Metadata> {
    let entry = ("[a-z0-9._-]{1,20}", vec(any::<u8>(), 0..60));
    vec(entry, 0..6).prop_map(|entries| {
        let mut metadata = Metadata::new();
        for (key, value) in entries {
            // A reserved key is refused, and that is what this is for.
            let _ = metadata.insert(&key, value);
        }
        metadata
    })
}

pub(crate) fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

fn trace() -> impl Strategy<Value = TraceContext> {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>())
        .prop_map(|(trace_id, span_id, flags)| TraceContext { trace_id, span_id, flags })
}

/// A head and a body that may follow it.
pub(crate) fn request() -> impl Strategy<Value = (RequestHead, Vec<u8>)> {
    let bits = any::<[bool; 6]>();
    let numbers = (any::<u64>(), any::<u8>(), any::<u8>(), select(Criticality::ALL.to_vec()));
    let options = (
        option::of(any::<u64>().prop_map(Fingerprint)),
        option::of(any::<u16>()),
        option::of(trace()),
        option::of(0..1_u64 << 30),
    );
    (bits, numbers, options, metadata(), body()).prop_map(
        |(bits, numbers, options, metadata, body)| {
            let (method, codec, attempt, criticality) = numbers;
            let (fingerprint, shed_key, trace, more) = options;
            let [idempotent, shadow, no_retry, hedge, want_ledger, input_stream] = bits;
            let head = RequestHead {
                method: MethodId(method),
                codec,
                idempotent,
                shadow,
                no_retry,
                hedge,
                want_ledger,
                attempt,
                criticality,
                fingerprint,
                shed_key,
                trace,
                metadata,
                input_stream,
                total: more.map(|more| body.len() as u64 + 1 + more),
            };
            (head, body)
        },
    )
}

fn status() -> impl Strategy<Value = WireStatus> {
    (1..17_u8, any::<u8>(), 0..4_u8, 0..5_u8, "\\PC{0,40}").prop_map(
        |(code, reason, disposition, origin, message)| WireStatus {
            code: Code::from_u8(code).unwrap_or(Code::Unknown),
            reason: Reason::from_u8(reason),
            disposition: Disposition::from_u8(disposition).unwrap_or(Disposition::Unknown),
            origin: Origin::from_u8(origin).unwrap_or(Origin::Local),
            message,
        },
    )
}

fn directive() -> impl Strategy<Value = Directive> {
    prop_oneof![
        Just(Directive::Default),
        Just(Directive::DoNotRetry),
        number().prop_map(|us| Directive::RetryAfter(Duration::from_micros(us))),
        number().prop_map(|us| Directive::RetryElsewhere(Duration::from_micros(us))),
    ]
}

fn code() -> impl Strategy<Value = Code> {
    select(Code::ALL.to_vec())
}

fn attempt(calls: Vec<LedgerCall>) -> impl Strategy<Value = LedgerAttempt> {
    let server =
        (number(), number(), option::of(number())).prop_map(move |(queue_us, work_us, left_us)| {
            LedgerServer { queue_us, work_us, left_us, calls: calls.clone() }
        });
    ("[a-z0-9.:]{0,30}", number(), number(), code(), option::of(server)).prop_map(
        |(endpoint, started_us, took_us, code, answered)| LedgerAttempt {
            endpoint,
            started_us,
            took_us,
            code,
            answered,
        },
    )
}

fn call(attempts: Vec<LedgerAttempt>) -> impl Strategy<Value = LedgerCall> {
    ("\\PC{0,30}", number(), number(), code(), any::<bool>(), any::<u32>()).prop_map(
        move |(method, total_us, waited_us, code, unfinished, dropped)| LedgerCall {
            method,
            total_us,
            waited_us,
            code,
            unfinished,
            attempts: attempts.clone(),
            dropped,
        },
    )
}

/// Any ledger, larger than the bounds too: up to `width` calls beside each other, `depth` deep,
/// about `nodes` in each tree.
pub(crate) fn ledger(
    depth: u32,
    width: usize,
    nodes: u32,
) -> impl Strategy<Value = Vec<LedgerCall>> {
    let leaf = vec(attempt(Vec::new()), 0..2).prop_flat_map(call);
    let tree = leaf.prop_recursive(depth, nodes, width as u32, move |inner| {
        vec(inner, 0..width).prop_flat_map(|calls| vec(attempt(calls), 0..3)).prop_flat_map(call)
    });
    vec(tree, 0..width)
}

/// A head and a body that may follow it. The ledger is within its bounds.
pub(crate) fn answer() -> impl Strategy<Value = (AnswerHead, Vec<u8>)> {
    let outcome = prop_oneof![
        Just(AnswerOutcome::Ok),
        Just(AnswerOutcome::App),
        status().prop_map(AnswerOutcome::Status)
    ];
    let load = (any::<u32>(), number(), any::<u16>()).prop_map(
        |(in_flight, latency_us, utilisation_permille)| LoadReport {
            in_flight,
            latency_us,
            utilisation_permille,
        },
    );
    let cut = (any::<u8>(), any::<u16>())
        .prop_map(|(criticality, shed_key)| AdmissionCut { criticality, shed_key });
    let ledger = ledger(2, 2, 6).prop_map(|mut calls| {
        sinew_core::ledger::truncate_to_bounds(&mut calls);
        calls
    });
    let plain = (outcome, any::<u8>(), number(), number(), any::<bool>(), directive());
    let options = (option::of(load), option::of(cut), option::of(0..1_u64 << 30));
    (plain, options, metadata(), ledger, body()).prop_map(
        |(plain, (load, cut, more), metadata, ledger, body)| {
            let (outcome, codec, queue_us, work_us, draining, directive) = plain;
            let is_status = matches!(outcome, AnswerOutcome::Status(_));
            let body = if is_status { Vec::new() } else { body };
            let total = more.filter(|_| !is_status).map(|more| body.len() as u64 + 1 + more);
            let head = AnswerHead {
                outcome,
                codec,
                queue_us,
                work_us,
                draining,
                directive,
                load,
                cut,
                metadata,
                ledger,
                total,
            };
            (head, body)
        },
    )
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let pair = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| (MethodId(a), Fingerprint(b)));
    (
        (vec(number(), 1..5), vec(number(), 1..5)),
        (number(), number(), number()),
        vec("[A-Za-z0-9_-]{1,30}", 0..5),
        vec(pair, 0..5),
    )
        .prop_map(|((versions, codecs), numbers, services, fingerprints)| Settings {
            versions,
            codecs,
            max_message: numbers.0,
            max_in_flight: numbers.1,
            features: numbers.2,
            services,
            fingerprints,
        })
}

pub(crate) fn connection_frame() -> impl Strategy<Value = ConnectionFrame> {
    prop_oneof![
        number().prop_map(|sent_at_us| ConnectionFrame::Stamp { sent_at_us }),
        settings().prop_map(ConnectionFrame::Settings),
        (1..3_u8).prop_map(|phase| ConnectionFrame::GoAway { phase }),
        (1..3_u8).prop_map(|phase| ConnectionFrame::GoAwayAck { phase }),
        number().prop_map(|nonce| ConnectionFrame::Ping { nonce }),
        number().prop_map(|nonce| ConnectionFrame::Pong { nonce }),
        ("[A-Za-z0-9_-]{0,30}", any::<bool>())
            .prop_map(|(service, serving)| ConnectionFrame::Health { service, serving }),
    ]
}

/// The bytes of a stream of sound frames, of every kind.
pub(crate) fn frames() -> impl Strategy<Value = Vec<u8>> {
    let connection = connection_frame().prop_map(|frame| {
        let mut out = Vec::new();
        sinew_core::wire::put_connection_frame(&mut out, &frame);
        out
    });
    let call = (call_kind(), number(), time_left(), body()).prop_map(|(kind, call, time, rest)| {
        let mut out = Vec::new();
        sinew_core::wire::put_call_frame(&mut out, kind, call, time, &rest);
        out
    });
    let unknown = (0x40..=0x7f_u8, vec(any::<u8>(), 0..40)).prop_map(|(kind, rest)| {
        let mut out = vec![1 + rest.len() as u8, kind];
        out.extend(rest);
        out
    });
    vec(prop_oneof![connection, call, unknown], 0..8).prop_map(|frames| frames.concat())
}

/// Bytes that came in one piece, as the transport hands them over.
pub(crate) fn bytes(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}
