//! The last decisions about one service's endpoints.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sinew_core::limits::{DECISIONS_EXPLAINED, DECISIONS_MAX};

use crate::error::{Decision, Happening};

/// What concerns no endpoint and comes again within so many decisions is the same one again: a budget that is used up
/// is used up for every other call.
const AGAIN: usize = 8;

/// A ring of decisions: the oldest makes room for the newest.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<VecDeque<Decision>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Decision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one.
    pub(super) fn note(&self, endpoint: Option<&Arc<str>>, what: Happening, at: Instant) {
        let ago = std::time::Duration::ZERO;
        let mut new = Decision { at, ago, endpoint: endpoint.cloned(), what, times: 1 };
        let mut all = self.lock();
        if new.endpoint.is_none() {
            let last = all.len().saturating_sub(AGAIN)..all.len();
            let same = |known: &Decision| known.endpoint.is_none() && known.what == new.what;
            let known = all.range(last.clone()).position(same).map(|place| last.start + place);
            if let Some(known) = known.and_then(|known| all.remove(known)) {
                new.times = known.times.saturating_add(1);
            }
        }
        if all.len() >= DECISIONS_MAX {
            all.pop_front();
        }
        all.push_back(new);
    }

    /// All that are kept, the oldest first.
    pub(super) fn all(&self, now: Instant) -> Vec<Decision> {
        self.last(DECISIONS_MAX, now)
    }

    /// The last few, for an error.
    pub(super) fn few(&self, now: Instant) -> Vec<Decision> {
        self.last(DECISIONS_EXPLAINED, now)
    }

    fn last(&self, count: usize, now: Instant) -> Vec<Decision> {
        let all = self.lock();
        let last = all.iter().skip(all.len().saturating_sub(count)).cloned();
        last.map(|known| Decision { ago: now.saturating_duration_since(known.at), ..known })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_never_more() {
        let (recorder, t0) = (Recorder::default(), Instant::now());
        for n in 0..10 * DECISIONS_MAX as u64 {
            let endpoint = Arc::from(format!("e:{n}"));
            recorder.note(Some(&endpoint), Happening::Silent, t0 + Duration::from_millis(n));
        }
        let end = t0 + Duration::from_millis(10 * DECISIONS_MAX as u64);
        let all = recorder.all(end);
        assert_eq!(all.len(), DECISIONS_MAX);
        assert!(all.is_sorted_by_key(|decision| decision.at));
        let last = &all[DECISIONS_MAX - 1];
        assert_eq!(last.endpoint.as_deref(), Some(&*format!("e:{}", 10 * DECISIONS_MAX - 1)));
        assert_eq!(last.ago, Duration::from_millis(1));
        assert_eq!(recorder.few(end), all[DECISIONS_MAX - DECISIONS_EXPLAINED..]);
    }

    #[test]
    fn what_comes_again_and_again_is_one_decision_and_pushes_nothing_out() {
        let (recorder, now) = (Recorder::default(), Instant::now());
        let endpoint = Arc::from("e:1");
        recorder.note(Some(&endpoint), Happening::Silent, now);
        for _ in 0..1000 {
            recorder.note(None, Happening::BudgetExhausted, now);
            recorder.note(None, Happening::ThrottleBegan, now);
        }
        recorder.note(Some(&endpoint), Happening::Silent, now);
        let seen: Vec<_> =
            recorder.all(now).into_iter().map(|decision| (decision.what, decision.times)).collect();
        let (budget, throttle) = (Happening::BudgetExhausted, Happening::ThrottleBegan);
        let silent = || (Happening::Silent, 1);
        assert_eq!(seen, [silent(), (budget, 1000), (throttle, 1000), silent()]);
    }
}
