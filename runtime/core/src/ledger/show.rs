//! The ledger as people read it: a tree, and the one hop that used up the time.

use std::fmt;

use super::{LedgerAttempt, LedgerCall};
use crate::codes::Code;

/// Where most of a call's time went: the deepest node that took more than half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit<'a> {
    /// The method, `Service/method`.
    pub method: &'a str,
    /// The endpoint where it was tried; `None` where no single attempt took that long.
    pub endpoint: Option<&'a str>,
    /// It was spent before the first attempt.
    pub waited: bool,
    /// Microseconds that went there.
    pub took_us: u64,
    /// Microseconds of the whole call.
    pub total_us: u64,
}

impl LedgerCall {
    /// Where most of this call's time went; `None` where it took no time.
    pub fn culprit(&self) -> Option<Culprit<'_>> {
        find(self, self.total_us)
    }
}

fn is_most(us: u64, total_us: u64) -> bool {
    us > total_us / 2
}

fn find(call: &LedgerCall, total_us: u64) -> Option<Culprit<'_>> {
    if !is_most(call.total_us, total_us) {
        return None;
    }
    let below = call.below().find_map(|below| find(below, total_us));
    let here = Culprit {
        method: &call.method,
        endpoint: None,
        waited: false,
        took_us: call.total_us,
        total_us,
    };
    Some(below.unwrap_or_else(|| {
        if is_most(call.waited_us, total_us) {
            return Culprit { waited: true, took_us: call.waited_us, ..here };
        }
        match call.attempts.iter().find(|attempt| is_most(attempt.took_us, total_us)) {
            Some(attempt) => {
                Culprit { endpoint: Some(&attempt.endpoint), took_us: attempt.took_us, ..here }
            }
            None => here,
        }
    }))
}

impl fmt::Display for Culprit<'_> {
    /// One clause, e.g. `fares/quote at 127.0.0.1:7003 took 480 of 500 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        if let Some(endpoint) = self.endpoint {
            write!(f, " at {endpoint}")?;
        }
        f.write_str(if self.waited { " waited " } else { " took " })?;
        if self.total_us < 10_000 {
            write!(f, "{} of {} ms", Ms(self.took_us), Ms(self.total_us))?;
        } else {
            write!(f, "{} of {} ms", self.took_us / 1000, self.total_us / 1000)?;
        }
        f.write_str(if self.waited { " before its first attempt" } else { "" })
    }
}

/// Milliseconds with one decimal.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 / 100 % 10)
    }
}

/// How a tree is drawn.
struct Show<'a> {
    total_us: u64,
    culprit: Option<Culprit<'a>>,
}

impl fmt::Display for LedgerCall {
    /// A tree, one line per call and attempt, without a line end behind the last.
    ///
    /// A call that went well at the first attempt and made no calls has no line for that attempt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = Show { total_us: self.total_us, culprit: self.culprit() };
        show.call(f, self, "", true)
    }
}

impl Show<'_> {
    fn call(
        &self,
        f: &mut fmt::Formatter<'_>,
        call: &LedgerCall,
        indent: &str,
        is_root: bool,
    ) -> fmt::Result {
        write!(f, "{}  {} ms", call.method, Ms(call.total_us))?;
        if !is_root && self.total_us > 0 {
            let share = u128::from(call.total_us) * 100 / u128::from(self.total_us);
            write!(f, "  {share} %")?;
        }
        if call.unfinished {
            f.write_str("  unfinished")?;
        } else {
            write!(f, "  {}", call.code)?;
        }
        if call.waited_us >= 100 {
            write!(f, "  (waited {} ms)", Ms(call.waited_us))?;
        }
        if call.dropped > 0 {
            write!(f, "  ({} shorter calls left out)", call.dropped)?;
        }
        if !is_root
            && self.culprit.is_some_and(|culprit| std::ptr::eq(culprit.method, &*call.method))
        {
            f.write_str("   <- most of the time")?;
        }
        if !is_root && is_plain(call) {
            return Ok(());
        }
        for (at, attempt) in call.attempts.iter().enumerate() {
            let last = at + 1 == call.attempts.len();
            write!(f, "\n{indent} {} ", if last { '└' } else { '├' })?;
            self.attempt(
                f,
                attempt,
                at + 1,
                &format!("{indent} {}  ", if last { ' ' } else { '│' }),
            )?;
        }
        Ok(())
    }

    fn attempt(
        &self,
        f: &mut fmt::Formatter<'_>,
        attempt: &LedgerAttempt,
        number: usize,
        indent: &str,
    ) -> fmt::Result {
        write!(f, "attempt {number} at {}  {} ms", attempt.endpoint, Ms(attempt.took_us))?;
        let Some(server) = &attempt.answered else {
            return f.write_str("  no answer");
        };
        if attempt.code != Code::Ok {
            write!(f, "  {}", attempt.code)?;
        }
        write!(f, "  (queue {} ms, work {} ms)", Ms(server.queue_us), Ms(server.work_us))?;
        for (at, call) in server.calls.iter().enumerate() {
            let last = at + 1 == server.calls.len();
            write!(f, "\n{indent}{} ", if last { '└' } else { '├' })?;
            let below = format!("{indent}{} ", if last { ' ' } else { '│' });
            self.call(f, call, &below, false)?;
        }
        Ok(())
    }
}

fn is_plain(call: &LedgerCall) -> bool {
    let one = call.attempts.len() <= 1;
    call.code == Code::Ok && !call.unfinished && one && call.below().next().is_none()
}
