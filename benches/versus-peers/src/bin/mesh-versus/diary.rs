//! What happened: every call as its caller saw it, every execution as its replica did.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// A call that is over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) number: u64,
    /// When it should have begun, in microseconds of the wall clock.
    pub(crate) begun_us: u64,
    /// From there to its end.
    pub(crate) took_us: u64,
    /// Who answered; none when it failed.
    pub(crate) replica: Option<u8>,
    /// How many attempts the caller was told of; none when it was told nothing.
    pub(crate) attempts: Option<u8>,
    /// `Ok`, or what it failed with.
    pub(crate) code: String,
}

/// A handler that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) call: u64,
    pub(crate) replica: u8,
    pub(crate) at_us: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) calls: Vec<Call>,
    pub(crate) executions: Vec<Execution>,
}

/// The log while it is written, by a thread for each process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Log>>);

impl Diary {
    pub(crate) fn read(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the caller. What cannot be read is dropped: the last line of a process that was killed.
    pub(crate) fn called(&self, line: &str) {
        if let Some(call) = Call::read(line) {
            self.read().calls.push(call);
        }
    }

    /// A line of a replica.
    pub(crate) fn executed(&self, replica: u8, line: &str) {
        let mut words = line.split_ascii_whitespace().map(str::parse);
        if let (Some(Ok(call)), Some(Ok(at_us))) = (words.next(), words.next()) {
            self.read().executions.push(Execution { call, replica, at_us });
        }
    }
}

impl Call {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next();
        Some(Self {
            number: next()?.parse().ok()?,
            begun_us: next()?.parse().ok()?,
            took_us: next()?.parse().ok()?,
            replica: next()?.parse().ok(),
            attempts: next()?.parse().ok().filter(|&attempts| attempts > 0),
            code: next()?.to_owned(),
        })
    }

    pub(crate) fn failed(&self) -> bool {
        self.replica.is_none()
    }
}

impl Log {
    /// All of it, in milliseconds since `zero_us`, for whoever wants to know why.
    pub(crate) fn write(&self, out: &mut impl Write, zero_us: u64) -> io::Result<()> {
        let ms = |us: u64| (us as f64 - zero_us as f64) / 1e3;
        for call in &self.calls {
            let replica = call.replica.map_or(-1, i16::from);
            let (begun, took) = (ms(call.begun_us), call.took_us as f64 / 1e3);
            let attempts = call.attempts.unwrap_or(0);
            let (number, code) = (call.number, &call.code);
            writeln!(out, "call {number} {begun:.3} {took:.3} {replica} {attempts} {code}")?;
        }
        for Execution { call, replica, at_us } in &self.executions {
            writeln!(out, "execution {call} {:.3} {replica}", ms(*at_us))?;
        }
        Ok(())
    }

    /// How often each code came among calls that failed from `from_us` on.
    pub(crate) fn codes(&self, from_us: u64) -> BTreeMap<&str, usize> {
        let mut codes = BTreeMap::new();
        let failed = self.calls.iter().filter(|call| call.failed());
        for call in failed.filter(|call| call.begun_us >= from_us) {
            *codes.entry(call.code.as_str()).or_default() += 1;
        }
        codes
    }
}

/// Microseconds of the wall clock, as all processes of the machine see it.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let diary = Diary::default();
        diary.called("7 1000 250 2 1 Ok");
        diary.called("8 1002 900 - 0 Unavailable");
        diary.called("9 10");
        diary.executed(2, "7 1100");
        let log = diary.read();
        assert_eq!(log.calls.len(), 2);
        assert_eq!((log.calls[0].replica, log.calls[0].attempts), (Some(2), Some(1)));
        assert!(log.calls[1].failed() && log.calls[1].attempts.is_none());
        assert_eq!(log.codes(0), BTreeMap::from([("Unavailable", 1)]));
        assert_eq!(log.codes(1003), BTreeMap::new());
        assert_eq!(log.executions.len(), 1);
    }
}
