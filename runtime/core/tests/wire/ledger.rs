//! The ledger: how it reads, whom it blames, and how it stays small.

use bytes::Bytes;
use proptest::prelude::*;
use sinew_core::{
    codes::Code,
    ledger::{LedgerAttempt, LedgerCall, LedgerServer, truncate_to_bounds},
    limits::{LEDGER_DEPTH_MAX, LEDGER_MAX, LEDGER_NODES_MAX},
    wire::{AnswerHead, AnswerOutcome},
};

fn call(method: &str, total_us: u64, code: Code, attempts: Vec<LedgerAttempt>) -> LedgerCall {
    LedgerCall { method: method.into(), total_us, code, attempts, ..LedgerCall::default() }
}

fn attempt(endpoint: &str, took_us: u64, answered: Option<LedgerServer>) -> LedgerAttempt {
    LedgerAttempt { endpoint: endpoint.into(), took_us, answered, ..LedgerAttempt::default() }
}

fn server(queue_us: u64, work_us: u64, calls: Vec<LedgerCall>) -> Option<LedgerServer> {
    Some(LedgerServer { queue_us, work_us, left_us: None, calls })
}

/// Three hops of which the last hangs.
fn search() -> LedgerCall {
    let day = call(
        "schedule/day",
        12_000,
        Code::Ok,
        vec![attempt("127.0.0.1:7002", 11_900, server(50, 11_000, vec![]))],
    );
    let quote = call(
        "fares/quote",
        480_300,
        Code::DeadlineExceeded,
        vec![attempt("127.0.0.1:7003", 480_200, None)],
    );
    let first = attempt("127.0.0.1:7001", 499_800, server(100, 499_100, vec![day, quote]));
    call("search/find", 500_200, Code::DeadlineExceeded, vec![first])
}

fn bytes_of(calls: &[LedgerCall]) -> Vec<u8> {
    let mut head = AnswerHead::new(AnswerOutcome::Ok, 0);
    head.ledger = calls.to_vec();
    let mut out = Vec::new();
    head.encode(&mut out);
    out
}

fn sent(calls: &[LedgerCall]) -> Vec<LedgerCall> {
    let (head, _) = AnswerHead::decode(Bytes::from(bytes_of(calls))).expect("a sound ledger");
    head.ledger
}

#[test]
fn the_caller_is_kept_when_what_it_called_claims_to_have_taken_longer() {
    let name = "x".repeat(120);
    let below = (0..60).map(|us| call(&name, 1_000 + us, Code::Ok, Vec::new())).collect();
    let root = call("a/b", 1, Code::Ok, vec![attempt("e", 1, server(0, 1, below))]);
    let kept = sent(&[root]);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].method, "a/b");
    assert!(nodes_and_depth(&kept).0 < 60);
}

fn nodes_and_depth(calls: &[LedgerCall]) -> (usize, usize) {
    let mut nodes = 0;
    let mut depth = 0;
    for call in calls {
        nodes += 1 + call.attempts.len();
        depth = depth.max(1);
        for server in call.attempts.iter().filter_map(|attempt| attempt.answered.as_ref()) {
            let below = nodes_and_depth(&server.calls);
            nodes += below.0;
            depth = depth.max(1 + below.1);
        }
    }
    (nodes, depth)
}

#[test]
fn a_tree_shows_every_call_and_marks_the_one_that_took_the_time() {
    let expected = "\
search/find  500.2 ms  DeadlineExceeded
 └ attempt 1 at 127.0.0.1:7001  499.8 ms  (queue 0.1 ms, work 499.1 ms)
    ├ schedule/day  12.0 ms  2 %  Ok
    └ fares/quote  480.3 ms  96 %  DeadlineExceeded   <- most of the time
       └ attempt 1 at 127.0.0.1:7003  480.2 ms  no answer";
    assert_eq!(search().to_string(), expected);
}

#[test]
fn a_tree_shows_retries_waits_and_what_is_missing() {
    let lookup = LedgerCall {
        unfinished: true,
        dropped: 3,
        ..call("users/lookup", 5_000, Code::Ok, vec![])
    };
    let mut second = attempt("b:1", 20_000, server(0, 19_000, vec![lookup]));
    second.code = Code::Unavailable;
    let whole = LedgerCall {
        waited_us: 31_000,
        ..call("shop/buy", 90_000, Code::Unavailable, vec![attempt("a:1", 30_000, None), second])
    };
    let expected = "\
shop/buy  90.0 ms  Unavailable  (waited 31.0 ms)
 ├ attempt 1 at a:1  30.0 ms  no answer
 └ attempt 2 at b:1  20.0 ms  Unavailable  (queue 0.0 ms, work 19.0 ms)
    └ users/lookup  5.0 ms  5 %  unfinished  (3 shorter calls left out)";
    assert_eq!(whole.to_string(), expected);
}

