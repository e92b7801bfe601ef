//! How much of the machine went to somebody else meanwhile.

use std::fs;

/// Ticks since the start, of the machine and of us with the contestants that have ended.
#[derive(Debug)]
pub struct Load {
    /// All CPUs, idle or not.
    total: u64,
    idle: u64,
    ours: u64,
}

impl Load {
    /// `None` where `/proc` is not Linux's: then nothing is said.
    pub fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already
        let ticks = numbers(stat.lines().next()?.strip_prefix("cpu")?).take(8).collect::<Vec<_>>();
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // utime, stime and the same of children that were waited for
        let ours = numbers_after_name(&own)?.iter().skip(11).take(4).sum();
        Some(Self { total: ticks.iter().sum(), idle: ticks.get(3)? + ticks.get(4)?, ours })
    }

    /// One line for the reader.
    pub fn others_until(&self, after: &Self) -> String {
        let total = (after.total - self.total).max(1) as f64;
        let busy = total - (after.idle - self.idle) as f64;
        let others = (busy - (after.ours - self.ours) as f64).max(0.0);
        let share = 100.0 * others / total;
        let advice = if share > 10.0 { ": trust the ratios, not the figures" } else { "" };
        format!("others had {share:.0} % of this machine's CPUs meanwhile{advice}")
    }
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split_ascii_whitespace().map_while(|word| word.parse().ok())
}

/// The fields after `(name) state`; some may be negative, so those count as nothing.
fn numbers_after_name(stat: &str) -> Option<Vec<u64>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0)).collect())
}
