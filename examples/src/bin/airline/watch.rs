//! When the callers left a bad server, and when they came back, read off their attempts.
//!
//! - *Left*: the time from the beginning of a fault to the moment from which on the bad server gets less than a tenth
//!   of its fair share of the attempts, for 500 ms or until the fault ends. Not none at all: somebody has to look
//!   whether it is well again.
//! - *Back*: the time from the end of the fault to the first attempt with which 500 ms begin in which the server, or the
//!   one that was started in its place, gets a tenth of its fair share at least.

use std::ops::Range;

use crate::api::Attempt;

const LOOKED_AT_US: u64 = 500_000;
/// One part in so many of the fair share.
const SHARE: usize = 10;

/// The attempts of all callers of a service which has so many servers.
#[derive(Debug)]
pub(crate) struct Watch {
    attempts: Vec<Attempt>,
    servers: usize,
}

impl Watch {
    pub(crate) fn new(mut attempts: Vec<Attempt>, servers: usize) -> Self {
        attempts.sort_unstable_by_key(|attempt| attempt.at_us);
        Self { attempts, servers }
    }

    /// Microseconds from the beginning of a fault until the server with this port was left; `None` if it never was.
    pub(crate) fn left_us(&self, port: u16, fault: Range<u64>) -> Option<u64> {
        // Nothing changes for the better but after an attempt at it.
        let after = self.at(port, &fault).map(|at_us| at_us + 1);
        let left = [fault.start].into_iter().chain(after).find(|&at_us| {
            let (all, here) = self.count(port, at_us..fault.end.min(at_us + LOOKED_AT_US));
            all > 0 && here * SHARE * self.servers < all
        });
        left.map(|at_us| at_us - fault.start)
    }

    /// Microseconds from the end of a fault until the server with this port was used again; `None` if that was not seen.
    pub(crate) fn back_us(&self, port: u16, calm: Range<u64>) -> Option<u64> {
        let back = self.at(port, &calm).find(|&at_us| {
            let (all, here) = self.count(port, at_us..at_us + LOOKED_AT_US);
            at_us + LOOKED_AT_US <= calm.end && here * SHARE * self.servers >= all
        });
        back.map(|at_us| at_us - calm.start)
    }

    /// When this server was tried.
    fn at(&self, port: u16, during: &Range<u64>) -> impl Iterator<Item = u64> {
        let tried = self.during(during).iter().filter(move |attempt| attempt.port == port);
        tried.map(|attempt| attempt.at_us)
    }

    /// How many attempts there were, and how many at this server.
    fn count(&self, port: u16, during: Range<u64>) -> (usize, usize) {
        let attempts = self.during(&during);
        (attempts.len(), attempts.iter().filter(|attempt| attempt.port == port).count())
    }

    fn during(&self, during: &Range<u64>) -> &[Attempt] {
        let before = |us| self.attempts.partition_point(|attempt| attempt.at_us < us);
        let (from, to) = (before(during.start), before(during.end));
        &self.attempts[from..to.max(from)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    /// An attempt each millisecond for 3 s: at the ports 1, 2 and 3 in turn, but not at 1 where `left` says so.
    fn watch(left: impl Fn(u64) -> bool) -> Watch {
        let port = |ms: u64| match ms % 3 {
            0 if left(ms) => 2,
            other => u16::try_from(other).unwrap() + 1,
        };
        let attempts = (0..3_000).rev().map(|ms| Attempt { at_us: ms * MS, port: port(ms) });
        Watch::new(attempts.collect(), 3)
    }

    #[test]
    fn a_server_is_left_when_few_attempts_are_to_come_and_back_with_the_first_of_many() {
        let watch = watch(|ms| (1_200..1_800).contains(&ms));
        // Of the 445 attempts from there to the end of the fault, 14 are at it: less than a thirtieth.
        assert_eq!(watch.left_us(1, 1_000 * MS..1_600 * MS), Some(155 * MS + 1));
        assert_eq!(watch.back_us(1, 1_600 * MS..3_000 * MS), Some(200 * MS));
    }

    #[test]
    fn a_probe_now_and_then_is_no_return() {
        let watch = watch(|ms| ms > 1_000 && ms % 300 != 0);
        assert_eq!(watch.left_us(1, 1_000 * MS..2_500 * MS), Some(0));
        assert_eq!(watch.back_us(1, 1_600 * MS..3_000 * MS), None);
    }

    #[test]
    fn a_server_that_is_used_as_before_was_not_left() {
        let watch = watch(|_| false);
        assert_eq!(watch.left_us(1, 1_000 * MS..1_600 * MS), None);
        assert_eq!(watch.back_us(1, 1_600 * MS..3_000 * MS), Some(2 * MS));
        assert_eq!(watch.back_us(1, 2_600 * MS..3_000 * MS), None, "too short to tell");
    }

    #[test]
    fn nothing_is_said_without_attempts() {
        let watch = Watch::new(Vec::new(), 3);
        assert_eq!((watch.left_us(1, 0..MS), watch.back_us(1, 0..MS)), (None, None));
    }
}
