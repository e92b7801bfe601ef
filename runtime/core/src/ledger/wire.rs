//! The ledger's bytes, and how it is cut to its bounds.
//!
//! # Layout
//! ```text
//!   ledger   length, varint | calls
//!   calls    how many, varint | each
//!   call     method, text | total us | waited us | code 1 | flags 1 (bit 0 unfinished)
//!            | left out, varint | attempts: how many, varint | each
//!   attempt  endpoint, text | started us | took us | code 1
//!            | flags 1 (bit 0 answered, bit 1 left known)
//!            | answered: queue us | work us | left us, if known | calls
//! ```

use std::cmp::Reverse;

use super::{LedgerAttempt, LedgerCall, LedgerServer};
use crate::{
    codes::Code,
    limits::{
        LEDGER_ATTEMPTS_MAX, LEDGER_DEPTH_MAX, LEDGER_MAX, LEDGER_NAME_MAX, LEDGER_NODES_MAX,
    },
    wire::{Malformed, read, varint},
};

const UNFINISHED: u8 = 1;
const ANSWERED: u8 = 1;
const LEFT_KNOWN: u8 = 2;

/// Least bytes of an encoded call, and of an attempt: seven and five fields.
const CALL_MIN: usize = 7;
const ATTEMPT_MIN: usize = 5;

/// The longest start of `text` of at most `max` bytes that ends between characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

// -- writing --

/// Appends the calls with their length, cut to the bounds.
pub(crate) fn encode(calls: &[LedgerCall], out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    if Measure::of(calls, 1).fits() {
        put_calls(&mut payload, calls);
    } else {
        let mut calls = calls.to_vec();
        truncate_to_bounds(&mut calls);
        put_calls(&mut payload, &calls);
    }
    varint::put(out, payload.len() as u64);
    out.append(&mut payload);
}

fn put_calls(out: &mut Vec<u8>, calls: &[LedgerCall]) {
    varint::put(out, calls.len() as u64);
    for call in calls {
        put_name(out, &call.method);
        varint::put(out, call.total_us);
        varint::put(out, call.waited_us);
        out.extend_from_slice(&[call.code as u8, if call.unfinished { UNFINISHED } else { 0 }]);
        varint::put(out, u64::from(call.dropped));
        varint::put(out, call.attempts.len() as u64);
        for attempt in &call.attempts {
            put_attempt(out, attempt);
        }
    }
}

fn put_attempt(out: &mut Vec<u8>, attempt: &LedgerAttempt) {
    put_name(out, &attempt.endpoint);
    varint::put(out, attempt.started_us);
    varint::put(out, attempt.took_us);
    out.push(attempt.code as u8);
    let Some(server) = &attempt.answered else {
        return out.push(0);
    };
    out.push(if server.left_us.is_some() { ANSWERED | LEFT_KNOWN } else { ANSWERED });
    varint::put(out, server.queue_us);
    varint::put(out, server.work_us);
    if let Some(left) = server.left_us {
        varint::put(out, left);
    }
    put_calls(out, &server.calls);
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = cut(name, LEDGER_NAME_MAX);
    varint::put(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
}

// -- cutting --

/// Leaves out what took least, until the calls are within the bounds of the wire. Within them
/// already, nothing changes.
pub fn truncate_to_bounds(calls: &mut Vec<LedgerCall>) {
    cut_shape(calls, 1);
    if Measure::of(calls, 1).fits() {
        return;
    }
    // The calls in the order in which a walk meets them, ranked by what they took.
    let mut totals = Vec::new();
    collect_totals(calls, u64::MAX, &mut totals);
    let mut order: Vec<usize> = (0..totals.len()).collect();
    order.sort_by_key(|&at| (Reverse(totals[at]), at));
    let mut rank = vec![0; totals.len()];
    for (place, &at) in order.iter().enumerate() {
        rank[at] = place;
    }
    // The largest number of first places that fits: more kept is never less space.
    let (mut fits, mut too_many) = (0, totals.len());
    while too_many - fits > 1 {
        let keep = fits + (too_many - fits) / 2;
        let mut measure = Measure::default();
        measure.add_kept(calls, &mut Walk { rank: &rank, keep, at: 0 });
        if measure.fits() { fits = keep } else { too_many = keep }
    }
    remove(calls, &mut Walk { rank: &rank, keep: fits, at: 0 });
}

/// Holds depth and attempts to their bounds.
fn cut_shape(calls: &mut [LedgerCall], depth: usize) {
    for call in calls {
        call.attempts.truncate(LEDGER_ATTEMPTS_MAX);
        let servers = call.attempts.iter_mut().filter_map(|attempt| attempt.answered.as_mut());
        for server in servers {
            if depth < LEDGER_DEPTH_MAX {
                cut_shape(&mut server.calls, depth + 1);
            } else {
                call.dropped = add(call.dropped, server.calls.len());
                server.calls = Vec::new();
            }
        }
    }
}

/// No call counts for more than the one that made it: without that one it could not be shown.
fn collect_totals(calls: &[LedgerCall], most: u64, totals: &mut Vec<u64>) {
    for call in calls {
        let total = call.total_us.min(most);
        totals.push(total);
        for attempt in &call.attempts {
            if let Some(server) = &attempt.answered {
                collect_totals(&server.calls, total, totals);
            }
        }
    }
}

/// Meets the calls in the order of [`collect_totals`] and says which are kept.
struct Walk<'a> {
    rank: &'a [usize],
    keep: usize,
    at: usize,
}

