//! What a member costs at a moment, out of what was published of it: no lock.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::Member;
use crate::{
    limits::{FORGET_AFTER_MAX, REPORT_FRESH},
    policy::balance::{PeakEwma, Price},
    ramp::slow_start,
};

/// What a pick knows of all endpoints together.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Among {
    /// It looks at some of them, for they are many.
    pub(in super::super) many: bool,
    /// Calls that others have at an endpoint, as far as is known.
    pub(in super::super) others: u32,
}

impl Member {
    /// What it costs in this millisecond of the plan; one of `many` of which a pick sees some.
    ///
    /// Of few, each is heard of often, and a peak of latency is the first sign of trouble. Of many, those that were heard
    /// of just now have fresh peaks, and the others have forgotten theirs: there a fresh report says better who has
    /// trouble, and what is typical is what a call takes.
    pub(in super::super) fn price(&self, stripe: usize, among: Among, now_ms: u32) -> Price {
        let (sent, ours) = self.calls(stripe, now_ms);
        let mut latency_us = self.cost_us(now_ms);
        let fresh = REPORT_FRESH.as_millis() as f64;
        let fresh = fresh.max(latency_us.unwrap_or(0.0) / 200.0);
        let at_work = self.stripe(stripe).reported(sent, fresh, now_ms);
        if among.many && at_work.is_some() {
            let typical = f64::from(f32::from_bits(self.typical.load(Relaxed)));
            let penalty = self.penalty_us(now_ms).unwrap_or(0.0);
            latency_us = latency_us.map(|latency| latency.min(typical.max(penalty)));
        }
        let at_work = at_work.unwrap_or_else(|| ours.saturating_add(among.others));
        Price { latency_us, at_work, ours, weight: self.weight() * self.share(now_ms) }
    }

    /// What it costs by its latency, and by its last failure if that is more.
    fn cost_us(&self, now_ms: u32) -> Option<f64> {
        match (self.latency_us(now_ms), self.penalty_us(now_ms)) {
            (Some(latency), Some(penalty)) => Some(latency.max(penalty)),
            (one, other) => one.or(other),
        }
    }

    /// What its last failure costs, if no answer came since.
    fn penalty_us(&self, now_ms: u32) -> Option<f64> {
        let penalty = self.penalty.load(Relaxed);
        if penalty == 0 {
            return None;
        }
        let age_ms = now_ms.wrapping_sub(penalty as u32);
        let age_ms = if age_ms > u32::MAX / 2 { 0 } else { age_ms };
        let peak = f64::from(f32::from_bits((penalty >> 32) as u32));
        Some(peak * (-f64::from(age_ms) / FORGET_AFTER_MAX.as_millis() as f64).exp())
    }

    fn latency_us(&self, now_ms: u32) -> Option<f64> {
        let cost = self.cost.load(Relaxed);
        if cost == 0 {
            return None;
        }
        let peak = f64::from(f32::from_bits((cost >> 32) as u32));
        let typical = f64::from(f32::from_bits(self.typical.load(Relaxed)));
        let age_ms = now_ms.wrapping_sub(cost as u32);
        if age_ms == 0 || age_ms > u32::MAX / 2 {
            return Some(peak);
        }
        let forget_ms = PeakEwma::forget_after_s(typical) * 1e3;
        let ages = f64::from(age_ms) / forget_ms;
        // Most were heard just now; their share of the error is below 0.01 %.
        let left = if ages < 0.05 { 1.0 - ages + ages * ages / 2.0 } else { (-ages).exp() };
        Some((peak * left).max(typical.min(peak)))
    }

    /// The share of its weight that it has, soon after it came.
    pub(in super::super) fn share(&self, now_ms: u32) -> f64 {
        let back = self.back_ms.load(Relaxed);
        if back == 0 {
            return 1.0;
        }
        let age = now_ms.wrapping_sub(back - 1);
        let share = slow_start(Duration::from_millis(u64::from(age)));
        if share >= 1.0 {
            self.back_ms.store(0, Relaxed);
        }
        share
    }
}
