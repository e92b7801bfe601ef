//! What a process has used so far: CPU time, allocations and memory.

use std::{fs, time::Instant};

use crate::{Failure, counting};

/// A reading; two of them make a [`Spent`].
pub(crate) struct Reading {
    at: Instant,
    cpu_seconds: f64,
    allocations: u64,
    resident_kib: f64,
}

/// What was used between two readings.
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) allocations: u64,
    /// What its memory has grown by; less than nothing where it has shrunk.
    pub(crate) resident_kib: f64,
}

impl Reading {
    /// # Errors
    /// `/proc` is not Linux's.
    pub(crate) fn now() -> Result<Self, Failure> {
        Ok(Self {
            at: Instant::now(),
            cpu_seconds: cpu_seconds()?,
            allocations: counting::total(),
            resident_kib: resident_kib()?,
        })
    }

    /// # Errors
    /// As [`now`](Self::now).
    pub(crate) fn spent(&self) -> Result<Spent, Failure> {
        let now = Self::now()?;
        Ok(Spent {
            seconds: (now.at - self.at).as_secs_f64(),
            cpu_seconds: now.cpu_seconds - self.cpu_seconds,
            allocations: now.allocations - self.allocations,
            resident_kib: now.resident_kib - self.resident_kib,
        })
    }
}

/// CPU time of all living threads. None of the contestants' threads ends before its process does.
fn cpu_seconds() -> Result<f64, Failure> {
    let mut nanos = 0u64;
    for task in fs::read_dir("/proc/self/task")? {
        // "time on the CPU in ns, time waiting in ns, slices": exact, where `stat` counts ticks of 10 ms.
        let line = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = line.split_ascii_whitespace().next().ok_or("`schedstat` is empty")?;
        nanos += first.parse::<u64>()?;
    }
    if nanos > 0 {
        return Ok(nanos as f64 / 1e9);
    }
    // A kernel that does not keep them: user and system ticks, fields 14 and 15, counted after the name.
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("`/proc/self/stat` has no name")?;
    let mut ticks = 0u64;
    for field in rest.split_ascii_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks as f64 / 100.0)
}

/// What it has of the machine's memory.
fn resident_kib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no `VmRSS`")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