impl Walk<'_> {
    fn keeps_next(&mut self) -> bool {
        let rank = self.rank.get(self.at).copied().unwrap_or(usize::MAX);
        self.at += 1;
        rank < self.keep
    }

    /// Passes over a call's tree.
    fn skip(&mut self, call: &LedgerCall) {
        for below in call.below() {
            self.at += 1;
            self.skip(below);
        }
    }
}

fn remove(calls: &mut Vec<LedgerCall>, walk: &mut Walk<'_>) -> u32 {
    let mut left_out = 0;
    calls.retain_mut(|call| {
        if !walk.keeps_next() {
            walk.skip(call);
            left_out = add(left_out, 1);
            return false;
        }
        for attempt in &mut call.attempts {
            if let Some(server) = &mut attempt.answered {
                call.dropped = call.dropped.saturating_add(remove(&mut server.calls, walk));
            }
        }
        true
    });
    // Beside one that is kept; where none is, the parent takes the number.
    match calls.last_mut() {
        Some(last) => {
            last.dropped = last.dropped.saturating_add(left_out);
            0
        }
        None => left_out,
    }
}

fn add(sum: u32, more: usize) -> u32 {
    sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
}

/// What calls would take on the wire.
#[derive(Default)]
struct Measure {
    nodes: usize,
    bytes: usize,
    depth: usize,
    attempts: usize,
}

impl Measure {
    fn of(calls: &[LedgerCall], depth: usize) -> Self {
        let mut measure = Self::default();
        measure.add_all(calls, depth);
        measure
    }

    fn fits(&self) -> bool {
        self.nodes <= LEDGER_NODES_MAX
            && self.bytes <= LEDGER_MAX
            && self.depth <= LEDGER_DEPTH_MAX
            && self.attempts <= LEDGER_ATTEMPTS_MAX
    }

    fn add_all(&mut self, calls: &[LedgerCall], depth: usize) {
        self.bytes += varint::len(calls.len() as u64);
        for call in calls {
            self.depth = self.depth.max(depth);
            self.add_call(call);
            for attempt in &call.attempts {
                self.add_attempt(attempt);
                if let Some(server) = &attempt.answered {
                    self.add_all(&server.calls, depth + 1);
                }
            }
        }
    }

    fn add_kept(&mut self, calls: &[LedgerCall], walk: &mut Walk<'_>) {
        self.bytes += varint::len(calls.len() as u64);
        for call in calls {
            if !walk.keeps_next() {
                walk.skip(call);
                continue;
            }
            self.add_call(call);
            for attempt in &call.attempts {
                self.add_attempt(attempt);
                if let Some(server) = &attempt.answered {
                    self.add_kept(&server.calls, walk);
                }
            }
        }
    }

