//! Arithmetic of deadlines: how a caller's time becomes a callee's.
//!
//! # Why
//! A deadline crosses the wire as time left, and at each hop a little is taken off so that there is
//! time to answer upstream. Written once, as pure functions, the rule cannot drift between client,
//! server and streams.
//!
//! ```text
//!   caller's deadline ----------------------------------------|
//!   child call's deadline ------------------------------|reserve
//!   server:  now - age + left - transit  -----------|
//! ```
//!
//! # Invariants
//! 1. A deadline only shrinks on its way down: no function here returns one later than the
//!    parent's.
//! 2. Nothing here panics or wraps, whatever the durations: overflow reads as "very far", underflow
//!    as "now".
//!
//! # Not here
//! Who measures `min_rtt` and `age`: the transport and [`age`](crate::age). A round trip that is
//! not known is zero.

use std::time::{Duration, Instant};

use crate::limits::{DEADLINE_MAX, RESERVE_MIN, SEND_MIN, WAIT_FOR_READY_MAX};

/// An instant that far away is as good as never, and safe to add to.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Time kept back from `left` for answering upstream: `min(min_rtt, 5 % of left)`, at least 1 ms.
///
/// `min_rtt` is the smallest round trip to *our caller*.
#[inline]
pub fn reserve(left: Duration, min_rtt: Duration) -> Duration {
    min_rtt.min(left / 20).max(RESERVE_MIN)
}

/// Time that a request has spent on the way: `min(min_rtt / 2, 10 % of sent)`, where `sent` is the
/// time left that it carried. The bound keeps a bad estimate from eating a short deadline.
#[inline]
pub fn transit(sent: Duration, min_rtt: Duration) -> Duration {
    (min_rtt / 2).min(sent / 10)
}

/// The deadline of a call made at `now` with `own_limit`, on behalf of one that ends at `parent`.
///
/// The parent always wins, less its [`reserve`]. `Duration::MAX` as limit means "the parent's
/// alone". A result at or before `now` means that no time is left: send nothing.
#[inline]
pub fn child_deadline(
    now: Instant,
    own_limit: Duration,
    parent: Option<Instant>,
    min_rtt: Duration,
) -> Instant {
    let own = later(now, own_limit);
    let Some(parent) = parent else { return own };
    let left = remaining(parent, now);
    own.min(earlier(parent, reserve(left, min_rtt)))
}

/// Holds a limit to the policy's maximum. True where it was longer, so that the caller can count
/// it.
#[inline]
pub fn clamp(limit: Duration, maximum: Duration) -> (Duration, bool) {
    (limit.min(maximum), limit > maximum)
}

/// Holds a limit to [`DEADLINE_MAX`], for want of a policy.
#[inline]
pub fn clamp_to_default(limit: Duration) -> (Duration, bool) {
    clamp(limit, DEADLINE_MAX)
}

/// How long a call with `left` to go may wait for an endpoint that can take it: `min(3 s, 25 % of
/// left)`.
#[inline]
pub fn wait_for_ready(left: Duration) -> Duration {
    (left / 4).min(WAIT_FOR_READY_MAX)
}

/// Time from `now` to `deadline`; zero once it has passed.
#[inline]
pub fn remaining(deadline: Instant, now: Instant) -> Duration {
    deadline.saturating_duration_since(now)
}

/// Whether a request with this long to go is worth sending: at least 1 ms.
#[inline]
pub fn worth_sending(left: Duration) -> bool {
    left >= SEND_MIN
}

/// The deadline of a call that was read at `now`, carried `left`, and had lain around for `age`
/// since it was written.
///
/// `now - age + left - transit`. At or before `now` means that it expired on its way; no handler
/// starts.
#[inline]
pub fn on_arrival(now: Instant, left: Duration, age: Duration, min_rtt: Duration) -> Instant {
    let spent = age.saturating_add(transit(left, min_rtt));
    match left.checked_sub(spent) {
        Some(rest) => later(now, rest),
        None => earlier(now, spent - left),
    }
}

#[inline]
fn later(from: Instant, by: Duration) -> Instant {
    // One of the two additions fits on every platform: instants start near zero and count in 64
    // bits.
    from.checked_add(by.min(FAR)).unwrap_or(from)
}

#[inline]
fn earlier(from: Instant, by: Duration) -> Instant {
    from.checked_sub(by).unwrap_or(from)
}
