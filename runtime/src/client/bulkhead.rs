//! A place among the calls that are out, waited for for a while if there is none.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sinew_core::{
    codes::{Code, Directive, Reason},
    limits,
    policy::bulkhead::{Bulkhead, Full, Permit},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::call::Call;
use crate::{
    error::{Status, millis},
    metrics::Happened,
};

/// The places of one client's calls to one service, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Places {
    bulkhead: Bulkhead,
    waiting: AtomicU32,
    left: Notify,
}

/// A place; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place<'a> {
    places: &'a Places,
    permit: Option<Permit>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.places.bulkhead.settle(permit);
            if self.places.waiting.load(Ordering::Relaxed) > 0 {
                self.places.left.notify_one();
            }
        }
    }
}

/// One that waits.
struct Waiting<'a>(&'a Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// For so many calls from here on.
    pub(super) fn resize(&self, limit: u32) {
        self.bulkhead.resize(limit);
        self.left.notify_waiters();
    }

    /// Whether more than half of them are taken.
    pub(super) fn are_half_taken(&self) -> bool {
        self.bulkhead.is_half_full()
    }

    /// A place for a call.
    pub(super) async fn enter(&self, call: &Call) -> Result<Place<'_>, Status> {
        match self.bulkhead.admit_within(call.head().method.0, call.rules.most) {
            Ok(permit) => Ok(Place { places: self, permit: Some(permit) }),
            Err(_) => Box::pin(self.wait(call)).await,
        }
    }

    async fn wait(&self, call: &Call) -> Result<Place<'_>, Status> {
        call.note(Happened::Waited);
        let method = call.head().method.0;
        let now = Instant::now();
        let left = call.deadline().map_or(Duration::MAX, |end| end.saturating_duration_since(now));
        let patience = left
            .min(limits::DEADLINE_DEFAULT)
            .mul_f64(f64::from(call.rules.wait))
            .max(limits::BULKHEAD_WAIT_MIN);
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(self);
        if waiting >= call.rules.waiting_max {
            let full = self.bulkhead.admit_within(method, call.rules.most);
            return full
                .map(|permit| Place { places: self, permit: Some(permit) })
                .map_err(|full| refused(call, full, Duration::ZERO));
        }
        let until = now + patience;
        loop {
            let left = self.left.notified();
            let full = match self.bulkhead.admit_within(method, call.rules.most) {
                Ok(permit) => return Ok(Place { places: self, permit: Some(permit) }),
                Err(full) => full,
            };
            if timeout_at(until, left).await.is_err() {
                return Err(refused(call, full, patience));
            }
        }
    }
}

fn refused(call: &Call, Full { limit, share, of_method }: Full, waited: Duration) -> Status {
    let waited = millis(waited);
    let words = match of_method {
        Some(most) => format!(
            "{most} calls of this client to `{}` are out already (`max_in_flight` of the method in the policy), and none \
             ended within {waited}",
            call.method.path()
        ),
        None => format!(
            "{limit} calls of this client to `{}` are out already (BULKHEAD_MAX), {share} or more of this method \
             (BULKHEAD_METHOD_SHARE), and none ended within {waited}",
            call.method.service()
        ),
    };
    Status::not_sent(Code::ResourceExhausted, Reason::BulkheadFull, words)
        .with_directive(Directive::DoNotRetry)
}