    fn add_call(&mut self, call: &LedgerCall) {
        self.nodes += 1;
        self.attempts = self.attempts.max(call.attempts.len());
        // The number left out may still grow: it is counted at its largest.
        self.bytes += name_len(&call.method)
            + varint::len(call.total_us)
            + varint::len(call.waited_us)
            + 2
            + varint::len(u64::from(u32::MAX))
            + varint::len(call.attempts.len() as u64);
    }

    fn add_attempt(&mut self, attempt: &LedgerAttempt) {
        self.nodes += 1;
        self.bytes += name_len(&attempt.endpoint)
            + varint::len(attempt.started_us)
            + varint::len(attempt.took_us)
            + 2;
        if let Some(server) = &attempt.answered {
            self.bytes += varint::len(server.queue_us)
                + varint::len(server.work_us)
                + server.left_us.map_or(0, varint::len);
        }
    }
}

fn name_len(name: &str) -> usize {
    let len = cut(name, LEDGER_NAME_MAX).len();
    varint::len(len as u64) + len
}

// -- reading --

/// Reads calls with their length off the front of `buf`.
pub(crate) fn decode(buf: &mut &[u8]) -> Result<Vec<LedgerCall>, Malformed> {
    let mut payload = read::bytes(buf, LEDGER_MAX)?;
    let mut nodes = LEDGER_NODES_MAX;
    let calls = take_calls(&mut payload, &mut nodes, 1)?;
    read::end(payload)?;
    if calls.is_empty() {
        return Err(Malformed::new("a ledger that is announced and empty"));
    }
    Ok(calls)
}

fn take_calls(
    buf: &mut &[u8],
    nodes: &mut usize,
    depth: usize,
) -> Result<Vec<LedgerCall>, Malformed> {
    let count = read::count(buf, *nodes, CALL_MIN)?;
    if count > 0 && depth > LEDGER_DEPTH_MAX {
        return Err(Malformed::new("a ledger deeper than 8 calls"));
    }
    *nodes -= count;
    let mut calls = Vec::with_capacity(count);
    for _ in 0..count {
        calls.push(take_call(buf, nodes, depth)?);
    }
    Ok(calls)
}

fn take_call(buf: &mut &[u8], nodes: &mut usize, depth: usize) -> Result<LedgerCall, Malformed> {
    let mut call = LedgerCall {
        method: read::text(buf, LEDGER_NAME_MAX)?.to_owned(),
        total_us: varint::get(buf)?,
        waited_us: varint::get(buf)?,
        code: code(buf)?,
        unfinished: flags(buf, UNFINISHED)? != 0,
        dropped: read::varint_u32(buf)?,
        attempts: Vec::new(),
    };
    let count = read::count(buf, (*nodes).min(LEDGER_ATTEMPTS_MAX), ATTEMPT_MIN)?;
    *nodes -= count;
    call.attempts.reserve_exact(count);
    for _ in 0..count {
        call.attempts.push(take_attempt(buf, nodes, depth)?);
    }
    Ok(call)
}

fn take_attempt(
    buf: &mut &[u8],
    nodes: &mut usize,
    depth: usize,
) -> Result<LedgerAttempt, Malformed> {
    let mut attempt = LedgerAttempt {
        endpoint: read::text(buf, LEDGER_NAME_MAX)?.to_owned(),
        started_us: varint::get(buf)?,
        took_us: varint::get(buf)?,
        code: code(buf)?,
        answered: None,
    };
    let flags = flags(buf, ANSWERED | LEFT_KNOWN)?;
    if flags & ANSWERED != 0 {
        attempt.answered = Some(LedgerServer {
            queue_us: varint::get(buf)?,
            work_us: varint::get(buf)?,
            left_us: if flags & LEFT_KNOWN != 0 { Some(varint::get(buf)?) } else { None },
            calls: take_calls(buf, nodes, depth + 1)?,
        });
    } else if flags != 0 {
        return Err(Malformed::new("time left without an answer"));
    }
    Ok(attempt)
}

fn code(buf: &mut &[u8]) -> Result<Code, Malformed> {
    Code::from_u8(read::u8(buf)?).ok_or(Malformed::new("an unknown code"))
}

fn flags(buf: &mut &[u8], known: u8) -> Result<u8, Malformed> {
    let flags = read::u8(buf)?;
    if flags & !known == 0 { Ok(flags) } else { Err(Malformed::new("an unknown flag")) }
}