#[test]
fn the_deepest_that_took_most_is_to_blame() {
    let search = search();
    let culprit = search.culprit().unwrap();
    assert_eq!(culprit.to_string(), "fares/quote at 127.0.0.1:7003 took 480 of 500 ms");
    assert_eq!(culprit.endpoint, Some("127.0.0.1:7003"));
}

#[test]
fn a_wait_before_the_first_attempt_is_to_blame_where_it_took_most() {
    let waited = LedgerCall { waited_us: 6_000, ..call("a/b", 9_000, Code::Unavailable, vec![]) };
    let text = waited.culprit().unwrap().to_string();
    assert_eq!(text, "a/b waited 6.0 of 9.0 ms before its first attempt");
}

#[test]
fn attempts_that_share_the_time_leave_the_blame_with_the_call() {
    let attempts = vec![attempt("a:1", 40_000, None), attempt("b:1", 40_000, None)];
    let shared = call("a/b", 90_000, Code::Unavailable, attempts);
    assert_eq!(shared.culprit().unwrap().to_string(), "a/b took 90 of 90 ms");
    assert_eq!(LedgerCall::default().culprit(), None);
}

#[test]
fn what_took_least_is_left_out_and_counted() {
    let mut calls: Vec<LedgerCall> = (0..1000)
        .map(|at| call("service/method", at, Code::Ok, vec![attempt("e:1", at, None)]))
        .collect();
    truncate_to_bounds(&mut calls);
    assert_eq!(nodes_and_depth(&calls).0, LEDGER_NODES_MAX);
    assert!(calls.iter().all(|call| call.total_us >= 1000 - calls.len() as u64));
    let dropped: u32 = calls.iter().map(|call| call.dropped).sum();
    assert_eq!(dropped as usize + calls.len(), 1000);
}

#[test]
fn what_is_too_deep_is_left_out_and_counted() {
    let mut deep = call("leaf/m", 1, Code::Ok, vec![]);
    for level in 0..30 {
        deep = call("a/b", level, Code::Ok, vec![attempt("e:1", 1, server(0, 0, vec![deep]))]);
    }
    let mut calls = vec![deep];
    truncate_to_bounds(&mut calls);
    assert_eq!(nodes_and_depth(&calls).1, LEDGER_DEPTH_MAX);
    assert_eq!(sent(&calls), calls);
}

#[test]
fn a_single_call_of_any_size_is_kept() {
    let long = "x".repeat(100_000);
    let attempts = (0..50).map(|_| attempt(&long, 1, server(0, 0, vec![]))).collect();
    let calls = sent(&[call(&long, 1, Code::Ok, attempts)]);
    assert_eq!((calls.len(), calls[0].attempts.len(), calls[0].method.len()), (1, 8, 128));
}

#[test]
fn a_forged_depth_is_refused_without_recursion() {
    // method "", total 0, waited 0, code, flags, left out 0, one attempt: endpoint "", 0, 0, code,
    // answered, queue 0, work 0, one call, ...
    let level = [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1];
    let mut payload = vec![1];
    while payload.len() + level.len() < LEDGER_MAX {
        payload.extend_from_slice(&level);
    }
    let mut data = vec![0x40, 0x40, 0, 0, 0];
    sinew_core::wire::varint::put(&mut data, payload.len() as u64);
    data.extend_from_slice(&payload);
    let why = AnswerHead::decode(Bytes::from(data)).unwrap_err();
    assert_eq!(why.what(), "a ledger deeper than 8 calls");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_written_is_within_the_bounds_and_read_again(
        calls in crate::strategies::ledger(10, 9, 90),
    ) {
        prop_assume!(!calls.is_empty());
        let read = sent(&calls);
        let (nodes, depth) = nodes_and_depth(&read);
        prop_assert!(nodes <= LEDGER_NODES_MAX && depth <= LEDGER_DEPTH_MAX);
        prop_assert!(bytes_of(&calls).len() <= LEDGER_MAX + 10);
        prop_assert_eq!(&sent(&read), &read);
        let mut cut = read.clone();
        truncate_to_bounds(&mut cut);
        prop_assert_eq!(cut, read);
    }

    #[test]
    fn showing_never_panics_and_names_the_call(calls in crate::strategies::ledger(3, 3, 20)) {
        for call in &calls {
            prop_assert!(call.to_string().starts_with(&call.method));
            prop_assert_eq!(call.culprit().is_some(), call.total_us > 0);
        }
    }
}
